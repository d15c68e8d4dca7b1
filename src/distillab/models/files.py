"""Models from `.keras` files, read in safe mode."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distillab.backend import check_backend
from distillab.errors import RequestError, not_allowed, reason
from distillab.models.functions import user_module

if TYPE_CHECKING:
    import keras

TRUST = "Pass --trust (trust=True) only if you know who made the file."


def _saved_distiller() -> Any:
    """A stand-in for the class of a saved `Distiller`, of which the student alone is read."""
    import keras

    class SavedDistiller(keras.Model):
        def __init__(self, student: keras.Model) -> None:
            super().__init__()
            self.student = student
            self.built = True

        @classmethod
        def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> SavedDistiller:
            read = keras.saving.deserialize_keras_object  # where `load_model` runs, its own safe mode holds
            return cls(read(config["student"], custom_objects=custom_objects, safe_mode=True))

        def load_own_variables(self, store: Any) -> None:
            """Leave alpha, the temperature and a saved teacher aside."""

    return SavedDistiller


def read_model(path: str | os.PathLike[str], *, trust: bool = False, modules: Sequence[str] = ()) -> keras.Model:
    """Read a model from a `.keras` file, without its optimiser: compile it before training.

    Of a saved `Distiller`, which a checkpoint holds, it is the student.

    Args:
        path: the file.
        trust: whether code from the file may run: `Lambda` layers hold Python bytecode, which can do anything that
            you can.
        modules: Python modules or files that define the model's custom layers, and register them with Keras.

    Raises:
        RequestError: no such file, another format, a damaged file, or one that would run its own code.
    """
    check_backend()
    import keras

    path = Path(path)
    if path.suffix != ".keras":
        raise not_allowed("model", str(path), "a .keras file", "Save it with model.save('name.keras').")
    if not path.is_file():
        raise RequestError(f"There is no model file {path}. Give a .keras file.")
    if not zipfile.is_zipfile(path):
        raise RequestError(f"{path} is no whole .keras file; it may be cut short. Save or copy it again.")
    stand_in = _saved_distiller()
    custom: dict[str, type] = {"distillab>Distiller": stand_in}
    for module in modules:
        members = vars(user_module(module)).items()
        custom |= {name: value for name, value in members if isinstance(value, type) and not name.startswith("_")}
    try:
        model = keras.models.load_model(path, custom_objects=custom, compile=False, safe_mode=not trust)
    except Exception as error:  # Keras raises many kinds for a damaged file
        text = " ".join(str(error).split())
        if not trust and ("unsafe" in text or "arbitrary code" in text):
            raise RequestError(
                f"{path} holds Python code (a Lambda layer) that would run when it is loaded. {TRUST}"
            ) from error
        hint = " Give the module that defines its layers with --module." if "custom object" in text.lower() else ""
        raise RequestError(f"{path} cannot be loaded ({reason(error)}).{hint}") from error
    model = getattr(model, "student", model) if isinstance(model, stand_in) else model
    if not isinstance(model, keras.Model):
        raise RequestError(f"{path} holds a {type(model).__name__} and no keras.Model. Save a model.")
    return model
