"""Keras models of several outputs: their names and endings, side by side, and taken apart again."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.several import ModelOutputs, order_of, packed, several_outputs, taken_apart, with_heads
from distillab.tasks import TASKS
from distillab.tasks.several import Meant, several

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
TASK = several([Meant("age", TASKS["regression"], ("age",)), Meant("kind", TASKS["categorical"], ("a", "b", "c"))])


def model(form: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    kind = keras.layers.Dense(3, activation="softmax", name="kind")(inputs)
    age = keras.layers.Dense(1, name="age")(inputs)
    given: Any = {"mapping": {"kind": kind, "age": age}, "list": [kind, age], "tuple": (kind, age)}[form]
    return keras.Model(inputs, given)


class Custom(keras.Model):
    """Shows its operations only where it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.kind, self.age = keras.layers.Dense(3, activation="softmax"), keras.layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return {"kind": self.kind(inputs), "age": self.age(inputs)}


@pytest.mark.parametrize("form", ["mapping", "list", "tuple"])
def test_names_widths_and_endings_are_in_the_models_own_order(form: str) -> None:
    expected = ModelOutputs(("kind", "age"), (3, 1), ("softmax", ""), form == "mapping")
    assert several_outputs(model(form)) == expected
    head = expected.head("the teacher")
    assert [(part.output, part.outputs, part.ending) for part in head.parts] == [("kind", 3, "softmax"), ("age", 1, "")]


def test_a_custom_class_shows_its_outputs_and_one_output_is_none_of_several() -> None:
    custom = Custom()
    custom(X)
    found = several_outputs(custom)
    assert found is not None
    assert dict(zip(found.names, found.endings, strict=True)) == {"kind": "softmax", "age": ""}
    assert several_outputs(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])) is None


@pytest.mark.parametrize("form", ["mapping", "list", "tuple"])
def test_outputs_lie_side_by_side_in_the_datas_order_before_their_softmax(form: str) -> None:
    whole = model(form)
    order = order_of(several_outputs(whole), TASK, "The teacher", "t")
    assert order == [1, 0]
    given = whole(X)
    kind, age = (given["kind"], given["age"]) if form == "mapping" else given
    both = np.asarray(packed(whole, order, raw=True)(X))
    np.testing.assert_allclose(both[:, :1], age, rtol=1e-6)
    np.testing.assert_allclose(keras.ops.softmax(both[:, 1:]), kind, rtol=1e-5)


def test_two_activated_outputs_of_a_nested_model_are_unwrapped_in_one_call_of_it() -> None:
    inputs, outer = keras.Input((4,)), keras.Input((4,))
    kind = keras.layers.Dense(3, activation="softmax", name="kind")(inputs)
    sure = keras.layers.Dense(1, activation="sigmoid", name="sure")(inputs)
    nested = keras.Model(outer, keras.Model(inputs, [kind, sure])(outer))
    raw = np.asarray(packed(nested, [0, 1], raw=True)(X))
    np.testing.assert_allclose(keras.ops.softmax(raw[:, :3]), nested(X)[0], rtol=1e-5)
    np.testing.assert_allclose(keras.ops.sigmoid(raw[:, 3:]), nested(X)[1], rtol=1e-5)


def test_a_packed_model_is_cloned_and_taken_apart() -> None:
    twin = keras.models.clone_model(packed(model("mapping"), [1, 0], raw=False))
    apart = taken_apart(twin)
    np.testing.assert_array_equal(np.concatenate(apart(X), axis=-1), twin(X))


def test_a_model_of_the_zoo_gets_a_head_for_each_output() -> None:
    from distillab.models import build

    whole = with_heads(build("mlp-8", (4,), 4), TASK)
    assert whole.output_shape == (None, 4)
    assert [tensor.shape[-1] for tensor in taken_apart(whole).outputs] == [1, 3]
    with pytest.raises(RequestError, match="predicts at many positions"):
        with_heads(build("unet-2-4", (8, 8, 1), 4), TASK)


def test_an_output_of_another_width_is_refused_by_name() -> None:
    task = several([Meant("age", TASKS["regression"], ("age",)), Meant("kind", TASKS["categorical"], ("a", "b"))])
    with pytest.raises(
        RequestError, match=r"Output 'kind' of the student s has shape \(3,\), and the data need \(2,\)"
    ):
        order_of(several_outputs(model("list")), task, "The student", "s")
