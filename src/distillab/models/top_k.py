"""The k largest log-probabilities of each example, with the remaining mass: a short form of a teacher's predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class TopK(NamedTuple):
    """Predictions of which k classes are stored; the remaining mass is spread evenly over the other C - k.

    A pytree of arrays, so that JAX takes it apart by itself. Its values need not be normalised: adding one number to
    `values` and `rest` of an example changes nothing.
    """

    values: Any
    """Log-probabilities, shape (N, ..., k)."""
    classes: Any
    """Their class numbers, all different, shape (N, ..., k)."""
    rest: Any
    """Logarithm of the probability of all other classes together, shape (N, ...)."""


def top_k_rows(logits: Array, k: int) -> TopK:
    """Keep the k most probable classes of each example, the largest first; equal ones in the order of their numbers.

    Args:
        logits: shape (N, ..., C).
        k: from 1 to C - 1.

    Example:
        >>> kept = top_k_rows(np.log([[0.1, 0.5, 0.2, 0.2]]), 2)
        >>> kept.classes.tolist(), np.exp(kept.rest).round(3).tolist()
        ([[1, 2]], [0.3...])
    """
    logs = np.asarray(logits, np.float32)
    logs = logs - logs.max(axis=-1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(axis=-1, keepdims=True))
    threshold = np.partition(logs, -k, axis=-1)[..., -k, None]
    above = logs > threshold
    equal = logs == threshold
    kept = above | (equal & (np.cumsum(equal, axis=-1) <= k - above.sum(axis=-1, keepdims=True)))
    classes = np.nonzero(kept)[-1].reshape(*logs.shape[:-1], k)
    values = np.take_along_axis(logs, classes, axis=-1)
    order = np.argsort(-values, axis=-1, kind="stable")
    others = np.where(kept, -np.inf, logs)
    largest = others.max(axis=-1, keepdims=True)
    rest = largest[..., 0] + np.log(np.exp(others - largest).sum(axis=-1))
    return TopK(np.take_along_axis(values, order, -1), np.take_along_axis(classes, order, -1), rest)


def even_share(top: TopK, outputs: int) -> Any:
    """The log-probability of each class that is not stored, shape (N, ...); of no meaning where all are.

    Args:
        top: the stored classes; NumPy or JAX.
        outputs: C.
    """
    return top.rest.astype("float32") - np.float32(math.log(max(1, outputs - top.values.shape[-1])))


def dense_rows(top: TopK, outputs: int) -> NDArray[np.float32]:
    """Logits of all classes, shape (N, ..., C): `log p_c` where stored, `log(rest / (C - k))` elsewhere.

    Args:
        top: the stored classes.
        outputs: C.

    Example:
        >>> np.exp(dense_rows(top_k_rows(np.log([[0.1, 0.5, 0.2, 0.2]]), 2), 4)).round(3).tolist()
        [[0.15..., 0.5, 0.2..., 0.15...]]
    """
    logits = np.repeat(even_share(top, outputs)[..., None], outputs, axis=-1)
    np.put_along_axis(logits, top.classes.astype(np.intp), top.values.astype(np.float32), axis=-1)
    return logits


def uniform_rows(like: TopK, shape: Sequence[int], outputs: int) -> TopK:
    """Equal logits, exactly 0, for all classes.

    Args:
        like: gives k and the types of the numbers.
        shape: (N, ...), without the classes.
        outputs: C.
    """
    k = like.values.shape[-1]
    classes = np.broadcast_to(np.arange(k, dtype=like.classes.dtype), (*shape, k)).copy()
    rest = np.full(tuple(shape), math.log(max(1, outputs - k)), np.float32)
    return TopK(np.zeros((*shape, k), like.values.dtype), classes, rest)


def take_rows(stored: Any, rows: Any) -> Any:
    """Some examples, of logits or of a `TopK`.

    Args:
        stored: logits, shape (N, ..., C), or a `TopK`.
        rows: an index of the first axis.
    """
    return TopK(*(part[rows] for part in stored)) if isinstance(stored, TopK) else stored[rows]


def joined_rows(parts: Sequence[Any]) -> Any:
    """Concatenate examples, all of logits or all of `TopK`.

    Args:
        parts: at least one.
    """
    if isinstance(parts[0], TopK):
        return TopK(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return np.concatenate(parts)


def as_dense(stored: Any, outputs: int) -> NDArray[np.float32]:
    """Logits of all classes: of a `TopK` rebuilt, otherwise as they are.

    Args:
        stored: logits, shape (N, ..., C), or a `TopK`.
        outputs: C.
    """
    return dense_rows(stored, outputs) if isinstance(stored, TopK) else stored


def loss_error_bound(top: TopK, student_logits: Array, temperature: float) -> NDArray[np.float64]:
    """The most by which `T^2 KL(teacher || student)` can differ between all logits and the top k, shape (N, ...).

    Formula: `T^2 (m R + m' log(C - 1) + h(m'))`, where m bounds the softened mass of the classes that are not stored,
    R is the range of the student's softened log-probabilities, `(max z_s - min z_s) / T`, `m' = min(m, 1 - 1/C)` and
    `h(m) = -m log m - (1 - m) log(1 - m)`, at most log 2. The derivation is in docs/stored-predictions.md.

    Args:
        top: the stored classes of exact log-probabilities.
        student_logits: shape (N, ..., C).
        temperature: T > 0.
    """
    student = np.asarray(student_logits, np.float64)
    outputs, mass = student.shape[-1], softened_rest(top, student.shape[-1], temperature)
    spread = (student.max(axis=-1) - student.min(axis=-1)) / temperature
    most = np.minimum(mass, 1 - 1 / outputs)
    part = np.clip(np.minimum(most, 0.5), 1e-300, None)
    entropy = -part * np.log(part) - (1 - part) * np.log1p(-part)
    bound: NDArray[np.float64] = temperature**2 * (mass * spread + most * math.log(max(1, outputs - 1)) + entropy)
    return bound


def softened_rest(top: TopK, outputs: int, temperature: float) -> NDArray[np.float64]:
    """The most that the softened probabilities of the classes that are not stored sum to, shape (N, ...).

    Of all ways to spread the remaining mass, their sum is largest for an even one at T >= 1, and for a single class
    at T < 1.

    Args:
        top: the stored classes.
        outputs: C.
        temperature: T > 0.
    """
    classes, rest = outputs - top.values.shape[-1], np.asarray(top.rest, np.float64)
    spread = 0.0 if temperature < 1 else math.log(classes) * (1 - 1 / temperature)
    stored = np.logaddexp.reduce(np.asarray(top.values, np.float64) / temperature, axis=-1)
    mass: NDArray[np.float64] = np.exp(-np.logaddexp(0, stored - rest / temperature - spread))
    return mass
