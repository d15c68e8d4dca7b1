"""Max pooling as ONNX Runtime can run it.

jax2onnx writes JAX's pooling windows over all axes: batch and channels count as spatial axes, and two axes are
inserted before them, `Unsqueeze, Unsqueeze, MaxPool, Squeeze`. The result is valid ONNX, but ONNX Runtime pools over at
most three spatial axes. The same maximum, with the channels where ONNX expects them, is `Transpose, MaxPool,
Transpose`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx


def with_plain_pools(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rewrite max pooling over (batch, ..., channels) windows to pooling over spatial axes alone.

    A pool whose window spans several examples or channels stays as it is.

    Args:
        model: changed in place, and returned.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    rewritten: dict[str, list[onnx.NodeProto]] = {}
    dropped: set[str] = set()
    for pool in graph.node:
        around = _around(pool, makers, readers) if pool.op_type == "MaxPool" else None
        if around is None:
            continue
        inner, outer, squeeze = around
        rewritten[pool.output[0]] = _plain(pool, outer.input[0], squeeze.output[0])
        dropped |= {inner.output[0], outer.output[0], squeeze.output[0]}
    nodes = []
    for node in graph.node:
        if node.output[0] in rewritten:
            nodes.extend(rewritten[node.output[0]])
        elif node.output[0] not in dropped:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    _tidy(graph)
    return model


def _around(pool: Any, makers: dict[str, Any], readers: dict[str, list[Any]]) -> tuple[Any, Any, Any] | None:
    """The two nodes that insert axes before a pool's input, and the one that removes them."""
    attributes = _attributes(pool)
    window, pads, strides, dilations = (
        attributes.get(name, []) for name in ("kernel_shape", "pads", "strides", "dilations")
    )
    axes = len(window)
    ends = [*window[:: axes - 1], *strides[:: axes - 1], *dilations[:: axes - 1]] if axes > 1 else [0]
    borders = [pads[axis] for axis in (0, axes - 1, axes, 2 * axes - 1)] if pads else []
    inner = makers.get(pool.input[0])
    if inner is None or inner.op_type != "Unsqueeze":
        return None
    outer = makers.get(inner.input[0])
    after = readers.get(pool.output[0], [])
    if outer is None or outer.op_type != "Unsqueeze" or len(after) != 1 or after[0].op_type != "Squeeze":
        return None
    if any(end != 1 for end in ends) or any(borders) or any(len(readers[n.output[0]]) > 1 for n in (inner, outer)):
        return None
    return inner, outer, after[0]


def _plain(pool: Any, source: str, target: str) -> list[Any]:
    from onnx import helper

    attributes = _attributes(pool)
    axes = len(attributes["kernel_shape"])  # batch, spatial axes, channels
    name = pool.output[0]
    inner = {"kernel_shape": attributes["kernel_shape"][1:-1]}
    for key in ("strides", "dilations"):
        if key in attributes:
            inner[key] = attributes[key][1:-1]
    if "pads" in attributes:
        inner["pads"] = [*attributes["pads"][1 : axes - 1], *attributes["pads"][axes + 1 : -1]]
    if "ceil_mode" in attributes:
        inner["ceil_mode"] = attributes["ceil_mode"]
    forth, back = [0, axes - 1, *range(1, axes - 1)], [0, *range(2, axes), 1]
    return [
        helper.make_node("Transpose", [source], [f"{name}_channels_first"], perm=forth),
        helper.make_node("MaxPool", [f"{name}_channels_first"], [f"{name}_pooled"], **inner),
        helper.make_node("Transpose", [f"{name}_pooled"], [target], perm=back),
    ]


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _tidy(graph: Any) -> None:
    """Remove the constants and shape annotations that no node refers to any more."""
    read = {name for node in graph.node for name in node.input} | _read_inside(graph)
    made = {name for node in graph.node for name in node.output}
    kept = [constant for constant in graph.initializer if constant.name in read]
    annotations = [value for value in graph.value_info if value.name in made]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(kept)
    graph.value_info.extend(annotations)


def _read_inside(graph: Any) -> set[str]:
    """The names that the bodies of loops and conditions read, some of them from outside."""
    names: set[str] = set()
    for node in graph.node:
        for attribute in node.attribute:
            for body in [attribute.g, *attribute.graphs] if attribute.type in (5, 10) else []:
                names |= {name for inner in body.node for name in inner.input} | _read_inside(body)
                names |= {output.name for output in body.output}
    return names
