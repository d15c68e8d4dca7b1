"""Changes of training images: what moves, what is mirrored, and that the draws belong to image, seed and epoch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distillab.engine.augmentation import NONE, Augmentation
from distillab.engine.devices import mesh
from distillab.engine.functional import Functional
from distillab.engine.randomness import example_keys
from distillab.engine.teacher import live_teacher
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Examples, Recipe, Student
from distillab.errors import RequestError
from distillab.models import build

IMAGE = jnp.arange(1.0, 10.0).reshape(3, 3, 1)


def keys(count: int, seed: int = 3, epoch: int = 0) -> jax.Array:
    return example_keys("augmentation", seed, epoch, jnp.arange(count))


def changed(augmentation: Augmentation, count: int = 400) -> np.ndarray:
    return np.asarray(augmentation(keys(count), jnp.repeat(IMAGE[None], count, 0)))[..., 0]


def test_a_shift_gives_each_of_the_nine_neighbours_equally_often() -> None:
    padded = np.pad(np.asarray(IMAGE)[..., 0], 1)
    expected = [padded[r : r + 3, c : c + 3] for r in range(3) for c in range(3)]
    counts = [sum(np.array_equal(image, e) for image in changed(Augmentation(shift=1), 1800)) for e in expected]
    assert sum(counts) == 1800
    # 1800 draws of 9: mean 200, standard deviation 13.3; five of them
    assert all(abs(count - 200) < 67 for count in counts)


def test_a_flip_mirrors_about_half_of_the_images_left_to_right() -> None:
    results, image = changed(Augmentation(flip=True)), np.asarray(IMAGE)[..., 0]
    mirrored = [np.array_equal(result, image[:, ::-1]) for result in results]
    assert all(m or np.array_equal(a, image) for m, a in zip(mirrored, results, strict=True))
    assert abs(sum(mirrored) - 200) < 50  # 400 fair draws: standard deviation 10; five of them


def test_no_augmentation_leaves_images_as_they_are() -> None:
    assert not NONE
    assert (changed(NONE) == np.asarray(IMAGE)[..., 0]).all()


def test_an_image_is_changed_by_seed_epoch_and_row_not_by_its_place_in_the_batch() -> None:
    both = Augmentation(shift=1, flip=True)
    images = jnp.asarray(np.random.default_rng(0).normal(size=(20, 5, 5, 1)))
    plain = both(keys(20), images)
    order = np.random.default_rng(1).permutation(20)
    np.testing.assert_array_equal(both(keys(20)[order], images[order]), plain[order])
    for other in (keys(20, seed=4), keys(20, epoch=1)):
        assert not np.array_equal(both(other, images), plain)


@pytest.mark.parametrize(
    ("augmentation", "shape", "message"),
    [
        (
            Augmentation(flip=True),
            (5,),
            r"needs images .height, width, channels.* have shape \(5,\)",
        ),
        (Augmentation(shift=3), (8, 3, 1), "shift=3 is not allowed: it must be less than 3, the images' shorter side"),
    ],
)
def test_what_does_not_fit_the_inputs_is_refused(augmentation: Augmentation, shape: tuple[int, ...], message) -> None:
    with pytest.raises(RequestError, match=message):
        augmentation.check(shape)


@pytest.fixture(scope="module")
def problem() -> tuple[Functional, Examples]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
    logits = rng.normal(size=(1, 40, 4)).astype(np.float32)
    return Functional(build("cnn-2-3", (8, 8, 1), 4)), Examples(images, images[:0], images[:10], logits, 1 / 255)


def student(model: Functional, seed: int, alpha: float) -> Student:
    labels = np.arange(40) % 4
    return Student(alpha, 3.0, 0.05, seed, model.initial(seed), labels, labels[:0])


CHANGE = Augmentation(shift=1, flip=True)
RECIPE = Recipe(2, 16, optimiser="sgd", augmentation=CHANGE)  # Adam would make steps out of rounding


def test_stored_logits_are_refused_for_changed_images(problem: tuple[Functional, Examples]) -> None:
    model, examples = problem
    trainer = CohortTrainer(model, examples, RECIPE, mesh=mesh(1), capacity=1)
    with pytest.raises(ValueError, match="stored logits match unaugmented images"):
        trainer.train([student(model, 0, 0.5)])
    assert np.isfinite(trainer.train([student(model, 0, 1.0)]).test_logits).all()  # labels alone need no teacher


def test_a_live_teacher_sees_the_images_that_the_students_see(problem: tuple[Functional, Examples]) -> None:
    """At alpha = 0 a student whose teacher is its own copy has nothing to learn: their softened outputs are equal."""
    model, examples = problem
    copy = student(model, 0, 0.0)
    teachers = [[(model, copy.initial, examples.scale)]]
    live = live_teacher(teachers, examples.x_train, 4, CHANGE)
    losses: list[float] = []
    trainer = CohortTrainer(model, examples, RECIPE, mesh=mesh(1), capacity=1)
    trainer.train([copy], on_epoch=lambda epoch: losses.append(float(epoch.distillation_loss[0])), live=live)
    assert max(losses) < 1e-6  # zero, to float32 rounding of logits of size 1
    without_flips = live_teacher([[(model, copy.initial, examples.scale)]], examples.x_train, 4, Augmentation(shift=1))
    losses.clear()
    trainer.train([copy], on_epoch=lambda epoch: losses.append(float(epoch.distillation_loss[0])), live=without_flips)
    assert losses[0] > 1e-5


def test_a_live_teacher_predicts_once_an_epoch_for_all_students_of_a_seed(problem: tuple[Functional, Examples]) -> None:
    model, examples = problem
    predict = live_teacher([[(model, model.initial(9), examples.scale)]], examples.x_train, 4, CHANGE)
    calls: list[tuple[int, int, int]] = []

    def live(*arguments: int) -> np.ndarray:
        calls.append(arguments)
        return predict(*arguments)

    students = [student(model, seed, alpha) for seed in (0, 1) for alpha in (0.0, 0.5, 1.0)]
    together = CohortTrainer(model, examples, RECIPE, mesh=mesh(), capacity=6).train(students, live=live)
    assert calls == [(0, seed, epoch) for epoch in (0, 1) for seed in (0, 1)]
    alone = CohortTrainer(model, examples, RECIPE, mesh=mesh(1), capacity=1).train(students[4:5], live=predict)
    np.testing.assert_array_equal(together.test_logits[4], alone.test_logits[0])
