"""Teachers whose answers are linear in the noise: what they say on the student's examples, on average and at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from distillab.theory.inputs import Floats, as_matrix, as_vector, at_least, within


@dataclass(frozen=True)
class LinearTeacher:
    """A teacher's answers on the n training examples of its student.

    Formula: `t = mean + memory @ eps + own @ delta`, with eps the noise of the student's own labels and delta standard
    normal, independent of it.

    Args:
        mean: shape (n,), its answers on average.
        memory: shape (n, n), how much of the student's label noise is in its answers; 0 where it has not seen them.
        own: shape (n, m), the noise of its own; `own @ own.T` is the covariance.

    Raises:
        RequestError: shapes that do not fit.
    """

    mean: Floats
    memory: Floats
    own: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", as_vector(self.mean, "mean"))
        examples = len(self.mean)
        object.__setattr__(self, "memory", as_matrix(self.memory, "memory", (examples, examples)))
        object.__setattr__(self, "own", as_matrix(self.own, "own", (examples, None)))

    def answers(self, noise: Floats, own_noise: Floats) -> Floats:
        """The answers for given draws of the student's label noise, (..., n), and of its own, (..., m)."""
        return np.asarray(self.mean + noise @ self.memory.T + own_noise @ self.own.T)


def same_labels(truth: ArrayLike, smoother: ArrayLike) -> LinearTeacher:
    """A teacher that learned the very labels of its student, perhaps from other features.

    Formula: `t = T y`: mean `T f`, memory T.

    Args:
        truth: f, shape (n,), the labels without noise.
        smoother: T, shape (n, n), of the teacher.

    Returns:
        The teacher.

    Example:
        >>> same_labels([2.0], [[0.5]]).mean.tolist()
        [1.0]
    """
    f = as_vector(truth, "truth")
    t = as_matrix(smoother, "smoother", (len(f), len(f)))
    return LinearTeacher(t @ f, t, _nothing(f))


def independent_labels(truth: ArrayLike, smoother: ArrayLike, deviation: float) -> LinearTeacher:
    """A teacher that learned labels of its own, drawn again for the same examples, or for others.

    Formula: mean `T f`, covariance `deviation^2 T T'`.

    Args:
        truth: f, shape (m,), at the teacher's examples.
        smoother: T, shape (n, m), from the teacher's targets to its answers on the student's examples.
        deviation: of the noise of the teacher's labels, >= 0.

    Returns:
        The teacher.
    """
    f = as_vector(truth, "truth")
    t = as_matrix(smoother, "smoother", (None, len(f)))
    return LinearTeacher(t @ f, np.zeros((len(t), len(t))), at_least(deviation, 0, "deviation") * t)


def pooled_labels(
    truth: ArrayLike, more_truth: ArrayLike, parts: tuple[ArrayLike, ArrayLike], deviation: float
) -> LinearTeacher:
    """A teacher that learned the student's labels and more.

    Formula: mean `T1 f + T2 f_Z`, memory T1, covariance `deviation^2 T2 T2'`.

    Args:
        truth: f, shape (n,).
        more_truth: shape (m,), at the further examples.
        parts: T1 (n, n) and T2 (n, m), as from `smoothers.pooled`.
        deviation: of the noise of the further labels, >= 0.

    Returns:
        The teacher.
    """
    f, g = as_vector(truth, "truth"), as_vector(more_truth, "more_truth")
    first = as_matrix(parts[0], "parts[0]", (len(f), len(f)))
    second = as_matrix(parts[1], "parts[1]", (len(f), len(g)))
    return LinearTeacher(first @ f + second @ g, first, at_least(deviation, 0, "deviation") * second)


def fixed(answers: ArrayLike) -> LinearTeacher:
    """A teacher that always says the same: perfect where it says the truth, biased elsewhere.

    Args:
        answers: shape (n,).

    Returns:
        The teacher.
    """
    m = as_vector(answers, "answers")
    return LinearTeacher(m, np.zeros((len(m), len(m))), _nothing(m))


def memorising(truth: ArrayLike, share: float) -> LinearTeacher:
    """A teacher that knows the truth but for a share of the label noise, learned by heart.

    Formula: `t = f + share eps`.

    Args:
        truth: f, shape (n,).
        share: from 0, a perfect teacher, to 1, which repeats the labels.

    Returns:
        The teacher.
    """
    f = as_vector(truth, "truth")
    return LinearTeacher(f, within(share, 0, 1, "share") * np.eye(len(f)), _nothing(f))


def _nothing(f: Floats) -> Floats:
    return np.zeros((len(f), 1))
