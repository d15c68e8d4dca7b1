"""Several teachers as one: the average of their predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

AVERAGES = ("logits", "probabilities", "outputs")
DEFAULT_AVERAGE = "logits"
"""Of several teachers, in studies, distillations and `Distiller` alike."""


Array = TypeVar("Array")


def average_predictions(
    predictions: Sequence[Array],
    weights: Sequence[float] | None = None,
    average: str = DEFAULT_AVERAGE,
    *,
    xp: ModuleType = np,
) -> Array:
    """Average several teachers' predictions.

    Formula: for "logits" `sum_m w_m (z_m - mean_k z_mk)`, whose softmax is the normalised geometric mean of the
    teachers' probabilities at every temperature, without each teacher's free constant; for "probabilities"
    `log sum_m w_m softmax(z_m)`, whose softmax is their arithmetic mean at T = 1; for "outputs", which estimate the
    labels themselves and have no free constant, `sum_m w_m z_m`.

    Args:
        predictions: of each teacher, shape (..., C).
        weights: one number > 0 for each teacher, of which only the proportions matter; None: equal weights.
        average: one of `AVERAGES`.
        xp: `numpy` or `keras.ops`, whichever the arrays belong to; "probabilities" needs `keras.ops`.

    Returns:
        Shape (..., C); a single teacher's predictions unchanged.

    Example:
        >>> first, second = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
        >>> average_predictions([first, second]).tolist()
        [[0.25, -0.25]]
        >>> average_predictions([first, second], average="outputs").tolist()
        [[0.75, 0.25]]

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 1: an ensemble's
    arithmetic or geometric mean as soft targets.
    """
    if len(predictions) == 1:
        return predictions[0]
    parts: list[Any] = list(predictions)
    shares = None if weights is None else [float(weight) / sum(weights) for weight in weights]
    averaged: Array
    if average == "probabilities":
        logs = [math.log(share) for share in shares or [1 / len(parts)] * len(parts)]
        weighted = [log + xp.log_softmax(z, axis=-1) for log, z in zip(logs, parts, strict=True)]
        averaged = xp.logsumexp(xp.stack(weighted), axis=0)
        return averaged
    if average == "logits":
        parts = [z - xp.mean(z, axis=-1, keepdims=True) for z in parts]
    if shares is None:
        averaged = xp.mean(xp.stack(parts), axis=0)
    else:
        averaged = sum(share * z for share, z in zip(shares, parts, strict=True))
    return averaged
