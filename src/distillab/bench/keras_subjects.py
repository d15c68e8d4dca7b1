"""Keras as a subject of the bench, on the backend of this process: `fit`, `predict` and `keras.distillation`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from distillab.bench.work import (
    ALPHA,
    BATCH,
    CLASSES,
    LEARNING_RATE,
    SCALE,
    TEACHER_BATCH,
    TEMPERATURE,
    Run,
    Work,
    random_data,
    seconds,
)
from distillab.engine.devices import usable_cores
from distillab.models import build


def stored(model: str, shape: list[int]) -> Work:
    """`fit` with the teacher's stored logits appended to the labels.

    Args:
        model: a name of the zoo.
        shape: (H, W, C).
    """

    def loss(y: Any, z: Any) -> Any:
        label_loss = keras.losses.categorical_crossentropy(y[:, :CLASSES], z, from_logits=True)
        teacher, student = ops.softmax(y[:, CLASSES:] / TEMPERATURE), ops.softmax(z / TEMPERATURE)
        distillation_loss = keras.losses.kl_divergence(teacher, student)
        return ALPHA * label_loss + (1 - ALPHA) * TEMPERATURE**2 * distillation_loss

    return _fit(_compiled(model, shape, loss), shape, BATCH, with_logits=True)


def labels_alone(model: str, shape: list[int], batch: int = BATCH) -> Work:
    """`fit` on labels.

    Args:
        model: a name of the zoo.
        shape: (H, W, C).
        batch: examples of a step.
    """
    return _fit(_compiled(model, shape, _cross_entropy()), shape, batch)


def distiller(model: str, shape: list[int], teacher: str) -> Work:
    """Keras's `Distiller` with a live teacher.

    Args:
        model: a name of the zoo.
        shape: (H, W, C).
        teacher: a name of the zoo.
    """
    distillation_loss = keras.distillation.LogitsDistillation(temperature=TEMPERATURE, loss=keras.losses.KLDivergence())
    both = keras.distillation.Distiller(
        teacher=build(teacher, shape, CLASSES),
        student=build(model, shape, CLASSES),
        distillation_losses=distillation_loss,
        student_loss_weight=ALPHA,
    )
    both.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss=_cross_entropy())
    return _fit(both, shape, BATCH)


def predictions(model: str, shape: list[int]) -> Work:
    """`predict` for stored images.

    Args:
        model: a name of the zoo.
        shape: (H, W, C).
    """
    teacher = build(model, shape, CLASSES)

    def make(batches: int) -> Run:
        images, _, _ = random_data(tuple(shape), batches * TEACHER_BATCH)
        x = images * np.float32(SCALE)
        return lambda: seconds(lambda: teacher.predict(x, batch_size=2 * TEACHER_BATCH, verbose=0))

    return Work(make, _threads())


def _cross_entropy() -> Any:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _compiled(name: str, shape: list[int], loss: Any) -> Any:
    model = build(name, shape, CLASSES)
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss=loss)
    return model


def _fit(model: Any, shape: list[int], batch: int, *, with_logits: bool = False) -> Work:
    def make(batches: int) -> Run:
        images, labels, logits = random_data(tuple(shape), batches * batch)
        x = images * np.float32(SCALE)
        y = np.concatenate([np.eye(CLASSES, dtype=np.float32)[labels], logits], axis=1) if with_logits else labels
        return lambda: seconds(lambda: model.fit(x, y, batch_size=batch, epochs=1, verbose=0))

    return Work(make, _threads())


def _threads() -> int:
    """The threads of one operation, as the backend chooses them."""
    if keras.backend.backend() == "torch":
        import torch

        return int(torch.get_num_threads())
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return int(tf.config.threading.get_intra_op_parallelism_threads()) or usable_cores()  # 0: all cores
    return usable_cores()
