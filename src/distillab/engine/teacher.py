"""A teacher: trained as a cohort of one at alpha = 1, and live predictions of augmented images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from distillab.engine.augmentation import Augmentation
from distillab.engine.batches import TEACHER_BATCH, batched_logits
from distillab.engine.devices import AXIS
from distillab.engine.functional import Functional, Variables
from distillab.engine.randomness import example_keys
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Epoch, Examples, LiveTeacher, Recipe, Student
from distillab.models.averaging import DEFAULT_AVERAGE, average_predictions


def train_teacher(
    teacher: Functional,
    examples: Examples,
    labels: np.ndarray,
    recipe: Recipe,
    *,
    learning_rate: float,
    seed: int,
    stops: Collection[float] = (),
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Iterator[tuple[float, Variables]]:
    """Train a model on labels by the same program as the students, at alpha = 1.

    A teacher is one large model: on a CPU its operations use all cores, and on several accelerators the rows of every
    batch are sharded (`Functional.rows`).

    Args:
        teacher: the architecture.
        examples: such as `Examples.for_labels`.
        labels: shape (N, ...).
        recipe: epochs, batch size, optimiser and schedule.
        learning_rate: the peak learning rate.
        seed: of the initial weights and the order.
        stops: further epochs, whole or not, at which its weights are yielded.
        on_epoch: called with each epoch's record.

    Yields:
        Each stop and the weights it had then, the end's last.
    """
    trainer = CohortTrainer(teacher, examples, recipe, mesh=Mesh(jax.devices()[:1], (AXIS,)), capacity=1, threads=True)
    student = Student(1.0, 1.0, learning_rate, seed, teacher.initial(seed), labels, validation_labels=labels[:0])
    for stop, outcome in trainer.stages([student], stops, on_epoch=on_epoch):
        yield stop, jax.tree.map(lambda leaf: leaf[0], outcome.variables)


def live_teacher(
    teachers: Sequence[Sequence[tuple[Functional, Variables, float]]],
    inputs: np.ndarray,
    output_shape: tuple[int, ...],
    augmentation: Augmentation,
    *,
    average: str = DEFAULT_AVERAGE,
) -> LiveTeacher:
    """Make the function (teacher's index, seed, epoch) -> its logits (N, ..., C) for the images as augmented then.

    The images are augmented by the very draws that the students use, so a teacher runs once an epoch for all students
    of a seed, whatever their alphas.

    Args:
        teachers: of each, the architecture, weights and input scale of its members, whose logits are averaged; a
            teacher without members is uniform.
        inputs: training inputs as stored, shape (N, ...).
        output_shape: of one example, (..., C).
        augmentation: the students' own.
        average: how several predictions become one, as in `average_predictions`.
    """

    def compiled(teacher: Functional, scale: float) -> Callable[..., jax.Array]:
        def predict(variables: Variables, stored: jax.Array, seed: jax.Array, epoch: jax.Array) -> jax.Array:
            def predict_batch(rows: jax.Array) -> jax.Array:
                images = stored[rows].astype(jnp.float32) * scale
                augmented = augmentation(example_keys("augmentation", seed, epoch, rows), images)
                return teacher(variables, augmented, training=False).logits

            return batched_logits(predict_batch, jnp.arange(len(stored)), TEACHER_BATCH)

        return jax.jit(predict)

    programs = [[compiled(member, scale) for member, _, scale in members] for members in teachers]

    def live(which: int, seed: int, epoch: int) -> np.ndarray:
        if not teachers[which]:
            return np.zeros((len(inputs), *output_shape), np.float32)
        logits = []
        for program, (teacher, variables, _) in zip(programs[which], teachers[which], strict=True):
            arguments = variables, inputs, np.uint32(seed % 2**32), np.int32(epoch)
            if teacher.rows is not None:
                arguments = jax.device_put(arguments, NamedSharding(teacher.rows, PartitionSpec()))
            logits.append(np.asarray(program(*arguments)))
        return average_predictions(logits, average=average)

    return live
