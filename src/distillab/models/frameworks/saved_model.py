"""A SavedModel as a function; needs TensorFlow, and refuses graphs that access files unless trusted."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.errors import RequestError, reason

FILE_ACCESS = {"ReadFile", "WriteFile", "MatchingFiles", "DeleteFile"}
CODE = {"PyFunc", "EagerPyFunc", "PyFuncStateless", "ShellExecute"}
UNSAFE = FILE_ACCESS | CODE
"""Operations of a graph that access files or run code."""


def is_saved_model(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a SavedModel's folder.

    Args:
        path: any path.
    """
    return (Path(path) / "saved_model.pb").is_file()


def saved_model(
    path: str | os.PathLike[str], *, trust: bool = False
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Load the function "serving_default" of a SavedModel, from inputs (B, ...) to predictions (B, C).

    Args:
        path: its folder.
        trust: whether operations in `UNSAFE` are allowed.

    Raises:
        RequestError: TensorFlow is missing, the folder is damaged, the graph has operations in `UNSAFE`, or several
            inputs or outputs.
    """
    path = Path(path)
    if importlib.util.find_spec("tensorflow") is None:
        raise RequestError(
            f"{path} is a SavedModel and needs TensorFlow. Install it: pip install 'distillab[tensorflow]'."
        )
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        description = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        unsafe = sorted(UNSAFE & set(_operations(description)))
        if unsafe and not trust:
            raise RequestError(
                f"{path} holds operations that access files or run code ({', '.join(unsafe)}). Pass --trust "
                "(trust=True) only if you know who made it."
            )
        loaded = tf.saved_model.load(str(path))
        serve: Any = loaded.signatures["serving_default"]
    except RequestError:
        raise
    except Exception as error:  # TensorFlow raises many kinds for a damaged folder
        raise RequestError(f"{path} cannot be loaded ({reason(error)}). Export it again.") from error
    names = list(serve.structured_input_signature[1])
    if len(names) != 1 or len(serve.structured_outputs) != 1:
        raise RequestError(
            f"{path} has {len(names)} inputs and {len(serve.structured_outputs)} outputs; it must have one of each."
        )

    def predict(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        (output,) = serve(**{names[0]: tf.constant(inputs)}).values()
        return np.asarray(output.numpy(), np.float32)

    predict.loaded = loaded  # type: ignore[attr-defined]  # keeps its variables alive
    return predict


def _operations(description: Any) -> Iterator[str]:
    for graph in description.meta_graphs:
        yield from (node.op for node in graph.graph_def.node)
        for function in graph.graph_def.library.function:
            yield from (node.op for node in function.node_def)
