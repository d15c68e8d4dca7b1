"""Stored logits: asked once, believed only for the very examples that were answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tests.keras.conftest import C, classifier, compiled, weights_of
from tests.keras.test_distiller import Batches, as_arrays, as_pydataset, as_tensorflow, as_torch

from distillab import Distiller, with_teacher_logits
from distillab.errors import RequestError, WorkError
from distillab.models.digests import row_digests
from distillab.models.predictions import Predictions
from distillab.models.storing import store_predictions

Problem = tuple[np.ndarray, np.ndarray]


def logits_of(data: Any) -> np.ndarray:
    return np.asarray(data["teacher_logits"])


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_arrays_come_back_as_they_were_with_the_teachers_logits(problem: Problem, average: str) -> None:
    x, y = problem
    teachers = [classifier(seed, hidden=8) for seed in (1, 3)]
    carrying, labels = with_teacher_logits((x, y), teachers, teacher_weights=[1, 2], average=average, cache=None)
    assert carrying["inputs"] is x
    assert labels is y
    live = Distiller(classifier(2), teachers, teacher_weights=[1, 2], average=average)
    np.testing.assert_allclose(logits_of(carrying), live._hidden.teachers.predict(x), atol=1e-6)
    assert logits_of(with_teacher_logits(x, teachers[0], cache=None)).shape == (len(x), C)
    assert len(with_teacher_logits((x, y, np.ones(len(x))), teachers[0], cache=None)) == 3


def test_stored_logits_train_the_same_student_as_the_live_teacher(teacher: keras.Model, problem: Problem) -> None:
    x, y = problem
    live, stored, alone = (classifier(2) for _ in range(3))
    logs = compiled(live, teacher).fit(**as_arrays(x, y), epochs=3, verbose=0).history
    carrying = with_teacher_logits(x, teacher, cache=None)
    compiled(stored, teacher).fit(**as_arrays(carrying, y), epochs=3, verbose=0)
    others = compiled(alone).fit(**as_arrays(carrying, y), epochs=3, verbose=0).history  # without a teacher at hand
    for name in ("loss", "distillation_loss", "agreement"):
        np.testing.assert_allclose(others[name], logs[name], rtol=1e-5)
    for other in (stored, alone):
        for a, b in zip(weights_of(live), weights_of(other), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_stored_logits_take_precedence_over_the_teacher(problem: Problem) -> None:
    x, y = problem
    first, other = classifier(1, hidden=8), classifier(3, hidden=8)
    carrying = with_teacher_logits(x, first, cache=None)
    losses = [
        compiled(classifier(2), teacher).evaluate(data, y, verbose=0, return_dict=True)["distillation_loss"]
        for teacher, data in ((first, x), (other, carrying), (other, x))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0] != pytest.approx(losses[2], rel=1e-2)


def test_the_usual_options_of_fit_go_with_stored_logits(teacher: keras.Model, problem: Problem) -> None:
    x, y = problem
    carrying = with_teacher_logits(x, teacher, cache=None)
    history = compiled(classifier(2), metrics=["accuracy"]).fit(
        carrying, y, batch_size=8, validation_split=0.25, class_weight=dict.fromkeys(range(C), 1.0), verbose=0
    )
    assert {"val_loss", "val_accuracy", "val_agreement"} <= set(history.history)
    assert compiled(classifier(2)).predict(carrying, verbose=0).shape == (len(x), C)


@pytest.mark.parametrize("form", [as_pydataset, as_tensorflow, as_torch])
def test_data_sets_come_back_as_what_they_were_and_train_the_same_student(
    form: Any, teacher: keras.Model, problem: Problem
) -> None:
    student, other = classifier(2), classifier(2)
    compiled(student, teacher).fit(**as_arrays(*problem), epochs=2, verbose=0)
    given = form(*problem)
    data = with_teacher_logits(given["x"], teacher, cache=None)
    assert type(data).__name__ in ("_PyDataset", "_MapDataset", "DataLoader")
    compiled(other).fit(**{**given, "x": data}, epochs=2, verbose=0)
    for a, b in zip(weights_of(student), weights_of(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


class Shuffled(Batches):
    """Another order in every epoch, and in other batches."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__(x.copy(), y.copy())
        self.rng = np.random.default_rng(0)

    def on_epoch_end(self) -> None:
        order = self.rng.permutation(len(self.x))
        self.x, self.y = self.x[order], self.y[order]


def test_data_that_shuffle_themselves_keep_logits_with_their_examples(teacher: keras.Model, problem: Problem) -> None:
    student, other = classifier(2), classifier(2)
    compiled(student, teacher).fit(Shuffled(*problem), epochs=3, shuffle=False, verbose=0)
    compiled(other).fit(
        with_teacher_logits(Shuffled(*problem), teacher, cache=None), epochs=3, shuffle=False, verbose=0
    )
    for a, b in zip(weights_of(student), weights_of(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


class Augmented(Batches):
    """Other examples in every pass."""

    def __init__(self, x: np.ndarray, y: np.ndarray, after: int) -> None:
        super().__init__(x, y)
        self.passes, self.after = 0, after

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        self.passes += batch == 0
        x, y = super().__getitem__(batch)
        return x + np.float32(0.01) * max(0, self.passes - self.after), y


def read_through(data: Any, teacher: keras.Model) -> list[Any]:
    carrying = with_teacher_logits(data, teacher, cache=None)
    return [carrying[batch] for batch in range(4)]


@pytest.mark.parametrize("after", [0, 1, 2])
def test_data_that_change_their_examples_are_refused(teacher: keras.Model, problem: Problem, after: int) -> None:
    """Between the two passes that answer them, or later, in training."""
    with pytest.raises(RequestError, match=r"as augmentation does.*pass the teacher to Distiller"):
        read_through(Augmented(*problem, after), teacher)
    assert len(read_through(Augmented(*problem, after=9), teacher)) == 4


def test_equal_examples_share_logits_and_are_predicted_once(teacher: keras.Model) -> None:
    x = np.repeat(np.eye(6, dtype=np.float32)[:2], 5, axis=0)
    logits = logits_of(with_teacher_logits(x, teacher, cache=None))
    np.testing.assert_array_equal(logits[:5], np.repeat(logits[:1], 5, axis=0))
    assert len(np.unique(row_digests(x))) == 2


def test_the_logits_are_kept_on_disk_and_read_again(problem: Problem, tmp_path: Path) -> None:
    x, _ = problem
    teacher = classifier(1, hidden=8)
    first = logits_of(with_teacher_logits(x, teacher, cache=tmp_path))
    (stored,) = tmp_path.glob("*.npy")
    again = logits_of(with_teacher_logits(x[::-1], teacher, cache=tmp_path))
    np.testing.assert_array_equal(again, first[::-1])
    assert [path.name for path in tmp_path.glob("*.npy")] == [stored.name]


def test_another_teacher_or_other_examples_are_predicted_anew(problem: Problem, tmp_path: Path) -> None:
    x, _ = problem
    teacher = classifier(1, hidden=8)
    for data, who in ((x, teacher), (x[:32], teacher), (x, classifier(3, hidden=8)), (x, [teacher, classifier(3)])):
        with_teacher_logits(data, who, cache=tmp_path, task="categorical")
    assert len(list(tmp_path.glob("*.npy"))) == 4
    teacher.set_weights([2 * weight for weight in teacher.get_weights()])
    with_teacher_logits(x, teacher, cache=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 5


def test_a_changed_file_of_the_cache_is_refused(problem: Problem, tmp_path: Path) -> None:
    x, _ = problem
    teacher = classifier(1)
    with_teacher_logits(x, teacher, cache=tmp_path)
    (stored,) = tmp_path.glob("*.npy")
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.write_bytes(content)
    with pytest.raises(WorkError, match="is not the file that was written"):
        with_teacher_logits(x, teacher, cache=tmp_path)


def test_logits_that_are_not_finite_are_refused(problem: Problem) -> None:
    x, y = problem
    x = x.copy()
    x[5, 0] = np.inf
    with pytest.raises((WorkError, RequestError), match="not finite"):
        with_teacher_logits((x, y), classifier(1), cache=None)


@pytest.mark.parametrize("data", [(row for row in range(3)), [1, 2], "images/", 3])
def test_other_kinds_of_data_are_refused_with_what_is_allowed(data: Any) -> None:
    with pytest.raises(RequestError, match=r"type \w+ cannot hold a teacher's logits: it must be arrays"):
        with_teacher_logits(data, classifier(1), cache=None)


def test_without_teacher_and_stored_logits_there_is_a_clear_error(student: keras.Model, problem: Problem) -> None:
    with pytest.raises(RequestError, match=r"There is no teacher: .*with_teacher_logits"):
        compiled(student).fit(*problem, verbose=0)


def test_the_teacher_free_loss_needs_no_teacher(student: keras.Model, problem: Problem) -> None:
    logs = compiled(student, distillation_loss="teacher_free", temperature=20).fit(*problem, verbose=0).history
    assert np.isfinite(logs["loss"]).all()


def test_a_teacher_of_sequences_is_stored_position_by_position() -> None:
    x = np.random.default_rng(0).standard_normal((5, 7, 6)).astype(np.float32)
    teacher = keras.Sequential([keras.Input((7, 6)), keras.layers.Dense(C)])
    np.testing.assert_allclose(
        logits_of(with_teacher_logits(x, teacher, cache=None)), teacher.predict(x, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("options", [{}, {"top_k": 2}], ids=["all", "top 2"])
def test_a_file_of_predictions_is_a_teacher(problem: Problem, tmp_path: Path, options: dict[str, int]) -> None:
    x, y = problem
    logits = np.random.default_rng(0).normal(size=(len(x), C)).astype(np.float32)
    store_predictions(tmp_path / "p.npy", x, logits, **options)
    expected = Predictions.read(tmp_path / "p.npy").of(x)
    carrying, labels = with_teacher_logits((x, y), tmp_path / "p.npy")
    np.testing.assert_array_equal(logits_of(carrying), expected)
    assert labels is y
    batch, _ = with_teacher_logits(Batches(x, y), str(tmp_path / "p.npy"))[1]
    found = row_digests(batch["inputs"])
    rows = [int(np.flatnonzero(row_digests(x) == key)[0]) for key in found]
    np.testing.assert_array_equal(logits_of(batch), expected[rows])
    compiled(classifier(2)).fit(**as_arrays(carrying, y), epochs=1, verbose=0)


def test_a_file_of_other_predictions_or_none_is_refused(problem: Problem, tmp_path: Path) -> None:
    x, y = problem
    store_predictions(tmp_path / "p.npy", x[:3], np.eye(3, C))
    with pytest.raises(RequestError, match="or the file of predictions is of other data"):
        with_teacher_logits((x, y), tmp_path / "p.npy")
    with pytest.raises(RequestError, match=r"must be a Keras model, several, or an \.npy"):
        with_teacher_logits((x, y), tmp_path / "none.npy")
