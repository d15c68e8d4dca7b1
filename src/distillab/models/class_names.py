"""A teacher's classes matched by name to those of the data: which column of its logits is which class."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.errors import RequestError, shown

ABSENT = -1
"""The column of a class that the teacher lacks."""

ABSENT_LOG_PROBABILITY = math.log(1e-7)
"""Of a class that the teacher lacks."""


def columns_by_name(teacher_names: Sequence[str], data_names: Sequence[str]) -> NDArray[np.intp]:
    """Find each class of the data among a teacher's classes.

    Equal names match first; the others match regardless of case, spaces and underscores. A column of the teacher
    matches one class at most.

    Args:
        teacher_names: of the teacher's columns, in order.
        data_names: the data's `class_names`.

    Returns:
        For each class of the data the teacher's column, or -1 where it has none.

    Raises:
        RequestError: fewer than two classes match, or a name matches several columns.

    Example:
        >>> columns_by_name(["Red Fox", "cat", "dog"], ["cat", "red_fox", "owl"]).tolist()
        [1, 0, -1]
    """
    columns = np.full(len(data_names), ABSENT, np.intp)
    for plain in (str, _plain):
        free: dict[str, list[int]] = {}
        for column, name in enumerate(teacher_names):
            if column not in columns:
                free.setdefault(plain(name), []).append(column)
        for number in map(int, np.flatnonzero(columns == ABSENT)):
            found = free.get(plain(data_names[number]), [])
            if len(found) > 1:
                raise RequestError(
                    f"The class {shown(data_names[number])} of the data matches {len(found)} of the teacher's classes, "
                    f"{shown([teacher_names[column] for column in found])}. Rename them."
                )
            if found:
                columns[number] = found[0]
                free.pop(plain(data_names[number]))
    matched = int((columns != ABSENT).sum())
    if matched < 2:
        absent = [name for name, column in zip(data_names, columns, strict=True) if column == ABSENT]
        raise RequestError(
            f"{matched} of the {len(data_names)} classes of the data match the teacher's by name, and 2 must. Without "
            f"a match: {some_names(absent)}. The teacher's classes: {some_names(teacher_names)}. Rename the classes of "
            "either."
        )
    return columns


def names_from(value: Any) -> tuple[str, ...]:
    """Names of classes in their order, from a list or from a mapping of numbers to names such as `id2label`.

    Args:
        value: as JSON holds it.

    Raises:
        ValueError: it is neither.

    Example:
        >>> names_from({"1": "dog", "0": "cat"})
        ('cat', 'dog')
    """
    if isinstance(value, dict):
        numbered = {int(number): str(name) for number, name in value.items()}
        if sorted(numbered) != list(range(len(numbered))):
            raise ValueError("numbers with gaps")
        return tuple(numbered[number] for number in range(len(numbered)))
    if isinstance(value, (list, tuple)):
        return tuple(map(str, value))
    raise ValueError("neither a list nor a mapping")


def read_class_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read the names of a model's classes, in the order of its outputs.

    Args:
        path: a text file with one name a line; or JSON: a list, a mapping of numbers to names, or a configuration that
            has such a mapping as `id2label`.

    Raises:
        RequestError: there is no such file, or it holds no names.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            content = json.loads(text)
            names = names_from(content.get("id2label", content) if isinstance(content, dict) else content)
        else:
            names = tuple(line.strip() for line in text.splitlines() if line.strip())
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}. Give a file of class names.") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path} holds no names of classes. Write one name a line.") from error
    if len(names) < 2 or len(set(names)) < len(names):
        raise RequestError(f"{path} holds {len(names)} names, and must hold at least two, all different, one a line.")
    return names


def mapped_logits(logits: Any, columns: NDArray[np.intp], *, xp: ModuleType = np) -> Any:
    """Logits of the data's classes from those of a teacher's.

    A class that the teacher lacks gets the log-probability log(1e-7), and the others their log-probabilities among the
    teacher's classes that the data have. Where none is missing, the logits themselves are kept.

    Args:
        logits: the teacher's, shape (..., K).
        columns: of `columns_by_name`, shape (C,).
        xp: `numpy` or `keras.ops`, whichever the logits belong to.

    Returns:
        Shape (..., C).

    Example:
        >>> half = np.log([[0.25, 0.25, 0.5]])
        >>> np.exp(mapped_logits(half, np.array([1, -1, 0]))).round(3).tolist()
        [[0.5, 0.0, 0.5]]
    """
    absent = columns == ABSENT
    if not absent.any():
        return xp.take(logits, columns, axis=-1)
    kept = xp.take(logits, columns[~absent], axis=-1)
    kept = kept - xp.max(kept, axis=-1, keepdims=True)
    kept = kept - xp.log(xp.sum(xp.exp(kept), axis=-1, keepdims=True))
    places = np.where(absent, 0, np.cumsum(~absent) - 1)
    return xp.where(absent, np.float32(ABSENT_LOG_PROBABILITY), xp.take(kept, places, axis=-1))


def class_numbers(names: Sequence[str]) -> Callable[[str], int]:
    """Make a function from a label to the number of its class, or -1; equal names first, then similar ones.

    Args:
        names: of the classes, in order.

    Example:
        >>> number = class_numbers(["red fox", "cat"])
        >>> number("Red_Fox"), number("dog")
        (0, -1)
    """
    exact = {str(name): number for number, name in enumerate(names)}
    similar: dict[str, int] = {}
    for number, name in enumerate(names):
        similar[_plain(name)] = ABSENT if _plain(name) in similar else number
    return lambda label: exact.get(label, similar.get(_plain(label), ABSENT))


def _plain(name: str) -> str:
    return "".join(str(name).casefold().replace("_", " ").split())


def some_names(names: Sequence[str]) -> str:
    """The first ten names, for a message.

    Args:
        names: any number of them.
    """
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return ", ".join(map(repr, names[:10])) + more
