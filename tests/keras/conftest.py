"""What the tests of the distiller share: a small problem, and models that are the same on every backend."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from distillab import Distiller

F, C = 6, 4
OF_DISTILLER = ("teacher_weights", "average", "task", "ignore_class")


@pytest.fixture
def problem() -> tuple[np.ndarray, np.ndarray]:
    """64 examples of a noiseless linear rule."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, F)).astype(np.float32)
    return x, (x @ rng.standard_normal((F, C))).argmax(-1)


def classifier(seed: int, hidden: int = 0, ending: str | None = None, name: str | None = None) -> keras.Model:
    """A dense classifier whose weights are drawn by NumPy, so that every backend starts from the same."""
    layers = [keras.Input((F,))]
    if hidden:
        layers.append(keras.layers.Dense(hidden, activation="tanh"))
    layers.append(keras.layers.Dense(C, activation=ending))
    model = keras.Sequential(layers, name=name)
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(scale=0.7, size=weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture
def teacher() -> keras.Model:
    return classifier(1, hidden=8, name="teacher")


@pytest.fixture
def student() -> keras.Model:
    return classifier(2, name="student")


def compiled(student: keras.Model, teacher: Any = None, rate: float = 0.1, **options: Any) -> Distiller:
    """A distiller trained by plain gradient descent, whose steps can be worked out."""
    settings = {key: options.pop(key) for key in list(options) if key in OF_DISTILLER}
    distiller = Distiller(student, teacher, **settings)
    distiller.compile(optimizer=keras.optimizers.SGD(rate), **options)
    return distiller


def weights_of(model: keras.Model) -> list[np.ndarray]:
    return [np.array(weight) for weight in model.get_weights()]
