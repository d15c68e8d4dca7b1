"""A teacher whose batches are shared out to several devices is the teacher that one device trains."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest

from distillab.engine.augmentation import NONE, Augmentation
from distillab.engine.devices import mesh, rows_mesh
from distillab.engine.functional import Functional, read_variables, write_variables
from distillab.engine.logits import teacher_logits
from distillab.engine.randomness import epoch_order
from distillab.engine.teacher import live_teacher, train_teacher
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Examples, Recipe
from distillab.models import build

N, C = 70, 4  # N is no multiple of the batch
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 8, 8, 1)).astype(np.uint8)
LABELS = np.arange(N) % C


@pytest.fixture(scope="module", params=["cnn-3-5", "resnet-4-6"])
def model(request: pytest.FixtureRequest) -> keras.Model:
    return build(request.param, (8, 8, 1), C)


def trained(teacher: Functional) -> list[np.ndarray]:
    recipe = Recipe(2, 16, optimiser="sgd", schedule="constant")
    examples = Examples.for_labels(IMAGES, 1 / 255, (C,))
    *_, (_, variables) = train_teacher(teacher, examples, LABELS, recipe, learning_rate=0.05, seed=0)
    return jax.tree.leaves(variables)


def test_on_a_cpu_cores_share_the_work_as_threads_not_rows() -> None:
    assert rows_mesh() is None


def test_rows_shared_out_give_the_same_weights_and_predictions(model: keras.Model) -> None:
    single, two = Functional(model), Functional(model, rows=rows_mesh(jax.devices()))
    assert two.rows is not None
    assert two.rows.size == 2
    for alone, shared in zip(trained(single), trained(two), strict=True):
        # ten SGD steps of 0.05; sums over the batch in two halves: float32 rounding of 1e-7 a step
        np.testing.assert_allclose(shared, alone, rtol=1e-4, atol=1e-5)
    start = single.initial(1)
    np.testing.assert_allclose(
        teacher_logits(two, start, IMAGES, 1 / 255),
        teacher_logits(single, start, IMAGES, 1 / 255),
        rtol=1e-4,
        atol=1e-5,
    )
    change = Augmentation(shift=1)
    ours, theirs = (live_teacher([[(f, start, 1 / 255)]], IMAGES, C, change)(0, 3, 1) for f in (two, single))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_rows_of_a_batch_do_lie_on_both_devices(model: keras.Model) -> None:
    two = Functional(model, rows=rows_mesh(jax.devices()))
    start = two.initial(0)
    program = jax.jit(lambda x: two(start, x, training=False).logits)
    logits = program(np.zeros((16, 8, 8, 1), np.float32))
    assert len(logits.sharding.device_set) == 2


def test_students_are_not_spread_over_devices_that_share_out_rows(model: keras.Model) -> None:
    two = Functional(model, rows=rows_mesh(jax.devices()))
    examples = Examples(IMAGES, IMAGES[:0], IMAGES[:1], np.zeros((1, N, C), np.float32), 1 / 255)
    with pytest.raises(ValueError, match="batch rows are sharded trains one student"):
        CohortTrainer(two, examples, Recipe(1, 16), mesh=mesh(), capacity=2)


def test_a_teacher_that_is_called_sees_the_images_that_one_in_jax_sees() -> None:
    """More images than it is given at once, shifted and mirrored by the draws of each seed and epoch."""
    images = np.random.default_rng(1).integers(0, 256, (300, 8, 8, 1)).astype(np.uint8)
    network = build("cnn-3-5", (8, 8, 1), C)
    functional = Functional(network)
    start = functional.initial(1)
    given: list[np.ndarray] = []

    def called(stored: np.ndarray) -> np.ndarray:
        given.append(stored)
        return np.asarray(functional(start, stored.astype(np.float32) / 255, training=False).logits)

    live = live_teacher([[(functional, start, 1 / 255)], [called]], images, (C,), Augmentation(flip=True, shift=2))
    for seed, epoch in ((3, 0), (3, 1), (4, 0)):
        np.testing.assert_allclose(live(1, seed, epoch), live(0, seed, epoch), rtol=1e-4, atol=1e-5)
    assert given[0].max() > 1  # as stored
    assert not np.allclose(live(1, 3, 0), live(1, 3, 1), atol=1e-3)
    assert not np.array_equal(given[0], images[: len(given[0])])


def smoothed(smoothing: float, augmentation: Augmentation = NONE, labels: np.ndarray = LABELS) -> list[np.ndarray]:
    recipe = Recipe(2, 16, optimiser="sgd", schedule="constant", augmentation=augmentation)
    examples, model = Examples.for_labels(IMAGES, 1 / 255, (C,)), Functional(build("mlp-6", (8, 8, 1), C))
    options = {"learning_rate": 0.05, "seed": 0, "smoothing": smoothing}
    *_, (_, variables) = train_teacher(model, examples, labels, recipe, **options)
    return list(variables.trainable)


def test_a_teacher_of_smoothed_labels_is_what_keras_trains_with_smoothed_labels() -> None:
    model = build("mlp-6", (8, 8, 1), C)
    write_variables(model, Functional(model).initial(0))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    model.compile(keras.optimizers.SGD(0.05), loss=loss)
    images = IMAGES.astype("float32") / 255
    for epoch in range(2):
        order = epoch_order(0, epoch, N, N)
        model.fit(images[order], np.eye(C)[LABELS[order]], batch_size=16, epochs=1, shuffle=False, verbose=0)
    for ours, theirs in zip(smoothed(0.3), read_variables(model).trainable, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)  # ten steps of 0.05 in float32
    assert max(np.abs(a - b).max() for a, b in zip(smoothed(0.3), smoothed(0.0), strict=True)) > 1e-3


def test_smoothed_labels_are_smoothed_for_moved_images_too() -> None:
    """Of labels smoothed almost away nothing is learned: the even prediction stays, whatever the images."""
    moved = Augmentation(shift=1)
    plain, even = smoothed(0.0, moved), smoothed(0.999, moved)
    other = smoothed(0.999, moved, labels=(LABELS + 1) % C)
    assert max(np.abs(a - b).max() for a, b in zip(plain, even, strict=True)) > 1e-3
    # A thousandth of the slopes of two labels, in ten steps of 0.05: at most 2 * 10 * 0.05 / 1000 times inputs below 8.
    for a, b in zip(even, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=8e-3)
