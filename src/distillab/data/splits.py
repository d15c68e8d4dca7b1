"""Stratified splits and subsets of training examples."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from distillab.data.apportion import largest_remainder
from distillab.data.labels import Array, Labels, Rows, as_labels
from distillab.data.several import joint_strata
from distillab.errors import not_allowed
from distillab.tasks import Task


def strata(task: Task, labels: Array) -> Labels:
    """The groups that a split keeps in proportion: the classes, where an example is of one; else a single group.

    Of several outputs, the combinations of their classes.

    Args:
        task: what the labels mean.
        labels: in the form of `canonical_labels`, N examples.

    Returns:
        Group numbers, shape (N,).

    Example:
        >>> from distillab.tasks import TASKS
        >>> strata(TASKS["binary"], np.array([1, 0])).tolist(), strata(TASKS["regression"], np.ones((2, 1))).tolist()
        ([1, 0], [0, 0])
    """
    if task.parts:
        return joint_strata(task, labels)
    one_class = task.name in ("categorical", "binary") and labels.ndim == 1
    return labels if one_class else np.zeros(len(labels), np.int32)


def stratified_split(labels: ArrayLike, *, share: float, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Hold out a fraction of the examples, for validation or for testing.

    Args:
        labels: class numbers, shape (N,).
        share: the fraction to hold out, between 0 and 1.
        rng: chooses the examples within each class.

    Returns:
        (training rows, held-out rows), each sorted; together they are 0..N-1. Exactly round(share * N) rows are held
        out, and of each class within one example of that fraction.

    Raises:
        RequestError: no example would be held out, or a class would have no training example.

    Example:
        >>> train, held_out = stratified_split([0, 0, 0, 1, 1, 1], share=1 / 3, rng=np.random.default_rng(0))
        >>> len(train), len(held_out)
        (4, 2)
    """
    classes, sizes, members = _members(as_labels(labels))
    if isinstance(share, bool) or not 0 < share < 1:
        raise not_allowed("share", share, "a number between 0 and 1, both excluded")
    share = float(share)
    total = round(share * sum(sizes))
    if total == 0:
        raise not_allowed("share", share, f"large enough to hold out at least one of the {sum(sizes)} examples")
    quotas = [Fraction(share) * size for size in sizes]
    # Classes that can spare one more example give it first, so that a class of one example keeps it.
    spare = [size - quota // 1 >= 2 for size, quota in zip(sizes, quotas, strict=True)]
    counts = largest_remainder(quotas, total, spare)
    for number, size, count in zip(classes, sizes, counts, strict=True):
        if count == size:
            rule = f"small enough to leave every class a training example; class {number} has {size} in all"
            raise not_allowed("share", share, rule)
    held_out = _choose(members, counts, rng)
    train = np.setdiff1d(np.arange(sum(sizes), dtype=np.intp), held_out, assume_unique=True)
    return train, held_out


def stratified_subset(labels: ArrayLike, *, size: int, rng: np.random.Generator) -> Rows:
    """Choose a subset of the examples with the same class proportions.

    Args:
        labels: class numbers, shape (N,).
        size: number of examples, 1..N.
        rng: chooses the examples within each class.

    Returns:
        Sorted rows, shape (size,), of each class within one example of size * N_c / N.

    Raises:
        RequestError: size is out of range, or so small that a class would have no example.

    Example:
        >>> stratified_subset([0, 1, 0, 1], size=4, rng=np.random.default_rng(0)).tolist()
        [0, 1, 2, 3]
    """
    classes, sizes, members = _members(as_labels(labels))
    n = sum(sizes)
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or not 1 <= size <= n:
        raise not_allowed("size", size, f"a whole number from 1 to {n}, the number of examples")
    quotas = [Fraction(int(size) * held, n) for held in sizes]
    counts = largest_remainder(quotas, int(size), [quota < 1 for quota in quotas])  # a rare class gets its one example
    for number, count in zip(classes, counts, strict=True):
        if count == 0:
            raise not_allowed("size", size, f"large enough to keep an example of every class; class {number} has none")
    return _choose(members, counts, rng)


def _members(labels: Labels) -> tuple[list[int], list[int], list[Rows]]:
    """The classes that occur, their numbers of examples, and their rows."""
    classes, sizes = np.unique(labels, return_counts=True)
    members = np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1])
    return classes.tolist(), sizes.tolist(), members


def _choose(members: list[Rows], counts: list[int], rng: np.random.Generator) -> Rows:
    chosen = [rng.permutation(rows)[:count] for rows, count in zip(members, counts, strict=True)]
    return np.sort(np.concatenate(chosen))
