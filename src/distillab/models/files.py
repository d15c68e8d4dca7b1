"""Models from files: Keras's own format, read in safe mode."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from distillab.errors import RequestError, not_allowed
from distillab.models.functions import user_module

if TYPE_CHECKING:
    import keras

TRUST = "Only where you know who made the file, pass --trust (trust=True)."


def read_model(path: Path, *, trust: bool = False, modules: Sequence[str] = ()) -> keras.Model:
    """Read a model from a `.keras` file, without its optimiser.

    Args:
        path: the file.
        trust: whether code from the file may run: layers of class `Lambda` hold Python's own bytecode, which can do
            anything that you can.
        modules: Python modules or files that define the model's own layers, and register them with Keras.

    Returns:
        The model, ready to answer; to be trained it must be compiled.

    Raises:
        RequestError: no such file, another format, a damaged file, or one that would run code of its own.
    """
    import keras

    if path.suffix != ".keras":
        raise not_allowed("model", str(path), "a .keras file", "Save it with model.save('name.keras').")
    if not path.is_file():
        raise RequestError(f"There is no model file {path}. Name a .keras file.")
    if not zipfile.is_zipfile(path):
        raise RequestError(f"{path} is no whole .keras file; it may be cut short. Save or copy it again.")
    own: dict[str, type] = {}
    for module in modules:
        found = vars(user_module(module))
        own |= {name: value for name, value in found.items() if isinstance(value, type) and not name.startswith("_")}
    try:
        model = keras.models.load_model(path, custom_objects=own, compile=False, safe_mode=not trust)
    except Exception as error:  # whatever a damaged or foreign file makes Keras raise
        text = " ".join(str(error).split())
        if not trust and ("unsafe" in text or "arbitrary code" in text):
            raise RequestError(
                f"{path} holds Python code (a Lambda layer) that would run when it is loaded. {TRUST}"
            ) from error
        hint = " Name the module that defines its layers with --module." if "custom object" in text.lower() else ""
        reason = text[:200].rstrip(". ") or type(error).__name__
        raise RequestError(f"{path} cannot be loaded ({reason}).{hint}") from error
    if not isinstance(model, keras.Model):
        raise RequestError(f"{path} holds a {type(model).__name__} and no keras.Model. Save a model.")
    return model
