"""Frameworks that are imported when one of their files is read, and need not be installed before."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from distillab.errors import RequestError


def needed(package: str, path: Path, what: str, extra: str) -> Any:
    """Import a framework.

    Args:
        package: the module's name.
        path: the file that needs it.
        what: the file is, and the framework's name: "an ONNX model and needs ONNX Runtime".
        extra: of distillab, that installs it.

    Raises:
        RequestError: it is not installed.
    """
    if importlib.util.find_spec(package.partition(".")[0]) is None:
        raise RequestError(f"{path} is {what}: pip install 'distillab[{extra}]'.")
    return importlib.import_module(package)
