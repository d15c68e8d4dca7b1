"""Label noise: the perturbations of training labels that a study can request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.data.apportion import largest_remainder
from distillab.data.labels import Labels, as_labels
from distillab.errors import not_allowed, unknown

Generator = np.random.Generator
Matrix = NDArray[np.float64]


class Perturbed(NamedTuple):
    """Labels after perturbation, shape (N,), and a mask of those that changed."""

    labels: Labels
    changed: NDArray[np.bool_]


def perturb(
    labels: ArrayLike,
    *,
    kind: str,
    classes: int,
    rng: Generator,
    rate: float | None = None,
    matrix: ArrayLike | None = None,
    logits: ArrayLike | None = None,
) -> Perturbed:
    """Replace an exact number of labels by wrong ones.

    Args:
        labels: class numbers, shape (N,), in 0..C-1; not modified.
        kind: `shift` (k becomes k-1 mod C), `pair` (k becomes k+1 mod C), `symmetric` (any other class, each
            equally likely), `margin` (the class that a model of the clean labels ranks next) or `matrix`.
        classes: C >= 2.
        rng: draws the rows, and the new labels if there is a choice. From the same state, a higher rate changes the
            same rows in the same way, and further rows.
        rate: the fraction to change, 0..1: exactly round(rate * N) labels. Not with `matrix`.
        matrix: for `matrix` only, shape (C, C): entry (i, j) is the fraction of class i labelled j; rows sum to 1.
            The counts of a row are exact, by largest remainder.
        logits: for `margin` only, shape (N, C): the model's logits. With `m` the true class's logit minus the largest
            of the others, rows are drawn without replacement, with weights `exp(-m)`: the odds against the true
            class. Wrong labels then occur where classes are hard to distinguish, as with human labellers.

    Raises:
        RequestError: an unknown kind, or an argument that is out of range or does not belong to the kind.

    Example:
        >>> perturb([0, 1, 2, 0], kind="shift", rate=1.0, classes=3, rng=np.random.default_rng(0)).labels.tolist()
        [2, 0, 1, 2]

    Source: for `margin`, drawing without replacement by Gumbel's trick, Kool, van Hoof and Welling, "Stochastic beams
    and where to find them", 2019, section 2.3; that noise should depend on the example, Chen et al., "Beyond
    class-conditional assumption", 2021.

    Note: `rate` counts wrong labels. Other tools draw a symmetric label from all classes, including the true one: their
    rate r is our r * (C - 1) / C.
    """
    if kind not in NOISE_KINDS:
        raise unknown("kind of label noise", kind, NOISE_KINDS)
    if isinstance(classes, bool) or not isinstance(classes, int | np.integer) or classes < 2:
        raise not_allowed("classes", classes, "a whole number >= 2")
    given = as_labels(labels, classes=int(classes))
    new = NOISE_KINDS[kind](given, int(classes), rng, _Given(kind, rate, matrix, logits))
    return Perturbed(new, new != given)


def transition_matrix(kind: str, *, classes: int, rate: float = 0.0, matrix: ArrayLike | None = None) -> Matrix | None:
    """The expected labels of each class under a kind of noise.

    Args:
        kind: a name in `NOISE_KINDS`.
        classes: C >= 2.
        rate: the fraction of wrong labels.
        matrix: for the kind `matrix`.

    Returns:
        Shape (C, C): entry (i, j) is the fraction of class i labelled j. None for `margin`, which depends on the
        example and not on its class.

    Example:
        >>> transition_matrix("pair", classes=3, rate=0.25).tolist()
        [[0.75, 0.25, 0.0], [0.0, 0.75, 0.25], [0.25, 0.0, 0.75]]
    """
    clean = np.eye(classes)
    match kind:
        case "matrix":
            return _checked(matrix, classes)
        case "shift":
            wrong = np.roll(clean, -1, axis=1)
        case "pair":
            wrong = np.roll(clean, 1, axis=1)
        case "symmetric":
            wrong = (1 - clean) / (classes - 1)
        case _:
            return None
    return np.asarray((1 - rate) * clean + rate * wrong)


class _Given(NamedTuple):
    """The arguments of a kind of noise; each kind refuses those that it does not use."""

    kind: str
    rate: float | None
    matrix: ArrayLike | None
    logits: ArrayLike | None

    def only(self, *used: str) -> None:
        for name, kind in (("matrix", "matrix"), ("logits", "margin")):
            if name not in used and getattr(self, name) is not None:
                raise not_allowed(name, "given", f"left out unless the kind is {kind!r}")
        if "rate" not in used and self.rate is not None:
            do = "The matrix holds the rates."
            raise not_allowed("rate", self.rate, f"left out when the kind is {self.kind!r}", do)

    def count(self, examples: int) -> int:
        """The number of labels to change."""
        rate = self.rate
        if rate is None or isinstance(rate, bool) or not 0 <= rate <= 1:
            raise not_allowed("rate", rate, "a number from 0 to 1", "rate=0 leaves every label as it is.")
        return round(float(rate) * examples)


def _rate_kind(replacement: Callable[[Labels, int, Generator], Labels]) -> Kind:
    """A kind that changes exactly round(rate * N) labels, drawn from all rows, to their `replacement`."""

    def kind(labels: Labels, classes: int, rng: Generator, given: _Given) -> Labels:
        given.only("rate")
        rows = rng.permutation(len(labels))[: given.count(len(labels))]
        new = labels.copy()
        new[rows] = replacement(labels, classes, rng)[rows]
        return new

    return kind


def _margin_kind(labels: Labels, classes: int, rng: Generator, given: _Given) -> Labels:
    given.only("rate", "logits")
    logits = np.array([] if given.logits is None else given.logits, dtype=np.float64)
    if logits.shape != (len(labels), classes) or not np.isfinite(logits).all():
        allowed = f"({len(labels)}, {classes}), all finite, when the kind is 'margin'"
        raise not_allowed("logits.shape", logits.shape, allowed)
    rows = np.arange(len(labels))
    true = logits[rows, labels]
    logits[rows, labels] = -np.inf
    margin = true - logits.max(axis=1)
    first = np.argsort(margin - rng.gumbel(size=len(labels)), kind="stable")[: given.count(len(labels))]
    new = labels.copy()
    new[first] = logits.argmax(axis=1)[first]
    return new


def _matrix_kind(labels: Labels, classes: int, rng: Generator, given: _Given) -> Labels:
    given.only("matrix")
    transition = _checked(given.matrix, classes)
    new = labels.copy()
    for number in range(classes):
        rows = rng.permutation(np.flatnonzero(labels == number))
        shares = [Fraction(float(share)) for share in transition[number]]
        counts = largest_remainder([share * len(rows) / sum(shares) for share in shares], len(rows))
        new[rows] = np.repeat(np.arange(classes, dtype=np.int32), counts)
    return new


def _checked(matrix: ArrayLike | None, classes: int) -> Matrix:
    """Check a transition matrix."""
    if matrix is None:
        raise not_allowed("matrix", None, f"given, of shape ({classes}, {classes}), when the kind is 'matrix'")
    transition = np.asarray(matrix, dtype=np.float64)
    if transition.shape != (classes, classes):
        allowed = f"({classes}, {classes}): a row and a column for each class"
        raise not_allowed("matrix.shape", transition.shape, allowed)
    for number, row in enumerate(transition):
        if not (np.isfinite(row).all() and (row >= 0).all()):
            raise not_allowed(f"matrix[{number}]", row.tolist(), "shares >= 0")
        if abs(row.sum() - 1) > 1e-6:  # six printed decimals are enough; rows are normalised exactly
            raise not_allowed(f"sum(matrix[{number}])", float(row.sum()), "1: where the labels of that class go")
    return transition


Kind = Callable[[Labels, int, Generator, _Given], Labels]

NOISE_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "shift": _rate_kind(lambda labels, classes, rng: (labels - 1) % classes),
        "pair": _rate_kind(lambda labels, classes, rng: (labels + 1) % classes),
        # An offset of 1..C-1 for every row, used or not: so the offsets do not depend on the rate.
        "symmetric": _rate_kind(
            lambda labels, classes, rng: (labels + rng.integers(1, classes, size=len(labels), dtype=np.int32)) % classes
        ),
        "margin": _margin_kind,
        "matrix": _matrix_kind,
    }
)
"""The kinds of label noise, by their names in a study."""
