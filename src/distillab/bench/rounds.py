"""One run of the bench: the subjects of a cell are prepared, then timed in rounds that visit all of them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from distillab.bench import machine
from distillab.bench.plan import (
    ENGINE,
    FLOOR,
    QUICK_STUDENTS,
    SIZES,
    STUDENT,
    STUDENTS,
    Cell,
    Subject,
    check_students,
    plan,
    title,
)
from distillab.bench.record import EPOCH, Bench, Memory, NotMeasured, Row
from distillab.bench.work import BATCH
from distillab.bench.workers import Ask, Workers
from distillab.engine.devices import usable_cores
from distillab.errors import RequestError, WorkError
from distillab.study.provenance import now

Report = Callable[[str], None]

REPEATS, QUICK_REPEATS = 5, 2
TARGET, QUICK_TARGET = 1.0, 0.3
"""Seconds of one timing, about."""

SETTLE = 0.2
"""Seconds before a timing. After its work, a process's threads wait actively for more, for up to as long."""

MEMORY = (("resnet-16-32-64", 8), (STUDENT, 4))
GPU_STUDENTS, GPU_EPOCHS = 110, 20


def measure(
    *,
    students: Sequence[str] = (),
    repeats: int | None = None,
    quick: bool = False,
    device: str = "cpu",
    report: Report = lambda name: None,
) -> Bench:
    """Compare this engine with other ways to train the same students, on this machine.

    Args:
        students: names of the zoo; by default five, or two with `quick`.
        repeats: timings of each subject; by default 5, or 2 with `quick`.
        quick: shorter timings of students at one size, and nothing else.
        device: "cpu" or "gpu".
        report: called with what is measured next.

    Raises:
        RequestError: a student that does not classify images, or no GPU.
        WorkError: a process, or this engine, failed.
    """
    check_students(students)
    repeats = repeats or (QUICK_REPEATS if quick else REPEATS)
    backends = ["jax", *(name for name in ("tensorflow", "torch") if find_spec(name))]
    names = students or (QUICK_STUDENTS if quick else STUDENTS)
    date, start_load = now(), machine.load()
    rows: list[Row] = []
    failed: list[NotMeasured] = []
    with Workers(device) as workers:
        if device == "gpu":
            check_gpu(workers.ask)
        devices = usable_cores() if device == "cpu" else 1
        for cell in plan(names, backends, quick=quick, devices=devices, gpu=device == "gpu"):
            measured, missing = measure_cell(
                cell, workers.ask, repeats=repeats, target=QUICK_TARGET if quick else TARGET, report=report
            )
            rows, failed = rows + measured, failed + missing
    gpu_study = _gpu_study(report) if device == "gpu" and not quick else None
    memory = [] if quick else [_memory(name, count, device, report) for name, count in MEMORY]
    return Bench(
        date=date,
        device=device,
        machine=machine.machine() | {"load_at_start": start_load, "load_at_end": machine.load()},
        versions=machine.versions(),
        rows=rows,
        not_measured=failed,
        memory=memory,
        gpu_study_seconds=gpu_study,
    )


def check_gpu(ask: Ask) -> None:
    """Check that JAX runs on a GPU in the engine's worker; this process takes no memory of it.

    Args:
        ask: sends a request to a worker.

    Raises:
        RequestError: it does not.
    """
    reply = ask("engine", do="platform")
    if reply.get("platform") != "gpu":
        found = reply.get("platform") or reply["error"]
        raise RequestError(
            f"--device gpu: JAX has no GPU here (devices: {found}). Install jax[cuda12] on a machine with an NVIDIA "
            "GPU, or leave --device out."
        )


def measure_cell(
    cell: Cell, ask: Ask, *, repeats: int, target: float, report: Report = lambda name: None, settle: float = SETTLE
) -> tuple[list[Row], list[NotMeasured]]:
    """Time the subjects of a cell, and large matrix products as their floor, in rounds of different orders.

    Args:
        cell: what to compare.
        ask: sends a request to a worker.
        repeats: the number of rounds; the cell may have fewer.
        target: seconds of one timing, about.
        report: called with what is measured next.
        settle: seconds to wait before a timing.

    Returns:
        A row for each subject, the floor's last, and the subjects that failed.

    Raises:
        WorkError: the cell's first subject failed, which the others are compared with, or a subject failed in a round.
    """
    subjects = {str(number): subject for number, subject in enumerate([*cell.subjects, FLOOR])}
    facts: dict[str, dict[str, Any]] = {}
    failed: list[NotMeasured] = []
    for key, subject in subjects.items():
        report(f"{cell.name}: preparing {subject.name}")
        request = {"key": key, "kind": subject.kind, "options": dict(subject.options), "target": target}
        reply = ask(subject.worker, do="prepare", **request)
        if "error" not in reply:
            facts[key] = reply
        elif subject in (cell.subjects[0], FLOOR):
            raise WorkError(f"The bench's {subject.name!r} failed on {cell.name}: {reply['error']}")
        else:
            failed.append(NotMeasured(cell.name, subject.name, reply["error"]))
    seconds: dict[str, list[float]] = {key: [] for key in facts}
    for number in range(min(repeats, cell.repeats or repeats)):
        report(f"{cell.name}: round {number + 1}")
        for key in random.Random(number).sample(sorted(facts), len(facts)):
            time.sleep(settle)
            seconds[key].append(_checked(ask(subjects[key].worker, do="time", key=key), subjects[key].name)["seconds"])
    for worker in {subject.worker for subject in subjects.values()}:
        ask(worker, do="forget")
    rows = [
        Row.of(
            (cell.group, cell.name, subjects[key].name),
            [1e3 * taken / _steps(subjects[key], reply, facts["0"]["flops"]) for taken in seconds[key]],
            batch=cell.batch,
            facts=reply,
        )
        for key, reply in facts.items()
    ]
    return rows, failed


def _steps(subject: Subject, facts: dict[str, Any], step_flops: int) -> float:
    """How many steps of one student a timing is worth; of the floor, those that have as many operations."""
    if subject == FLOOR:
        return float(facts["batches"] * facts["flops"] / step_flops)
    return float(facts["batches"] * facts["students"])


def _memory(name: str, students: int, device: str, report: Report) -> Memory:
    report(f"memory of {students} students {name}")
    options = {"model": name, "shape": list(SIZES[0]), "students": students}
    with Workers(device) as workers:
        _checked(workers.ask("engine", do="prepare", key="", kind="cohort", options=options, target=0, batches=100))
        return Memory(f"{students} students {title(name, SIZES[0])}", _checked(workers.ask("engine", do="peak"))["mib"])


def _gpu_study(report: Report) -> float:
    report(f"{GPU_STUDENTS} students, {GPU_EPOCHS} epochs")
    options = {"model": STUDENT, "shape": list(SIZES[0]), "students": GPU_STUDENTS}
    with Workers("gpu") as workers:
        request = {"kind": "cohort", "options": options, "target": 0, "batches": EPOCH // BATCH}
        first = _checked(workers.ask("engine", do="prepare", key="", **request))["compile_seconds"]
        later = [_checked(workers.ask("engine", do="time", key="")) for _ in range(GPU_EPOCHS - 1)]
        return float(first + sum(reply["seconds"] for reply in later))


def _checked(reply: dict[str, Any], name: str = ENGINE) -> dict[str, Any]:
    if "error" in reply:
        raise WorkError(f"The bench's {name!r} failed: {reply['error']}")
    return reply
