"""A distillation from start to end, small."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import distillab
from distillab.api.distill import Distillation, distill
from distillab.data import Dataset, ReadOptions, load, read_data
from distillab.errors import RequestError, WorkError
from distillab.metrics import accuracy
from distillab.report.rendering import escape_markdown
from distillab.report.view.distillation import verdict_sentence
from distillab.search.request import request
from distillab.study.storage.store import Store

QUICK: dict[str, Any] = {"epochs": 3, "search_seeds": 1, "seeds": 2, "rounds": 1, "temperature": 3.0}


def words(distillation: Distillation) -> str:
    """Its text on one line."""
    return " ".join(distillation.text().split())


@pytest.fixture(scope="module")
def done(own: Dataset, teacher_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return distill(teacher_file, "mlp-8", own, tmp_path_factory.mktemp("run") / "out", **QUICK)


def test_the_shipped_student_reads_the_data_as_they_are(done: Any, own: Dataset):
    sent = keras.models.load_model(done.folder / "student.keras", compile=False)
    logits = sent.predict(own.x_test.astype(np.float32), verbose=0)
    finding = json.loads((done.folder / "answer.json").read_text())
    assert finding["verdict"]["seeds"] == 2
    with Store(done.folder / "study.db", read_only=True) as store:
        finals = [one for one in store.trials() if one.coordinates["evaluate"] == "test" and one.seed == 0]
    assert accuracy(logits, own.y_test) in {trial.metrics["test", "accuracy"] for trial in finals}
    assert finding == Distillation.load(done.folder).finding
    assert finding["costs"]["student"]["parameters"] == sent.count_params()


def test_everything_tried_is_on_record_once(done: Any):
    with Store(done.folder / "study.db", read_only=True) as store:
        trials = store.trials()
    assert len({trial.id for trial in trials}) == len(trials)
    distilled = [trial.coordinates["distilled"] for trial in trials]
    assert 2 * sum(distilled) == len(distilled)
    assert {trial.coordinates["evaluate"] for trial in trials} == {"validation", "test"}


def test_the_same_again_trains_no_candidate_and_finds_the_same(done: Any, own: Dataset, teacher_file: Path):
    with Store(done.folder / "study.db", read_only=True) as store:
        before = store.results()
    again = distill(teacher_file, "mlp-8", own, done.folder, **QUICK)
    with Store(done.folder / "study.db", read_only=True) as store:
        assert store.results() == before
    assert again.finding["verdict"] == done.finding["verdict"]
    assert again.finding["chosen"] == done.finding["chosen"]


def test_a_folder_of_other_numerics_is_refused(done: Any, own: Dataset, teacher_file: Path, tmp_path: Path):
    shutil.copytree(done.folder, tmp_path / "out")
    with closing(sqlite3.connect(tmp_path / "out" / "study.db")) as connection, connection:
        connection.execute("UPDATE runs SET provenance = '{}'")
    with pytest.raises(RequestError, match="holds results of an earlier version of the engine's numerics"):
        distill(teacher_file, "mlp-8", own, tmp_path / "out", **QUICK)


def test_the_card_tells_what_a_reader_must_know(done: Any, own: Dataset):
    card = (done.folder / "model_card.md").read_text()
    verdict = json.loads((done.folder / "answer.json").read_text())["verdict"]
    for part in (
        f"**{escape_markdown(verdict_sentence(verdict))}**",
        "| accuracy (%) |",
        f"alpha = {done.finding['chosen']['alpha']:g}",
        "150 test examples",
        "not the best",
        "teacher",
    ):
        assert part in card


def test_without_a_folder_nothing_is_left(own: Dataset, teacher: keras.Model, tmp_path: Path, monkeypatch: Any):
    monkeypatch.chdir(tmp_path)
    result = distillab.distill(teacher, "mlp-8", own, alpha=0.5, **(QUICK | {"rounds": 0}))
    assert result.folder is None
    assert result.finding["chosen"]["alpha"] == 0.5
    assert list(tmp_path.iterdir()) == []


def test_unlabelled_examples_teach_and_their_effect_is_told(own: Dataset, teacher: keras.Model):
    labels = np.where(np.arange(len(own.y_train)) % 3 == 0, own.y_train, -1)
    data = own
    arrays = {"x_train": data.x_train, "y_train": labels, "x_test": data.x_test, "y_test": data.y_test}
    fewer = read_data(arrays, ReadOptions(validation=0.2))
    result = distill(teacher, "mlp-8", fewer, alpha=0.5, learning_rate=0.01, **QUICK)
    assert result.finding["unlabelled"]["count"] == 300
    assert "The 300 unlabelled examples changed the test accuracy by " in words(result)
    with pytest.raises(RequestError, match="needs every label"):
        distill(teacher, "mlp-8", fewer, loss="decoupled", **QUICK)


def test_alpha_can_be_predicted_from_both_ends(own: Dataset, teacher: keras.Model):
    result = distill(teacher, "mlp-8", own, alpha="predicted", learning_rate=0.01, **QUICK)
    assert 0 <= result.finding["chosen"]["alpha"] <= 1
    assert "prediction from the students at alpha = 0 and 1" in words(result)
    assert sorted(one["alpha"] for one in result.finding["candidates"] if one["distilled"]) == [0, 1]


def test_a_budget_that_is_too_small_gives_the_best_that_fits_and_says_what_it_left_out(
    own: Dataset, teacher: keras.Model
):
    small = distill(teacher, "mlp-8", own, budget=1e-3, **QUICK)
    assert small.finding["search"]["cuts"]
    assert all(cut in words(small) for cut in small.finding["search"]["cuts"])
    ample = distill(teacher, "mlp-8", own, budget=3600, **QUICK)
    assert ample.finding["search"]["cuts"] == []


def test_augmented_images_are_answered_by_the_teacher_as_they_change(own: Dataset, teacher: keras.Model):
    result = distill(teacher, "mlp-8", own, alpha=0.5, learning_rate=0.01, shift=1, **QUICK)
    assert result.finding["verdict"]["seeds"] == 2


@pytest.mark.slow
def test_auto_screens_what_the_limit_admits(own: Dataset):
    data = own
    x, x_test = (data.inputs(part).reshape(len(part), 64) for part in (data.x_train, data.x_test))
    flat = read_data({"x_train": x, "y_train": data.y_train, "x_test": x_test, "y_test": data.y_test})
    keras.utils.set_random_seed(0)
    teacher = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10)])
    result = distill(teacher, "auto", flat, size="6KB", alpha=0.5, learning_rate=0.01, **QUICK)
    assert result.finding["names"]["student"] in ("linear", "mlp-16-16")
    assert 4 * keras.Model.count_params(result.student) <= 6_000 + 4 * 2 * 64


def test_a_teacher_that_has_learned_the_validation_examples_is_told_of(own: Dataset):
    digits = load("digits")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 600)  # labels that nobody can know: what is right was learned by heart
    data = read_data((digits.x_train[:600], y))
    keras.utils.set_random_seed(0)
    heart = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(512, "relu"), keras.layers.Dense(10)]
    )
    heart.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    heart.fit(data.inputs(data.x_train), data.y_train, epochs=60, verbose=0)
    result = distill(heart, "mlp-8", data, alpha=0.5, learning_rate=0.01, **QUICK)
    assert result.finding["memorised"]["validation"] > result.finding["memorised"]["test"]
    assert "it has probably learned the validation examples" in words(result)


def test_a_student_that_diverges_is_told_of(own: Dataset, teacher: keras.Model):
    with pytest.raises(WorkError, match=r"diverged at 2 of 2 seeds.*--learning-rate"):
        distill(teacher, "mlp-8", own, alpha=0.5, learning_rate=1e30, optimiser="sgd", **QUICK)


def test_a_folder_of_something_else_is_left_alone(own: Dataset, teacher: keras.Model, tmp_path: Path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(RequestError, match="is not empty and holds no study"):
        distill(teacher, "mlp-8", own, tmp_path, **QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_mapped_data_give_the_same_student_bit_for_bit(teacher: keras.Model, tmp_path: Path):
    digits = load("digits")
    y = np.where(np.arange(600) % 2, digits.y_train[:600], -1)
    np.savez(tmp_path / "d.npz", x=(digits.x_train[:600] * 15).astype(np.uint8), y=y)
    results = [
        distill(
            teacher,
            "mlp-8",
            read_data(tmp_path / "d.npz", ReadOptions(memory=memory)),
            alpha=0.5,
            learning_rate=0.01,
            **QUICK,
        )
        for memory in (None, 1_000)
    ]
    assert results[0].finding["verdict"] == results[1].finding["verdict"]
    for one, other in zip(results[0].student.weights, results[1].student.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.slow
def test_the_baseline_of_any_loss_is_the_same_to_the_bit(own: Dataset, teacher: keras.Model):
    given = {"alpha": 0.5, "learning_rate": 0.01, **QUICK}
    kl, other = (distill(teacher, "mlp-8", own, loss=loss, **given) for loss in ("kl", "standardised"))
    assert kl.finding["verdict"]["baseline"] == other.finding["verdict"]["baseline"]
    assert kl.finding["verdict"]["student"] != other.finding["verdict"]["student"]


@pytest.mark.slow
def test_optuna_chooses_loss_and_student_and_leaves_its_storage(own: Dataset, teacher: keras.Model, tmp_path: Path):
    pytest.importorskip("optuna", reason="the extra `optuna` is not installed")
    more = {"search": "optuna", "trials": 4, "losses": ("kl", "reverse_kl"), "learning_rate": 0.01}
    result = distill(teacher, ["mlp-4", "mlp-8"], own, tmp_path / "out", **(QUICK | more))
    assert result.finding["names"]["student"] in ("mlp-4", "mlp-8")
    assert result.finding["chosen"]["loss"] in ("kl", "reverse_kl")
    assert result.finding["baseline"]["student"] == result.finding["chosen"]["student"]
    assert (tmp_path / "out" / "optuna.db").is_file()


def test_a_request_found_wrong_on_the_way_leaves_no_folder(own: Dataset, teacher: keras.Model, tmp_path: Path):
    with pytest.raises(RequestError, match="batch_size=5000"):
        distill(teacher, "mlp-8", own, tmp_path / "out", batch_size=5000, **QUICK)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_told_in_one_line(own: Dataset, teacher: keras.Model, tmp_path: Path, monkeypatch: Any):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "logits.npy")

    monkeypatch.setattr("distillab.models.predictions.replace_file", full)
    with pytest.raises(WorkError, match=r"^logits\.npy cannot be written: No space left on device\. Make space"):
        distill(teacher, "mlp-8", own, tmp_path / "out", **QUICK)


def test_wrong_labels_are_told_and_the_likely_clean_ones_choose(tmp_path: Path, teacher_file: Path, own: Dataset):
    rng = np.random.default_rng(0)
    wrong = np.where(rng.random(len(own.y_train)) < 0.4, (own.y_train + 1) % own.classes, own.y_train)
    noisy = dataclasses.replace(own, y_train=wrong)
    by_metric = distill(teacher_file, "mlp-8", noisy, **QUICK, alpha=0.5)
    robust = distill(teacher_file, "mlp-8", noisy, tmp_path / "out", **QUICK, alpha=0.5, choose="robust")
    share = robust.finding["search"]["wrong_labels"]
    assert share["low"] < (wrong != own.y_train)[own.validation].mean() < share["high"]
    assert "chosen by the likely clean ones" in words(robust)
    assert "with --choose robust" in words(by_metric)
    again = distill(teacher_file, "mlp-8", noisy, tmp_path / "out", **QUICK, alpha=0.5, choose="robust")
    assert again.finding["chosen"] == robust.finding["chosen"]


def test_the_robust_choice_is_refused_where_there_are_no_classes():
    numbers = read_data((np.random.default_rng(0).normal(size=(90, 3)), np.linspace(0, 1, 90)))
    with pytest.raises(RequestError, match="choose='robust' is not allowed: it must be metric with task=regression"):
        request(choose="robust").resolved(numbers)
