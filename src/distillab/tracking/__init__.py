"""Logs of a run for the tools that people already look at, written by these tools' own libraries.

The store stays the place where results are; a log repeats them. It may be begun at any time and is never doubled: what
it holds already is not written again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from distillab.study.storage.records import TrialResult

TrackerName = Literal["tensorboard", "mlflow"]


class Tracker(Protocol):
    """Writes one log."""

    def trials(self, records: Sequence[TrialResult]) -> None:
        """Log students; those that are in the log already are left out.

        Raises:
            WorkError: the log cannot be written.
        """

    def finish(self, figures: Mapping[str, bytes]) -> None:
        """Log the study's figures, PNG by name, in the place of earlier ones.

        Raises:
            WorkError: the log cannot be written.
        """


def open_tracker(name: TrackerName, folder: Path) -> Tracker:
    """A log in a study's folder; nothing is written before there is something to log.

    Args:
        name: of the tool.
        folder: the study's.

    Raises:
        RequestError: its library is not installed.
    """
    return _OPENERS[name](folder)


def settings_of(record: TrialResult) -> dict[str, Any]:
    """A student's seed, alpha and settings, groups flattened with dots; nothing as "none"."""
    told: dict[str, Any] = {"seed": record.seed, "alpha": record.alpha}
    for key, value in _flat(record.settings):
        told.setdefault(key, value if isinstance(value, bool | int | float | str) else _worded(value))
    told["state"] = "finished" if record.diverged_epoch is None else "diverged"
    return told


def scalars_of(record: TrialResult) -> list[tuple[str, float, int]]:
    """A student's numbers as (name, value, epoch): those of each epoch from 1, and the metrics at the end."""
    names = ("loss", "label_loss", "distillation_loss", "validation_accuracy")
    told = [
        (f"epoch/{name}", value, epoch)
        for epoch, values in enumerate(record.epochs, start=1)
        for name, value in zip(names, values, strict=True)
    ]
    return told + [(f"{part}/{name}", value, len(record.epochs)) for (part, name), value in record.metrics.items()]


def name_of(record: TrialResult) -> str:
    """What a student is called in a log: alpha, seed, and the beginning of its identity.

    Example:
        >>> from distillab.study.storage.records import TrialResult
        >>> name_of(TrialResult("0123456789abcdef", 3, 0.5, {}, {}, "t", [], {}))
        'alpha=0.5 seed=3 0123456789abcdef'
    """
    return f"alpha={record.alpha:g} seed={record.seed} {record.id}"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    told: list[tuple[str, Any]] = []
    for key, value in tree.items():
        told += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(prefix + key, value)]
    return told


def _worded(value: Any) -> str:
    return "none" if value is None else str(value)


def _tensorboard(folder: Path) -> Tracker:
    from distillab.tracking.tensorboard import TensorBoard

    return TensorBoard(folder)


def _mlflow(folder: Path) -> Tracker:
    from distillab.tracking.mlflow import MLflow

    return MLflow(folder)


_OPENERS: Mapping[str, Callable[[Path], Tracker]] = {"tensorboard": _tensorboard, "mlflow": _mlflow}
