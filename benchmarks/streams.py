"""Distilling from data larger than the allowed memory: peak memory, time, and equality with data in memory.

    python benchmarks/streams.py [MB] [MEMORY_MB]

By default 2,000 MB of float32 images with --memory 200MB. Each run is a process of its own, whose largest resident
memory the kernel counts; the same run with 1/100 of the data, in memory, shows what the frameworks and the models take
alone. The last two runs compare a small instance from files with the same in memory, by the weights of the student.
Writes docs/results/streams.md and benchmarks/results/streams.json.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIDE, CHANNELS, CLASSES, BATCH = 32, 3, 10, 256
RESULTS = Path(__file__).parents[1] / "docs" / "results"
FIGURES = Path(__file__).parent / "results"
SETTINGS: dict[str, Any] = {
    "alpha": 0.5, "temperature": 2.0, "learning_rate": 0.003, "epochs": 1, "seeds": 2, "search_seeds": 1,
    "batch_size": 64,
}  # fmt: skip


def patterns() -> np.ndarray:
    """What the images of each class have in common."""
    return np.random.default_rng(0).normal(size=(CLASSES, SIDE, SIDE, CHANNELS)).astype(np.float32)


def batches(examples: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images of noise with the pattern of their class in it."""
    rng, known = np.random.default_rng(1), patterns()
    for start in range(0, examples, BATCH):
        labels = rng.integers(0, CLASSES, min(BATCH, examples - start))
        noise = rng.standard_normal((len(labels), SIDE, SIDE, CHANNELS), dtype=np.float32)
        yield (0.05 * known[labels] + noise).astype(np.float32), labels


def teacher() -> Any:
    """The product with the patterns, which is near the best that can be told of such images."""
    import keras

    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, CHANNELS)), keras.layers.Flatten(), keras.layers.Dense(CLASSES)], name="filter"
    )
    model.layers[-1].set_weights([0.05 * patterns().reshape(CLASSES, -1).T, np.zeros(CLASSES)])
    return model


def data(form: str, examples: int, folder: Path) -> Any:
    """The data as a generator, a folder of shards, or arrays."""
    if form == "generator":
        return lambda: batches(examples)
    if form == "files":
        return folder
    x, y = zip(*batches(examples), strict=True)
    return np.concatenate(x), np.concatenate(y)


def write_shards(examples: int, folder: Path) -> None:
    """Write the data as `x_*.npy` beside `y_*.npy`, 16 batches a file."""
    held: list[tuple[np.ndarray, np.ndarray]] = []
    for number, batch in enumerate(batches(examples), 1):
        held.append(batch)
        if number % 16 == 0 or number * BATCH >= examples:
            x, y = (np.concatenate(part) for part in zip(*held, strict=True))
            np.save(folder / f"x_{number:06d}.npy", x)
            np.save(folder / f"y_{number:06d}.npy", y)
            held.clear()


def child(form: str, examples: int, memory: int, folder: str) -> None:
    """One distillation; prints its figures as JSON."""
    from distillab import distill
    from distillab.study.run import RunOptions

    begin = time.perf_counter()
    options = RunOptions(memory=memory or None, devices=1)
    result = distill(teacher(), "mlp-32", data(form, examples, Path(folder)), options=options, **SETTINGS)
    weights = hashlib.sha256(b"".join(np.ascontiguousarray(w).tobytes() for w in result.student.get_weights()))
    print(
        json.dumps(
            {
                "form": form,
                "examples": examples,
                "memory": memory,
                "seconds": round(time.perf_counter() - begin, 1),
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
                "weights": weights.hexdigest()[:16],
                "verdict": result.verdict,
            }
        )
    )


def run(form: str, examples: int, memory: int, folder: Path) -> dict[str, Any]:
    """One distillation in a process of its own."""
    words = [sys.executable, __file__, "--child", form, str(examples), str(memory), str(folder)]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print({**found, "load": round(os.getloadavg()[0], 1)}, flush=True)
    return found


def main() -> None:
    size, memory = (int(word) * 10**6 for word in (*sys.argv[1:3], *("2000", "200")[len(sys.argv[1:3]) :]))
    row = SIDE * SIDE * CHANNELS * 4
    many, few, middle = size // row, size // row // 100, 4 * memory // row // 10
    with tempfile.TemporaryDirectory() as temporary:
        none, large, small = (Path(temporary, name) for name in ("none", "large", "small"))
        large.mkdir()
        small.mkdir()
        write_shards(many, large)
        write_shards(middle, small)
        base = run("memory", few, 0, none)
        runs = [
            run("generator", many // 4, memory, none),
            run("generator", many, memory, none),
            run("files", many, memory, large),
        ]
        equal = [run("files", middle, memory // 10, small), run("memory", middle, 0, none)]
    figures = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load {os.getloadavg()[0]:.1f}",
        "data_mb": round(size / 1e6),
        "memory_mb": round(memory / 1e6),
        "base": base,
        "runs": runs,
        "equal": equal,
        "same_weights": equal[0]["weights"] == equal[1]["weights"],
    }
    FIGURES.joinpath("streams.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    RESULTS.joinpath("streams.md").write_text(page(figures), encoding="utf-8")


def page(figures: dict[str, Any]) -> str:
    """The figures in words."""
    base = figures["base"]
    lines = [
        "# Data larger than memory",
        "",
        "Measured by `benchmarks/streams.py`. Machine: " + figures["machine"] + ".",
        "",
        f"Up to {figures['data_mb']:,} MB of float32 images ({SIDE} x {SIDE} x {CHANNELS}) are distilled with "
        f"`--memory {figures['memory_mb']}MB`: one epoch, two seeds, with and without the teacher. *Beyond the base* "
        f"is the peak less that of the same distillation of {base['examples']:,} examples in memory, "
        f"{base['peak_mb']:,} MB: the frameworks and the models.",
        "",
        "| data | examples | peak memory | beyond the base | time | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for one in figures["runs"]:
        beyond = one["peak_mb"] - base["peak_mb"]
        lines.append(
            f"| {one['form']} | {one['examples']:,} | {one['peak_mb']:,} MB | {beyond:,} MB | {one['seconds']:.0f} s | "
            f"{one['verdict']} |"
        )
    word = "the same bits" if figures["same_weights"] else "**different**"
    lines += [
        "",
        f"{figures['equal'][0]['examples']:,} examples from files, mapped, and the same in memory: the shipped "
        f"students' weights are {word}.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        main()
