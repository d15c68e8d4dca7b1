"""Students that train side by side: the only module that knows the student axis.

A cohort is a set of students that share data, architecture, batch size and number of steps, and differ in numbers:
alpha, temperature, learning rate, labels, teacher, initial weights, order. One compiled program trains one epoch of all
of them. The student axis is sharded over the devices; inside a CPU device the students take turns, inside a GPU or TPU
they are vectorised. Nothing passes between students, so a student's numbers do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from distillab.engine.batches import batched_logits
from distillab.engine.devices import AXIS, compiler_options, inside
from distillab.engine.functional import Functional, Variables
from distillab.engine.optimiser import OPTIMISERS, SCHEDULES
from distillab.engine.randomness import epoch_order, example_keys
from distillab.engine.sequential import take_turns
from distillab.engine.types import Epoch, Examples, Footprint, LiveTeacher, Outcome, Recipe, Student
from distillab.losses import LABEL_LOSSES, LOSSES, objective


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
    x_shown: Any


class _Progress(NamedTuple):
    """What one student's epoch carries from step to step."""

    variables: Variables
    optimiser: Any
    sums: jax.Array  # (3,) loss, hard and soft, added up
    finite_steps: jax.Array
    last_finite_loss: jax.Array


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
        self._distillation_loss, self._label_loss = LOSSES[recipe.loss], LABEL_LOSSES[recipe.label_loss]
        if model.rows is not None and mesh.size > 1:
            raise ValueError("a model whose rows are shared out has one student, on a mesh of one device")
        self._epoch_programs: dict[tuple[int, int], Any] = {}
        self._by_student = NamedSharding(mesh, PartitionSpec(AXIS))
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        if model.rows is not None:
            self._by_student = self._everywhere = NamedSharding(model.rows, PartitionSpec())
        shown = examples.x_train[:0] if examples.x_shown is None else examples.x_shown
        self._shared = jax.device_put(
            _Shared(examples.x_train, examples.x_validation, examples.x_test, examples.teacher_logits, shown),
            self._everywhere,
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
        *_, (_, outcome) = self.stages(students, on_epoch=on_epoch, live=live, answer_training=answer_training)
        return outcome

    def stages(
        self,
        students: Sequence[Student],
        stops: Collection[float] = (),
        *,
        on_epoch: Callable[[Epoch], None] = lambda epoch: None,
        live: LiveTeacher | None = None,
        answer_training: bool = False,
    ) -> Iterator[tuple[float, Outcome]]:
        """Train a cohort as `train` does, and look at it on the way.

        Args:
            students: from one to `capacity` of them.
            stops: when to look, in epochs, in (0, recipe.epochs]; within an epoch, after the nearest step but not
                before the first. The end is always looked at, and comes last.
            on_epoch, live, answer_training: as in `train`.

        Yields:
            Each stop and the students as they were then, in order.
        """
        shared, places = self._shared, self._places(len(students))
        if self.recipe.augmentation and live is None and any(student.alpha < 1 for student in students):
            raise ValueError("stored logits do not answer changed images: with augmentation, alpha < 1 needs `live`")
        if self.recipe.augmentation and live is not None:
            # At alpha = 1 too: the teacher's term is on record there, whoever sits in the same cohort.
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
            orders = self._rows([epoch_order(s.seed, epoch, *self._span) for s in students], places)
            stretches, first = [], 0
            for last, looks in self._looks(epoch, stops):
                program = self._epoch_program(first, last)
                seats, record = program(seats, shared, occupied, orders, np.int32(epoch))
                stretches.append((last - first, Epoch(epoch, *(np.asarray(column)[places] for column in record))))
                first = last
                if last == self.steps:
                    on_epoch(_joined(stretches))
                if looks:
                    outcome = self._outcome(seats, shared, occupied, places, answer_training)
                    yield from ((stop, outcome) for stop in looks)

    def _looks(self, epoch: int, stops: Collection[float]) -> list[tuple[int, list[float]]]:
        """After which steps an epoch is interrupted, and for which stops; its end comes last."""
        looks: dict[int, list[float]] = {self.steps: []}
        for stop in sorted({*stops, float(self.recipe.epochs)}):
            if epoch < stop <= epoch + 1:
                looks.setdefault(max(1, round((stop - epoch) * self.steps)), []).append(stop)
        return sorted(looks.items())

    def _outcome(
        self, seats: _Seats, shared: _Shared, occupied: jax.Array, places: NDArray[np.intp], answer_training: bool
    ) -> Outcome:
        test, validation = self._answer_program(seats, shared, occupied)
        answers = self._training_program(seats, shared, occupied) if answer_training else None
        shown = None if self.examples.x_shown is None else self._shown_program(seats, shared, occupied)
        variables = jax.tree.map(lambda leaf: np.asarray(leaf)[places], seats.variables)
        return Outcome(
            variables,
            np.asarray(test)[places],
            np.asarray(validation)[places],
            None if answers is None else np.asarray(answers)[places],
            None if shown is None else np.asarray(shown)[places],
        )

    def footprint(self, student: Student) -> Footprint:
        """Measure the memory of a cohort: the compiler's own account of a program for one student a device."""
        small = replace_capacity(self, self.mesh.size)
        seats, occupied = small._seat([student])
        order = small._rows([epoch_order(student.seed, 0, *self._span)], small._places(1))
        program = (
            small._epoch_program(0, small.steps).lower(seats, small._shared, occupied, order, np.int32(0)).compile()
        )
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

    def _places(self, count: int) -> NDArray[np.intp]:
        """The seats of so many students: the first ones of every device, and as many on each as on the others."""
        per_device = self.capacity // self.mesh.size
        taken = self._taken(count)
        return np.concatenate([device * per_device + np.arange(seats) for device, seats in enumerate(taken)])

    def _taken(self, count: int) -> NDArray[np.int32]:
        """How many seats of each device so many students take."""
        devices = self.mesh.size
        return (count // devices + (np.arange(devices) < count % devices)).astype(np.int32)

    def _rows(self, rows: Sequence[Any], places: NDArray[np.intp]) -> jax.Array:
        """Stack one array a student at its seat, the last on the empty ones too, and shard them over the devices."""
        filled = [rows[-1]] * self.capacity
        for place, row in zip(places, rows, strict=True):
            filled[place] = row
        return jax.device_put(np.stack(filled), self._by_student)

    def _seat(self, students: Sequence[Student]) -> tuple[_Seats, jax.Array]:
        """Place a cohort on the devices, and say how many seats of each device are taken."""
        if not 1 <= len(students) <= self.capacity:
            raise ValueError(f"a cohort of {len(students)} students does not fit {self.capacity} seats")
        rows = partial(self._rows, places=self._places(len(students)))
        variables = jax.tree.map(lambda *leaves: rows(leaves), *(s.initial for s in students))
        seats = _Seats(
            variables=variables,
            optimiser=self._fresh_optimiser(variables.trainable),
            alpha=rows([np.float32(s.alpha) for s in students]),
            temperature=rows([np.float32(s.temperature) for s in students]),
            learning_rate=rows([np.float32(s.learning_rate) for s in students]),
            seed=rows([np.uint32(s.seed % 2**32) for s in students]),
            teacher=rows([np.int32(s.teacher) for s in students]),
            labels=rows([s.labels.astype(np.int32) for s in students]),
            validation_labels=rows([s.validation_labels.astype(np.int32) for s in students]),
        )
        return seats, jax.device_put(self._taken(len(students)), self._by_student)

    @cached_property
    def _fresh_optimiser(self) -> Callable[..., Any]:
        return jax.jit(jax.vmap(self._optimiser.init), out_shardings=self._by_student)

    def _epoch_program(self, first: int, last: int) -> Any:
        """The program of an epoch's steps from `first` to before `last`, compiled once."""
        if (first, last) not in self._epoch_programs:
            steps = partial(self._train_epoch, first, last)
            self._epoch_programs[first, last] = self._program(steps, extra=2, donate=(0,))
        return self._epoch_programs[first, last]

    @cached_property
    def _answer_program(self) -> Callable[..., Any]:
        return self._program(self._answer, extra=0)

    @cached_property
    def _training_program(self) -> Callable[..., Any]:
        return self._program(self._answer_training, extra=0)

    @cached_property
    def _shown_program(self) -> Callable[..., Any]:
        return self._program(lambda seat, shared: self._logits(seat.variables, shared.x_shown), extra=0)

    def _program(self, one_student: Callable[..., Any], *, extra: int, donate: tuple[int, ...] = ()) -> Any:
        """Make the program that does for a whole cohort what `one_student(seat, shared, *extra)` does for one."""

        def shard(seats: _Seats, shared: _Shared, occupied: jax.Array, *more: jax.Array) -> Any:
            mapped, scalars = more[:1], more[1:]

            def one(arguments: Any) -> Any:
                seat, rows = arguments
                return one_student(seat, shared, *rows, *scalars)

            if self.mapping == "vmap":
                return jax.vmap(one)((seats, mapped))
            return take_turns(one, (seats, mapped), occupied[0])

        if self.model.rows is not None:
            return jax.jit(shard, donate_argnums=donate, compiler_options=self._options)
        by_student, everywhere = PartitionSpec(AXIS), PartitionSpec()
        specs = (by_student, everywhere, by_student, *(by_student, everywhere)[:extra])
        sharded = jax.shard_map(shard, mesh=self.mesh, in_specs=specs, out_specs=by_student, check_vma=False)
        return jax.jit(sharded, donate_argnums=donate, compiler_options=self._options)

    def _train_epoch(
        self, first: int, last: int, seat: _Seats, shared: _Shared, order: jax.Array, epoch: jax.Array
    ) -> tuple[_Seats, tuple[jax.Array, ...]]:
        """Train one student for an epoch, or for some of its steps: a scan over them."""
        start = _Progress(seat.variables, seat.optimiser, jnp.zeros(3), jnp.int32(first), jnp.float32(jnp.nan))
        step = partial(self._step, seat, shared, epoch)
        examples, batch_size = len(self.examples.x_train), self.recipe.batch_size
        # The last batch is filled up with rows of no weight; where a batch's rows see each other, it stays short.
        whole = examples // batch_size if self.model.depends_on_batch else self.steps
        upto = min(last, whole)
        rows = order[first * batch_size : upto * batch_size].reshape(upto - first, batch_size)
        numbers = jnp.arange(first * batch_size, upto * batch_size)
        weights = (numbers < examples).astype(jnp.float32).reshape(rows.shape)
        end, _ = lax.scan(step, start, (jnp.arange(first, upto), rows, weights))
        if upto < last:
            rest = order[whole * batch_size : examples]
            end, _ = step(end, (jnp.int32(whole), rest, jnp.ones(len(rest))))
        after = seat._replace(variables=end.variables, optimiser=end.optimiser)
        means = end.sums / (last - first)
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

        labels, counted = seat.labels[rows], None
        if self.recipe.unlabelled:
            known = seat.labels >= 0
            counted = jnp.where(known[rows], len(known) / jnp.maximum(1, jnp.sum(known)), 0)
            labels = jnp.maximum(labels, 0)

        def loss(trainable: Any) -> tuple[jax.Array, Any]:
            variables = Variables(trainable, progress.variables.fixed)
            answer = self.model(variables, inputs, training=True)
            terms = objective(
                answer.logits,
                shared.teacher_logits[seat.teacher, rows],
                labels,
                weight,
                alpha=seat.alpha,
                temperature=seat.temperature,
                distillation_loss=self._distillation_loss,
                label_loss=self._label_loss,
                label_weights=counted,
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


def _joined(stretches: Sequence[tuple[int, Epoch]]) -> Epoch:
    """One epoch's record from those of its stretches, each with its number of steps."""
    (steps, joined), *others = stretches
    for more, then in others:
        alive = joined.finite_steps == steps
        mean = {
            name: (steps * getattr(joined, name) + more * getattr(then, name)) / (steps + more)
            for name in ("loss", "hard", "soft")
        }
        last = np.where(alive & (then.finite_steps > steps), then.last_finite_loss, joined.last_finite_loss)
        finite = np.where(alive, then.finite_steps, joined.finite_steps)
        joined = then._replace(**mean, finite_steps=finite, last_finite_loss=last)
        steps += more
    return joined


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


def chunks(students: Sequence[Any], capacity: int) -> Iterator[Sequence[Any]]:
    """Cut students into cohorts of at most `capacity`, in order."""
    for start in range(0, len(students), capacity):
        yield students[start : start + capacity]
