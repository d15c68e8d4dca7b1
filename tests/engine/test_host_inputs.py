"""Inputs that stay on the host: every number is that of the same inputs on the device, to the bit."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
import pytest
from keras import layers

from distillab.data.array_store import SelectedRows
from distillab.data.inputs import joined
from distillab.engine.augmentation import Augmentation
from distillab.engine.devices import mesh
from distillab.engine.functional import Functional
from distillab.engine.host_inputs import ahead, chunks, row_chunks
from distillab.engine.teacher import live_teacher
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Epoch, Examples, Recipe, Student
from distillab.models import build

N, V, M, C = 75, 530, 40, 3
SMALL = 1  # bytes of a chunk: two batches then, the fewest
RNG = np.random.default_rng(0)


def images(count: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, 6, 6, 1)).astype(np.uint8)


def features(count: int) -> np.ndarray:
    return RNG.normal(size=(count, 4)).astype(np.float32)


def both(count: int) -> np.ndarray:
    return joined({"picture": images(count), "age": features(count)})


def tokens(count: int) -> np.ndarray:
    return RNG.integers(0, 9, (count, 5)).astype(np.int32)


def of_both() -> keras.Model:
    picture, age = keras.Input((6, 6, 1), name="picture"), keras.Input((4,), name="age")
    return keras.Model([picture, age], layers.Dense(C)(layers.Concatenate()([layers.Flatten()(picture), age])))


def of_tokens() -> keras.Model:
    ids = keras.Input((5,), dtype="int32")
    return keras.Model(ids, layers.Dense(C)(layers.GlobalAveragePooling1D()(layers.Embedding(9, 4)(ids))))


def with_batch_norm() -> keras.Model:
    parts = [layers.Dense(6), layers.BatchNormalization(), layers.Dropout(0.3), layers.Dense(C)]
    return keras.Sequential([keras.Input((4,)), *parts])


CASES: dict[str, tuple[Any, Any, Recipe]] = {
    "adam": (lambda: build("cnn-3-5", (6, 6, 1), C), images, Recipe(2, 8)),
    "sgd": (lambda: build("mlp-6", (4,), C), features, Recipe(2, 8, optimiser="sgd")),
    "momentum": (of_tokens, tokens, Recipe(2, 8, optimiser="momentum")),
    "several inputs": (of_both, both, Recipe(2, 8)),
    "a short last batch": (with_batch_norm, features, Recipe(2, 8)),
    "few examples of a batch norm": (with_batch_norm, features, Recipe(1, 64)),
    "regression": (lambda: build("mlp-6", (4,), C), features, Recipe(2, 8, "squared", "squared", task="regression")),
    "missing labels": (lambda: build("mlp-6", (4,), C), features, Recipe(1, 8, unlabelled=True)),
}


def examples_of(x: Any, weights: np.ndarray | None = None) -> Examples:
    teacher = np.random.default_rng(1).normal(size=(2, N, C)).astype(np.float32)
    return Examples(x(N), x(V), x(M), teacher, 1 / 255, x(7), weights)


def outcome(
    model: Functional, examples: Examples, recipe: Recipe, *, on_host: bool | None, live: Any = None, **options: Any
) -> list[str]:
    """Digests of everything that two students of different seeds leave behind."""
    rng = np.random.default_rng(2)
    real = recipe.task == "regression"
    labels = rng.normal(size=(2, N, C)).astype(np.float32) if real else rng.integers(0, C, (2, N))
    if recipe.unlabelled:
        labels[:, ::5] = -1
    held_out = rng.normal(size=(2, V, C)).astype(np.float32) if real else rng.integers(0, C, (2, V))
    students = [
        Student(0.4, 2.0, 0.01 + 0.01 * k, k, model.initial(k), labels[k], held_out[k], teacher=k) for k in (0, 1)
    ]
    settings: dict[str, Any] = {"mesh": mesh(1), "capacity": 2, "on_host": on_host, "chunk": SMALL, **options}
    trainer = CohortTrainer(model, examples, recipe, **settings)
    epochs: list[Epoch] = []
    stages = list(trainer.stages(students, [0.5], on_epoch=epochs.append, live=live, predict_training=True))
    return [
        hashlib.sha256(np.asarray(leaf).tobytes()).hexdigest()
        for leaf in jax.tree.leaves((stages, [epoch[1:] for epoch in epochs]))
    ]


@pytest.mark.parametrize("case", CASES)
def test_a_training_in_chunks_is_the_same_to_the_bit(case: str) -> None:
    make, x, recipe = CASES[case]
    keras.utils.set_random_seed(0)
    model, examples = Functional(make()), examples_of(x)
    assert outcome(model, examples, recipe, on_host=True) == outcome(model, examples, recipe, on_host=False)


def test_mapped_and_selected_rows_stay_on_the_host_and_weights_come_along(tmp_path: Path) -> None:
    model = Functional(build("cnn-3-5", (6, 6, 1), C))
    examples = examples_of(images, np.linspace(0, 2, N, dtype=np.float32))
    np.save(tmp_path / "x.npy", np.concatenate([images(3), examples.x_train]))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    rows = SelectedRows([(mapped, np.arange(3, 3 + N))])
    expected = outcome(model, examples, Recipe(2, 8), on_host=False)
    assert outcome(model, replace(examples, x_train=mapped[3:]), Recipe(2, 8), on_host=None) == expected
    assert outcome(model, replace(examples, x_train=rows), Recipe(2, 8), on_host=None) == expected  # type: ignore[arg-type]
    assert CohortTrainer(model, replace(examples, x_train=mapped[3:]), Recipe(2, 8), mesh=mesh(1), capacity=1).on_host


def test_students_on_two_devices_and_vectorised_ones_train_from_the_host() -> None:
    model, examples = Functional(build("mlp-6", (4,), C)), examples_of(features)
    examples = replace(examples, x_examples=None)  # no rows at all
    for options in ({"mapping": "vmap"}, {"mesh": mesh(2)}):
        alone = outcome(model, examples, Recipe(2, 8), on_host=False, **options)
        assert outcome(model, examples, Recipe(2, 8), on_host=True, **options) == alone


def test_a_live_teacher_predicts_mapped_images_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distillab.engine.teacher.TEACHER_BATCH", 16)
    monkeypatch.setattr("distillab.engine.teacher.row_chunks", partial(row_chunks, size=SMALL))
    model, examples = Functional(build("cnn-3-5", (6, 6, 1), C)), examples_of(images)
    recipe = Recipe(2, 8, augmentation=Augmentation(1, True))
    np.save(tmp_path / "x.npy", examples.x_train)
    mapped = replace(examples, x_train=np.load(tmp_path / "x.npy", mmap_mode="r"))

    def live(of: Examples) -> Any:
        members = [(model, model.initial(9), 1 / 255)]
        return live_teacher([members, []], of.x_train, (C,), recipe.augmentation)

    expected = outcome(model, examples, recipe, on_host=False, live=live(examples))
    assert outcome(model, mapped, recipe, on_host=None, live=live(mapped)) == expected


def test_chunks_cover_a_range_and_none_has_one_batch() -> None:
    for last in range(2, 30):
        for size in (2, 3, 7):
            runs = chunks(0, last, size)
            assert [row for run in runs for row in range(*run)] == list(range(last))
            assert min(b - a for a, b in runs) >= 2
    assert row_chunks(249, 250, 1, SMALL) == [(0, 249)]
    assert row_chunks(750, 250, 1, SMALL) == [(0, 750)]
    assert row_chunks(1001, 250, 1, SMALL) == [(0, 500), (500, 1001)]


def test_results_come_in_order_whatever_a_thread_makes_ahead() -> None:
    assert list(ahead((lambda n=n: n) for n in range(5))) == [0, 1, 2, 3, 4]
    assert list(ahead([])) == []


def test_the_footprint_of_chunks_has_no_inputs_in_what_is_shared() -> None:
    model, examples = Functional(build("cnn-3-5", (6, 6, 1), C)), examples_of(images)
    labels = np.zeros(N, int)
    student = Student(0.5, 1.0, 0.1, 0, model.initial(0), labels, np.zeros(V, int))
    on_host, on_device = (
        CohortTrainer(model, examples, Recipe(1, 8), mesh=mesh(1), capacity=1, on_host=on).footprint(student)
        for on in (True, False)
    )
    inputs = examples.x_train.nbytes + examples.x_validation.nbytes + examples.x_test.nbytes + 7 * 36
    assert on_device.shared - on_host.shared == inputs
    # All ten batches fit one chunk; three exist at once.
    assert on_host.slot - on_device.slot == 3 * 10 * 8 * 36
