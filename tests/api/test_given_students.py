"""Distilling students that hold given weights: a frozen layer, adapted statistics and an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from distillab.api.distill import Distillation, distill
from distillab.data import Dataset
from distillab.export.onnx import NEEDS, onnx_predict
from distillab.study.results import KeptStudent
from distillab.study.storage.store import Store

layers = keras.layers
QUICK: dict[str, Any] = {
    "alpha": 0.5, "temperature": 3.0, "learning_rate": 0.01, "epochs": 3, "search_seeds": 1, "seeds": 2, "rounds": 0
}  # fmt: skip


def given(own: Dataset) -> keras.Model:
    """Normalisation (adapted), a frozen layer (all 0.1), Dense with an adapter on a kernel (all 0.2), Dense."""
    normalise = layers.Normalization(axis=None)
    normalise.adapt(own.x_train.astype(np.float32))
    frozen = layers.Dense(4, activation="relu", trainable=False, name="frozen")
    adapted = layers.Dense(6, activation="relu", name="adapted")
    backbone = keras.Sequential([keras.Input((8, 8, 1)), normalise, layers.Flatten(), frozen, adapted], name="backbone")
    frozen.set_weights([np.full((64, 4), 0.1), np.zeros(4)])
    adapted.set_weights([np.full((4, 6), 0.2), np.zeros(6)])
    adapted.enable_lora(2, lora_alpha=4)
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, layers.Dense(10)(backbone(inputs, training=False)))


@pytest.fixture(scope="module")
def done(own: Dataset, teacher: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Distillation:
    return distill(teacher, given(own), own, tmp_path_factory.mktemp("given") / "out", **QUICK)


@pytest.fixture(scope="module")
def trained(done: Distillation) -> np.ndarray:
    """The logits that the first student had when it was trained."""
    assert done.folder is not None
    with Store(done.folder / "study.db", read_only=True) as store:
        rows = [one for one in store.trials() if one.coordinates["evaluate"] == "test" and one.seed == 0]
    (first,) = [one for one in rows if one.coordinates["distilled"]]
    return KeptStudent.read(done.folder / "students" / f"{first.id}.npz").test_logits


def parts(student: keras.Model) -> dict[str, np.ndarray]:
    return {"/".join(one.path.split("/")[-2:]): np.asarray(one) for one in student.variables}


def test_the_shipped_student_holds_what_was_given_and_new_weights_where_it_learned(done: Distillation, own: Dataset):
    shipped = parts(done.student)
    np.testing.assert_array_equal(shipped["frozen/kernel"], np.full((64, 4), 0.1, np.float32))
    np.testing.assert_array_equal(shipped["adapted/kernel"], np.full((4, 6), 0.2, np.float32))
    assert shipped["adapted/lora_kernel_b"].any()
    (mean,) = (value for name, value in shipped.items() if name.endswith("/mean"))
    assert mean == pytest.approx(own.x_train.mean(), rel=1e-5)
    assert done.finding["start"] == {"warm": False, "kept": 6, "numbers": 64 * 4 + 4 + 4 * 6 + 3, "drawn": 5}
    assert "keeps 6 weight arrays as given (287 numbers" in " ".join(done.card().split())


def test_the_student_predicts_as_trained_in_memory_from_its_file_and_as_onnx(
    done: Distillation, trained: np.ndarray, own: Dataset, tmp_path: Path
):
    assert done.folder is not None
    raw = own.x_test.astype(np.float32)
    room = {"rtol": 1e-4, "atol": 1e-4}  # float32 sums of 64 terms; the file has the adapter added to the kernel
    np.testing.assert_allclose(done.student.predict(raw, verbose=0), trained, **room)
    loaded = keras.models.load_model(done.folder / "student.keras", compile=False)
    np.testing.assert_allclose(loaded.predict(raw, verbose=0), trained, **room)
    for name in NEEDS:
        pytest.importorskip(name, reason="the extra `onnx` is not installed")
    done.export("onnx", tmp_path / "s.onnx")
    predicted = onnx_predict((tmp_path / "s.onnx").read_bytes())(raw)
    np.testing.assert_allclose(predicted, trained, **room)


def test_a_warm_start_from_the_shipped_file_trains_its_adapter(done: Distillation, own: Dataset, teacher: keras.Model):
    assert done.folder is not None
    again = distill(teacher, done.folder / "student.keras", own, warm_start=True, **(QUICK | {"student_scale": "raw"}))
    assert again.finding["start"]["warm"]
    assert "All weights of the student start as given (warm start), for every seed." in again.text()
    before = parts(keras.models.load_model(done.folder / "student.keras", compile=False))
    after = parts(again.student)
    np.testing.assert_array_equal(after["adapted/kernel"], before["adapted/kernel"])
    assert not before["adapted/lora_kernel_b"].any()
    assert after["adapted/lora_kernel_b"].any()
