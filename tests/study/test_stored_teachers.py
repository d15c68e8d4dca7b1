"""Stored predictions as teachers: all classes, or the top k, which no study expands for its training rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from distillab.api.distill import distill
from distillab.data import Dataset
from distillab.engine.trainer import CohortTrainer
from distillab.errors import RequestError
from distillab.models.storing import store_predictions
from distillab.models.top_k import TopK
from distillab.study.model_options import ModelOptions
from distillab.study.stored_teachers import stored_head
from distillab.study.teacher_models import TeacherModel, teacher_models

QUICK: dict[str, Any] = {"epochs": 2, "search_seeds": 1, "seeds": 2, "rounds": 1, "alpha": 0.2, "temperature": 3.0}


@pytest.fixture(scope="module")
def probabilities(own: Dataset, teacher: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    everything = np.concatenate([own.x_train, own.x_test])
    return everything, teacher.predict(own.inputs(everything), verbose=0)


def read(path: Path, own: Dataset) -> TeacherModel:
    (model,) = teacher_models([path], own, ModelOptions())
    return model


def test_a_top_k_predicts_what_was_stored(own: Dataset, probabilities: Any, tmp_path: Path):
    store_predictions(tmp_path / "k.npy", *probabilities, top_k=3)
    model = read(tmp_path / "k.npy", own)
    logits = model.predict(own.x_test)
    expected = probabilities[1][-len(own.x_test) :]
    np.testing.assert_array_equal(logits.argmax(-1), expected.argmax(-1))
    np.testing.assert_allclose(np.exp(logits.max(-1)), expected.max(-1), rtol=1e-3)
    assert model.top_k is not None
    assert model.top_k(own.x_test).values.shape == (len(own.x_test), 3)


def test_a_top_k_that_saves_nothing_is_used_whole(own: Dataset, probabilities: Any, tmp_path: Path):
    store_predictions(tmp_path / "k.npy", *probabilities, top_k=5)
    assert read(tmp_path / "k.npy", own).top_k is None


def test_the_head_of_stored_predictions_shows_in_their_values(probabilities: Any, tmp_path: Path):
    x, p = probabilities
    for name, array, options in (
        ("softmax", p, {}),
        ("top", p, {"top_k": 3}),
        ("sigmoid", p / 2, {}),
        ("logits", np.log(p + 1e-9), {"dtype": "float16"}),
        ("one", p[:, 0], {}),
    ):
        store_predictions(tmp_path / f"{name}.npy", x, array, **options)
    heads = {name: stored_head(tmp_path / f"{name}.npy") for name in ("softmax", "top", "sigmoid", "logits", "one")}
    assert {name: (head.outputs, head.ending) for name, head in heads.items()} == {
        "softmax": (10, "softmax"),
        "top": (10, "softmax"),
        "sigmoid": (10, "sigmoid"),
        "logits": (10, ""),
        "one": (1, "sigmoid"),
    }


def test_a_missing_part_is_an_error_before_anything_runs(own: Dataset, probabilities: Any, tmp_path: Path):
    store_predictions(tmp_path / "k.npy", *probabilities, top_k=3)
    (tmp_path / "k.rest.npy").unlink()
    with pytest.raises(RequestError, match=r"k.rest.npy is missing"):
        distill(tmp_path / "k.npy", "mlp-8", own, tmp_path / "out", **QUICK)
    assert not (tmp_path / "out").exists()


def test_distilling_a_top_k_keeps_it_short_from_file_to_device(
    own: Dataset, probabilities: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[Any] = []
    build = CohortTrainer.__init__

    def recorded(self: CohortTrainer, model: Any, examples: Any, *rest: Any, **options: Any) -> None:
        seen.append(examples.teacher_logits)
        build(self, model, examples, *rest, **options)

    monkeypatch.setattr(CohortTrainer, "__init__", recorded)
    store_predictions(tmp_path / "k.npy", *probabilities, top_k=3)
    distill(tmp_path / "k.npy", "mlp-8", own, tmp_path / "out", **QUICK)
    assert seen
    assert all(isinstance(logits, TopK) and logits.values.dtype == np.float16 for logits in seen)
    stored = [np.load(file) for file in (tmp_path / "out" / "predictions").glob("*.npy")]
    assert [array.shape for array in stored] == [(len(own.x_test), 10)]  # of the test set, none of the training rows


def test_several_teachers_of_which_one_is_a_top_k_are_averaged(own: Dataset, probabilities: Any, tmp_path: Path):
    store_predictions(tmp_path / "k.npy", *probabilities, top_k=3)
    store_predictions(tmp_path / "all.npy", *probabilities)
    result = distill([tmp_path / "k.npy", tmp_path / "all.npy"], "mlp-8", own, **QUICK)
    assert result.finding["verdict"]
