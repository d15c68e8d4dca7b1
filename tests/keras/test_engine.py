"""One mathematics, two faces: a Distiller on JAX and a student of the engine take the same steps."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from distillab import Distiller
from distillab.losses import losses_for

if keras.backend.backend() != "jax":
    pytest.skip("the engine runs on JAX", allow_module_level=True)

from distillab.engine.devices import mesh
from distillab.engine.functional import Functional, write_variables
from distillab.engine.randomness import epoch_order
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Epoch, Examples, Recipe, Student
from distillab.models import build
from distillab.tasks import TASKS

N, C, BATCH, RATE = 70, 4, 16, 0.05  # the last batch of an epoch is shorter
SHAPE = (8, 8, 1)
QUICK = ("kl", "dist", "teacher_free", "squared", "bounded")
"""Each of another kind: relates examples, needs no teacher, needs the labels."""
CASES = [
    pytest.param(task, loss, "cnn-3-5", marks=[] if loss in QUICK else pytest.mark.slow)
    for task in TASKS
    for loss in losses_for(task)
]
CASES += [("categorical", "kl", "unet-3-4"), ("multilabel", "kl", "unet-3-4"), ("regression", "huber", "unet-3-4")]


def drawn_labels(task: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Labels of a task for outputs of a shape (N, ..., C)."""
    if task == "regression":
        return rng.normal(size=shape).astype(np.float32)
    if task == "multilabel":
        return rng.integers(0, 2, shape)
    return rng.integers(0, 2 if task == "binary" else shape[-1], shape[:-1])


@pytest.mark.parametrize(("task", "loss", "name"), CASES)
def test_epoch_by_epoch_losses_and_weights_agree(task: str, loss: str, name: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (N, *SHAPE)).astype(np.uint8)
    model = Functional(build(name, SHAPE, TASKS[task].outputs(C)))
    shape = (N, *model.output_shape)
    y, logits = drawn_labels(task, shape, rng), rng.normal(scale=3, size=shape).astype(np.float32)
    initial = model.initial(7)
    alpha, T = 0.3, 2.0

    label_loss = TASKS[task].label_losses[0]
    recipe = Recipe(
        epochs=2, batch_size=BATCH, task=task, loss=loss, label_loss=label_loss, optimiser="sgd", schedule="constant"
    )
    examples = Examples(x, x[:0], x[:1], logits[None], 1 / 255)
    trainer = CohortTrainer(model, examples, recipe, mesh=mesh(1), capacity=1)
    epochs: list[Epoch] = []
    outcome = trainer.train([Student(alpha, T, RATE, 5, initial, y, y[:0])], on_epoch=epochs.append)

    student = write_variables(build(name, SHAPE, TASKS[task].outputs(C)), initial)
    distiller = Distiller(student, task=task)
    softened = {"temperature": T} if TASKS[task].softens else {}
    distiller.compile(keras.optimizers.SGD(RATE), distillation_loss=loss, alpha=alpha, **softened)
    for epoch, record in enumerate(epochs):
        rows = [np.asarray(part) for part in np.split(np.asarray(epoch_order(5, epoch, N, N)), range(BATCH, N, BATCH))]
        logs = [
            distiller.train_on_batch(
                {"inputs": x[part] * np.float32(1 / 255), "teacher_logits": logits[part]}, y[part], return_dict=True
            )
            for part in rows
        ]
        columns = {
            "loss": record.loss,
            "student_loss": record.label_loss,
            "distillation_loss": record.distillation_loss,
        }
        for name, column in columns.items():
            assert np.mean([log[name] for log in logs]) == pytest.approx(float(column[0]), rel=1e-4), name
    for ours, theirs in zip(student.trainable_variables, outcome.variables.trainable, strict=True):
        # Ten steps in float32, each a sum of 16 terms in another order.
        np.testing.assert_allclose(np.asarray(ours), theirs[0], atol=1e-5)
