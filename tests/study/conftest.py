"""A study small enough to be run many times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from distillab.study.spec import Spec, read_spec

TINY: dict[str, Any] = {
    "dataset": "synthetic",
    "train_size": 200,
    "noise": {"kind": "shift", "rate": 0.1},
    "teacher": {"model": "cnn-4-6", "epochs": 1},
    "student": {"model": "cnn-2-3"},
    "alpha": [0, 0.5, 1],
    "seeds": 3,
    "epochs": 2,
}


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Spec]:
    """Makes the tiny study, with some keys changed."""
    return lambda **keys: read_spec(TINY | keys)
