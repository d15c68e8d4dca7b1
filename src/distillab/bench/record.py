"""One run of the bench: every subject in a process of its own, and what came of it as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import Any

from distillab.engine.devices import usable_cores
from distillab.errors import WorkError
from distillab.study.provenance import now, package_versions

EPOCH = 60_000
"""Examples of the epoch that times are stated for, whatever number was run."""

ENGINE = "this engine"


@dataclass(frozen=True)
class Row:
    """One measurement.

    Args:
        group: what it is to be compared with: "student", "students", "devices" or "teacher".
        name: what was measured.
        seconds: of an epoch of 60,000 examples, for one student; compilation apart.
        compile_seconds: of the first call beyond what a later one takes.
        peak_mib: the most memory that the process held.
        answer_seconds: of answering 60,000 images; teachers alone.
    """

    group: str
    name: str
    seconds: float
    compile_seconds: float
    peak_mib: float
    answer_seconds: float | None = None


@dataclass(frozen=True)
class Bench:
    """A finished bench, as it is saved."""

    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    examples: int
    flops_per_second: float
    floor_seconds: float  # the student's matrix products of an epoch, at that rate
    teacher_floor_seconds: float
    rows: list[Row] = field(default_factory=list)

    def to_json(self) -> str:
        """The record as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def measure(*, quick: bool = False, tell: Callable[[str], None] = lambda line: None) -> Bench:
    """Run the bench.

    Args:
        quick: fewer examples, no scaling: a minute or two instead of ten.
        tell: is told what is measured next.

    Raises:
        WorkError: a subject failed.
    """
    examples = 3_200 if quick else 12_800

    def run(group: str, name: str, subject: str, backend: str = "jax", **options: Any) -> Row:
        tell(name)
        count = options.pop("examples", examples)
        result = _run(subject, backend, {"examples": count} | options)
        scale = EPOCH / count
        answer = result.get("answer_seconds")
        return Row(
            group,
            name,
            result["seconds"] * scale,
            result["compile_seconds"],
            result["peak_mib"],
            None if answer is None else answer * scale,
        )

    tell("matrix products")
    rate = _run("products", "jax", {"examples": examples})
    rows = [run("student", ENGINE, "engine")]
    backends = ["jax", *(name for name in ("tensorflow", "torch") if find_spec(name))]
    rows += [run("student", f"keras.distillation on {name}", "distiller", name) for name in backends]
    rows += [run("student", f"fit with stored logits on {name}", "stored", name) for name in backends]
    rows += [run("student", "fit on labels alone on jax", "plain")]
    if "torch" in backends:
        rows.append(run("student", "PyTorch loop with stored logits", "torch_loop"))
    rows.append(run("teacher", ENGINE, "engine_teacher", examples=1_280 if quick else 3_840))
    rows += [
        run("teacher", f"Keras on {name}", "keras_teacher", name, examples=1_280 if quick else 3_840)
        for name in backends
    ]
    if not quick:
        few = 3_200
        rows += [run("students", f"{n}", "engine", students=n, examples=few) for n in (1, 4, 16, 64, 200)]
        cores = usable_cores()
        rows += [
            run("devices", f"{n}", "engine", devices=n, students=4 * cores, examples=few) for n in range(1, cores + 1)
        ]
        rows.append(run("mapping", "side by side (vmap)", "engine", mapping="vmap", examples=few))
    return Bench(
        date=now(),
        machine={"processor": platform.machine(), "system": platform.system(), "cores": usable_cores()},
        versions=package_versions() | _optional_versions(),
        examples=examples,
        flops_per_second=rate["flops_per_second"],
        floor_seconds=EPOCH * rate["student_flops"] / rate["flops_per_second"],
        teacher_floor_seconds=EPOCH * rate["teacher_flops"] / rate["flops_per_second"],
        rows=rows,
    )


def _run(subject: str, backend: str, options: dict[str, Any]) -> dict[str, float]:
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "distillab.bench.subjects", subject, json.dumps(options)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise WorkError(f"The bench's {subject!r} on {backend} failed: {reason[:300]}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def _optional_versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("tensorflow", "tensorflow-cpu", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def table(bench: Bench) -> str:
    """The record as text for a terminal."""
    lines = [
        f"{bench.machine['cores']} cores, {bench.machine['processor']}; "
        + ", ".join(f"{name} {version}" for name, version in bench.versions.items()),
        f"Matrix products: {bench.flops_per_second / 1e9:,.0f} GFLOP/s. Times are for 60,000 examples, scaled up from "
        f"{bench.examples:,}.",
        "",
        *_part(bench, "student", "One student, one epoch, batch 32", bench.floor_seconds),
        *_part(bench, "teacher", "The teacher, one epoch, batch 64", bench.teacher_floor_seconds),
        *_part(bench, "students", "Students in a cohort: seconds for each", bench.floor_seconds),
        *_part(bench, "devices", "Devices: seconds for each student", bench.floor_seconds),
        *_part(bench, "mapping", "Students side by side", bench.floor_seconds),
    ]
    return "\n".join(lines).rstrip()


def _part(bench: Bench, group: str, title: str, floor: float) -> Sequence[str]:
    rows = [row for row in bench.rows if row.group == group]
    if not rows:
        return []
    answers = any(row.answer_seconds is not None for row in rows)
    head = f"{title:40}{'seconds':>9}{'times':>8}{'x floor':>9}{'compile s':>11}{'peak MiB':>10}"
    lines = [head + (f"{'answers s':>11}" if answers else "")]
    for row in rows:
        line = (
            f"{row.name:40}{row.seconds:>9.2f}{row.seconds / rows[0].seconds:>8.1f}{row.seconds / floor:>9.1f}"
            f"{row.compile_seconds:>11.1f}{row.peak_mib:>10,.0f}"
        )
        lines.append(line + (f"{row.answer_seconds:>11.1f}" if row.answer_seconds is not None else ""))
    return [*lines, ""]
