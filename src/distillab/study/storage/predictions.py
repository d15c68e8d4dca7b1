"""The validation answers of a few students, kept whole: from those at both ends all others can be predicted."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

KEPT_ALPHAS = (0.0, 0.5, 1.0)
"""Both ends, from which the best alpha is predicted, and one between, which tells how well that can go."""


class ValidationPredictions(NamedTuple):
    """A student's answers to the validation examples."""

    probabilities: NDArray[np.float16]
    """Shape (V, C); outputs as they are where students are trained by squared error. Halves hold them to three digits,
    more than a mean over the examples needs."""
    labels: NDArray[np.int16]
    """As given, so perhaps wrong, shape (V,)."""

    def packed(self) -> tuple[int, bytes, bytes]:
        """Number of classes, and both arrays compressed."""
        halves = np.ascontiguousarray(self.probabilities, "<f2")
        labels = np.ascontiguousarray(self.labels, "<i2")
        return halves.shape[1], zlib.compress(halves.tobytes(), 6), zlib.compress(labels.tobytes(), 6)

    @classmethod
    def unpacked(cls, classes: int, probabilities: bytes, labels: bytes) -> ValidationPredictions:
        """What `packed` gave."""
        halves = np.frombuffer(zlib.decompress(probabilities), "<f2").reshape(-1, classes)
        return cls(halves, np.frombuffer(zlib.decompress(labels), "<i2"))


def validation_predictions(
    alpha: float, logits: NDArray[np.float32], labels: NDArray[np.integer], *, linear: bool = False
) -> ValidationPredictions | None:
    """What is kept of a student: its validation answers where its alpha is one of `KEPT_ALPHAS`.

    Args:
        alpha: its weight of the labels.
        logits: on the validation examples, shape (V, C).
        labels: as given, shape (V,).
        linear: whether the outputs are answers already, of a model trained by squared error.

    Returns:
        `KeptAnswers`, or None.
    """
    if alpha not in KEPT_ALPHAS or not len(labels):
        return None
    if linear:
        return ValidationPredictions(logits.astype(np.float16), labels.astype(np.int16))
    exact = logits.astype(np.float64)
    powers = np.exp(exact - exact.max(axis=1, keepdims=True))
    return ValidationPredictions(
        (powers / powers.sum(axis=1, keepdims=True)).astype(np.float16), labels.astype(np.int16)
    )
