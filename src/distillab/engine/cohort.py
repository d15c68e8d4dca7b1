"""Students that train side by side: the only module that knows the student axis.

A cohort is a set of students that share data, architecture, batch size and number of steps, and differ in numbers:
alpha, temperature, learning rate, labels, teacher, initial weights, order. One compiled program trains one epoch of all
of them. The student axis is sharded over the devices; inside a CPU device the students take turns, inside a GPU or TPU
they are vectorised. Nothing passes between students, so a student's numbers do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from distillab.engine.augmentation import NONE, Augmentation
from distillab.engine.devices import AXIS, compiler_options, inside
from distillab.engine.functional import Functional, Variables
from distillab.engine.optimiser import OPTIMISERS, SCHEDULES
from distillab.engine.randomness import epoch_order, example_keys
from distillab.losses import LOSSES, objective

EVALUATION_BATCH = 250  # rows that a student's forward pass takes at once
TEACHER_BATCH = 64  # a teacher's: its activations then stay in the cache (30 s for 60,000 images, 37 s by 250)


@dataclass(frozen=True)
class Examples:
    """The arrays that all students of a cohort share.

    Args:
        x_train: training inputs as stored, shape (N, ...), any number type.
        x_validation: validation inputs, shape (V, ...); V may be 0.
        x_test: test inputs, shape (M, ...).
        teacher_logits: answers over the training inputs, shape (teachers, N, C).
        scale: stored inputs times this are the models' inputs.
    """

    x_train: np.ndarray
    x_validation: np.ndarray
    x_test: np.ndarray
    teacher_logits: np.ndarray
    scale: float


@dataclass(frozen=True)
class Student:
    """What makes one student differ from its neighbours.

    Args:
        alpha: weight of the hard labels, in [0, 1].
        temperature: T > 0.
        learning_rate: the rate at the schedule's height.
        seed: decides the order of the examples.
        initial: the weights to start from.
        labels: training labels, perturbed or not, shape (N,).
        validation_labels: shape (V,).
        teacher: which row of the shared teacher logits to learn from.
    """

    alpha: float
    temperature: float
    learning_rate: float
    seed: int
    initial: Variables
    labels: np.ndarray
    validation_labels: np.ndarray
    teacher: int = 0


@dataclass(frozen=True)
class Recipe:
    """What a cohort's students share besides the data: how they are trained.

    Args:
        epochs: passes over the training examples.
        batch_size: examples a step; the last batch of an epoch may be smaller.
        loss: a name in `distillab.losses.LOSSES`.
        optimiser: a name in `OPTIMISERS`.
        schedule: a name in `SCHEDULES`, stretched over the whole training.
        augmentation: how training images are changed, anew in every epoch. Stored logits answer the images as they lie,
            so students that hear a teacher then need a live one.
    """

    epochs: int
    batch_size: int
    loss: str = "kl"
    optimiser: str = "adam"
    schedule: str = "cosine"
    augmentation: Augmentation = NONE


LiveTeacher = Callable[[int, int, int], np.ndarray]
"""(which teacher, seed, epoch) -> its logits (N, C) over the training images as that seed's students see them then."""


class Epoch(NamedTuple):
    """One epoch's record of each student of a cohort; every array has shape (S,)."""

    epoch: int
    loss: np.ndarray  # mean over the epoch's steps
    hard: np.ndarray
    soft: np.ndarray
    validation_accuracy: np.ndarray  # nan where there is no validation split
    finite_steps: np.ndarray  # steps taken before the first loss that is not finite
    last_finite_loss: np.ndarray


class Outcome(NamedTuple):
    """What a finished cohort leaves behind, one row a student."""

    variables: Variables  # leaves of shape (S, ...)
    test_logits: np.ndarray  # (S, M, C)
    validation_logits: np.ndarray  # (S, V, C)
    train_answers: np.ndarray | None  # (S, N), class numbers; None where they were not asked for


class _Seats(NamedTuple):
    """A cohort's arrays on the devices, each with the student axis in front."""

    variables: Variables
    optimiser: Any
    alpha: jax.Array
    temperature: jax.Array
    learning_rate: jax.Array
    seed: jax.Array
    teacher: jax.Array
    labels: jax.Array
    validation_labels: jax.Array


class _Shared(NamedTuple):
    """The examples on the devices, a copy on each."""

    x_train: Any
    x_validation: Any
    x_test: Any
    teacher_logits: Any


class _Progress(NamedTuple):
    """What one student's epoch carries from step to step."""

    variables: Variables
    optimiser: Any
    sums: jax.Array  # (3,) loss, hard and soft, added up
    finite_steps: jax.Array
    last_finite_loss: jax.Array


class Footprint(NamedTuple):
    """The memory that a device needs, in bytes."""

    shared: int  # the examples
    seat: int  # what a student leaves and takes: weights, optimiser, labels, order
    working: int  # what a student's step needs besides
    together: bool  # whether students of a device train at once, and not in turn

    def bytes(self, students: int) -> int:
        """What so many students on one device need."""
        return self.shared + students * self.seat + (students if self.together else 1) * self.working

    def students(self, limit: int) -> int:
        """How many students fit one device; 0 where not even one does."""
        free = limit - self.shared - (0 if self.together else self.working)
        return max(0, free // (self.seat + (self.working if self.together else 0)))


class CohortTrainer:
    """Trains cohorts of up to `capacity` students on the same examples by the same recipe; compiles once.

    Args:
        model: the students' architecture.
        examples: the shared arrays; placed on every device once.
        recipe: how to train.
        mesh: the devices, along the student axis.
        capacity: seats in a cohort, rounded up to a multiple of the number of devices. A smaller cohort runs the same
            program, and on CPUs its empty seats cost nothing.
        mapping: "loop" or "vmap" inside a device; by default what suits the platform.
        threads: on CPUs, let one operation use several threads; for a cohort of one large model.
    """

    def __init__(
        self,
        model: Functional,
        examples: Examples,
        recipe: Recipe,
        *,
        mesh: Mesh,
        capacity: int,
        mapping: str | None = None,
        threads: bool = False,
    ) -> None:
        platform = mesh.devices.flat[0].platform
        self.model, self.examples, self.recipe, self.mesh = model, examples, recipe, mesh
        self.capacity, self.threads = -(-capacity // mesh.size) * mesh.size, threads
        self.mapping = mapping or inside(platform)
        self.steps = -(-len(examples.x_train) // recipe.batch_size)
        self._options = {} if threads else dict(compiler_options(platform))
        self._schedule = SCHEDULES[recipe.schedule](self.steps * recipe.epochs)
        self._optimiser = OPTIMISERS[recipe.optimiser]()
        self._distillation_loss = LOSSES[recipe.loss]
        if model.rows is not None and mesh.size > 1:
            raise ValueError("a model whose rows are shared out has one student, on a mesh of one device")
        self._by_student = NamedSharding(mesh, PartitionSpec(AXIS))
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        if model.rows is not None:
            self._by_student = self._everywhere = NamedSharding(model.rows, PartitionSpec())
        self._shared = jax.device_put(
            _Shared(examples.x_train, examples.x_validation, examples.x_test, examples.teacher_logits), self._everywhere
        )

    def train(
        self,
        students: Sequence[Student],
        *,
        on_epoch: Callable[[Epoch], None] = lambda epoch: None,
        live: LiveTeacher | None = None,
        answer_training: bool = False,
    ) -> Outcome:
        """Train a cohort from start to end.

        Args:
            students: from one to `capacity` of them.
            on_epoch: called with the record of each epoch as soon as it ends.
            live: answers the changed images of an epoch, once for all students of a seed; needed where the recipe has
                an augmentation and a student hears its teacher.
            answer_training: whether the finished students also answer their training inputs, as they lie.

        Returns:
            The trained weights and the answers over the test and validation inputs.
        """
        count = len(students)
        shared = self._shared
        if self.recipe.augmentation and any(student.alpha < 1 for student in students):
            if live is None:
                raise ValueError(
                    "stored logits do not answer changed images: with augmentation, alpha < 1 needs `live`"
                )
            lessons = list(dict.fromkeys((student.teacher, student.seed) for student in students))
            students = [replace(s, teacher=lessons.index((s.teacher, s.seed))) for s in students]
        else:
            lessons = []
        seats, occupied = self._seat(students)
        for epoch in range(self.recipe.epochs):
            if live is not None and lessons:
                logits = [live(teacher, seed, epoch) for teacher, seed in lessons]
                logits += logits[-1:] * (self.capacity - len(logits))  # one shape, one program
                shared = shared._replace(teacher_logits=jax.device_put(np.stack(logits), self._everywhere))
            orders = self._rows([epoch_order(s.seed, epoch, *self._span) for s in students])
            seats, record = self._epoch_program(seats, shared, occupied, orders, np.int32(epoch))
            on_epoch(Epoch(epoch, *(np.asarray(column)[:count] for column in record)))
        test, validation = self._answer_program(seats, shared, occupied)
        answers = self._training_program(seats, shared, occupied) if answer_training else None
        variables = jax.tree.map(lambda leaf: np.asarray(leaf)[:count], seats.variables)
        return Outcome(
            variables,
            np.asarray(test)[:count],
            np.asarray(validation)[:count],
            None if answers is None else np.asarray(answers)[:count],
        )

    def footprint(self, student: Student) -> Footprint:
        """Measure the memory of a cohort: the compiler's own account of a program for one student a device."""
        small = replace_capacity(self, self.mesh.size)
        seats, occupied = small._seat([student])
        order = small._rows([epoch_order(student.seed, 0, *self._span)])
        program = small._epoch_program.lower(seats, small._shared, occupied, order, np.int32(0)).compile()
        return Footprint(
            shared=bytes_of(self._shared),
            seat=2 * (bytes_of(seats) + bytes_of(order)) // self.mesh.size,
            working=int(program.memory_analysis().temp_size_in_bytes),
            together=self.mapping == "vmap",
        )

    @property
    def _span(self) -> tuple[int, int]:
        """Training examples, and the rows of an epoch once its last batch is filled up."""
        return len(self.examples.x_train), self.steps * self.recipe.batch_size

    def _rows(self, rows: Sequence[Any]) -> jax.Array:
        """Stack one array a student, repeat the last on the empty seats, and shard the result over the devices."""
        filled = [*rows, *[rows[-1]] * (self.capacity - len(rows))]
        return jax.device_put(np.stack(filled), self._by_student)

    def _seat(self, students: Sequence[Student]) -> tuple[_Seats, jax.Array]:
        """Place a cohort on the devices, and say how many seats of each device are taken."""
        if not 1 <= len(students) <= self.capacity:
            raise ValueError(f"a cohort of {len(students)} students does not fit {self.capacity} seats")
        variables = jax.tree.map(lambda *leaves: self._rows(leaves), *(s.initial for s in students))
        seats = _Seats(
            variables=variables,
            optimiser=self._fresh_optimiser(variables.trainable),
            alpha=self._rows([np.float32(s.alpha) for s in students]),
            temperature=self._rows([np.float32(s.temperature) for s in students]),
            learning_rate=self._rows([np.float32(s.learning_rate) for s in students]),
            seed=self._rows([np.uint32(s.seed % 2**32) for s in students]),
            teacher=self._rows([np.int32(s.teacher) for s in students]),
            labels=self._rows([s.labels.astype(np.int32) for s in students]),
            validation_labels=self._rows([s.validation_labels.astype(np.int32) for s in students]),
        )
        per_device = self.capacity // self.mesh.size
        taken = np.clip(len(students) - per_device * np.arange(self.mesh.size), 0, per_device).astype(np.int32)
        return seats, jax.device_put(taken, self._by_student)

    @cached_property
    def _fresh_optimiser(self) -> Callable[..., Any]:
        return jax.jit(jax.vmap(self._optimiser.init), out_shardings=self._by_student)

    @cached_property
    def _epoch_program(self) -> Any:
        return self._program(self._train_epoch, extra=2, donate=(0,))

    @cached_property
    def _answer_program(self) -> Callable[..., Any]:
        return self._program(self._answer, extra=0)

    @cached_property
    def _training_program(self) -> Callable[..., Any]:
        return self._program(self._answer_training, extra=0)

    def _program(self, one_student: Callable[..., Any], *, extra: int, donate: tuple[int, ...] = ()) -> Any:
        """Make the program that does for a whole cohort what `one_student(seat, shared, *extra)` does for one."""

        def shard(seats: _Seats, shared: _Shared, occupied: jax.Array, *more: jax.Array) -> Any:
            mapped, scalars = more[:1], more[1:]

            def one(arguments: Any) -> Any:
                seat, rows = arguments
                return one_student(seat, shared, *rows, *scalars)

            if self.mapping == "vmap":
                return jax.vmap(one)((seats, mapped))
            return _take_turns(one, (seats, mapped), occupied[0])

        if self.model.rows is not None:
            return jax.jit(shard, donate_argnums=donate, compiler_options=self._options)
        by_student, everywhere = PartitionSpec(AXIS), PartitionSpec()
        specs = (by_student, everywhere, by_student, *(by_student, everywhere)[:extra])
        sharded = jax.shard_map(shard, mesh=self.mesh, in_specs=specs, out_specs=by_student, check_vma=False)
        return jax.jit(sharded, donate_argnums=donate, compiler_options=self._options)

    def _train_epoch(
        self, seat: _Seats, shared: _Shared, order: jax.Array, epoch: jax.Array
    ) -> tuple[_Seats, tuple[jax.Array, ...]]:
        """Train one student for one epoch: a scan over its steps."""
        start = _Progress(seat.variables, seat.optimiser, jnp.zeros(3), jnp.int32(0), jnp.float32(jnp.nan))
        step = partial(self._step, seat, shared, epoch)
        examples, batch_size = len(self.examples.x_train), self.recipe.batch_size
        # The last batch is filled up with rows of no weight; where a batch's rows see each other, it stays short.
        whole = examples // batch_size if self.model.depends_on_batch else self.steps
        rows = order[: whole * batch_size].reshape(whole, batch_size)
        weights = (jnp.arange(rows.size) < examples).astype(jnp.float32).reshape(rows.shape)
        end, _ = lax.scan(step, start, (jnp.arange(whole), rows, weights))
        if whole < self.steps:
            rest = order[whole * batch_size : examples]
            end, _ = step(end, (jnp.int32(whole), rest, jnp.ones(len(rest))))
        after = seat._replace(variables=end.variables, optimiser=end.optimiser)
        means = end.sums / self.steps
        accuracy = self._accuracy(end.variables, shared.x_validation, seat.validation_labels)
        return after, (means[0], means[1], means[2], accuracy, end.finite_steps, end.last_finite_loss)

    def _step(
        self,
        seat: _Seats,
        shared: _Shared,
        epoch: jax.Array,
        progress: _Progress,
        this: tuple[jax.Array, jax.Array, jax.Array],
    ) -> tuple[_Progress, None]:
        """One step of one student: a batch, its gradient, and the optimiser's move."""
        number, rows, weight = this
        # Rows are gathered as stored, all at once; fused with what follows they would be read number by number.
        inputs = self._inputs(lax.optimization_barrier(shared.x_train[rows]))
        if self.recipe.augmentation:
            inputs = self.recipe.augmentation(example_keys("augmentation", seat.seed, epoch, rows), inputs)

        def loss(trainable: Any) -> tuple[jax.Array, Any]:
            variables = Variables(trainable, progress.variables.fixed)
            answer = self.model(variables, inputs, training=True)
            terms = objective(
                answer.logits,
                shared.teacher_logits[seat.teacher, rows],
                seat.labels[rows],
                weight,
                alpha=seat.alpha,
                temperature=seat.temperature,
                distillation_loss=self._distillation_loss,
            )
            whole = terms.loss + answer.penalty
            return whole, (terms._replace(loss=whole), answer.fixed)

        gradient, (terms, fixed) = jax.grad(loss, has_aux=True)(progress.variables.trainable)
        direction, optimiser = self._optimiser.update(gradient, progress.optimiser, progress.variables.trainable)
        rate = seat.learning_rate * self._schedule(epoch * self.steps + number)
        trainable = optax.tree.add_scale(progress.variables.trainable, -rate, direction)
        alive = jnp.isfinite(terms.loss) & (progress.finite_steps == number)
        return _Progress(
            Variables(trainable, fixed),
            optimiser,
            progress.sums + jnp.stack(terms),
            progress.finite_steps + alive,
            jnp.where(alive, terms.loss, progress.last_finite_loss),
        ), None

    def _answer(self, seat: _Seats, shared: _Shared) -> tuple[jax.Array, jax.Array]:
        """Answer the test and the validation inputs."""
        return self._logits(seat.variables, shared.x_test), self._logits(seat.variables, shared.x_validation)

    def _answer_training(self, seat: _Seats, shared: _Shared) -> jax.Array:
        """Answer the training inputs, with class numbers."""
        return jnp.argmax(self._logits(seat.variables, shared.x_train), axis=-1).astype(jnp.int32)

    def _accuracy(self, variables: Variables, inputs: jax.Array, labels: jax.Array) -> jax.Array:
        if not len(inputs):
            return jnp.float32(jnp.nan)
        return jnp.mean(jnp.argmax(self._logits(variables, inputs), axis=-1) == labels)

    def _logits(self, variables: Variables, inputs: jax.Array) -> jax.Array:
        return batched_logits(lambda rows: self.model(variables, self._inputs(rows), training=False).logits, inputs)

    def _inputs(self, stored: jax.Array) -> jax.Array:
        return stored.astype(jnp.float32) * self.examples.scale


def batched_logits(
    answer: Callable[[jax.Array], jax.Array], inputs: jax.Array, batch: int = EVALUATION_BATCH
) -> jax.Array:
    """Answer many inputs a batch at a time, so that memory does not grow with their number.

    Args:
        answer: from a batch (B, ...) to logits (B, C).
        inputs: shape (M, ...).
        batch: rows at a time.

    Returns:
        Logits, shape (M, C).
    """
    count = len(inputs)
    whole = count // batch * batch
    batches = inputs[:whole].reshape(-1, batch, *inputs.shape[1:])
    parts = []
    if whole:
        answers = lax.map(answer, batches)
        parts.append(answers.reshape(whole, answers.shape[-1]))
    if whole < count or not count:
        parts.append(answer(inputs[whole:]))
    return jnp.concatenate(parts)


def replace_capacity(trainer: CohortTrainer, capacity: int) -> CohortTrainer:
    """Make a trainer of the same cohorts with another number of seats."""
    return CohortTrainer(
        trainer.model,
        trainer.examples,
        trainer.recipe,
        mesh=trainer.mesh,
        capacity=capacity,
        mapping=trainer.mapping,
        threads=trainer.threads,
    )


def bytes_of(tree: Any) -> int:
    """The size of all arrays of a tree."""
    return sum(int(leaf.nbytes) for leaf in jax.tree.leaves(tree))


def _take_turns(function: Callable[[Any], Any], arguments: Any, count: jax.Array) -> Any:
    """Apply a function to the first `count` rows of its arguments, one after another.

    The number of turns is not known to the compiler, so the program of a turn is the same whatever the number of
    seats: a student's numbers cannot depend on how many others there are.
    """
    row = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), arguments)
    seats = len(jax.tree.leaves(arguments)[0])
    empty = jax.tree.map(lambda leaf: jnp.zeros((seats, *leaf.shape), leaf.dtype), jax.eval_shape(function, row))

    def turn(seat: jax.Array, answers: Any) -> Any:
        answer = function(jax.tree.map(lambda leaf: leaf[seat], arguments))
        return jax.tree.map(lambda leaf, value: leaf.at[seat].set(value), answers, answer)

    return lax.fori_loop(0, count, turn, empty)


def chunks(students: Sequence[Any], capacity: int) -> Iterator[Sequence[Any]]:
    """Cut students into cohorts of at most `capacity`, in order."""
    for start in range(0, len(students), capacity):
        yield students[start : start + capacity]
