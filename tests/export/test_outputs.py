"""Models of several outputs as ONNX: one named output each, compared and judged alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from distillab.errors import RequestError, WorkError
from distillab.export import export_onnx
from distillab.export.agreement import Agreement
from distillab.export.outputs import check_compared, outputs_of_model, qualities, worst
from distillab.tasks import TASKS
from distillab.tasks.several import Meant, packed_labels, several

X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
TASKS_OF = {"age": "regression", "kind": "categorical", "old": "binary"}


def model(form: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,), name="inputs")
    kind = keras.layers.Dense(3, activation="softmax", name="kind")(inputs)
    old = keras.layers.Dense(1, activation="sigmoid", name="old")(inputs)
    age = keras.layers.Dense(1, name="age")(inputs)
    given: Any = {"kind": kind, "old": old, "age": age} if form == "mapping" else [kind, old, age]
    return keras.Model(inputs, given)


@pytest.mark.parametrize("form", ["mapping", "list"])
@pytest.mark.usefixtures("tools")
def test_each_output_has_its_name_and_its_values(form: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    whole = model(form)
    exported = export_onnx(whole, tmp_path / "m.onnx", X, task=TASKS_OF)
    assert list(exported.outputs) == ["kind", "old", "age"]
    assert exported.outputs["age"].agreement.same_labels is None
    assert exported.outputs["kind"].agreement.n == len(X)
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    names = [one.name for one in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"inputs": X}), strict=True))
    given = whole(X)
    expected = given if form == "mapping" else dict(zip(("kind", "old", "age"), given, strict=True))
    for name, of in expected.items():
        np.testing.assert_allclose(found[name], of, atol=1e-5)


def test_outputs_mean_what_is_stated_or_what_they_end_in() -> None:
    whole = model("mapping")
    assert {of.name: of.meaning.task.name for of in outputs_of_model(whole, "age=regression")} == TASKS_OF
    with pytest.raises(RequestError, match="There is no output 'agee'"):
        outputs_of_model(whole, "agee=regression")
    with pytest.raises(RequestError, match="must be stated by output, such as kind=regression"):
        outputs_of_model(whole, "binary")
    single = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    with pytest.raises(RequestError, match="a single task: the model has one output"):
        outputs_of_model(single, {"age": "regression"})


def test_each_output_is_judged_by_its_own_known_labels() -> None:
    names = {"age": ("age",), "kind": ("a", "b", "c"), "old": ("no", "yes")}
    task = several([Meant(name, TASKS[of], names[name]) for name, of in TASKS_OF.items()])
    ages = np.zeros(20)
    ages[3:] = np.nan
    truth = {"age": ages, "kind": np.full(20, -1), "old": np.arange(20) % 2}
    outputs = outputs_of_model(model("mapping"), TASKS_OF)
    predictions = np.concatenate(
        [np.full((20, 3), 1 / 3), (np.arange(20) % 2)[:, None] * 0.8, np.full((20, 1), 2.0)], 1
    )
    found = qualities(predictions, packed_labels(task, truth), task, outputs)
    assert {name: (of.metric, of.value) for name, of in found.items()} == {"age": ("mae", 2.0), "old": ("auroc", 1.0)}


def test_an_output_that_differs_is_named() -> None:
    outputs = outputs_of_model(model("list"), TASKS_OF)
    good, bad = Agreement(0.0, 1.0, 5, 5), Agreement(0.5, 1.0, 5, 5)
    check_compared([good, good, good], outputs, "ONNX")
    assert worst([good, bad, good]) is bad
    with pytest.raises(WorkError, match=r"Output 'old': The ONNX model differs from Keras by 0\.5"):
        check_compared([good, bad, good], outputs, "ONNX")
