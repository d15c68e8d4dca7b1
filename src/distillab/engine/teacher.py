"""A teacher: trained as a cohort of one at alpha = 1, and live predictions of augmented images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from distillab.data.array_store import is_mapped
from distillab.data.inputs import Scale
from distillab.engine.augmentation import Augmentation
from distillab.engine.batches import TEACHER_BATCH, batched_logits
from distillab.engine.devices import AXIS
from distillab.engine.functional import Functional, Variables
from distillab.engine.host_inputs import gathered, row_chunks
from distillab.engine.inputs import Inputs, count, scaled, take, unstructured
from distillab.engine.randomness import example_keys
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Epoch, Examples, LiveTeacher, Recipe, Student
from distillab.models.averaging import DEFAULT_AVERAGE, average_predictions

CALLED_BATCH = 256
"""Images that a teacher outside JAX predicts at once."""

LiveMember: TypeAlias = tuple[Functional, Variables, Scale] | Callable[[np.ndarray], np.ndarray]
"""A teacher that predicts live: architecture, weights and input scale, or a function from inputs as stored, augmented
or not, (B, ...), to logits (B, ..., C)."""


def train_teacher(
    teacher: Functional,
    examples: Examples,
    labels: np.ndarray,
    recipe: Recipe,
    *,
    learning_rate: float,
    seed: int,
    initial: Variables | None = None,
    smoothing: float = 0.0,
    stops: Collection[float] = (),
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Iterator[tuple[float, Variables]]:
    """Train a model on labels by the same program as the students, at alpha = 1.

    Smoothed labels are `(1 - smoothing) * label + smoothing / C`, and their cross-entropy is the students' objective at
    `alpha = 1 - smoothing` and T = 1 with a teacher whose prediction is even, but for a constant: the recorded losses
    lack `smoothing * log C`.

    A teacher is one large model: on a CPU its operations use all cores, and on several accelerators the rows of every
    batch are sharded (`Functional.rows`).

    Args:
        teacher: the architecture.
        examples: such as `Examples.for_labels`, whose teacher is even.
        labels: shape (N, ...).
        recipe: epochs, batch size, optimiser and schedule.
        learning_rate: the peak learning rate.
        seed: of the initial weights and the order.
        initial: the weights to start from instead.
        smoothing: how much of each label is spread evenly over the classes, in [0, 1); the recipe's losses are then KL
            and cross-entropy.
        stops: further epochs, whole or not, at which its weights are yielded.
        on_epoch: called with each epoch's record.

    Yields:
        Each stop and the weights it had then, the end's last.

    Source: of the smoothing, Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception Architecture for
    Computer Vision", 2016, section 7.
    """
    trainer = CohortTrainer(teacher, examples, recipe, mesh=Mesh(jax.devices()[:1], (AXIS,)), capacity=1, threads=True)
    start = teacher.initial(seed) if initial is None else initial
    student = Student(1 - smoothing, 1.0, learning_rate, seed, start, labels, validation_labels=labels[:0])
    live: LiveTeacher | None = None
    if smoothing and recipe.augmentation:
        even = np.asarray(examples.teacher_logits)[0]  # the same however images are moved

        def live(teacher: int, seed: int, epoch: int) -> np.ndarray:
            return even

    for stop, outcome in trainer.stages([student], stops, on_epoch=on_epoch, live=live):
        yield stop, jax.tree.map(lambda leaf: leaf[0], outcome.variables)


def live_teacher(
    teachers: Sequence[Sequence[LiveMember]],
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
        teachers: of each its members, whose logits are averaged; a teacher without members is uniform.
        inputs: training inputs as stored, shape (N, ...).
        output_shape: of one example, (..., C).
        augmentation: the students' own.
        average: how several predictions become one, as in `average_predictions`.
    """

    programs = [[_live_program(member, inputs, augmentation) for member in members] for members in teachers]

    def live(which: int, seed: int, epoch: int) -> np.ndarray:
        if not teachers[which]:
            return np.zeros((len(inputs), *output_shape), np.float32)
        logits = [program(np.uint32(seed % 2**32), np.int32(epoch)) for program in programs[which]]
        return average_predictions(logits, average=average)

    return live


def _live_program(
    member: LiveMember, inputs: np.ndarray, augmentation: Augmentation
) -> Callable[[np.uint32, np.int32], np.ndarray]:
    """The function (seed, epoch) -> one member's logits for the images as augmented then."""
    if callable(member):
        return _called_program(member, inputs, augmentation)
    teacher, variables, scale = member

    def predict(variables: Variables, stored: Inputs, first: jax.Array, seed: jax.Array, epoch: jax.Array) -> jax.Array:
        def predict_batch(rows: jax.Array) -> jax.Array:
            images = scaled(take(stored, rows), scale)
            augmented = augmentation(example_keys("augmentation", seed, epoch, first + rows), images)
            return teacher(variables, augmented, training=False).logits

        return batched_logits(predict_batch, jnp.arange(count(stored)), TEACHER_BATCH)

    program = jax.jit(predict)

    on_host = is_mapped(inputs)
    runs = row_chunks(len(inputs), TEACHER_BATCH, int(inputs[:1].nbytes)) if on_host else [(0, len(inputs))]

    def run(seed: np.uint32, epoch: np.int32) -> np.ndarray:
        parts = []
        for first, last in runs:
            stored = gathered(inputs, slice(first, last)) if on_host else unstructured(inputs)
            arguments = variables, stored, np.int32(first), seed, epoch
            if teacher.rows is not None:
                arguments = jax.device_put(arguments, NamedSharding(teacher.rows, PartitionSpec()))
            parts.append(np.asarray(program(*arguments)))
        return np.concatenate(parts)

    return run


def _called_program(
    predict: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray, augmentation: Augmentation
) -> Callable[[np.uint32, np.int32], np.ndarray]:
    """The same of a teacher that JAX cannot run: it is called on the augmented images, a batch at a time."""

    @jax.jit
    def augmented(images: jax.Array, rows: jax.Array, seed: jax.Array, epoch: jax.Array) -> jax.Array:
        return augmentation(example_keys("augmentation", seed, epoch, rows), images.astype(jnp.float32))

    def run(seed: np.uint32, epoch: np.int32) -> np.ndarray:
        parts = []
        for start in range(0, len(inputs), CALLED_BATCH):
            images = inputs[start : start + CALLED_BATCH]
            rows = np.arange(start, start + len(images))
            parts.append(predict(np.asarray(augmented(images, rows, seed, epoch))))
        return np.concatenate(parts)

    return run
