"""Many comparisons at once: p values adjusted for a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.stats.sample import Floats


def holm(p: ArrayLike) -> Floats:
    """Adjust K p values, shape (K,), so that the probability of any false alarm stays below the significance.

    With p sorted upwards, adjusted_(k) = max over j <= k of min(1, (K - j + 1) * p_(j)).

    Args:
        p: shape (K,), each in [0, 1]; K may be 0. The result, in this order, is compared with the significance.

    Example:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979.

    Note: it holds whatever the dependence between the tests, and for the K tests given; it does not
    account for further tests that were run.
    """
    raw = np.asarray(p, dtype=np.float64)
    if raw.ndim != 1:
        raise not_allowed("p.shape", raw.shape, "(comparisons,)")
    wrong = ~((raw >= 0.0) & (raw <= 1.0))
    if wrong.any():
        raise not_allowed("p", float(raw[wrong][0]), "a number from 0 to 1")
    order = np.argsort(raw, kind="stable")
    steps = np.minimum(1.0, raw[order] * np.arange(len(raw), 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted
