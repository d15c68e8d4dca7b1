"""The outputs of a model by name: how labels, weights, settings and predictions of several are laid out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

from distillab.errors import RequestError, not_allowed, unknown


class Outputs(NamedTuple):
    """The outputs of a model, in the order of `keras.tree.flatten`.

    Args:
        names: the keys of a dictionary, of a list Keras's `output_names`.
        structure: how they are nested, with a number at each place; a number for a model that gives no list.
        shapes: of each, (None, ..., C).
    """

    names: tuple[str, ...]
    structure: Any
    shapes: tuple[tuple[Any, ...], ...]

    def __str__(self) -> str:
        return ", ".join(map(repr, self.names))

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return len(self.names) > 1

    @property
    def by_key(self) -> bool:
        """Whether they are a dictionary."""
        return isinstance(self.structure, dict)

    def listed(self, values: Any, name: str) -> list[Any]:
        """Take apart what holds a value for each output: labels, sample weights, predictions.

        Args:
            values: in the model's own structure, or a dictionary by name; of one output also the value itself. None
                stands for none at all.
            name: for messages.

        Raises:
            RequestError: another structure, or other names.
        """
        if values is None:
            return [None] * len(self.names)
        if isinstance(values, dict) and set(values) == set(self.names):
            return [values[key] for key in self.names]
        if not self.several:
            leaves = keras.tree.flatten(values) if keras.tree.is_nested(values) else []
            return leaves if len(leaves) == 1 else [values]
        if _nested_alike(values, self.structure):
            return list(keras.tree.flatten(values))
        raise RequestError(
            f"{name} is {_described(values)}, and there are the outputs {self}. Give "
            + ("" if self.by_key else "a list in this order, or ")
            + "a dictionary with a value for each of them."
        )

    def packed(self, values: Sequence[Any]) -> Any:
        """Put values of the outputs into the model's own structure.

        Args:
            values: one for each output.
        """
        return keras.tree.pack_sequence_as(self.structure, list(values)) if self.several else values[0]

    def listed_logits(self, logits: Any) -> list[Any]:
        """Take apart a teacher's logits: as `listed`, or one array with the columns of all outputs side by side.

        Args:
            logits: in the model's own structure, a dictionary by name, or (B, sum of all C).

        Raises:
            RequestError: another structure or number of columns.
        """
        if not self.several or logits is None or keras.tree.is_nested(logits):
            return self.listed(logits, "teacher_logits")
        widths = [shape[-1] for shape in self.shapes]
        if any(len(shape) > 2 for shape in self.shapes) or tuple(logits.shape[1:]) != (sum(widths),):
            raise not_allowed(
                "teacher_logits.shape", tuple(logits.shape), f"(examples, {sum(widths)}), or a dictionary by output",
                f"Its columns are those of the student's outputs {self}.",
            )  # fmt: skip
        starts = [sum(widths[:index]) for index in range(len(widths))]
        return [logits[:, start : start + width] for start, width in zip(starts, widths, strict=True)]

    def order_in(self, other: Outputs, who: str, whose: str) -> list[int]:
        """For each of these outputs, its place among those of another model.

        By name where the names are the same; of two lists by place, where the names differ.

        Args:
            other: of the other model.
            who, whose: this model and the other, for messages.

        Raises:
            RequestError: they do not belong together, or it is not clear how.
        """
        if len(self.names) == len(other.names) == 1:
            return [0]
        both = f"{who} has the output{'s' * self.several} {self} and {whose} has {other}: "
        lists = not self.by_key and not other.by_key and _nested_alike(other.structure, self.structure)
        if set(self.names) == set(other.names):
            if lists and self.names != other.names:
                raise RequestError(both + "lists in two orders. Give both as dictionaries, or in the same order.")
            return [other.names.index(name) for name in self.names]
        if lists:
            return list(range(len(self.names)))
        raise RequestError(both + "they must have the same. Give both as dictionaries with the same keys.")

    def by_output(self, value: Any, name: str, default: Any = None) -> list[Any]:
        """A setting of each output.

        Args:
            value: one for all, or a dictionary by output.
            name: of the setting.
            default: for outputs that the dictionary does not have.

        Raises:
            RequestError: it names an output that does not exist.
        """
        if not isinstance(value, dict):
            return [value] * len(self.names)
        for key in value:
            if key not in self.names:
                raise unknown(f"output of the student for {name}", str(key), self.names)
        return [value.get(key, default) for key in self.names]


def _nested_alike(values: Any, structure: Any) -> bool:
    try:
        keras.tree.assert_same_structure(keras.tree.lists_to_tuples(values), keras.tree.lists_to_tuples(structure))
    except (ValueError, TypeError):
        return False
    return True


def _described(values: Any) -> str:
    if isinstance(values, dict):
        return f"a dictionary of {', '.join(map(repr, values))}"
    if isinstance(values, (list, tuple)):
        return f"a {type(values).__name__} of {len(values)}"
    return "one array"
