"""How a student's weights start: as given, or drawn anew for each seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from distillab.engine.functional import Functional
from distillab.engine.given import is_seed
from distillab.errors import RequestError


class Start(NamedTuple):
    """How a student's weights start. States of random generators are not counted."""

    warm: bool
    """Whether all start as given."""
    kept: int
    """Weights, as arrays, that training does not change."""
    numbers: int
    """The numbers in these."""
    drawn: int
    """The other weights; they are drawn anew for each seed unless all start as given."""


def start_of(functional: Functional, *, warm: bool) -> Start:
    """Count the weights that a student keeps.

    Args:
        functional: the student.
        warm: whether all weights start as given.
    """
    kept = functional.kept_variables
    weights = sum(not is_seed(variable) for variable in functional.model.variables)
    return Start(warm, len(kept), sum(int(np.prod(variable.shape)) for variable in kept), weights - len(kept))


def check_start(functional: Functional, name: str, *, warm: bool) -> None:
    """Check that a student can be trained from where it starts.

    Args:
        functional: the student.
        name: its name in messages.
        warm: whether all weights start as given.

    Raises:
        RequestError: it has nothing to train, or given weights that are not finite.
    """
    model = functional.model
    if not model.trainable_variables:
        raise RequestError(
            f"The student {name} has no trainable weights ({len(model.weights)} weights, all frozen). Set "
            "trainable=True on a layer, or add a Dense layer."
        )
    for variable in model.variables if warm else functional.kept_variables:
        if not np.isfinite(np.asarray(variable.value).astype(np.float32)).all():
            how = "starts from (warm_start)" if warm else "keeps"
            raise RequestError(
                f"The student {name} {how} weights that are not finite: {variable.path}. Give the layer finite weights."
            )
