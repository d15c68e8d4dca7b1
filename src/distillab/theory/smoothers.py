"""Linear smoothers: models whose fitted values are a fixed matrix times their targets."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import RequestError, not_allowed
from distillab.theory.inputs import Floats, as_matrix, as_number, as_vector
from distillab.theory.self_distillation import descent_filter


def ridge(x: ArrayLike, penalty: float) -> Floats:
    """The smoother of ridge regression.

    Formula: `S = X (X'X + lambda I)^-1 X'`, shape (n, n), gives the fitted values `S @ z` that minimise
    `|Xw - z|^2 + lambda |w|^2`. For a mean loss with penalty `lambda |w|^2`, give n times that lambda.

    Args:
        x: features, shape (n, d).
        penalty: lambda >= 0; 0 is least squares, for which X must have full column rank.

    Raises:
        RequestError: a negative penalty, or none where columns depend on each other.

    Example:
        >>> ridge([[1.0], [1.0]], 2.0).round(6).tolist()
        [[0.25, 0.25], [0.25, 0.25]]

    Source: Hoerl and Kennard, "Ridge regression", Technometrics 1970, equation 2.1.
    """
    left, filters, _, _ = _decomposed(x, penalty)
    return np.asarray((left * filters) @ left.T)


def ridge_weights(x: ArrayLike, penalty: float) -> Floats:
    """The map from targets to ridge regression's coefficients.

    Formula: `W = (X'X + lambda I)^-1 X'`, shape (d, n), so that `ridge(x, lambda) = X W`. For the risk on new
    examples with `E xx' = L L'`, the student is `L.T @ W`.

    Args:
        x, penalty: as in `ridge`.

    Example:
        >>> ridge_weights([[1.0], [1.0]], 2.0).round(6).tolist()
        [[0.25, 0.25]]
    """
    left, filters, singular, right = _decomposed(x, penalty)
    return np.asarray(right.T * (filters / singular) @ left.T)


def pooled(x: ArrayLike, more: ArrayLike, penalty: float) -> tuple[Floats, Floats]:
    """The predictions of a ridge regression on two sets of examples, for the first set.

    Formula: `[T1 T2] = X ([X; Z]'[X; Z] + lambda I)^-1 [X; Z]'`, T1 (n, n) and T2 (n, m) the weights of either
    set's targets.

    Args:
        x: the student's examples, shape (n, d).
        more: Z, further examples, shape (m, d).
        penalty: as in `ridge`.

    Example:
        >>> [part.round(6).tolist() for part in pooled([[1.0]], [[1.0]], 0.0)]
        [[[0.5]], [[0.5]]]
    """
    first = as_matrix(x, "x")
    second = as_matrix(more, "more", (None, first.shape[1]))
    both = first @ ridge_weights(np.vstack([first, second]), penalty)
    return both[:, : len(first)], both[:, len(first) :]


def descent(x: ArrayLike, *, steps: int, rate: float) -> Floats:
    """The smoother of early-stopped gradient descent, shape (n, n).

    Formula: after k steps on `|Xw - z|^2 / 2` from w = 0, the fitted share of the i-th direction of X is
    `1 - (1 - rate s_i^2)^k`, with s_i the singular values.

    Args:
        x: features, shape (n, d).
        steps: k >= 0.
        rate: the step size, above 0 and at most `1 / max s_i^2`.

    Example:
        >>> descent([[1.0]], steps=2, rate=0.5).tolist()
        [[0.75]]
    """
    left, singular, _ = np.linalg.svd(as_matrix(x, "x"), full_matrices=False)
    return np.asarray((left * descent_filter(singular**2, steps=steps, rate=rate)) @ left.T)


def residual_variance(x: ArrayLike, y: ArrayLike) -> float:
    """The label noise, estimated from one training set by least squares.

    Formula: `RSS / (n - d)`, unbiased where the truth is linear in x.

    Args:
        x: features, shape (n, d), n > d.
        y: labels, shape (n,).

    Example:
        >>> residual_variance([[1.0], [1.0], [1.0]], [1.0, 2.0, 3.0])
        1.0
    """
    features = as_matrix(x, "x")
    labels = as_vector(y, "y", len(features))
    spare = features.shape[0] - features.shape[1]
    if spare < 1:
        raise not_allowed("x.shape", features.shape, "more examples than columns, to separate noise from truth")
    residual = labels - ridge(features, 0.0) @ labels
    return float(residual @ residual / spare)


def _decomposed(x: ArrayLike, penalty: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Left singular vectors, the filter d / (d + lambda), singular values, right singular vectors."""
    features = as_matrix(x, "x")
    as_number(penalty, "penalty", 0)
    left, singular, right = np.linalg.svd(features, full_matrices=False)
    sound = singular > singular[0] * max(features.shape) * np.finfo(np.float64).eps
    if penalty == 0 and (not sound.all() or len(singular) < features.shape[1]):
        raise RequestError(
            f"x is singular: its {features.shape[1]} columns have rank {int(sound.sum())}. Give a penalty above 0, or "
            "remove columns that others determine."
        )
    left, singular, right = left[:, sound], singular[sound], right[sound]
    return left, singular**2 / (singular**2 + penalty), singular, right
