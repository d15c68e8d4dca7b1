"""A teacher's trial: what is wrong with it is found and told, and what is right is let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from distillab.api.worth import check_chance
from distillab.data import Dataset
from distillab.errors import RequestError
from distillab.models.foreign import ForeignModel
from distillab.study.foreign_teachers import foreign_teacher
from distillab.study.model_options import ModelOptions
from distillab.study.teacher_models import TeacherModel
from distillab.study.teacher_trial import check_reading, teacher_trial
from distillab.tasks import TASKS

CLASSES = 5
NAMES = tuple("abcde")


def numbered(count: int = 600, validation: int = 150, task: str = "categorical", classes: int = CLASSES) -> Dataset:
    """Examples whose one feature is their row, for teachers that are given by their answers."""
    x = np.arange(count, dtype=np.float32)[:, None]
    y: Any = np.random.default_rng(0).permutation(np.arange(count) % classes)
    names = NAMES[:classes]
    if task == "regression":
        y, names = y[:, None] * 2.0 + 7, ("size",)
    return Dataset("own", x, y, x, y, names, 1.0, np.arange(validation), task=TASKS[task])


def answering(answers: np.ndarray) -> TeacherModel:
    """A teacher whose answer to row n is the n-th."""
    return TeacherModel("mine", "d", lambda x: answers[x[:, 0].astype(int)].astype(np.float32))


def right(dataset: Dataset, share: float, seed: int = 0) -> np.ndarray:
    """Logits that are right for a share of the rows, and at random for the others."""
    rng = np.random.default_rng(seed)
    told = np.where(
        rng.random(len(dataset.y_train)) < share, dataset.y_train, rng.integers(0, CLASSES, len(dataset.y_train))
    )
    return 3.0 * np.eye(CLASSES)[told] + rng.normal(size=(len(told), CLASSES))


def check_teacher(teacher: TeacherModel, dataset: Dataset, *, anyway: bool = False) -> None:
    check_reading(teacher, dataset)
    check_chance([teacher], dataset, anyway=anyway)


def refused(teacher: TeacherModel, dataset: Dataset) -> str:
    try:
        check_teacher(teacher, dataset)
    except RequestError as error:
        return str(error)
    return ""


def test_a_teacher_at_chance_is_refused_with_both_figures_and_let_through_anyway() -> None:
    own = numbered()
    constant = answering(np.tile([9.0, 0, 0, 0, 0], (600, 1)))
    told = refused(constant, own)
    share = np.mean(own.y_train[:150] == 0)
    assert f"is at chance: accuracy {share:.2%} on 150 validation examples" in told
    assert "a constant prediction has accuracy" in told
    assert "--anyway" in told
    check_teacher(constant, own, anyway=True)


def test_of_fewer_than_20_examples_nothing_is_said() -> None:
    answers = np.tile([9.0, 0, 0, 0, 0], (600, 1))
    check_teacher(answering(answers), numbered(validation=19))
    assert "is at chance" in refused(answering(answers), numbered(validation=25))


def test_no_teacher_of_some_skill_is_refused_and_nearly_all_without_are() -> None:
    own = numbered()
    assert not [seed for seed in range(200) if refused(answering(right(own, 0.5, seed)), own)]  # right in 60 %
    of_chance = [refused(answering(right(own, 0, seed)), own) for seed in range(200)]
    assert sum("is at chance" in told for told in of_chance) > 180


def test_classes_in_another_order_are_refused_with_the_order_found() -> None:
    own = numbered()
    order = [3, 0, 4, 1, 2]  # column k of the teacher is class order[k]
    for share in (1.0, 0.75):
        told = refused(answering(right(own, share)[:, order]), own)
        assert "in the order d, a, e, b, c" in told
        assert "--teacher-classes" in told
    named = answering(right(own, 1.0)[:, order])
    named = TeacherModel(named.name, named.digest, named.predict, named_classes=True)
    assert "in the order" not in refused(named, own)


def test_the_logit_of_the_other_class_is_found() -> None:
    own = numbered(task="binary", classes=2)
    logits = np.where(own.y_train == 1, 2.0, -2.0)[:, None]
    check_teacher(answering(logits), own)
    assert "in the order b, a" in refused(answering(-logits), own)


def test_a_teacher_of_numbers_is_compared_with_the_mean() -> None:
    own = numbered(task="regression")
    good = own.standardised(own.y_train)
    noise = np.random.default_rng(0).normal(size=good.shape)
    check_teacher(answering(good + 0.3 * noise), own)
    told = refused(answering(noise), own)
    assert "is at chance" in told
    assert "the mean has" in told
    trial = teacher_trial(answering(good).predict, own, "mae")
    assert trial.value == pytest.approx(0, abs=1e-5)
    labels = own.y_train[:150]
    assert trial.constant == pytest.approx(np.abs(labels - own.y_train[150:].mean()).mean(), rel=1e-5)
    assert trial.skill == pytest.approx(1, abs=1e-6)


RNG = np.random.default_rng(1)


def images(shape: tuple[int, ...]) -> Dataset:
    """Bytes whose class is the brightest of five numbers, which no layout but the right one tells."""
    x = RNG.integers(0, 200, (400, *shape)).astype(np.uint8)
    y = np.arange(400) % CLASSES
    x[np.arange(400), 2, y // 3, y % 3] = 255
    return Dataset("images", x, y, x, y, NAMES, 1 / 255, np.arange(0, 400, 4))


def of_images(call: Callable[[Any], Any], own: Dataset, **more: Any) -> TeacherModel:
    """A model that reads the five numbers of images (H, W, C) from 0 to 1."""
    made = ForeignModel(name="mine", kind="function", call=call, gives="logits", digest="d", **more)
    return foreign_teacher(made, own, ModelOptions())


def pixels(x: Any) -> Any:
    return 20 * x[:, 2].reshape(len(x), -1)[:, :CLASSES]


@pytest.mark.parametrize(("shape", "reads"), [((3, 3, 3), (3, 3, 3)), ((3, 3, 3), None), ((4, 3, 3), None)])
def test_a_layout_read_wrongly_is_found(shape: tuple[int, ...], reads: Any) -> None:
    own = images(shape)
    check_teacher(of_images(pixels, own, shape=reads), own)
    wrong = of_images(pixels, own, shape=reads, channels_first=True)
    assert "Give --teacher-layout nhwc" in refused(wrong, own)
    right_one = of_images(lambda x: pixels(x.transpose(0, 2, 3, 1)), own, shape=reads)
    assert "Give --teacher-layout nchw" in refused(right_one, own)


def test_a_scale_read_wrongly_is_found() -> None:
    own = images((4, 3, 3))

    def near_bytes(x: Any) -> Any:
        return np.minimum(pixels(x), 20 * 300) * (x.max() > 2)

    check = of_images(near_bytes, own, shape=(4, 3, 3))
    assert "Give --teacher-scale raw" in refused(check, own)


def test_a_normalisation_left_out_is_found() -> None:
    own = images((4, 3, 3))

    def centred(x: Any) -> Any:
        return pixels(x) * (x.min() < -0.9) * (x.max() < 1.1)

    assert "Give --teacher-normalise 0.5/0.5" in refused(of_images(centred, own, shape=(4, 3, 3)), own)

    def of_imagenet(x: Any) -> Any:
        return pixels(x) * (x.min() < -1.9)

    assert "Give --teacher-normalise imagenet" in refused(of_images(of_imagenet, own, shape=(4, 3, 3)), own)


def test_inputs_read_wrongly_are_not_taken_for_another_order() -> None:
    own = numbered()
    answers = right(own, 1.0)
    mixed = answering(answers[:, [0, 1, 3, 4, 2]])  # right on two classes of five
    assert "--teacher-classes" in refused(mixed, own)
    otherwise = replace(mixed, alternatives={"--teacher-layout nhwc": answering(answers).predict})
    assert "Give --teacher-layout nhwc." in refused(otherwise, own)
