"""A model that travels to another process: its architecture, and what a student keeps as given."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np

from distillab.engine.functional import Functional, Variables, Weights, write_variables
from distillab.engine.given import Flags, read_flags, set_flags
from distillab.engine.lora import Adapter, read_adapters, set_adapters


class PackedModel(NamedTuple):
    """A model that can be pickled; the weights that it trains are not in it."""

    architecture: str
    adapters: list[Adapter]
    flags: Flags
    fixed: Weights


def pack(functional: Functional) -> PackedModel:
    """Pack a model.

    Args:
        functional: the model.
    """
    model = functional.model
    fixed = [np.asarray(variable.value) for variable in model.non_trainable_variables]
    return PackedModel(model.to_json(), read_adapters(model), read_flags(model), fixed)


def unpack(packed: PackedModel) -> Functional:
    """Build the model again.

    Args:
        packed: by `pack`, perhaps in another process.

    Raises:
        TypeError, ValueError: a layer's class is not known here.
    """
    model = keras.models.model_from_json(packed.architecture)
    set_adapters(model, packed.adapters)
    set_flags(model, packed.flags)
    own = [np.asarray(variable.value) for variable in model.trainable_variables]
    return Functional(write_variables(model, Variables(own, packed.fixed)))
