"""How a user's inputs are stored: as images, features, series or token ids, by what the models read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from distillab.data.archive import with_channels
from distillab.data.array_store import ArrayStore, is_mapped
from distillab.data.inputs import INPUT, Kind, extremes, joined, parts_of
from distillab.data.labels import Array
from distillab.errors import RequestError, not_allowed


class ModelInput(NamedTuple):
    """One input of a model.

    Args:
        name: as the model has it.
        shape: of one example; None where a side is open.
        tokens: whether it reads token ids.
        vocabulary: the number of token ids that it knows; None: not known.
    """

    name: str
    shape: tuple[int | None, ...]
    tokens: bool = False
    vocabulary: int | None = None


Readers = Sequence[Sequence[ModelInput]]
"""The inputs of each model that is known."""


def input_forms(values: Any, readers: Readers = (), stated: Kind | None = None) -> dict[str, Kind]:
    """What each input is: as stated, as the models read it, or as its type and axes show.

    Whole numbers are token ids only where a model reads such or the user says so; otherwise they are features. Three
    axes are grey images, or series where a model reads such.

    Args:
        values: training inputs as the user has them: an array, or several by name or in order.
        readers: the inputs of the models.
        stated: by the user, for all inputs.

    Raises:
        RequestError: the inputs have no form that a model can read.

    Example:
        >>> input_forms(np.array([[4, 2]])), input_forms(np.array([[4, 2]]), [[ModelInput("ids", (2,), True)]])
        ({'inputs': 'features'}, {'inputs': 'tokens'})
    """
    parts = named_inputs(values, readers, "x_train")
    forms: dict[str, Kind] = {}
    for place, (name, part) in enumerate(parts.items()):
        of_models = (_of(reader, place, name) for reader in readers)
        forms[name] = stated or _form(part, [one for one in of_models if one is not None])
    return forms


def stored_inputs(
    values: Any, name: str, forms: Mapping[str, Kind], readers: Readers = (), store: ArrayStore | None = None
) -> Array:
    """Inputs in the form in which a data set holds them.

    Args:
        values: as in `input_forms`, of any part of the data.
        name: for messages.
        forms: what each input is, made by `input_forms`.
        readers: the inputs of the models.
        store: keeps large mapped inputs whose type changes.

    Returns:
        Bytes or float32 (N, H, W, C), (N, F) or (N, T, F); int32 (N, T) for token ids; of several inputs a structured
        array (N,).

    Raises:
        RequestError: an input is missing, too many, or not of its form.
    """
    if store is not None and isinstance(values, np.ndarray) and is_mapped(values):
        none = stored_inputs(np.array(values[:0]), name, forms, readers)
        if none.dtype != values.dtype:
            return store.gather([(values, None)], lambda rows: stored_inputs(np.array(rows), name, forms, readers))
        if values.dtype.names is not None:
            return values
    parts = named_inputs(values, readers, name)
    if list(parts) != list(forms):
        raise not_allowed(name, f"inputs {', '.join(parts)}", f"the inputs {', '.join(forms)}, as in x_train")
    made = {
        key: _stored(part, f"{name}[{key!r}]" if len(parts) > 1 else name, forms[key]) for key, part in parts.items()
    }
    return made[INPUT] if list(made) == [INPUT] else joined(made)


def named_inputs(values: Any, readers: Readers, name: str) -> dict[str, Array]:
    """A user's inputs by name; an only one is called "inputs".

    Several are a mapping by name, a structured array, or a list or tuple of arrays, which take the models' names, or
    else input_1, input_2 and so on.

    Args:
        values, readers, name: as in `stored_inputs`.

    Raises:
        RequestError: there is none.
    """
    if isinstance(values, Mapping):
        if not values:
            raise not_allowed(name, "{}", "at least one input by name")
        parts = {str(key): np.asarray(part) for key, part in values.items()}
        return {INPUT: next(iter(parts.values()))} if len(parts) == 1 else parts
    if _is_several(values, readers):
        names = _names(len(values), readers)
        return {names[place]: np.asarray(part) for place, part in enumerate(values)}
    return parts_of(np.asarray(values))


def _is_several(values: Any, readers: Readers) -> bool:
    """Whether a list or tuple holds one array for each of several inputs, and not one example an entry."""
    if not isinstance(values, (list, tuple)) or len(values) < 2:
        return False
    if not all(hasattr(one, "shape") and len(one.shape) >= 2 for one in values):
        return False
    return any(len(of) == len(values) for of in readers) or len({tuple(one.shape) for one in values}) > 1


def _names(count: int, readers: Readers) -> list[str]:
    for reader in readers:
        if len(reader) == count:
            return [one.name for one in reader]
    return [f"input_{number}" for number in range(1, count + 1)]


def _of(reader: Sequence[ModelInput], place: int, name: str) -> ModelInput | None:
    """The model's input that reads one of the data's: the one of its name, otherwise the one at its place."""
    by_name = {one.name: one for one in reader}
    return by_name.get(name) or (reader[place] if place < len(reader) else None)


def _form(part: Array, readers: Sequence[ModelInput]) -> Kind:
    if any(reader.tokens for reader in readers) and part.ndim == 2:
        return "tokens"
    if part.ndim == 3:
        axes = {len(reader.shape) for reader in readers}
        return "series" if axes == {2} else "images"
    return "features" if part.ndim == 2 else "images"


def _stored(part: Array, name: str, form: Kind) -> Array:
    if part.dtype.kind not in "fiub":
        raise not_allowed(f"{name}.dtype", str(part.dtype), "bytes or numbers")
    if form == "tokens":
        return _as_tokens(part, name)
    if form == "images":
        part = with_channels(part)
    elif part.ndim != {"features": 2, "series": 3}[form]:
        raise not_allowed(
            f"{name}.shape", part.shape, f"that of {form}: {'(N, F)' if form == 'features' else '(N, T, F)'}"
        )
    return part if part.dtype == np.uint8 and form != "series" else part.astype(np.float32, copy=False)


def _as_tokens(part: Array, name: str) -> Array:
    if part.ndim != 2:
        raise not_allowed(f"{name}.shape", part.shape, "(N, T) for token ids")
    if part.dtype.kind == "f":
        rows = np.flatnonzero(~(part == np.rint(part)).all(axis=1))
        if len(rows):
            raise RequestError(
                f"{name} is read as token ids, and row {rows[0]} holds a number that is not whole. Give whole numbers, "
                "or state --inputs features."
            )
    low, high = extremes(part) if part.size else (0, 0)
    if low < 0 or high >= 2**31:
        raise not_allowed(name, f"from {low:g} to {high:g}", "token ids from 0 to 2147483647")
    return part.astype(np.int32, copy=False)
