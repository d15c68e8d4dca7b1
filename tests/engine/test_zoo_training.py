"""Every architecture of the zoo trains in a cohort as `model.fit` trains it alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from distillab.engine.convolutions import Form, form_of_one
from distillab.engine.devices import mesh
from distillab.engine.functional import Functional, read_variables, write_variables
from distillab.engine.randomness import epoch_order
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Examples, Recipe, Student
from distillab.models import ARCHITECTURES, build

N, M, C = 70, 30, 4  # N is no multiple of the batch
SHAPE = (8, 8, 1)
RECIPE = Recipe(epochs=2, batch_size=16, optimiser="sgd", schedule="constant")
RATE, ALPHA, T = 0.05, 0.3, 2.0
STUDENTS = ["linear", "cnn-3-5", "mlp-6", "resnet-4-6", "mobilenet-4-6-8", "gru-5", "lstm-5-4", "vit-8-1"]
STUDENTS += ["lenet-2-3-6-5", "convnet-3-4-6"]
PLAIN = ("cnn-3-5", "resnet-4-6", "gru-5")
"""Among them are moving statistics and recurrence; the others take longer."""
QUICK = ("cnn-3-5", "gru-5")


def test_every_architecture_is_here() -> None:
    others = {name for name, architecture in ARCHITECTURES.items() if architecture.maps or architecture.tokens}
    # Maps are trained in tests/engine/test_tasks.py, tokens in tests/models/test_text_zoo.py.
    assert {name.partition("-")[0] for name in STUDENTS} == set(ARCHITECTURES) - others


@pytest.fixture(scope="module")
def examples() -> Examples:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N + M, *SHAPE)).astype(np.uint8)
    teacher = rng.normal(scale=3, size=(1, N, C)).astype(np.float32)
    return Examples(images[:N], images[:0], images[N:], teacher, 1 / 255)


def student(model: Functional, seed: int) -> Student:
    labels = np.random.default_rng(seed).integers(0, C, N)
    return Student(ALPHA, T, RATE, seed, model.initial(seed), labels, labels[:0])


def direct(equation: Any) -> Form:
    """Direct wherever that is possible: small students would take patches."""
    return Form.DIRECT if equation.params["window_strides"] == (1, 1) else Form.PATCHES


@pytest.mark.parametrize(
    ("name", "way"),
    [
        *(pytest.param(name, "in turn", marks=[] if name in PLAIN else pytest.mark.slow) for name in STUDENTS),
        *(pytest.param(name, "side by side", marks=[] if name in QUICK else pytest.mark.slow) for name in STUDENTS),
        ("resnet-4-6", "direct"),
        pytest.param("mobilenet-4-6-8", "direct", marks=pytest.mark.slow),
    ],
)
def test_a_student_of_a_cohort_equals_model_fit_alone(name: str, way: str, examples: Examples) -> None:
    """Moving statistics, dropout, recurrence and attention included; dropout draws the same masks in both."""
    model = Functional(build(name, SHAPE, C), form_of=direct if way == "direct" else form_of_one)
    first, second = (student(model, seed) for seed in (0, 1))
    mapping = "vmap" if way == "side by side" else "loop"
    trainer = CohortTrainer(model, examples, RECIPE, mesh=mesh(), capacity=4, mapping=mapping)
    together, swapped = trainer.train([first, second]), trainer.train([second, first])
    np.testing.assert_array_equal(together.test_logits, swapped.test_logits[::-1])  # to the bit, whatever the slot

    alone = fitted(name, examples, second)
    second_slot = [leaf[1] for leaf in (*together.variables.trainable, *together.variables.fixed)]
    variables = read_variables(alone)
    # SGD steps of 0.05 on losses of size 1: ten of them carry on float32 rounding, of 1e-6 after sums of 100 terms.
    for ours, theirs in zip(second_slot, [*variables.trainable, *variables.fixed], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    predictions = alone.predict(examples.x_test.astype("float32") / 255, verbose=0)
    np.testing.assert_allclose(together.test_logits[1], predictions, rtol=1e-4, atol=1e-3)


def fitted(name: str, examples: Examples, student: Student) -> keras.Model:
    """The reference: `model.fit` itself, one epoch a call, on the student's own order of the examples."""
    model = write_variables(build(name, SHAPE, C), student.initial)
    model.compile(keras.optimizers.SGD(RATE), loss=mixed_loss)
    x = examples.x_train.astype("float32") / 255
    y = np.concatenate([np.eye(C)[student.labels], examples.teacher_logits[0]], axis=1).astype("float32")
    for epoch in range(RECIPE.epochs):
        order = epoch_order(student.seed, epoch, N, N)
        model.fit(x[order], y[order], batch_size=RECIPE.batch_size, epochs=1, shuffle=False, verbose=0)
    return model


def mixed_loss(y: object, z: object) -> object:
    """alpha CE + (1 - alpha) T^2 KL, in Keras's own terms; y holds one-hot labels and teacher's logits side by side."""
    hard = keras.losses.categorical_crossentropy(y[:, :C], z, from_logits=True)
    soft = keras.losses.kl_divergence(ops.softmax(y[:, C:] / T), ops.softmax(z / T))
    return ALPHA * hard + (1 - ALPHA) * T**2 * soft


def test_weight_decay_that_a_layer_asks_for_is_part_of_the_loss(examples: Examples) -> None:
    decay = keras.regularizers.L2(0.1)
    layers = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(C, kernel_regularizer=decay)]
    model = Functional(keras.Sequential(layers))
    decayed = student(model, 0)
    ours = CohortTrainer(model, examples, RECIPE, mesh=mesh(1), capacity=1).train([decayed]).variables.trainable[0][0]
    model.model.compile(keras.optimizers.SGD(RATE), loss=mixed_loss)
    write_variables(model.model, decayed.initial)
    x = examples.x_train.astype("float32") / 255
    y = np.concatenate([np.eye(C)[decayed.labels], examples.teacher_logits[0]], axis=1).astype("float32")
    for epoch in range(RECIPE.epochs):
        order = epoch_order(0, epoch, N, N)
        model.model.fit(x[order], y[order], batch_size=16, epochs=1, shuffle=False, verbose=0)
    # The filled-up last batch weighs its penalty like any other.
    np.testing.assert_allclose(ours, np.asarray(model.model.trainable_variables[0].value), rtol=1e-4, atol=1e-4)


def test_dropout_with_a_seed_of_its_own_still_differs_between_students(examples: Examples) -> None:
    layers = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(C)]
    model = Functional(keras.Sequential(layers))
    first, second, again = (model.initial(seed).fixed[0] for seed in (0, 1, 0))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)
