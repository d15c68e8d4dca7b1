"""One mathematics, two faces: a Distiller on JAX and a student of the engine take the same steps."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from distillab import Distiller
from distillab.losses import LOSSES

if keras.backend.backend() != "jax":
    pytest.skip("the engine runs on JAX", allow_module_level=True)

from distillab.engine.devices import mesh
from distillab.engine.functional import Functional, write_variables
from distillab.engine.randomness import epoch_order
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Epoch, Examples, Recipe, Student
from distillab.models import build

N, C, BATCH, RATE = 70, 4, 16, 0.05  # the last batch of an epoch is shorter


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_epoch_by_epoch_losses_and_weights_agree(loss: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (N, 8, 8, 1)).astype(np.uint8)
    y, logits = rng.integers(0, C, N), rng.normal(scale=3, size=(N, C)).astype(np.float32)
    model = Functional(build("cnn-3-5", (8, 8, 1), C))
    initial = model.initial(7)
    alpha, T = 0.3, 2.0

    recipe = Recipe(epochs=2, batch_size=BATCH, loss=loss, optimiser="sgd", schedule="constant")
    examples = Examples(x, x[:0], x[:1], logits[None], 1 / 255)
    trainer = CohortTrainer(model, examples, recipe, mesh=mesh(1), capacity=1)
    epochs: list[Epoch] = []
    outcome = trainer.train([Student(alpha, T, RATE, 5, initial, y, y[:0])], on_epoch=epochs.append)

    student = write_variables(build("cnn-3-5", (8, 8, 1), C), initial)
    distiller = Distiller(student)
    distiller.compile(keras.optimizers.SGD(RATE), distillation_loss=loss, alpha=alpha, temperature=T)
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
