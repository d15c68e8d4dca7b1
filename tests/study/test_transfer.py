"""Transfer sets in a whole study: a withheld class, its correction, another resolution, and what trains once."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.data import Dataset, load
from distillab.errors import RequestError
from distillab.report.results import Results, read_results
from distillab.study.folder import Folder
from distillab.study.models import Models
from distillab.study.run import run_study
from distillab.study.settings import Student
from distillab.study.spec import read_spec
from distillab.study.splits import split
from distillab.study.student_models import shipped_model, zoo_student

STUDY = {
    "dataset": "digits",
    "transfer": {"withheld": 3, "correction": ["none", "prior", "test"]},
    "teacher": {
        "model": "mlp-32",
        "epochs": 8,
        "dropout": 0.2,
        "input_dropout": 0.1,
        "label_smoothing": 0.1,
        "shift": 1,
    },
    "student": {"model": "mlp-32"},
    "alpha": [0.5, 1],
    "temperature": 4,
    "seeds": 2,
    "epochs": 8,
    "learning_rate": 0.003,
    "validation": {"share": 0.2, "labels": "clean"},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("withheld") / "run"
    run_study(read_spec(STUDY), folder)
    return read_results(Folder(folder))


def found(results: Results, correction: str, alpha: float) -> list[np.ndarray]:
    """The confusion of each seed's student."""
    return [
        np.array(results.confusions[trial.id])
        for trial in sorted(results.trials, key=lambda trial: trial.seed)
        if trial.settings["transfer"]["correction"] == correction and trial.alpha == alpha
    ]


def test_a_student_of_labels_alone_never_names_the_class_that_it_did_not_see(results: Results) -> None:
    for confusion in found(results, "none", 1.0):
        assert confusion[:, 3].sum() == 0
        assert confusion[3].sum() > 0


def test_the_correction_to_fit_the_test_set_is_at_least_as_good_as_none(results: Results) -> None:
    for alpha in (0.5, 1.0):
        for plain, best in zip(found(results, "none", alpha), found(results, "test", alpha), strict=True):
            assert np.trace(best) >= np.trace(plain)


def test_only_the_withheld_class_gains_and_loses_by_a_correction(results: Results) -> None:
    for plain, raised in zip(found(results, "none", 0.5), found(results, "prior", 0.5), strict=True):
        assert raised[:, 3].sum() > plain[:, 3].sum()
        others = np.arange(10) != 3
        assert (raised[:, others] <= plain[:, others]).all()


def test_the_prior_correction_names_the_class_about_as_often_as_it_occurs(results: Results) -> None:
    data = load("digits")
    share = np.mean(data.y_train == 3)
    for confusion in found(results, "prior", 0.5):
        # Chosen on the validation inputs: on 450 test inputs, four deviations of a binomial share.
        assert abs(confusion[:, 3].sum() / confusion.sum() - share) < 4 * np.sqrt(share * (1 - share) / 450)


def test_corrections_of_one_student_are_one_training(results: Results) -> None:
    losses = {}
    for trial in results.trials:
        losses.setdefault((trial.seed, trial.alpha), set()).add(str(trial.epochs))
    assert [len(of) for of in losses.values()] == [1] * 4
    seen = len(split(load("digits"), results.spec.base).train)
    assert results.cost[1] == 4 * 8 * seen  # examples: four trainings of eight epochs, for twelve trials


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def test_a_student_of_another_resolution_sees_the_means_of_blocks_and_nothing_else(digits: Dataset) -> None:
    student = Models(digits).student(Student(model="mlp-6", resolution=4))
    weights = student.initial(0)
    images = digits.inputs(digits.x_test[:20])
    blocks = images.reshape(20, 4, 2, 4, 2, 1).mean((2, 4), keepdims=True)
    flat = np.broadcast_to(blocks, (20, 4, 2, 4, 2, 1)).reshape(images.shape)
    ours, theirs = (np.asarray(student.functional(weights, x, training=False).logits) for x in (images, flat))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)  # float32 logits near 1
    small = zoo_student("mlp-6", "float32", digits)
    assert small.functional.model.count_params() - student.functional.model.count_params() == 48 * 6  # 64 inputs to 16


def test_a_shipped_student_shrinks_images_itself(digits: Dataset, tmp_path: Path) -> None:
    student = zoo_student("cnn-2-3", "float32", digits, 4)
    weights = student.initial(0)
    shipped_model(student, weights, digits).save(tmp_path / "s.keras")
    again = keras.models.load_model(tmp_path / "s.keras", compile=False)
    raw = digits.x_test[:20]
    ours = np.asarray(student.functional(weights, digits.inputs(raw), training=False).logits)
    np.testing.assert_allclose(again.predict(raw.astype(np.float32), verbose=0), ours, atol=1e-4)


@pytest.mark.parametrize(("resolution", "message"), [(3, "must be a divisor of 8 and 8"), (16, "must be a divisor")])
def test_a_resolution_that_the_images_do_not_have_is_refused(digits: Dataset, resolution: int, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        zoo_student("mlp-6", "float32", digits, resolution)


def test_a_resolution_of_features_is_refused() -> None:
    with pytest.raises(RequestError, match=r"student\.resolution=2 is not allowed: the inputs have shape"):
        zoo_student("mlp-6", "float32", load("breast_cancer"), 2)
