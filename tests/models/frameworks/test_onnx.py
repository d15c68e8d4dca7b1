"""ONNX models give what NumPy gives for the same graph, whatever their layout, types and number of outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.foreign import ForeignModel
from distillab.models.frameworks.opening import foreign_file

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

FLOAT = 1  # onnx.TensorProto.FLOAT, and so on
TYPES = {"float32": 1, "uint8": 2, "int32": 6, "int64": 7, "float16": 10, "float64": 11}
RNG = np.random.default_rng(0)
W = RNG.normal(size=(6, 3)).astype(np.float32)
X = RNG.normal(size=(7, 6)).astype(np.float32)


def graph(
    path: Path,
    nodes: list[Any],
    inputs: list[tuple[str, str, list[Any]]],
    outputs: list[tuple[str, str, list[Any]]],
    constants: dict[str, np.ndarray],
    *,
    producer: str = "",
    metadata: dict[str, str] | None = None,
) -> Path:
    values = [
        [onnx.helper.make_tensor_value_info(name, TYPES[kind], shape) for name, kind, shape in of]
        for of in (inputs, outputs)
    ]
    initial = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "g", *values, initial),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        producer_name=producer,
        ir_version=8,
    )
    onnx.helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


node = onnx.helper.make_node


def softmax(z: np.ndarray) -> np.ndarray:
    powers = np.exp(z - z.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def dense(path: Path, batch: Any = "n", name: str = "y", **more: Any) -> ForeignModel:
    nodes = [node("MatMul", ["x", "w"], ["z"]), node("Softmax", ["z"], [name], axis=-1)]
    shapes: list[tuple[str, str, list[Any]]] = [("x", "float32", [batch, 6])], [(name, "float32", [batch, 3])]  # type: ignore[assignment]
    return foreign_file(graph(path, nodes, *shapes, {"w": W}, **more))


@pytest.mark.parametrize("batch", ["n", None, 1, 4, 7, 50])
def test_any_number_of_examples_where_the_batch_is_open_or_fixed(batch: Any, tmp_path: Path) -> None:
    model = dense(tmp_path / "m.onnx", batch)
    np.testing.assert_allclose(model.predict(X), softmax(X @ W), atol=1e-6)
    assert (model.shape, model.outputs, model.dtype, model.gives) == ((6,), 3, "float32", "")


def test_the_name_of_an_output_says_that_it_is_probabilities(tmp_path: Path) -> None:
    assert dense(tmp_path / "m.onnx", name="output_probability").gives == "probabilities"


@pytest.mark.parametrize(
    ("key", "value", "names"),
    [
        ("names", "{0: 'cat', 1: 'dog', 2: 'fox'}", ("cat", "dog", "fox")),  # as the exporter of a YOLO writes it
        ("id2label", json.dumps({"2": "fox", "0": "cat", "1": "dog"}), ("cat", "dog", "fox")),
        ("classes", json.dumps(["cat", "dog", "fox"]), ("cat", "dog", "fox")),
        ("labels", "cat, dog,fox", ("cat", "dog", "fox")),
        ("class_names", """["cat's eye", "dog", "fox"]""", ("cat's eye", "dog", "fox")),
        ("names", "{0: __import__('os').system('touch new')}", ()),
        ("names", "[" * 5000, ()),
        ("author", "cat, dog, fox", ()),
    ],
)
def test_names_of_classes_in_the_metadata(key: str, value: str, names: tuple[str, ...], tmp_path: Path) -> None:
    assert dense(tmp_path / "m.onnx", metadata={key: value}).class_names == names


@pytest.mark.parametrize("channels_first", [True, False])
def test_images_in_either_layout(channels_first: bool, tmp_path: Path) -> None:
    """A 1x1 convolution and a global mean: by NumPy, mean pixels times a matrix."""
    kernel = RNG.normal(size=(5, 3, 1, 1)).astype(np.float32)
    nodes = [node("Conv", ["c", "k"], ["d"]), node("GlobalAveragePool", ["d"], ["e"]), node("Flatten", ["e"], ["y"])]
    shape: list[Any] = ["n", 3, None, None] if channels_first else ["n", None, None, 3]
    if not channels_first:
        nodes.insert(0, node("Transpose", ["x"], ["c"], perm=[0, 3, 1, 2]))
    path = graph(
        tmp_path / "m.onnx",
        nodes,
        [("c" if channels_first else "x", "float32", shape)],
        [("y", "float32", ["n", 5])],
        {"k": kernel},
        producer="pytorch" if channels_first else "tf2onnx",
    )
    model = foreign_file(path)
    images = RNG.random((4, 8, 9, 3), np.float32)
    given = images.transpose(0, 3, 1, 2) if channels_first else images
    np.testing.assert_allclose(model.predict(given), images.mean((1, 2)) @ kernel[..., 0, 0].T, atol=1e-6)
    assert model.shape == ((3, None, None) if channels_first else (None, None, 3))
    assert model.channels_first is channels_first


def test_of_labels_and_probabilities_the_probabilities_are_taken(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["z"]),
        node("Softmax", ["z"], ["probabilities"], axis=-1),
        node("ArgMax", ["z"], ["label"], axis=-1, keepdims=0),
    ]
    outputs = [("label", "int64", ["n"]), ("probabilities", "float32", ["n", 3])]
    model = foreign_file(graph(tmp_path / "m.onnx", nodes, [("x", "float32", ["n", 6])], outputs, {"w": W}))
    np.testing.assert_allclose(model.predict(X), softmax(X @ W), atol=1e-6)
    assert model.gives == "probabilities"


def zip_map(path: Path) -> ForeignModel:
    """Probabilities as a mapping for each example, as converters of scikit-learn write them by default."""
    nodes = [
        node("MatMul", ["x", "w"], ["z"]),
        node("Softmax", ["z"], ["p"], axis=-1),
        node("ZipMap", ["p"], ["output_probability"], domain="ai.onnx.ml", classlabels_strings=["b", "a", "c"]),
    ]
    key, value = onnx.TensorProto.STRING, onnx.helper.make_tensor_type_proto(FLOAT, [])
    kind = onnx.helper.make_sequence_type_proto(onnx.helper.make_map_type_proto(key, value))
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            nodes,
            "g",
            [onnx.helper.make_tensor_value_info("x", FLOAT, ["n", 6])],
            [onnx.helper.make_value_info("output_probability", kind)],
            [onnx.numpy_helper.from_array(W, "w")],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=8,
    )
    onnx.save(model, path)
    return foreign_file(path)


def test_mappings_from_class_to_probability_are_rows(tmp_path: Path) -> None:
    model = zip_map(tmp_path / "m.onnx")
    given = model.predict(X)
    np.testing.assert_allclose(given[:, [1, 0, 2]], softmax(X @ W), atol=1e-6)
    assert (model.gives, model.class_names) == ("probabilities", ("a", "b", "c"))


@pytest.mark.parametrize("kind", list(TYPES))
def test_inputs_of_each_type_are_fed(kind: str, tmp_path: Path) -> None:
    nodes = [node("Cast", ["x"], ["f"], to=FLOAT), node("MatMul", ["f", "w"], ["y"])]
    path = graph(tmp_path / "m.onnx", nodes, [("x", kind, ["n", 6])], [("y", "float32", ["n", 3])], {"w": W})
    model = foreign_file(path)
    whole = RNG.integers(0, 9, (5, 6)).astype(kind)
    assert model.dtype == kind
    np.testing.assert_allclose(model.predict(whole), whole.astype(np.float32) @ W, rtol=1e-6, atol=1e-5)


def test_unclear_outputs_are_refused_by_name(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["y"]), node("Relu", ["y"], ["z"])]
    outputs = [("y", "float32", ["n", 3]), ("z", "float32", ["n", 3])]
    path = graph(tmp_path / "m.onnx", nodes, [("x", "float32", ["n", 6])], outputs, {"w": W})
    both = foreign_file(path)  # data of two outputs take both
    x = RNG.normal(size=(5, 6)).astype(np.float32)
    with pytest.raises(RequestError, match=r"has 2 outputs \(y \['n', 3\], z \['n', 3\]\).*probabilities alone"):
        both.predict(x)
    found = both.outputs_for(x, every=True)
    assert list(found) == ["y", "z"]
    np.testing.assert_allclose(found["z"], np.maximum(x @ W, 0), rtol=1e-5, atol=1e-5)


def test_an_unknown_operator_and_damage_are_told_in_a_line(tmp_path: Path) -> None:
    shapes = [("x", "float32", ["n", 6])], [("y", "float32", ["n", 6])]
    path = graph(tmp_path / "m.onnx", [node("Wizardry", ["x"], ["y"])], *shapes, {})
    with pytest.raises(RequestError, match=r"ONNX Runtime cannot load .*m\.onnx: .*Wizardry") as raised:
        foreign_file(path)
    assert "\n" not in str(raised.value)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(RequestError, match=r"ONNX Runtime cannot load .*m\.onnx"):
        foreign_file(path)


def test_a_type_that_cannot_be_fed_is_named(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info
    made = onnx.helper.make_graph(
        [node("Identity", ["x"], ["y"])],
        "g",
        [value("x", onnx.TensorProto.STRING, ["n", 6])],
        [value("y", onnx.TensorProto.STRING, ["n", 6])],
    )
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(RequestError, match=r"reads tensor\(string\), and distillab feeds tensor\(float\)"):
        foreign_file(tmp_path / "m.onnx")


def test_the_digest_covers_weights_kept_beside_the_graph(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    first = dense(path).digest
    assert dense(path).digest == first
    model = onnx.load(path)
    model.graph.initializer[0].raw_data = (2 * W).tobytes()
    onnx.save(model, path)
    assert foreign_file(path).digest != first
    apart = foreign_file(path).digest
    (tmp_path / "m.onnx.data").write_bytes(b"weights")
    assert foreign_file(path).digest != apart


@pytest.mark.parametrize("names", [("words", "numbers"), ("a", "b")])
def test_several_inputs_are_read_by_name_or_in_order(names: tuple[str, str], tmp_path: Path) -> None:
    nodes = [node("Cast", ["words"], ["cast"], to=FLOAT), node("Concat", ["cast", "numbers"], ["y"], axis=1)]
    inputs = [("words", "int64", ["n", 3]), ("numbers", "float32", ["n", 2])]
    model = foreign_file(graph(tmp_path / "m.onnx", nodes, inputs, [("y", "float32", ["n", 5])], {}))
    assert model.several == (("words", (3,), "int64"), ("numbers", (2,), "float32"))
    given = (np.array([[1, 2, 3]], np.int32), np.array([[0.5, 0.25]], np.float32))
    np.testing.assert_array_equal(model.predict(dict(zip(names, given, strict=True))), [[1, 2, 3, 0.5, 0.25]])
