"""distillab: a laboratory for knowledge distillation on Keras 3."""

import importlib
import os
import sys
from typing import Any

__version__ = "0.1.0"

if "keras" not in sys.modules and not os.environ.get("KERAS_BACKEND"):  # a user's own choice stands
    os.environ["KERAS_BACKEND"] = "jax"  # Keras reads it once, at its first import

# Fetched when first asked for: the command line must start without Keras, which takes seconds to import.
_FROM = {
    "Study": "distillab.api.study",
    "AlphaSchedule": "distillab.keras",
    "Distiller": "distillab.keras",
    "with_teacher_logits": "distillab.keras",
    "distill": "distillab.api.distill",
    "Distillation": "distillab.api.distill",
    "read_data": "distillab.data",
    "ReadOptions": "distillab.data",
    "open_teacher": "distillab.models.frameworks.opening",
    "store_predictions": "distillab.models.storing",
}

_NEEDS_KERAS = ("AlphaSchedule", "Distiller", "with_teacher_logits", "distill", "Distillation")

_MODULES = ("conventions", "losses")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"distillab.{name}")
    if name not in _FROM:
        raise AttributeError(f"module 'distillab' has no attribute {name!r}")
    if name in _NEEDS_KERAS:
        importlib.import_module("distillab.backend").check_backend()
    return getattr(importlib.import_module(_FROM[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_FROM, *_MODULES})
