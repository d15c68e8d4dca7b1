"""Label noise in closed form: when does a mixed target still point at the clean class?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed


def flip_threshold(transition: ArrayLike, teacher: ArrayLike | None = None) -> float:
    """The alpha below which every wrong label is outvoted by an ideal teacher.

    Formula: an example of class i labelled j has the target `alpha [k = j] + (1 - alpha) t_ik`. Its entry at i exceeds
    that at j exactly when `alpha < d / (1 + d)` with `d = t_ii - t_ij`; the threshold is the smallest over all i and j
    that noise joins. A teacher that learned the noisy labels perfectly has `t = transition`; for symmetric noise of
    rate eta over C classes `d = 1 - c` with `c = eta C / (C - 1)`, so the threshold is `(1 - c) / (2 - c)`. A teacher
    of clean labels has `d = 1`, so it is 1/2.

    Args:
        transition: shape (C, C), entry (i, j) the share of class i that is labelled j; rows sum to 1.
        teacher: shape (C, C), the teacher's mean answer by class; by default the transition itself.

    Returns:
        The threshold, at most 1/2; 0 where the teacher itself prefers a wrong class. nan where no label is wrong.

    Raises:
        RequestError: a matrix that is not square, or rows that do not sum to one.

    Example:
        >>> noise = np.full((10, 10), 0.4 / 9) + (0.6 - 0.4 / 9) * np.eye(10)
        >>> round(flip_threshold(noise), 3), flip_threshold(noise, np.eye(10))
        (0.357, 0.5)

    Source: for symmetric noise derived from the posterior under label smoothing, as in Menon, Rawat, Reddi, Kim and
    Kumar, "A Statistical Perspective on Distillation", 2021; for a general matrix by the same step, entry by entry.
    """
    noise = _checked(transition, "transition")
    answers = noise if teacher is None else _checked(teacher, "teacher")
    if answers.shape != noise.shape:
        raise not_allowed("teacher.shape", answers.shape, f"{noise.shape}, as the transition")
    margin = np.diag(answers)[:, None] - answers
    reached = (noise > 0) & ~np.eye(len(noise), dtype=bool)
    if not reached.any():
        return float("nan")
    smallest = max(float(margin[reached].min()), 0.0)
    return smallest / (1 + smallest)


def _checked(matrix: ArrayLike, name: str) -> np.ndarray:
    array = np.asarray(matrix, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise not_allowed(f"{name}.shape", array.shape, "(C, C)")
    if not np.allclose(array.sum(axis=1), 1, atol=1e-6):
        raise not_allowed(f"sums of {name}'s rows", array.sum(axis=1).tolist(), "1 each")
    return array
