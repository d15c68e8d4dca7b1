"""Label noise: the perturbations of training labels that a study can request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.data.apportion import largest_remainder
from distillab.data.labels import Array, Labels, as_task_labels
from distillab.errors import not_allowed, unknown
from distillab.tasks import TASKS, Task, known_entries

Generator = np.random.Generator
Matrix = NDArray[np.float64]


class Perturbed(NamedTuple):
    """Labels after perturbation, in the shape given, and a mask of those that changed."""

    labels: Array
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
    task: Task = TASKS["categorical"],
    spread: ArrayLike | None = None,
) -> Perturbed:
    """Replace an exact number of labels by wrong ones, or add noise to numbers. Unknown labels stay unknown.

    Args:
        labels: in the form of `canonical_labels`, n of their entries known; not modified.
        kind: one of `task.noise`. One of C classes: `shift` (k becomes k-1 mod C), `pair` (k becomes k+1 mod C),
            `symmetric` (any other class, each equally likely), `margin` (the class that a model of the clean labels
            ranks next) or `matrix`. Labels 0 and 1: `symmetric` (each becomes the other), `one_sided` (1 becomes 0: a
            missed case, a missing tag), and `margin` for binary. Numbers: `additive` (Gaussian) and `heavy_tailed`
            (Student's t with 2 degrees of freedom: a few labels are far off).
        classes: C, the number of classes (>= 2), labels or numbers.
        rng: draws the rows, and the new labels if there is a choice. From the same state, a higher rate changes the
            same rows in the same way, and further rows; numbers get the same draws, larger.
        rate: from 0 to 1: exactly round(rate * n) labels change, and round(rate * number of ones) with `one_sided`. To
            numbers, rate * spread times a draw is added. Not with `matrix`.
        matrix: for `matrix` only, shape (C, C): entry (i, j) is the fraction of class i labelled j; rows sum to 1.
            The counts of a row are exact, by largest remainder.
        logits: for `margin` only, the model's logits, shape (N, P..., C), or (N, P..., 1) for binary. With `m` the true
            class's logit minus the largest of the others, rows are drawn without replacement, with weights `exp(-m)`:
            the odds against the true class. Wrong labels then occur where classes are hard to distinguish, as with
            human labellers.
        task: what the labels mean.
        spread: for numbers only, the standard deviation of each, (C,): `Dataset.target_spread`.

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
    _check_kind(kind, task, classes)
    given = as_task_labels(labels, task, names=int(classes))
    known = known_entries(given, task)
    arguments = _Given(kind, rate, matrix, _of_known(logits, given, known, task, int(classes)), spread)
    new = given.copy()
    if task.name == "regression":
        new += NOISE_KINDS[kind](given, int(classes), rng, arguments)
    else:  # 0 and 1 are two classes
        of = int(classes) if task.name == "categorical" else 2
        new[known] = NOISE_KINDS[kind](given[known], of, rng, arguments)
    return Perturbed(new, (new != given) & known)


def _check_kind(kind: str, task: Task, classes: int) -> None:
    if kind not in NOISE_KINDS:
        raise unknown("kind of label noise", kind, NOISE_KINDS)
    if kind not in task.noise:
        raise not_allowed("kind", kind, f"a kind of label noise for task={task.name}: {', '.join(task.noise)}")
    least = 2 if task.name == "categorical" else 1
    if isinstance(classes, bool) or not isinstance(classes, int | np.integer) or classes < least:
        raise not_allowed("classes", classes, f"a whole number >= {least}")


def _of_known(logits: ArrayLike | None, labels: Array, known: Array, task: Task, classes: int) -> Array | None:
    """The logits at known labels, (n, C); of one logit z, those of the two classes are 0 and z."""
    if logits is None:
        return None
    array = np.asarray(logits, dtype=np.float64)
    expected = (*labels.shape, task.outputs(classes))
    if task.name not in ("categorical", "binary"):
        return array
    if array.shape != expected or not np.isfinite(array).all():
        raise not_allowed("logits.shape", array.shape, f"{expected}, all finite, when the kind is 'margin'")
    rows = array[known]
    return rows if task.name == "categorical" else np.concatenate([np.zeros_like(rows), rows], axis=1)


def transition_matrix(kind: str, *, classes: int, rate: float = 0.0, matrix: ArrayLike | None = None) -> Matrix | None:
    """The expected labels of each class under a kind of noise.

    Args:
        kind: a name in `NOISE_KINDS`.
        classes: C >= 2; 2 for labels 0 and 1, each on its own where there are several.
        rate: the fraction of wrong labels; with `one_sided`, of the ones.
        matrix: for the kind `matrix`.

    Returns:
        Shape (C, C): entry (i, j) is the fraction of class i labelled j. None for `margin`, which depends on the
        example and not on its class, and for kinds of numbers.

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
        case "one_sided":
            wrong = np.array([[1.0, 0.0], [1.0, 0.0]])
        case _:
            return None
    return np.asarray((1 - rate) * clean + rate * wrong)


class _Given(NamedTuple):
    """The arguments of a kind of noise; each kind refuses those that it does not use."""

    kind: str
    rate: float | None
    matrix: ArrayLike | None
    logits: Array | None
    spread: ArrayLike | None

    def only(self, *used: str) -> None:
        kinds = {"matrix": "'matrix'", "logits": "'margin'", "spread": "'additive' or 'heavy_tailed'"}
        for name, kind in kinds.items():
            if name not in used and getattr(self, name) is not None:
                raise not_allowed(name, "given", f"left out unless the kind is {kind}")
        if "rate" not in used and self.rate is not None:
            do = "The matrix holds the rates."
            raise not_allowed("rate", self.rate, f"left out when the kind is {self.kind!r}", do)

    def checked_rate(self) -> float:
        rate = self.rate
        if rate is None or isinstance(rate, bool) or not 0 <= rate <= 1:
            raise not_allowed("rate", rate, "a number from 0 to 1", "rate=0 leaves every label as it is.")
        return float(rate)

    def count(self, examples: int) -> int:
        """The number of labels to change."""
        return round(self.checked_rate() * examples)


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
    if given.logits is None:
        raise not_allowed("logits", None, f"given, of shape ({len(labels)}, {classes}), when the kind is 'margin'")
    logits = given.logits.copy()
    rows = np.arange(len(labels))
    true = logits[rows, labels]
    logits[rows, labels] = -np.inf
    margin = true - logits.max(axis=1)
    first = np.argsort(margin - rng.gumbel(size=len(labels)), kind="stable")[: given.count(len(labels))]
    new = labels.copy()
    new[first] = logits.argmax(axis=1)[first]
    return new


def _one_sided_kind(labels: Labels, classes: int, rng: Generator, given: _Given) -> Labels:
    given.only("rate")
    ones = np.flatnonzero(labels == 1)
    new = labels.copy()
    new[rng.permutation(ones)[: given.count(len(ones))]] = 0
    return new


def _number_kind(draw: Callable[[Generator, tuple[int, ...]], Array]) -> Kind:
    """A kind that adds rate * spread times a draw to every number."""

    def kind(labels: Array, classes: int, rng: Generator, given: _Given) -> Array:
        given.only("rate", "spread")
        spread = np.asarray(np.nan if given.spread is None else given.spread, dtype=np.float64)
        if spread.shape != (classes,) or not (np.isfinite(spread) & (spread > 0)).all():
            shown = None if given.spread is None else spread.tolist()
            raise not_allowed("spread", shown, f"{classes} finite numbers > 0, a standard deviation for each name")
        return (given.checked_rate() * spread * draw(rng, labels.shape)).astype(np.float32)

    return kind


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


Kind = Callable[[Array, int, Generator, _Given], Array]

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
        "one_sided": _one_sided_kind,
        "additive": _number_kind(lambda rng, shape: rng.standard_normal(shape)),
        "heavy_tailed": _number_kind(lambda rng, shape: rng.standard_t(2, shape)),
    }
)
"""The kinds of label noise, by their names in a study; `Task.noise` says which a task has."""
