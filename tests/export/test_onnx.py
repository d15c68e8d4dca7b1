"""ONNX: every architecture of the zoo predicts real inputs as Keras does, and nothing that does not is left behind."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.data import load
from distillab.errors import RequestError, WorkError
from distillab.export import export_onnx
from distillab.export import onnx as module
from distillab.export.agreement import agreement
from distillab.models import ARCHITECTURES, build, parse

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
pytestmark = pytest.mark.usefixtures("tools")


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    dataset = load("digits")
    return dataset.inputs(np.concatenate([dataset.x_train, dataset.x_test])[:1000])


def lively(model: keras.Model) -> keras.Model:
    """With weights and moving statistics as a training leaves them: none of them 0, all variances positive."""
    rng = np.random.default_rng(3)
    for variable in model.weights:
        value = np.asarray(variable)
        variable.assign(value + 0.1 * np.abs(rng.standard_normal(value.shape)).astype(value.dtype))
    return model


@pytest.mark.parametrize("name", [entry.example for entry in ARCHITECTURES.values() if not entry.tokens])
def test_every_zoo_student_predicts_a_thousand_digits_as_keras_does(name: str, digits: np.ndarray, tmp_path: Path):
    keras.utils.set_random_seed(4)
    model = lively(build(name, (8, 8, 1), 10))
    done = export_onnx(model, tmp_path / "student.onnx", digits)
    positions = 64 if ARCHITECTURES[parse(name)[0]].maps else 1
    assert done.agreement.n == done.agreement.same_labels == 1000 * positions
    assert done.agreement.within_rounding
    again = module.onnx_predict(done.path.read_bytes())(digits[:33])
    assert agreement(model.predict(digits[:33], verbose=0), again).within_rounding
    assert done.bytes == done.path.stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["student.onnx"]
    assert all(0 < times.p50 <= times.p99 for times in done.latency.values())


@pytest.mark.parametrize("name", [entry.example for entry in ARCHITECTURES.values() if entry.tokens])
def test_every_zoo_student_of_token_ids_predicts_padded_texts_as_keras_does(name: str, tmp_path: Path):
    keras.utils.set_random_seed(4)
    model, rng = lively(build(name, (6,), 4, vocabulary=90)), np.random.default_rng(0)
    ids = np.where(np.arange(6) < rng.integers(0, 7, (200, 1)), rng.integers(1, 90, (200, 6)), 0).astype(np.int32)
    done = export_onnx(model, tmp_path / "student.onnx", ids)
    assert done.agreement.within_rounding
    assert done.agreement.same_labels == 200
    (graph_input,) = onnxruntime_inputs(done.path)
    assert (graph_input.name, graph_input.type) == ("inputs", "tensor(int32)")


def onnxruntime_inputs(path: Path) -> list:
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_inputs()


def of_every_task() -> dict[str, keras.Model]:
    layers, image = keras.layers, keras.Input((8, 8, 1))
    maps = build("unet-4-6-8", (8, 8, 1), 3)

    def flat(*last: keras.layers.Layer) -> keras.Model:
        return keras.Sequential([image, layers.Flatten(), layers.Dense(16, activation="relu"), *last])

    return {
        "binary": flat(layers.Dense(1, activation="sigmoid")),
        "multilabel": flat(layers.Dense(5), layers.Activation("sigmoid")),
        "regression": flat(layers.Dense(1), layers.Rescaling(20.0, 150.0)),
        "several numbers": flat(layers.Dense(2), layers.Rescaling([0.003, 900.0], [0.01, -40.0])),
        "categorical maps": keras.Model(maps.inputs[0], layers.Softmax()(maps.outputs[0])),
        "binary maps": keras.Sequential([image, layers.Conv2D(1, 3, padding="same", activation="sigmoid")]),
        "a sequence": keras.Sequential([image, layers.Reshape((8, 8)), layers.GRU(6, return_sequences=True)]),
    }


@pytest.mark.parametrize("name", of_every_task())
def test_a_model_of_every_task_predicts_as_keras_does(name: str, digits: np.ndarray, tmp_path: Path):
    keras.utils.set_random_seed(5)
    model = lively(of_every_task()[name])
    done = export_onnx(model, tmp_path / "model.onnx", digits, task="regression" if name == "several numbers" else None)
    ours = model.predict(digits, verbose=0)
    # float32 sums of at most 64 terms
    np.testing.assert_allclose(done.predictions, ours, rtol=1e-5, atol=1e-5 * np.abs(ours).max())
    numbers = name in ("regression", "several numbers")
    assert done.agreement.same_labels == (None if numbers else done.agreement.n)
    assert done.agreement.n == (ours.size if name == "multilabel" else ours.size // ours.shape[-1])
    again = module.onnx_predict(done.path.read_bytes())
    assert [again(digits[:count]).shape for count in (1, 3)] == [(count, *ours.shape[1:]) for count in (1, 3)]
    output = {"a sequence": "logits"}.get(name, "predictions" if numbers else "probabilities")
    assert [one.name for one in onnx.load(done.path).graph.output] == [output]


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([keras.layers.MaxPooling2D(2, strides=1, padding="same")], (7, 5, 2)),
        ([keras.layers.MaxPooling2D((3, 2), strides=(2, 1), padding="valid")], (7, 6, 2)),
        ([keras.layers.MaxPooling2D(2), keras.layers.MaxPooling2D(3, strides=2, padding="same")], (16, 9, 3)),
        ([keras.layers.AveragePooling2D(2, padding="same")], (7, 6, 2)),
        ([keras.layers.MaxPooling1D(3, strides=2, padding="same")], (7, 2)),
        ([keras.layers.GlobalMaxPooling2D()], (7, 6, 2)),
    ],
    ids=lambda value: "-".join(layer.name for layer in value) if isinstance(value, list) else None,
)
def test_pooling_of_every_kind_is_right(layers: list[keras.layers.Layer], shape: tuple[int, ...], tmp_path: Path):
    model = lively(keras.Sequential([keras.Input(shape), *layers, keras.layers.Flatten(), keras.layers.Dense(3)]))
    examples = np.random.default_rng(0).standard_normal((20, *shape), np.float32)  # negative too: no padding by 0
    done = export_onnx(model, tmp_path / "model.onnx", examples)
    assert done.agreement.within_rounding
    written = onnx.load(done.path)
    assert all(len(one.attribute[0].ints) < 3 for one in written.graph.node if one.op_type == "MaxPool")


def test_the_batch_is_free_and_names_say_what_is_read_and_given(digits: np.ndarray, tmp_path: Path):
    layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    for model, name in (
        (build("linear", (8, 8, 1), 10), "logits"),
        (keras.Sequential([keras.Input((8, 8, 1)), *layers]), "probabilities"),
    ):
        graph = onnx.load(export_onnx(model, tmp_path / f"{name}.onnx", digits[:9]).path).graph
        assert [one.name for one in graph.input] == ["inputs"]
        assert [one.name for one in graph.output] == [name]
        assert not graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value")
        answer = module.onnx_predict((tmp_path / f"{name}.onnx").read_bytes())
        assert [answer(digits[:count]).shape for count in (1, 2, 17)] == [(1, 10), (2, 10), (17, 10)]


def test_predictions_that_differ_leave_no_file_and_keep_an_older_one(
    digits: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    honest = module.onnx_run

    def off(*arguments):
        run, feeds = honest(*arguments)
        return lambda given: run(given) + np.float32(0.01), feeds

    monkeypatch.setattr(module, "onnx_run", off)
    model = build("linear", (8, 8, 1), 10)
    (tmp_path / "old.onnx").write_text("older")
    for name in ("new.onnx", "old.onnx"):
        with pytest.raises(WorkError, match=r"differs from Keras by 0\.01.*No file was written"):
            export_onnx(model, tmp_path / name, digits[:9])
    assert [path.name for path in tmp_path.iterdir()] == ["old.onnx"]
    assert (tmp_path / "old.onnx").read_text() == "older"


def test_what_cannot_be_written_is_refused_in_one_line(digits: np.ndarray, tmp_path: Path, monkeypatch):
    model = build("linear", (8, 8, 1), 10)
    with pytest.raises(RequestError, match=r"ends in \.onnx"):
        export_onnx(model, tmp_path / "student.bin", digits)
    with pytest.raises(RequestError, match=r"examples\.shape"):
        export_onnx(model, tmp_path / "student.onnx", digits[:, :4])
    monkeypatch.setattr(module, "NEEDS", ("onnx", "no_such_package"))
    with pytest.raises(RequestError, match=r"needs no_such_package\. Install it: pip install 'distillab\[onnx\]'"):
        export_onnx(model, tmp_path / "student.onnx", digits)
    assert list(tmp_path.iterdir()) == []


def test_a_layer_without_counterpart_is_reported_in_one_line(tmp_path: Path):
    @keras.saving.register_keras_serializable("distillab_tests")
    class Sorted(keras.layers.Layer):
        def call(self, x):
            import jax

            return jax.pure_callback(np.sort, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="expand_dims")

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential([keras.Input((4,)), Sorted(), keras.layers.Dense(3)])
    with pytest.raises(WorkError, match="cannot be written as ONNX") as message:
        export_onnx(model, tmp_path / "model.onnx", np.zeros((2, 4), np.float32))
    assert "\n" not in str(message.value)
    assert list(tmp_path.iterdir()) == []


def test_inputs_of_any_size_are_fixed_at_the_size_of_the_examples(digits: np.ndarray, tmp_path: Path):
    layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    model = lively(keras.Sequential([keras.Input((None, None, 1)), *layers]))
    assert export_onnx(model, tmp_path / "model.onnx", digits[:9]).agreement.within_rounding


@pytest.mark.parametrize("policy", ["float16", "mixed_bfloat16"])
def test_half_precision_is_refused_by_the_name_of_the_layer(policy: str, digits: np.ndarray, tmp_path: Path):
    layers = [keras.layers.Flatten(dtype=policy), keras.layers.Dense(3, dtype=policy, name="answer")]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    with pytest.raises(RequestError, match=r"computes in b?float16 .*Rebuild it with the dtype policy float32"):
        export_onnx(model, tmp_path / "model.onnx", digits[:9])
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_several_maps_is_refused(digits: np.ndarray, tmp_path: Path):
    one = keras.Input((8, 8, 1))
    two_maps = keras.Model(one, [keras.layers.Conv2D(3, 1)(one), keras.layers.Conv2D(3, 1)(one)])
    with pytest.raises(RequestError, match="Several outputs must be one prediction an example each"):
        export_onnx(two_maps, tmp_path / "model.onnx", digits[:9])
    assert list(tmp_path.iterdir()) == []


def of_words_and_numbers(as_dictionary: bool) -> keras.Model:
    words, numbers = keras.Input((6,), name="words", dtype="int32"), keras.Input((2,), name="numbers")
    read = [keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(9, 4)(words)), numbers]
    inputs = {"words": words, "numbers": numbers} if as_dictionary else [words, numbers]
    return lively(keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Concatenate()(read))))


@pytest.mark.parametrize("as_dictionary", [True, False])
def test_several_inputs_keep_their_names_and_types(as_dictionary: bool, tmp_path: Path):
    import onnxruntime

    rng = np.random.default_rng(0)
    examples = {"numbers": rng.normal(size=(20, 2)), "words": rng.integers(0, 9, (20, 6))}
    exported = export_onnx(of_words_and_numbers(as_dictionary), tmp_path / "model.onnx", examples)
    assert exported.agreement.within_rounding
    running = onnxruntime.InferenceSession(exported.path)
    assert {one.name: one.type for one in running.get_inputs()} == {
        "words": "tensor(int32)",
        "numbers": "tensor(float)",
    }
    given = {"numbers": examples["numbers"].astype(np.float32), "words": examples["words"].astype(np.int32)}
    np.testing.assert_array_equal(running.run(None, given)[0], exported.predictions)


def test_several_inputs_of_another_number_are_refused(tmp_path: Path):
    with pytest.raises(RequestError, match=r"examples='1 inputs' is not allowed: it must be the model's 2: words, num"):
        export_onnx(of_words_and_numbers(False), tmp_path / "model.onnx", np.zeros((4, 6)))
