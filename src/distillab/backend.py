"""The backend that Keras runs on, checked before Keras is imported: Keras reads KERAS_BACKEND at its first import."""

from __future__ import annotations

import importlib.util
import os
import sys

from distillab.errors import RequestError, not_allowed

VARIABLE = "KERAS_BACKEND"
BACKENDS = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}
"""The backends of `Distiller`, and their names."""

USE_JAX = f"Run with {VARIABLE}=jax"


def check_backend() -> None:
    """Check that Keras can be imported on the backend that KERAS_BACKEND names.

    Raises:
        RequestError: there is no such backend, or it is not installed.
    """
    name = _backend()
    if "keras" in sys.modules:
        return
    if name not in BACKENDS:
        raise not_allowed(VARIABLE, name, "jax, tensorflow or torch", f"{USE_JAX}, or unset it.")
    if importlib.util.find_spec(name) is None:
        install = f"install distillab[{name}]" if name != "jax" else "install jax"
        raise RequestError(f"{VARIABLE}={name} is set, and {BACKENDS[name]} is not installed. {USE_JAX}, or {install}.")


def need_jax(what: str) -> None:
    """Check that Keras runs on JAX, or will at its first import.

    Args:
        what: needs JAX, at the start of a sentence ("A study").

    Raises:
        RequestError: it runs on another backend.
    """
    name = _backend()
    if name == "jax":
        check_backend()
    elif "keras" in sys.modules:
        raise RequestError(
            f"{what} needs Keras on JAX, and Keras runs on {name}. Set {VARIABLE}=jax before Keras is first imported."
        )
    elif name not in BACKENDS:
        check_backend()
    else:
        raise RequestError(f"{VARIABLE}={name} is set, and {what[0].lower()}{what[1:]} needs JAX. {USE_JAX}.")


def _backend() -> str:
    """The backend of Keras where it is imported, and otherwise the one it will use."""
    if "keras" in sys.modules:
        return str(sys.modules["keras"].config.backend())
    return os.environ.get(VARIABLE) or "jax"
