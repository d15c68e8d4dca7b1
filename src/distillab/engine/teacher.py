"""Training a teacher: a cohort of one that listens to the labels alone."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Mesh

from distillab.engine.cohort import CohortTrainer, Epoch, Examples, Recipe, Student
from distillab.engine.devices import AXIS
from distillab.engine.functional import Functional, Variables


def train_teacher(
    teacher: Functional,
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    scale: float,
    classes: int,
    recipe: Recipe,
    learning_rate: float,
    seed: int,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Variables:
    """Train a model on labels by the same program as the students, at alpha = 1.

    A teacher is one large model, so its operations share all cores instead of keeping to one.

    Args:
        teacher: the architecture.
        inputs: training inputs as stored, shape (N, ...).
        labels: shape (N,).
        scale: stored inputs times this are the model's inputs.
        classes: C.
        recipe: epochs, batch size, optimiser and schedule.
        learning_rate: the rate at the schedule's height.
        seed: of the initial weights and the order.
        on_epoch: called with each epoch's record.

    Returns:
        The trained weights.
    """
    none = inputs[:0]
    examples = Examples(inputs, none, none, np.zeros((1, len(inputs), classes), np.float32), scale)
    trainer = CohortTrainer(teacher, examples, recipe, mesh=Mesh(jax.devices()[:1], (AXIS,)), capacity=1, threads=True)
    student = Student(
        alpha=1.0,
        temperature=1.0,
        learning_rate=learning_rate,
        seed=seed,
        initial=teacher.initial(seed),
        labels=labels,
        validation_labels=labels[:0],
    )
    return jax.tree.map(lambda leaf: leaf[0], trainer.train([student], on_epoch=on_epoch).variables)
