"""What the top k of a teacher's 1,000 classes costs in accuracy and saves in size and time.

    python benchmarks/top_k.py [--examples 1000000] [--repeats 7]

Errors: of the loss T^2 KL and of its gradient, against all logits of a made-up teacher with heavy-tailed logits, as
stored: float16. Size: `store_predictions` writes the top 20 of a million examples, batch by batch, in a process of its
own. Speed: an epoch of one student with all logits and with the top 20, in turn, after a warm-up that compiles.
Memory: the peak of a whole distillation. Takes about three minutes on 2 cores.

Prints Markdown; `python benchmarks/top_k.py > docs/results/top_k.md` made that page.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
from scipy.special import log_softmax

from distillab.models.top_k import TopK, dense_rows, loss_error_bound, top_k_rows

CLASSES, KEPT, TEMPERATURES = 1_000, (5, 20, 100), (1, 3)
BYTES_OF_KEY = 8
FEATURES, TRAINING, BATCH, EPOCHS = 32, 20_000, 128, 3
CHUNK = 2_000


def teacher_logits(count: int, rng: np.random.Generator) -> np.ndarray:
    """Heavy-tailed logits, scaled so that the largest probability of most examples lies between 0.3 and 0.99."""
    tail = rng.standard_t(4, size=(count, CLASSES)) * rng.uniform(0.8, 1.4, (count, 1))
    best, wanted = rng.integers(0, CLASSES, count), rng.uniform(0.3, 0.99, count)
    rows = np.arange(count)
    tail[rows, best] = -np.inf
    others = np.log(np.exp(tail).sum(-1))
    tail[rows, best] = others + np.log(wanted) - np.log1p(-wanted)
    return tail.astype(np.float32)


def stored(logits: np.ndarray, k: int) -> TopK:
    """As `store_predictions` keeps it."""
    top = top_k_rows(logits, k)
    return TopK(top.values.astype(np.float16), top.classes.astype(np.uint16), top.rest)


def kl(teacher: np.ndarray, student: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """T^2 KL in float64, and its gradient in the student's logits."""
    t, s = (log_softmax(np.asarray(z, np.float64) / temperature, axis=-1) for z in (teacher, student))
    return temperature**2 * (np.exp(t) * (t - s)).sum(-1), temperature * (np.exp(s) - np.exp(t))


def errors() -> None:
    rng = np.random.default_rng(0)
    teacher = teacher_logits(2_000, rng)
    student = (0.5 * teacher + rng.normal(size=teacher.shape)).astype(np.float32)
    largest = np.exp(log_softmax(teacher.astype(np.float64), axis=-1)).max(-1)
    print("## Errors\n")
    print(
        f"2,000 examples. The teacher's largest probability: median {np.median(largest):.2f}, from "
        f"{np.quantile(largest, 0.05):.2f} to {np.quantile(largest, 0.95):.2f} (5 % to 95 %). The student's logits are "
        "half the teacher's plus noise.\n"
    )
    print(
        "| k | T | remaining mass, mean | softened | loss, mean | error, mean | error, 99 % | bound, mean | gradient's "
        "error, of its length |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for k in KEPT:
        top = stored(teacher, k)
        rows = dense_rows(top, CLASSES)
        for temperature in TEMPERATURES:
            (loss, gradient), (short, its) = (kl(z, student, temperature) for z in (teacher, rows))
            softened = np.exp(log_softmax(teacher.astype(np.float64) / temperature, axis=-1))
            left = 1 - np.take_along_axis(softened, top.classes.astype(np.intp), -1).sum(-1)
            off = np.abs(short - loss)
            bound = loss_error_bound(top, student, temperature)
            turned = np.linalg.norm(its - gradient, axis=-1) / np.linalg.norm(gradient, axis=-1)
            print(
                f"| {k} | {temperature} | {np.exp(top.rest).mean():.3f} | {left.mean():.3f} | {loss.mean():.3f} | "
                f"{off.mean():.4f} ({off.mean() / loss.mean():.1%}) | {np.quantile(off, 0.99):.4f} | "
                f"{bound.mean():.2f} | {np.median(turned):.2%} |"
            )


def batches(count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Inputs and logits, `CHUNK` examples at a time; the logits are those of one batch, with other classes."""
    rng = np.random.default_rng(1)
    logits = teacher_logits(CHUNK, rng)
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        yield rng.normal(size=(size, FEATURES)).astype(np.float32), np.roll(logits, start // CHUNK, axis=1)[:size]


def peak_memory() -> float:
    """The largest resident size of this process so far, in MB; Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1000


def _write(folder: str, count: int, results: multiprocessing.Queue) -> None:
    from distillab.models.predictions import Predictions
    from distillab.models.storing import store_predictions

    before, begin = peak_memory(), time.perf_counter()
    store_predictions(Path(folder, "p.npy"), batches(count), top_k=20)
    wrote, after = time.perf_counter() - begin, peak_memory()
    begin = time.perf_counter()
    predictions = Predictions.read(Path(folder, "p.npy"))
    inputs, _ = next(batches(count))
    predictions.of(inputs)
    results.put((wrote, after - before, time.perf_counter() - begin))


def size(count: int) -> None:
    print("\n## Size\n")
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        results = context.Queue()
        process = context.Process(target=_write, args=(folder, count, results))
        process.start()
        wrote, memory, read = results.get()
        process.join()
        files = {file.name: file.stat().st_size for file in sorted(Path(folder).iterdir())}
    total = sum(files.values())
    print(
        f"{count:,} examples of 1,000 classes, top 20, written in batches of {CHUNK:,}: **{total / 1e6:.1f} MB** "
        f"({', '.join(f'{name} {size / 1e6:.1f}' for name, size in files.items())}), in {wrote:.0f} s with "
        f"{memory:.0f} MB of memory above that of an idle process. To map the files, check every example and look up "
        f"{CHUNK:,} took {read:.1f} s.\n"
    )
    print("| stored | bytes an example | a million examples |")
    print("|---|---|---|")
    formula = {"all, float32": 4 * CLASSES, "all, float16": 2 * CLASSES}
    formula |= {f"top {k}": 2 * k + 2 * k + 4 for k in KEPT}
    for name, size_ in formula.items():
        measured = f", measured {total / 1e6 * 1e6 / count:.1f}" if name == "top 20" else ""
        print(f"| {name} | {size_} + {BYTES_OF_KEY} | {size_ + BYTES_OF_KEY:,} MB{measured} |")
    print("\nA top k: k values of 2 bytes, k class numbers of 2, the rest of 4; the digest of the input takes 8.")


def trained(name: str, teacher: np.ndarray | TopK) -> tuple[Callable[[], float], float]:
    """A function that trains and gives the seconds of an epoch, and the megabytes of the shared arrays."""
    import jax

    from distillab.engine.devices import mesh
    from distillab.engine.functional import Functional
    from distillab.engine.trainer import CohortTrainer
    from distillab.engine.types import Examples, Recipe, Student
    from distillab.models import build

    rng = np.random.default_rng(2)
    x, model = rng.normal(size=(TRAINING, FEATURES)).astype(np.float32), Functional(build(name, (FEATURES,), CLASSES))
    examples = Examples(x, x[:1], x[:1], teacher, 1.0)
    student = Student(0.2, 3.0, 0.001, 0, model.initial(0), rng.integers(0, CLASSES, TRAINING), np.zeros(1, np.int64))
    trainer = CohortTrainer(model, examples, Recipe(EPOCHS, BATCH), mesh=mesh(1), capacity=1, threads=True)

    def run() -> float:
        begin = time.perf_counter()
        jax.block_until_ready(trainer.train([student]).test_logits)
        return (time.perf_counter() - begin) / EPOCHS

    return run, sum(leaf.nbytes for leaf in jax.tree.leaves(teacher)) / 1e6


def speed(repeats: int) -> None:
    rng = np.random.default_rng(3)
    logits = np.concatenate([teacher_logits(CHUNK, rng) for _ in range(TRAINING // CHUNK)])
    teachers = {"all, float32": logits[None], "top 20": TopK(*(part[None] for part in stored(logits, 20)))}
    print("\n## Speed\n")
    print(
        f"{TRAINING:,} examples of {FEATURES} features, 1,000 classes, batches of {BATCH}; seconds of an epoch, median "
        f"(range) of {repeats} times {EPOCHS} epochs, in turn.\n"
    )
    print("| student | teacher's logits | MB on the device | seconds of an epoch |")
    print("|---|---|---|---|")
    for name in ("mlp-32", "mlp-128-128"):
        runs = {kind: trained(name, teacher) for kind, teacher in teachers.items()}
        for run, _ in runs.values():
            run()
        seconds: dict[str, list[float]] = {kind: [] for kind in runs}
        for _ in range(repeats):
            for kind, (run, _) in runs.items():
                seconds[kind].append(run())
        for kind, (_, megabytes) in runs.items():
            of = seconds[kind]
            print(
                f"| {name} | {kind} | {megabytes:.1f} | {statistics.median(of):.3f} ({min(of):.3f} to {max(of):.3f}) |"
            )


def _distil(folder: str, count: int, kind: str, results: multiprocessing.Queue) -> None:
    import distillab

    rng, unseen = np.random.default_rng(4), CHUNK
    x = np.concatenate([inputs for inputs, _ in batches(count + unseen)])
    y = rng.integers(0, CLASSES, len(x))
    parts = {"x_train": x[:count], "y_train": y[:count], "x_test": x[count:], "y_test": y[count:]}
    path = Path(folder, f"{kind.replace(' ', '-')}.npy")
    distillab.store_predictions(path, batches(count + unseen), top_k=20 if kind == "top 20" else None)
    before, begin = peak_memory(), time.perf_counter()
    settings = {"epochs": 1, "seeds": 2, "search_seeds": 1, "rounds": 1, "batch_size": 256}
    settings |= {"alpha": 0.2, "temperature": 1.0, "learning_rate": 0.001}
    out = Path(folder, f"out-{path.stem}")
    distillab.distill(path, "mlp-32", parts, out, read=distillab.ReadOptions(validation=0.01), **settings)
    kept = sum(file.stat().st_size for file in (out / "predictions").glob("*.npy"))
    results.put((peak_memory() - before, kept / 1e6, time.perf_counter() - begin))


def memory(count: int) -> None:
    print("\n## Memory\n")
    print(
        f"`distillab.distill` from {count:,} examples of {FEATURES} features and 1,000 classes to an mlp-32, one "
        "epoch, every setting given, each in a process of its own: memory above that before the call.\n"
    )
    print("| teacher's logits | peak memory, MB | `out/predictions`, MB | seconds |")
    print("|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("all, float32", "top 20"):
            results = context.Queue()
            process = context.Process(target=_distil, args=(folder, count, kind, results))
            process.start()
            peak, kept, seconds = results.get()
            process.join()
            print(f"| {kind} | {peak:,.0f} | {kept:,.0f} | {seconds:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--examples", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    import jax

    print("# The top k of a teacher's classes\n")
    print(
        f"Made by `python benchmarks/top_k.py` on {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, JAX {jax.__version__} on {jax.devices()[0].platform}. What is stored, and the "
        "bound's derivation: [stored predictions](../stored-predictions.md).\n"
    )
    errors()
    size(options.examples)
    speed(options.repeats)
    memory(min(100_000, options.examples))


if __name__ == "__main__":
    main()
