"""What one seed's students predict on the test examples, as a page draws it: ROC curves, residuals, single labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from distillab.analysis.curves import AlphaCurve
from distillab.analysis.setting import SettingResult

ROLES = {0.0: "teacher alone", 1.0: "labels alone"}
CHOSEN = "chosen"

LABEL_SCORES = ("average_precision", "auroc", "f1")
"""Of each of several labels."""

Details = Mapping[str, Mapping[str, Any]]
"""By trial, what `distillab.tasks.detail` keeps."""


def compared_details(curve: AlphaCurve, result: SettingResult, details: Details) -> dict[str, Mapping[str, Any]]:
    """The details of the first seed that has all of: the ends of alpha, and the chosen one.

    Args:
        curve: of a setting.
        result: what it shows.
        details: of the study's students.

    Returns:
        By role: "chosen", "teacher alone" and "labels alone", as far as the study has them; empty without any.
    """
    if result.best is None:
        return {}
    roles = {alpha: name for alpha, name in ROLES.items() if alpha in curve.alphas.tolist()}
    roles |= {result.best.alpha: CHOSEN}
    recorded = {(trial.seed, trial.alpha): details[trial.id] for trial in curve.trials if trial.id in details}
    for seed in curve.seeds:
        if all((seed, alpha) in recorded for alpha in roles):
            return {name: recorded[seed, alpha] for alpha, name in roles.items()}
    return {}


def label_scores(curve: AlphaCurve, details: Details, alphas: Sequence[float]) -> list[dict[Any, Any]] | None:
    """Means over the seeds for each of several labels, at some alphas; None where labels are not several.

    Args:
        curve: of a setting.
        details: of the study's students.
        alphas: the alphas to report.

    Returns:
        A row for each label: "label", its number, and by score and alpha the mean over the seeds where it is defined,
        or None.
    """
    known: dict[float, list[list[dict[str, Any]]]] = {}
    for trial in curve.trials:
        if trial.alpha in alphas and "labels" in details.get(trial.id, {}):
            known.setdefault(trial.alpha, []).append(details[trial.id]["labels"])
    if set(known) != set(alphas):
        return None
    rows = []
    for number, first in enumerate(known[alphas[0]][0]):
        row: dict[Any, Any] = {"label": first["label"], "positives": first["positives"]}
        for score in LABEL_SCORES:
            for alpha in alphas:
                values = [of[number][score] for of in known[alpha] if of[number][score] is not None]
                row[score, alpha] = float(np.mean(values)) if values else None
        rows.append(row)
    return rows
