"""Models from `.keras` files, read in safe mode."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from distillab.errors import RequestError, not_allowed, reason
from distillab.models.functions import user_module

if TYPE_CHECKING:
    import keras

TRUST = "Pass --trust (trust=True) only if you know who made the file."


def read_model(path: str | os.PathLike[str], *, trust: bool = False, modules: Sequence[str] = ()) -> keras.Model:
    """Read a model from a `.keras` file, without its optimiser: compile it before training.

    Args:
        path: the file.
        trust: whether code from the file may run: `Lambda` layers hold Python bytecode, which can do anything that
            you can.
        modules: Python modules or files that define the model's custom layers, and register them with Keras.

    Raises:
        RequestError: no such file, another format, a damaged file, or one that would run its own code.
    """
    import keras

    path = Path(path)
    if path.suffix != ".keras":
        raise not_allowed("model", str(path), "a .keras file", "Save it with model.save('name.keras').")
    if not path.is_file():
        raise RequestError(f"There is no model file {path}. Give a .keras file.")
    if not zipfile.is_zipfile(path):
        raise RequestError(f"{path} is no whole .keras file; it may be cut short. Save or copy it again.")
    custom: dict[str, type] = {}
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
    if not isinstance(model, keras.Model):
        raise RequestError(f"{path} holds a {type(model).__name__} and no keras.Model. Save a model.")
    return model
