"""A teacher's logits in a step: gathered, or rebuilt from the top k to the same numbers."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from distillab.engine.devices import mesh
from distillab.engine.functional import Functional
from distillab.engine.teacher_rows import batch_logits, stacked_teachers
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Epoch, Examples, Recipe, Student
from distillab.models import build
from distillab.models.top_k import TopK, dense_rows, top_k_rows, uniform_rows

N, C, K = 50, 12, 3
RNG = np.random.default_rng(0)
TEACHERS = [top_k_rows(RNG.normal(scale=2, size=(N, C)), K) for _ in range(2)]
TEACHERS = [TopK(top.values.astype(np.float16), top.classes.astype(np.uint16), top.rest) for top in TEACHERS]


def test_the_logits_of_a_batch_are_those_of_numpy():
    stored = stacked_teachers(TEACHERS, C)
    assert isinstance(stored, TopK)
    rows = np.array([4, 0, 4, 49])
    for teacher in range(2):
        batch = jax.jit(lambda s, t, r: batch_logits(s, t, r, C))(stored, teacher, rows)
        np.testing.assert_allclose(batch, dense_rows(TEACHERS[teacher], C)[rows], atol=1e-6)


def test_maps_are_rebuilt_at_every_position():
    top = top_k_rows(RNG.normal(size=(5, 2, 3, C)), K)
    batch = batch_logits(stacked_teachers([top], C), 0, np.array([3, 1]), C)
    np.testing.assert_allclose(batch, dense_rows(top, C)[[3, 1]], atol=1e-6)


def test_a_teacher_of_all_classes_next_to_a_top_k_makes_all_of_them_whole():
    logits = RNG.normal(size=(N, C)).astype(np.float32)
    stored = stacked_teachers([TEACHERS[0], logits], C)
    assert isinstance(stored, np.ndarray)
    np.testing.assert_array_equal(stored[1], logits)
    np.testing.assert_array_equal(stored[0], dense_rows(TEACHERS[0], C))
    assert isinstance(stacked_teachers([TEACHERS[0], uniform_rows(TEACHERS[0], (N,), C)], C), TopK)


@pytest.mark.parametrize("mapping", ["loop", "vmap"])
def test_students_of_a_top_k_train_as_those_of_its_logits(mapping: str):
    model, x = Functional(build("mlp-8", (5,), C)), RNG.normal(size=(N, 5)).astype(np.float32)
    stored = stacked_teachers(TEACHERS, C)
    whole = np.stack([dense_rows(top, C) for top in TEACHERS])
    students = [
        Student(0.3, 2.0, 0.01, seed, model.initial(seed), RNG.integers(0, C, N), np.arange(10) % C, teacher=seed % 2)
        for seed in range(3)
    ]
    losses, outcomes = [], []
    for teacher_logits in (whole, stored):
        examples = Examples(x, x[:10], x[:20], teacher_logits, 1.0)
        trainer = CohortTrainer(
            model, examples, Recipe(epochs=3, batch_size=16), mesh=mesh(), capacity=4, mapping=mapping
        )
        epochs: list[Epoch] = []
        outcomes.append(trainer.train(students, on_epoch=epochs.append).test_logits)
        losses.append([epoch.distillation_loss for epoch in epochs])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)  # float32 logits, rebuilt to one rounding
    np.testing.assert_allclose(outcomes[1], outcomes[0], atol=1e-4)


def test_a_top_k_takes_its_own_size_on_the_device():
    model, x = Functional(build("mlp-8", (5,), C)), np.zeros((N, 5), np.float32)
    examples = Examples(x, x[:0], x[:0], stacked_teachers(TEACHERS, C), 1.0)
    recipe = Recipe(epochs=1, batch_size=25)
    student = Student(0.5, 1.0, 0.01, 0, model.initial(0), np.zeros(N, np.int64), np.zeros(0, np.int64))

    def shared(examples: Examples) -> int:
        return CohortTrainer(model, examples, recipe, mesh=mesh(1), capacity=1).footprint(student).shared

    whole = replace(examples, teacher_logits=np.zeros((2, N, C), np.float32))
    assert shared(whole) - shared(examples) == 2 * N * (4 * C - (2 * K + 2 * K + 4))
