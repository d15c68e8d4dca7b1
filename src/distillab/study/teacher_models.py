"""A user's teacher as a run uses it: predictions for stored inputs, and live ones for augmented inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from distillab.data.inputs import Scale
from distillab.data.labels import Array
from distillab.engine.functional import Functional, Variables
from distillab.models.top_k import TopK

BATCH = 64

Predict = Callable[[Array], NDArray[np.float32]]


class Member(NamedTuple):
    """A teacher that JAX can run."""

    functional: Functional
    variables: Variables
    scale: Scale
    """Stored inputs times this are the model's inputs."""


@dataclass(frozen=True)
class TeacherModel:
    """One teacher.

    Args:
        name: its name in reports.
        digest: of everything its predictions depend on, except the inputs.
        predict: from inputs as stored, (N, ...), to logits (N, ..., C); real outputs are standardised.
        live: how augmented inputs are predicted: by JAX, or by a function of inputs as stored; None: not at all.
        model: the Keras model as the user has it, for its cost; None for others.
        top_k: from inputs as stored to the top k, where that is all that is stored.
        alternatives: by what the user would have to state, predictions with inputs that are read otherwise.
        reads: what the model is given, in words; "" for a Keras model.
        named_classes: whether its classes were matched by name.
    """

    name: str
    digest: str
    predict: Predict
    live: Member | Predict | None = None
    model: keras.Model | None = None
    top_k: Callable[[Array], TopK] | None = None
    alternatives: Mapping[str, Predict] = field(default_factory=dict)
    reads: str = ""
    named_classes: bool = False

    @property
    def member(self) -> Member | None:
        """The teacher as JAX runs it; None where JAX cannot."""
        return self.live if isinstance(self.live, Member) else None
