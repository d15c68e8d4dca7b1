"""Logs of a run for TensorBoard and MLflow, written by the libraries of these tools.

The store remains the source of all results; a log repeats them. It can be started at any time and never holds a result
twice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from distillab.study.storage.records import TrialResult

TrackerName = Literal["tensorboard", "mlflow"]


class Tracker(Protocol):
    """Writes one log."""

    def trials(self, results: Sequence[TrialResult]) -> None:
        """Log the students that are not in the log yet.

        Args:
            results: their results.

        Raises:
            WorkError: the log cannot be written.
        """

    def finish(self, figures: Mapping[str, bytes]) -> None:
        """Log the study's figures; they replace earlier ones.

        Args:
            figures: PNG files by name.

        Raises:
            WorkError: the log cannot be written.
        """


def open_tracker(name: TrackerName, folder: str | os.PathLike[str]) -> Tracker:
    """Open a log in a study's folder; nothing is written before there are results.

    Args:
        name: the tool.
        folder: the study's folder.

    Raises:
        RequestError: the tool's library is not installed.
    """
    if name == "tensorboard":
        from distillab.tracking.tensorboard import TensorBoard

        return TensorBoard(folder)
    from distillab.tracking.mlflow import MLflow

    return MLflow(folder)


def settings_of(result: TrialResult) -> dict[str, Any]:
    """A student's seed, alpha, settings and state for a log; groups are flattened with dots, and None is "none".

    Args:
        result: the student's result.
    """
    settings: dict[str, Any] = {"seed": result.seed, "alpha": result.alpha}
    for key, value in _flat(result.settings):
        plain = value if isinstance(value, bool | int | float | str) else "none" if value is None else str(value)
        settings.setdefault(key, plain)
    settings["state"] = "finished" if result.diverged_epoch is None else "diverged"
    return settings


def scalars_of(result: TrialResult) -> list[tuple[str, float, int]]:
    """A student's values of each epoch, counted from 1, and its metrics at the last: (name, value, epoch).

    Args:
        result: the student's result.
    """
    names = ("loss", "label_loss", "distillation_loss", "validation_accuracy")
    curves = [
        (f"epoch/{name}", value, epoch)
        for epoch, values in enumerate(result.epochs, start=1)
        for name, value in zip(names, values, strict=True)
    ]
    return curves + [(f"{part}/{name}", value, len(result.epochs)) for (part, name), value in result.metrics.items()]


def name_of(result: TrialResult) -> str:
    """A student's name in a log: its alpha, seed and identity.

    Args:
        result: the student's result.

    Example:
        >>> name_of(TrialResult("0123456789abcdef", 3, 0.5, {}, {}, "t", [], {}))
        'alpha=0.5 seed=3 0123456789abcdef'
    """
    return f"alpha={result.alpha:g} seed={result.seed} {result.id}"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in tree.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(prefix + key, value)]
    return pairs
