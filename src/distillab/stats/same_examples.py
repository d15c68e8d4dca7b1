"""Two classifiers on the same test examples: a test for other draws of the examples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtri

from distillab.errors import not_allowed
from distillab.stats.sample import check_share


class SameExamples(NamedTuple):
    """The difference of two classifiers' accuracies on the same examples, with its test."""

    difference: float
    """Accuracy of the first minus that of the second."""
    low: float
    high: float
    p: float
    only_first: int
    """Examples that only the first predicts correctly."""
    only_second: int
    n: int
    method: str


def mcnemar(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95) -> SameExamples:
    """Test whether two classifiers are equally accurate, by the examples that only one of them predicts correctly.

    With b examples that only the first predicts correctly and c that only the second does:
    `p = P(|X - (b + c)/2| >= |b - c|/2)` for X binomial of b + c and 1/2, exact;
    p = 1 where both are correct on the same examples. The interval adds half an example to each cell of the table:
    `d ± z sqrt((p + q - d^2) / (N + 2))` with `p = (b + 1)/(N + 2)`, `q = (c + 1)/(N + 2)` and `d = p - q`.

    Args:
        first: shape (N,), whether the first is correct on each example.
        second: shape (N,), the same examples in the same order.
        confidence: strictly between 0 and 1.

    Example:
        >>> mcnemar([True, True, True, False], [False, False, False, False]).p
        0.25

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 1947, exact as a sign test; the interval: D. G. Bonett and R. M. Price, "Adjusted Wald confidence
    interval for a difference of binomial proportions based on paired data", J. Educ. Behav. Stat. 2012.

    Note: it covers other draws of the test examples, for these two trained classifiers. For other training seeds, on
    these test examples, use `paired_t`.
    """
    correct, also = _as_booleans(first, "first"), _as_booleans(second, "second")
    if correct.shape != also.shape:
        raise not_allowed("second.shape", also.shape, f"{correct.shape}: the same examples as in `first`")
    check_share("confidence", confidence)
    n = len(correct)
    b, c = int(np.count_nonzero(correct & ~also)), int(np.count_nonzero(~correct & also))
    p = min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5)))
    for_first, for_second = (b + 1) / (n + 2), (c + 1) / (n + 2)
    middle = for_first - for_second
    half = float(ndtri(0.5 + confidence / 2)) * float(np.sqrt((for_first + for_second - middle**2) / (n + 2)))
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    return SameExamples((b - c) / n, low, high, p, b, c, n, "exact McNemar")


def _as_booleans(values: ArrayLike, name: str) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise not_allowed(f"{name}.shape", array.shape, "(examples,), with at least one")
    if array.dtype != np.bool_:
        raise not_allowed(f"{name}.dtype", str(array.dtype), "bool", "Compare predictions with labels first.")
    return array
