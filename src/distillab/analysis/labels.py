"""Names that distinguish the settings of a study."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from distillab.study.spec import Axis

_ALONE = ("labels", "model", "kind", "train_size")
"""Keys of a group that suffice as its name, best first."""


def setting_label(axes: Sequence[Axis], coordinates: Mapping[str, Any]) -> str:
    """Name one setting, such as "teacher: noisy labels"; empty where no axis has two values.

    Args:
        axes: the study's axes without alpha.
        coordinates: the setting's value on each of them.

    Example:
        >>> setting_label([Axis("temperature", (1.0, 5.0))], {"temperature": 5.0})
        'temperature 5'
    """
    return ", ".join(_part(axis, coordinates[axis.key]) for axis in axes if len(axis.values) > 1)


_MOST_WHERE_NULL = ("train_size", "snapshot", "teacher.snapshot", "transfer.size", "student.resolution")
"""Keys for which null means the maximum: every example, the whole training."""

_NAMES = {
    "dataset": "data set",
    "train_size": "number of training examples",
    "noise.rate": "share of wrong labels",
    "noise.kind": "kind of label noise",
    "teacher.model": "teacher",
    "teacher.labels": "kind of labels the teacher saw",
    "teacher.train_size": "number of the teacher's examples",
    "teacher.epochs": "length of the teacher's training",
    "teacher.snapshot": "length of the teacher's training",
    "teacher.members": "number of teachers",
    "teacher.label_smoothing": "smoothing of the teacher's labels",
    "teacher.seed": "the teacher's seed",
    "transfer.size": "size of the transfer set",
    "transfer.withheld": "withheld class",
    "transfer.correction": "correction of the withheld class",
    "draw": "draw of the training examples",
    "student.model": "student",
    "student.resolution": "resolution of the student's images",
    "epochs": "length of training",
    "snapshot": "length of training",
}


def axis_name(axis: Axis) -> str:
    """The name of an axis.

    Args:
        axis: of a study.

    Example:
        >>> axis_name(Axis("noise.rate", (0.0, 0.1))), axis_name(Axis("learning_rate", (0.1,)))
        ('share of wrong labels', 'learning rate')
    """
    return _NAMES.get(axis.key, axis.key.replace(".", " ").replace("_", " "))


def value_name(axis: Axis, value: Any) -> str:
    """The name of one value of an axis.

    Args:
        axis: of a study.
        value: one of its values.

    Example:
        >>> axis = Axis("noise.rate", (0.0, 0.05))
        >>> value_name(axis, 0.05), value_name(Axis("train_size", (500, 20_000)), 20_000)
        ('5 %', '20,000')
    """
    if isinstance(value, Mapping):
        return ", ".join(_member(key, value[key]) for key in _distinguishing(axis.values))
    if value is None or isinstance(value, bool):
        return _plain(value)
    if axis.key == "noise.rate":
        return f"{100 * value:g} %"
    if axis.key in ("epochs", "snapshot", "teacher.epochs", "teacher.snapshot"):
        return f"{value:g} epoch{'s' * (value != 1)}"
    return f"{value:,}" if isinstance(value, int) else _plain(value)


def _part(axis: Axis, value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"{axis.key.replace('.', ' ').replace('_', ' ')} {_plain(value)}"
    members = ", ".join(_member(key, value[key]) for key in _distinguishing(axis.values))
    return f"{axis.key}: {members}"


def _distinguishing(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys that distinguish groups: one good name where it is enough, otherwise all that differ."""
    differ = [key for key in groups[0] if any(group.get(key) != groups[0][key] for group in groups)]
    for key in (*(key for key in _ALONE if key in differ), *differ):
        if len({repr(group.get(key)) for group in groups}) == len(groups):
            return [key]
    return differ


def _member(key: str, value: Any) -> str:
    if key == "labels":
        return f"{value} labels"
    if key in ("model", "kind"):
        return _without_digests(str(value))
    if key == "train_size":
        return f"{value:,} training examples" if value is not None else "the students' training examples"
    return f"{key.replace('_', ' ')} {_plain(value)}"


def in_order(axis: Axis) -> list[int] | None:
    """The indices of an axis's values in ascending order, None if not numbers; a null of `_MOST_WHERE_NULL` comes last.

    Args:
        axis: of a study.

    Example:
        >>> in_order(Axis("train_size", (5000, None, 500))), in_order(Axis("loss", ("kl", "dist")))
        ([2, 0, 1], None)
    """
    most = axis.key in _MOST_WHERE_NULL
    values = [math.inf if value is None and most else value for value in axis.values]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return None
    return sorted(range(len(values)), key=lambda index: values[index])


def _plain(value: Any) -> str:
    if value is None:
        return "all"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else _without_digests(str(value))


def _without_digests(name: str) -> str:
    """A name in which teachers from files have neither folders nor digests."""
    return re.sub(r"(?:[^+]*/)?([^+/]+)@[0-9a-f]{16}(?=\+|$)", r"\1", name)
