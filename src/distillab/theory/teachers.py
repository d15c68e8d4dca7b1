"""Teachers whose predictions are linear in the noise: their mean and their randomness on the student's examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from distillab.theory.inputs import Floats, as_matrix, as_number, as_vector


@dataclass(frozen=True)
class LinearTeacher:
    """A teacher's predictions for the n training examples of its student.

    Formula: `t = mean + memory @ eps + own @ delta`, with eps the noise of the student's own labels and delta standard
    normal, independent of it.

    Args:
        mean: shape (n,), its mean predictions.
        memory: shape (n, n), how its predictions depend on the noise of the student's labels; 0 where it has not seen
            them.
        own: shape (n, m), its own noise; `own @ own.T` is the covariance.
    """

    mean: Floats
    memory: Floats
    own: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", as_vector(self.mean, "mean"))
        examples = len(self.mean)
        object.__setattr__(self, "memory", as_matrix(self.memory, "memory", (examples, examples)))
        object.__setattr__(self, "own", as_matrix(self.own, "own", (examples, None)))

    def predictions(self, noise: Floats, own_noise: Floats) -> Floats:
        """The predictions for given draws of the noise, shape (..., n).

        Args:
            noise: of the student's labels, shape (..., n).
            own_noise: standard normal, shape (..., m).
        """
        return np.asarray(self.mean + noise @ self.memory.T + own_noise @ self.own.T)


def same_labels(truth: ArrayLike, smoother: ArrayLike) -> LinearTeacher:
    """A teacher trained on the same labels as its student, perhaps with other features.

    Formula: `t = T y`: mean `T f`, memory T.

    Args:
        truth: f, shape (n,), the labels without noise.
        smoother: T, shape (n, n), of the teacher.

    Example:
        >>> same_labels([2.0], [[0.5]]).mean.tolist()
        [1.0]
    """
    f = as_vector(truth, "truth")
    t = as_matrix(smoother, "smoother", (len(f), len(f)))
    return LinearTeacher(t @ f, t, _no_noise(f))


def independent_labels(truth: ArrayLike, smoother: ArrayLike, deviation: float) -> LinearTeacher:
    """A teacher trained on independent labels, of the same examples or of others.

    Formula: mean `T f`, covariance `deviation^2 T T'`.

    Args:
        truth: f, shape (m,), at the teacher's examples.
        smoother: T, shape (n, m), from the teacher's targets to its predictions for the student's examples.
        deviation: of the noise of the teacher's labels, >= 0.
    """
    f = as_vector(truth, "truth")
    t = as_matrix(smoother, "smoother", (None, len(f)))
    return LinearTeacher(t @ f, np.zeros((len(t), len(t))), as_number(deviation, "deviation", 0) * t)


def pooled_labels(
    truth: ArrayLike, more_truth: ArrayLike, parts: tuple[ArrayLike, ArrayLike], deviation: float
) -> LinearTeacher:
    """A teacher trained on the student's labels and on further ones.

    Formula: mean `T1 f + T2 f_Z`, memory T1, covariance `deviation^2 T2 T2'`.

    Args:
        truth: f, shape (n,).
        more_truth: shape (m,), at the further examples.
        parts: T1 (n, n) and T2 (n, m), as from `smoothers.pooled`.
        deviation: of the noise of the further labels, >= 0.
    """
    f, g = as_vector(truth, "truth"), as_vector(more_truth, "more_truth")
    first = as_matrix(parts[0], "parts[0]", (len(f), len(f)))
    second = as_matrix(parts[1], "parts[1]", (len(f), len(g)))
    return LinearTeacher(first @ f + second @ g, first, as_number(deviation, "deviation", 0) * second)


def fixed(predictions: ArrayLike) -> LinearTeacher:
    """A teacher with fixed predictions: perfect where they equal the truth, biased elsewhere.

    Args:
        predictions: shape (n,).
    """
    m = as_vector(predictions, "predictions")
    return LinearTeacher(m, np.zeros((len(m), len(m))), _no_noise(m))


def memorising(truth: ArrayLike, share: float) -> LinearTeacher:
    """A teacher that knows the truth, plus a memorised share of the label noise.

    Formula: `t = f + share eps`.

    Args:
        truth: f, shape (n,).
        share: from 0, a perfect teacher, to 1, which repeats the labels.
    """
    f = as_vector(truth, "truth")
    return LinearTeacher(f, as_number(share, "share", 0, 1) * np.eye(len(f)), _no_noise(f))


def _no_noise(f: Floats) -> Floats:
    return np.zeros((len(f), 1))
