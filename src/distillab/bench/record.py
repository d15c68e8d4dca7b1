"""One run of the bench: every subject in a separate process; the results as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from distillab.engine.devices import usable_cores
from distillab.errors import WorkError
from distillab.study.provenance import now, package_versions

EPOCH = 60_000
"""Examples of the epoch for which times are stated; fewer are run, and times scaled."""

ENGINE = "this engine"


@dataclass(frozen=True)
class Measurement:
    """One measured subject.

    Args:
        group: the measurements to compare it with: "student", "students", "devices", "mapping" or "teacher".
        name: the subject.
        seconds: time of an epoch of 60,000 examples, for one student, without compilation.
        compile_seconds: time of the first call beyond that of a later one.
        peak_mib: peak memory of the process.
        predict_seconds: time of the predictions for 60,000 images; teachers only.
    """

    group: str
    name: str
    seconds: float
    compile_seconds: float
    peak_mib: float
    predict_seconds: float | None = None


@dataclass(frozen=True)
class Bench:
    """The results of a bench, as saved."""

    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    examples: int
    flops_per_second: float
    floor_seconds: float  # the student's matrix products of an epoch, at that rate
    teacher_floor_seconds: float
    rows: list[Measurement] = field(default_factory=list)

    def to_json(self) -> str:
        """The results as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def measure(*, quick: bool = False, report: Callable[[str], None] = lambda name: None) -> Bench:
    """Measure every subject on this machine.

    Args:
        quick: use fewer examples, and measure no scaling: a minute or two instead of ten.
        report: called with the name of each subject before it is measured.

    Raises:
        WorkError: a subject failed.
    """
    examples = 3_200 if quick else 12_800

    def run(group: str, name: str, subject: str, backend: str = "jax", **options: Any) -> Measurement:
        report(name)
        count = options.pop("examples", examples)
        result = _run(subject, backend, {"examples": count} | options)
        scale = EPOCH / count
        predict = None if "predict_seconds" not in result else result["predict_seconds"] * scale
        seconds = result["seconds"] * scale
        return Measurement(group, name, seconds, result["compile_seconds"], result["peak_mib"], predict)

    report("matrix products")
    rate = _run("products", "jax", {"examples": examples})
    rows = [run("student", ENGINE, "engine")]
    backends = ["jax", *(name for name in ("tensorflow", "torch") if find_spec(name))]
    rows += [run("student", f"keras.distillation on {name}", "distiller", name) for name in backends]
    rows += [run("student", f"fit with stored logits on {name}", "stored", name) for name in backends]
    rows += [run("student", "fit on labels alone on jax", "plain")]
    if "torch" in backends:
        rows.append(run("student", "PyTorch loop with stored logits", "torch_loop"))
    few = 1_280 if quick else 3_840
    rows.append(run("teacher", ENGINE, "engine_teacher", examples=few))
    rows += [run("teacher", f"Keras on {name}", "keras_teacher", name, examples=few) for name in backends]
    if not quick:
        few, cores = 3_200, usable_cores()
        rows += [run("students", f"{n}", "engine", students=n, examples=few) for n in (1, 4, 16, 64, 200)]
        counts = range(1, cores + 1)
        rows += [run("devices", f"{n}", "engine", devices=n, students=4 * cores, examples=few) for n in counts]
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
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise WorkError(f"The bench's {subject!r} on {backend} failed: {reason[:300]}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def _optional_versions() -> dict[str, str]:
    versions = {}
    for name in ("tensorflow", "tensorflow-cpu", "torch"):
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def table(bench: Bench) -> str:
    """Format the results for a terminal.

    Args:
        bench: the results.
    """
    lines = [
        f"{bench.machine['cores']} cores, {bench.machine['processor']}; "
        + ", ".join(f"{name} {number}" for name, number in bench.versions.items()),
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
    predicts = any(row.predict_seconds is not None for row in rows)
    head = f"{title:40}{'seconds':>9}{'times':>8}{'x floor':>9}{'compile s':>11}{'peak MiB':>10}"
    lines = [head + (f"{'predict s':>11}" if predicts else "")]
    for row in rows:
        line = (
            f"{row.name:40}{row.seconds:>9.2f}{row.seconds / rows[0].seconds:>8.1f}{row.seconds / floor:>9.1f}"
            f"{row.compile_seconds:>11.1f}{row.peak_mib:>10,.0f}"
        )
        lines.append(line + (f"{row.predict_seconds:>11.1f}" if row.predict_seconds is not None else ""))
    return [*lines, ""]
