"""The results of a bench, as they are saved."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

EPOCH = 60_000
"""Examples of the epoch for which seconds are stated."""


@dataclass(frozen=True)
class Row:
    """One subject of a cell.

    Args:
        group, cell, subject: names, as in `plan`.
        threads: of the processor that the subject uses.
        batches: steps of one timing.
        repeats: milliseconds a step of one student, of each timing in turn.
        median, low, high: of the repeats.
        epoch_seconds: the median for an epoch of 60,000 examples of one student.
        compile_seconds: time of the first short call: compilation and four steps.
    """

    group: str
    cell: str
    subject: str
    threads: int
    batches: int
    repeats: tuple[float, ...]
    median: float
    low: float
    high: float
    epoch_seconds: float
    compile_seconds: float

    @classmethod
    def of(cls, names: tuple[str, str, str], repeats: Sequence[float], *, batch: int, facts: dict[str, Any]) -> Row:
        """Summarise the timings of a subject.

        Args:
            names: group, cell, subject.
            repeats: milliseconds a step of one student.
            batch: examples of a step.
            facts: the worker's reply to "prepare".
        """
        median = statistics.median(repeats)
        return cls(
            *names,
            threads=facts["threads"],
            batches=facts["batches"],
            repeats=tuple(repeats),
            median=median,
            low=min(repeats),
            high=max(repeats),
            epoch_seconds=median / 1e3 * EPOCH / batch,
            compile_seconds=facts["compile_seconds"],
        )


@dataclass(frozen=True)
class NotMeasured:
    """A subject that failed, and the reason."""

    cell: str
    subject: str
    reason: str


@dataclass(frozen=True)
class Memory:
    """The peak memory of a process that trains a cohort and does nothing else."""

    cohort: str
    mib: float


@dataclass(frozen=True)
class Bench:
    """One run of the bench.

    Args:
        date: when it began, in UTC.
        device: "cpu" or "gpu".
        machine: processor, cores, load.
        versions: of the packages on which speed depends.
        rows: a subject of a cell each; the first of a cell is this engine's.
        not_measured: the subjects that failed.
        memory: peaks.
        gpu_study_seconds: time for 110 students and 20 epochs of 60,000 images, compilation included; GPUs only.
    """

    date: str
    device: str
    machine: dict[str, Any]
    versions: dict[str, str]
    rows: list[Row]
    not_measured: list[NotMeasured] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    gpu_study_seconds: float | None = None
    unit: str = "milliseconds a step of one student"

    def to_json(self) -> str:
        """The results as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"
