"""TensorFlow's SavedModel as a function; needs TensorFlow, and refuses graphs that touch files unless trusted."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.errors import RequestError

UNSAFE = (
    "ReadFile",
    "WriteFile",
    "PyFunc",
    "EagerPyFunc",
    "PyFuncStateless",
    "MatchingFiles",
    "DeleteFile",
    "ShellExecute",
)
"""Operations of a graph that reach beyond its numbers."""


def is_saved_model(path: Path) -> bool:
    """Whether a path is a SavedModel's folder."""
    return (path / "saved_model.pb").is_file()


def saved_model(path: Path, *, trust: bool = False) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Load a SavedModel's function "serving_default" (or Keras's "serve").

    Raises:
        RequestError: TensorFlow is missing, the folder is damaged, the graph has operations of `UNSAFE`, or it has not
            one input and one output.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise RequestError(
            f"{path} is a SavedModel and needs TensorFlow. Install it: pip install 'distillab[tensorflow]'."
        )
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        description = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        wrong = sorted(set(_operations(description)) & set(UNSAFE))
        if wrong and not trust:
            raise RequestError(
                f"{path} holds operations that reach for files or run code ({', '.join(wrong)}). Only where you know "
                "who made it, pass --trust (trust=True)."
            )
        loaded = tf.saved_model.load(str(path))
        serve: Any = loaded.signatures["serving_default"]
    except RequestError:
        raise
    except Exception as error:  # whatever TensorFlow raises of a damaged folder
        text = " ".join(str(error).split())[:200].rstrip(". ")
        raise RequestError(f"{path} cannot be loaded ({text}). Export it again.") from error
    names = list(serve.structured_input_signature[1])
    if len(names) != 1 or len(serve.structured_outputs) != 1:
        raise RequestError(
            f"{path} has {len(names)} inputs and {len(serve.structured_outputs)} outputs; one each is needed."
        )

    def answer(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        (output,) = serve(**{names[0]: tf.constant(inputs)}).values()
        return np.asarray(output.numpy(), np.float32)

    answer.keep = loaded  # type: ignore[attr-defined]  # its variables live as long as it
    return answer


def _operations(description: Any) -> Iterator[str]:
    for graph in description.meta_graphs:
        yield from (node.op for node in graph.graph_def.node)
        for function in graph.graph_def.library.function:
            yield from (node.op for node in function.node_def)
