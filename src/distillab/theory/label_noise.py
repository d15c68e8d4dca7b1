"""Label noise in closed form: the alphas at which a mixed target still favours the clean class."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.theory.inputs import Floats, as_count, as_number


def smoothing(rate: float, classes: int) -> float:
    """The share by which symmetric noise moves a posterior towards the uniform one.

    Formula: `c = eta C / (C - 1)`: a label is kept with probability 1 - c, and otherwise drawn uniformly. 0 <= c < 1.

    Args:
        rate: eta, the share of wrong labels, from 0 to less than (C - 1) / C.
        classes: C >= 2.

    Raises:
        RequestError: fewer than two classes; a rate at which labels hold no information, or the contrary.

    Example:
        >>> round(smoothing(0.45, 10), 3)
        0.5
    """
    count = as_count(classes, 2, "classes")
    uninformative = (count - 1) / count
    if not as_number(rate, "rate", 0, 1) < uninformative:
        raise not_allowed(
            "rate", rate, f"below {uninformative:.4g}, where labels of {count} classes hold no information"
        )
    return rate / uninformative


def noisy_posterior(posterior: ArrayLike, rate: float) -> Floats:
    """The posterior of noisy labels, shape (..., C), which a perfect learner of them predicts.

    Formula: `q~ = (1 - c) q + c / C`: label smoothing of the clean posterior; its order of classes is that of q.

    Args:
        posterior: q, shape (..., C), rows sum to 1.
        rate: eta, as in `smoothing`.

    Example:
        >>> noisy_posterior([1.0, 0.0], 0.25).tolist()
        [0.75, 0.25]

    Source: Menon, Rawat, Reddi, Kim and Kumar, "A statistical perspective on distillation", 2021.
    """
    q = _rows(posterior, "posterior")
    c = smoothing(rate, q.shape[-1])
    return np.asarray((1 - c) * q + c / q.shape[-1])


def clean_posterior(noisy: ArrayLike, rate: float) -> Floats:
    """The clean posterior behind a noisy one, shape (..., C): `q = (q~ - c / C) / (1 - c)`.

    Args:
        noisy: q~, shape (..., C).
        rate: eta, as in `smoothing`.
    """
    q = _rows(noisy, "noisy")
    c = smoothing(rate, q.shape[-1])
    return np.asarray((q - c / q.shape[-1]) / (1 - c))


def label_energy(posterior: ArrayLike, rate: float) -> Floats:
    """The variance of noisy one-hot labels, summed over the classes, shape (...): `v = 1 - |q~|^2`.

    Args:
        posterior: q, shape (..., C).
        rate: eta, as in `smoothing`.
    """
    return np.asarray(1 - np.sum(noisy_posterior(posterior, rate) ** 2, axis=-1))


def finite_teacher_accuracy(alpha: float, votes: int, rate: float) -> float:
    """The share of mixed targets that favour the clean class where the teacher is the mean of a few noisy labels.

    Formula, two classes: the teacher is the mean of k labels of the example, the student's own among them, j of the
    others wrong: `eta P(alpha + (1 - alpha)(1 + j) / k < 1/2) + (1 - eta) P((1 - alpha) j / k < 1/2)`, with
    `j ~ Bin(k - 1, eta)`.

    Args:
        alpha: the weight of the labels, from 0 to 1.
        votes: k >= 1.
        rate: eta, from 0 to less than 1/2.

    Example:
        >>> round(finite_teacher_accuracy(0.25, votes=15, rate=0.3), 3)
        0.805

    Source: derived for this package.
    """
    a, k = as_number(alpha, "alpha", 0, 1), as_count(votes, 1, "votes")
    smoothing(rate, 2)
    others = np.arange(k)
    from scipy.stats import binom  # half a second to import, and rarely needed

    probability = binom.pmf(others, k - 1, rate)
    # Compared in whole votes, 2 (1 - alpha) j < (1 - 2 alpha) k and so on, so that ties are ties.
    outvoted = 2 * (a * k + (1 - a) * (1 + others)) < k
    kept = 2 * (1 - a) * others < k
    return float(rate * probability[outvoted].sum() + (1 - rate) * probability[kept].sum())


def flip_threshold(transition: ArrayLike, teacher: ArrayLike | None = None, *, temperature: float = 1.0) -> float:
    """The alpha below which every wrong label is outvoted by an ideal teacher.

    Formula: an example of class i labelled j has the target `alpha [k = j] + (1 - alpha) t_ik`. Its entry at i exceeds
    that at j exactly when `alpha < d / (1 + d)` with `d = t_ii - t_ij`; the threshold is the smallest over all i and j
    that noise joins. A teacher that learned the noisy labels perfectly has `t = transition`; for symmetric noise of
    rate eta over C classes `d = 1 - c` with `c = eta C / (C - 1)`, so the threshold is `(1 - c) / (2 - c)`. A teacher
    of clean labels has `d = 1`, so it is 1/2.

    At a temperature T the student minimises `alpha CE(y) + (1 - alpha) T^2 KL(t_T || q_T)`, where t_T is the teacher
    softened to `t^(1/T)` and normalised. Where the student gives both classes the same logit, the gradients there
    differ by `-alpha + (1 - alpha) T d_T`, with d_T the lead in t_T: the threshold is `T d_T / (1 + T d_T)`,
    at most T / (1 + T); 0 where the teacher itself prefers a wrong class; nan where no label is wrong.

    Args:
        transition: shape (C, C), entry (i, j) the share of class i that is labelled j; rows sum to 1.
        teacher: shape (C, C), its mean probabilities by class; by default the transition itself.
        temperature: T > 0.

    Example:
        >>> noise = np.full((10, 10), 0.4 / 9) + (0.6 - 0.4 / 9) * np.eye(10)
        >>> round(flip_threshold(noise), 3), flip_threshold(noise, np.eye(10))
        (0.357, 0.5)

    Source: for symmetric noise derived from the posterior under label smoothing, as in Menon, Rawat, Reddi, Kim and
    Kumar, "A Statistical Perspective on Distillation", 2021; for a general matrix by the same step, entry by entry.
    """
    noise = _square(transition, "transition")
    probabilities = noise if teacher is None else _square(teacher, "teacher")
    if probabilities.shape != noise.shape:
        raise not_allowed("teacher.shape", probabilities.shape, f"{noise.shape}, as the transition")
    if not 0 < temperature < float("inf"):
        raise not_allowed("temperature", temperature, "a finite number greater than 0")
    softened = (probabilities / probabilities.max(axis=1, keepdims=True)) ** (1 / temperature)
    softened = softened / softened.sum(axis=1, keepdims=True)
    margin = np.diag(softened)[:, None] - softened
    reached = (noise > 0) & ~np.eye(len(noise), dtype=bool)
    if not reached.any():
        return float("nan")
    pull = temperature * max(float(margin[reached].min()), 0.0)
    return pull / (1 + pull)


def _square(matrix: ArrayLike, name: str) -> np.ndarray:
    array = np.asarray(matrix, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise not_allowed(f"{name}.shape", array.shape, "(C, C)")
    if not np.allclose(array.sum(axis=1), 1, atol=1e-6):
        raise not_allowed(f"sums of {name}'s rows", array.sum(axis=1).tolist(), "1 each")
    return array


def _rows(values: ArrayLike, name: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 1 or array.shape[-1] < 2:
        raise not_allowed(f"{name}.shape", array.shape, "(..., C) with at least two classes")
    if not np.allclose(array.sum(axis=-1), 1, atol=1e-6):
        raise not_allowed(f"sums of {name}", "not all 1", "1 in each row")
    return array
