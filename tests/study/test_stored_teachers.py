"""Stored predictions as teachers: all classes, or the top k, which no study expands for its training rows."""

from __future__ import annotations

import json
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
from distillab.models.top_k import TopK, as_dense
from distillab.study.model_options import ModelOptions
from distillab.study.reading_teachers import read_teachers
from distillab.study.stored_teachers import stored_head
from distillab.study.teacher_models import TeacherModel

QUICK: dict[str, Any] = {"epochs": 2, "search_seeds": 1, "seeds": 2, "rounds": 1, "alpha": 0.2, "temperature": 3.0}


@pytest.fixture(scope="module")
def probabilities(own: Dataset, teacher: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    everything = np.concatenate([own.x_train, own.x_test])
    return everything, teacher.predict(own.inputs(everything), verbose=0)


def read(path: Path, own: Dataset) -> TeacherModel:
    (model,) = read_teachers([path], own, ModelOptions())
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
        if len(examples.x_validation) or len(examples.x_test):  # and no quick student without a teacher
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


def lines(own: Dataset, p: np.ndarray, names: Any = None, most: int = 2) -> str:
    """The answers of a teacher, the most probable classes of each example."""
    names = own.class_names if names is None else names
    ids = [i for part in ("train", "test") for i in own.example_ids.of(part)]
    texts = []
    for aliases, row in zip(ids, p, strict=True):
        named = {names[c]: float(row[c]) for c in np.argsort(-row)[:most]}
        texts.append(json.dumps({"id": aliases[-1], "probabilities": named}))
    return "\n".join(texts)


def test_lines_predict_what_they_say(own: Dataset, probabilities: Any, tmp_path: Path):
    x, p = probabilities
    (tmp_path / "a.jsonl").write_text(lines(own, p))
    model = read(tmp_path / "a.jsonl", own)
    store_predictions(tmp_path / "k.npy", x, p, top_k=2)
    of_array = np.exp(read(tmp_path / "k.npy", own).predict(own.x_test))
    np.testing.assert_allclose(np.exp(model.predict(own.x_test)), of_array, rtol=5e-3, atol=1e-6)  # float16; the floor
    assert model.top_k is not None
    result = distill(tmp_path / "a.jsonl", "mlp-8", own, **QUICK)
    assert result.finding["verdict"]


def test_examples_without_a_line_are_counted(own: Dataset, probabilities: Any, tmp_path: Path):
    whole = lines(own, probabilities[1]).splitlines()
    (tmp_path / "a.jsonl").write_text("\n".join(whole[:5] + whole[8:]))
    first = list(own.example_ids.of("train"))[5][0]
    with pytest.raises(RequestError, match=rf"no answer for 3 of 600 examples; the first is '{first}'"):
        read(tmp_path / "a.jsonl", own)
    with pytest.raises(RequestError, match=r"There are no stored answers .*nowhere\.jsonl"):
        read(tmp_path / "nowhere.jsonl", own)


def test_a_folders_columns_are_mapped_by_name(own: Dataset, probabilities: Any, tmp_path: Path):
    x, p = probabilities
    order = np.random.default_rng(0).permutation(10)
    names = {str(n): own.class_names[c] for n, c in enumerate(order)}
    expected = p[-len(own.x_test) :]
    for name, options in (("all", {}), ("top", {"top_k": 3}), ("lines", None)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"id2label": names}))
        if options is None:
            (folder / "answers.jsonl").write_text(lines(own, p[:, order], list(names.values())))
        else:
            store_predictions(folder / "predictions.npy", x, p[:, order], **options)
        model = read(folder, own)
        np.testing.assert_array_equal(model.predict(own.x_test).argmax(-1), expected.argmax(-1))
        assert (model.top_k is None) == (name == "all")
        if model.top_k is not None:
            np.testing.assert_array_equal(as_dense(model.top_k(own.x_test), 10), model.predict(own.x_test))


def test_classes_of_a_folder_that_the_data_lack_are_dropped(own: Dataset, probabilities: Any, tmp_path: Path):
    x, p = probabilities
    wide = np.concatenate([p * 0.5, np.full((len(p), 2), 0.25)], axis=1)[:, 1:]  # without class 0, with two others
    wide /= wide.sum(-1, keepdims=True)
    names = [*own.class_names[1:], "unicorn", "yeti"]
    (tmp_path / "config.json").write_text(json.dumps({"id2label": dict(enumerate(names))}))
    store_predictions(tmp_path / "predictions.npy", x, wide)
    logits = read(tmp_path, own).predict(own.x_test)
    expected = p[-len(own.x_test) :]
    known = expected[:, 0] < 0.9  # elsewhere the others are near the floor of 1e-7, and scaled up from it
    shares = expected[known, 1:] / expected[known, 1:].sum(-1, keepdims=True)
    np.testing.assert_allclose(np.exp(logits[known, 1:]), shares, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(logits[:, 0], np.log(1e-7), rtol=1e-6)


def test_a_folder_of_other_columns_than_names_is_refused(own: Dataset, probabilities: Any, tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"id2label": dict(enumerate(own.class_names[:9]))}))
    store_predictions(tmp_path / "predictions.npy", *probabilities)
    with pytest.raises(RequestError, match=r"names 9 classes, and predictions\.npy has shape \(600, 10\)"):
        read(tmp_path, own)
