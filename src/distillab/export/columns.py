"""The ONNX graph of a table's student: an input for each column, with words as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.data.columns import Columns
from distillab.errors import RequestError

PREFIX = "student/"
"""Of all names inside the converted graph, so that columns may have any name."""

WORDS_DOMAIN = "ai.onnx.ml"


def check_columns(columns: Columns, shape: tuple[int | None, ...], *outputs: str) -> None:
    """Check that columns are those that a model reads.

    Args:
        columns: of the table.
        shape: of the model's inputs, without the batch.
        outputs: what the graph calls its outputs.

    Raises:
        RequestError: it reads another number of features, or a column has the output's name.
    """
    if tuple(shape) != (len(columns.columns),):
        raise RequestError(
            f"columns.json beside the model has {len(columns.columns)} columns, and the model reads inputs of shape "
            f"{tuple(shape)}. Remove the file if it belongs to another model."
        )
    for output in outputs:
        if output in {column.name for column in columns.columns}:
            raise RequestError(f"The column {output!r} has the name of the graph's output. Rename the column.")


def with_columns(content: bytes, columns: Columns) -> bytes:
    """Put an input for each column, (N, 1), before a graph that reads them all as one, (N, F).

    Numbers and booleans are float32, NaN where missing; words are text, and become their codes: a word that is not
    known, and an empty one, become NaN, which the graph reads as missing.

    Args:
        content: an ONNX model of one input.
        columns: of the table.
    """
    import onnx
    from onnx import helper

    model = onnx.compose.add_prefix(onnx.load_from_string(content), PREFIX)
    graph = model.graph
    whole = graph.input[0].name
    rows = graph.input[0].type.tensor_type.shape.dim[0].dim_param or "rows"
    for tensor in graph.output:
        _rename(graph, tensor, tensor.name.removeprefix(PREFIX))
    inputs, nodes, numbers = [], [], []
    for place, column in enumerate(columns.columns):
        text = column.kind == "category"
        kind = onnx.TensorProto.STRING if text else onnx.TensorProto.FLOAT
        inputs.append(helper.make_tensor_value_info(column.name, kind, [rows, 1]))
        numbers.append(f"{PREFIX}column {place}" if text else column.name)
        if text:
            codes = np.arange(len(column.categories), dtype=float).tolist()
            node = helper.make_node("LabelEncoder", [column.name], [numbers[-1]], domain=WORDS_DOMAIN)
            node.attribute.append(helper.make_attribute("keys_strings", list(column.categories)))
            node.attribute.append(helper.make_attribute("values_floats", codes))
            node.attribute.append(helper.make_attribute("default_float", float("nan")))
            nodes.append(node)
    nodes.append(helper.make_node("Concat", numbers, [whole], axis=1))
    after = list(graph.node)
    del graph.node[:], graph.input[:]
    graph.node.extend([*nodes, *after])
    graph.input.extend(inputs)
    if WORDS_DOMAIN not in {one.domain for one in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(WORDS_DOMAIN, 2))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _rename(graph: Any, tensor: Any, new: str) -> None:
    old, tensor.name = tensor.name, new
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]


def column_feeds(columns: Columns, x: NDArray[np.float32]) -> Mapping[str, NDArray[Any]]:
    """The inputs of a graph that `with_columns` made.

    Args:
        columns: of the table.
        x: as read, (N, F).

    Returns:
        By column, (N, 1): float32, or text, "" where a word is missing.

    Example:
        >>> from distillab.data.columns import Column
        >>> columns = Columns((Column(name="job", kind="category", categories=("baker", "cook")),))
        >>> column_feeds(columns, np.float32([[1], [np.nan]]))["job"].tolist()
        [['cook'], ['']]
    """
    feeds: dict[str, NDArray[Any]] = {}
    for column, values in zip(columns.columns, x.T, strict=True):
        if column.kind == "category":
            words = np.array([*column.categories, ""], object)
            values = words[np.where(np.isnan(values), len(words) - 1, values).astype(int)]
        feeds[column.name] = np.ascontiguousarray(values)[:, None]
    return feeds
