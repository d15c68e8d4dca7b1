"""A small problem that teacher and students learn in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import keras
from distillab.data import Dataset, ReadOptions, load, read_data
from distillab.engine import latency as latency_module


@pytest.fixture(scope="session")
def own() -> Dataset:
    """600 of scikit-learn's digits, bytes from 0 to 16 scaled by 1/16."""
    digits = load("digits")
    arrays = {"x": (digits.x_train[:600] * 15).astype(np.uint8), "y": digits.y_train[:600]}
    return read_data(arrays, ReadOptions(validation=0.2, test=0.25))


@pytest.fixture(scope="session")
def teacher(own: Dataset) -> keras.Model:
    """Ends in a softmax, normalises its batches, and has learned the digits."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Dense(10, activation="softmax"),
        ],
        name="teacher",
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    rows = own.training
    model.fit(own.inputs(own.x_train[rows]), own.y_train[rows], epochs=8, verbose=0)
    return model


@pytest.fixture(scope="session")
def teacher_file(teacher: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "teacher.keras"
    teacher.save(path)
    return path


@pytest.fixture(autouse=True)
def quick_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency_module, "SECONDS", 0.01)
