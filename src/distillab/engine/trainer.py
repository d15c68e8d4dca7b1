"""Students that train side by side: the only module that knows the student axis.

A cohort is a set of students that share data, architecture, batch size and number of steps, and differ in numbers:
alpha, temperature, learning rate, labels, teacher, initial weights, order. One compiled program trains one epoch of all
of them. The student axis is sharded over the devices; inside a CPU device the students train one after another, inside
a GPU or TPU they are vectorised. Nothing passes between students, so a student's numbers do not depend on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from distillab.data.array_store import is_mapped
from distillab.engine.convolutions import form_of_one, form_side_by_side
from distillab.engine.devices import AXIS, compiler_options, inside
from distillab.engine.functional import Functional
from distillab.engine.host_inputs import CHUNK, HELD, HostInputs
from distillab.engine.inputs import unstructured
from distillab.engine.randomness import epoch_order
from distillab.engine.training import SharedArrays, StudentState, Training
from distillab.engine.types import Epoch, Examples, Footprint, LiveTeacher, Outcome, Recipe, Student
from distillab.tasks import task_named


class CohortTrainer:
    """Trains cohorts of up to `capacity` students on the same examples by the same recipe; compiles once.

    Args:
        model: the students' architecture.
        examples: the shared arrays; placed on every device once.
        recipe: how to train.
        mesh: the devices, along the student axis.
        capacity: slots of a cohort, rounded up to a multiple of the devices; a smaller cohort runs the same program.
        mapping: "loop" or "vmap" inside a device; by default what suits the platform.
        threads: on CPUs, let one operation use several threads; for a cohort of one large model.
        on_host: keep the inputs on the host, and place a chunk of rows at a time; by default where any are mapped.
        chunk: bytes of the inputs on a device at a time, for each student, where they stay on the host.
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
        on_host: bool | None = None,
        chunk: int = CHUNK,
    ) -> None:
        if model.rows is not None and mesh.size > 1:
            raise ValueError("a model whose batch rows are sharded trains one student, on a mesh of one device")
        platform = mesh.devices.flat[0].platform
        self.mapping = mapping or inside(platform)
        if self.mapping == "vmap" and model.form_of is form_of_one:
            model = replace(model, form_of=form_side_by_side)
        self.model, self.examples, self.recipe, self.mesh = model, examples, recipe, mesh
        self.chunk = chunk
        self.capacity, self.threads = -(-capacity // mesh.size) * mesh.size, threads
        self._training = Training(model, recipe, len(examples.x_train), examples.scale)
        self._options = {} if threads else dict(compiler_options(platform))
        self._epoch_programs: dict[tuple[int, int], Any] = {}
        self._by_student = NamedSharding(mesh, PartitionSpec(AXIS))
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        if model.rows is not None:
            self._by_student = self._everywhere = NamedSharding(model.rows, PartitionSpec())
        self._gallery = examples.x_train[:0] if examples.x_examples is None else examples.x_examples
        inputs = (examples.x_train, examples.x_validation, examples.x_test, self._gallery)
        self.on_host = any(map(is_mapped, inputs)) if on_host is None else on_host
        self._host = HostInputs(self._training, examples, self._program, self._rows, chunk) if self.on_host else None
        x_train, x_validation, x_test, x_gallery = ([None] * 4) if self.on_host else map(unstructured, inputs)
        self._shared = jax.device_put(
            SharedArrays(x_train, x_validation, x_test, examples.teacher_logits, x_gallery, examples.weights),
            self._everywhere,
        )
        self._evaluation = self._program(self._training.evaluate)
        self._training_prediction = self._program(self._training.predict_training)
        self._fresh_optimiser = jax.jit(jax.vmap(self._training.optimiser.init), out_shardings=self._by_student)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self._training.steps

    def with_capacity(self, capacity: int) -> CohortTrainer:
        """Make a trainer of the same cohorts with another number of slots.

        Args:
            capacity: slots of a cohort, at least 1.
        """
        options: dict[str, Any] = {"mesh": self.mesh, "mapping": self.mapping, "threads": self.threads}
        options |= {"on_host": self.on_host, "chunk": self.chunk}
        return CohortTrainer(self.model, self.examples, self.recipe, capacity=capacity, **options)

    def train(
        self,
        students: Sequence[Student],
        *,
        on_epoch: Callable[[Epoch], None] = lambda epoch: None,
        live: LiveTeacher | None = None,
        predict_training: bool = False,
    ) -> Outcome:
        """Train a cohort from start to end, and predict the test and validation inputs.

        Args:
            students: from one to `capacity` of them.
            on_epoch: called with the record of each epoch as soon as it ends.
            live: predicts the augmented images of an epoch, once for all students of a seed; needed where the recipe
                has an augmentation and a student has alpha < 1.
            predict_training: whether the trained students also predict their training inputs, without augmentation.
        """
        *_, (_, outcome) = self.stages(students, on_epoch=on_epoch, live=live, predict_training=predict_training)
        return outcome

    def stages(
        self,
        students: Sequence[Student],
        stops: Collection[float] = (),
        *,
        on_epoch: Callable[[Epoch], None] = lambda epoch: None,
        live: LiveTeacher | None = None,
        predict_training: bool = False,
    ) -> Iterator[tuple[float, Outcome]]:
        """Train a cohort as `train` does, and evaluate it on the way.

        Args:
            students: from one to `capacity` of them.
            stops: when to evaluate, in epochs, in (0, recipe.epochs]; within an epoch, after the nearest step but not
                before the first. The end is always evaluated, and comes last.
            on_epoch, live, predict_training: as in `train`.

        Yields:
            Each stop and the students as they were then, in order.
        """
        if self.recipe.augmentation and live is None and any(student.alpha < 1 for student in students):
            raise ValueError("stored logits match unaugmented images: with augmentation, alpha < 1 needs `live`")
        pairs: list[tuple[int, int]] = []
        if self.recipe.augmentation and live is not None:
            # At alpha = 1 too: the distillation loss is recorded there, whatever else is in the cohort.
            pairs = list(dict.fromkeys((student.teacher, student.seed) for student in students))
            students = [replace(s, teacher=pairs.index((s.teacher, s.seed))) for s in students]
        shared, slots = self._shared, self._slots_of(len(students))
        states, counts = self._initial_states(students)
        for epoch in range(self.recipe.epochs):
            if live is not None and pairs:
                shared = self._with_live_logits(shared, [live(teacher, seed, epoch) for teacher, seed in pairs])
            drawn = [epoch_order(s.seed, epoch, *self._order_size) for s in students]
            orders = None if self._host else self._rows(drawn, slots)
            parts, first = [], 0
            for last, reached in self._stops_of_epoch(epoch, stops):
                if self._host:
                    states, record = self._host.steps(first, last, states, shared, counts, drawn, slots, epoch)
                else:
                    program = self._epoch_program(first, last)
                    states, record = program(states, shared, counts, orders, np.int32(epoch))
                parts.append((last - first, Epoch(epoch, *(np.asarray(column)[slots] for column in record))))
                first = last
                if last == self.steps:
                    on_epoch(_joined_epoch(parts))
                if reached:
                    outcome = self._outcome(states, shared, counts, slots, predict_training)
                    yield from ((stop, outcome) for stop in reached)

    def _with_live_logits(self, shared: SharedArrays, logits: list[NDArray[np.float32]]) -> SharedArrays:
        logits = logits + logits[-1:] * (self.capacity - len(logits))  # one shape, one program
        return shared._replace(teacher_logits=jax.device_put(np.stack(logits), self._everywhere))

    def _stops_of_epoch(self, epoch: int, stops: Collection[float]) -> list[tuple[int, list[float]]]:
        """After which steps an epoch is interrupted, and for which stops; its end comes last."""
        steps: dict[int, list[float]] = {self.steps: []}
        for stop in sorted({*stops, float(self.recipe.epochs)}):
            if epoch < stop <= epoch + 1:
                steps.setdefault(max(1, round((stop - epoch) * self.steps)), []).append(stop)
        return sorted(steps.items())

    def _outcome(
        self, states: StudentState, shared: SharedArrays, counts: Any, slots: NDArray[np.intp], predict_training: bool
    ) -> Outcome:
        def gathered(program: Callable[..., Any]) -> Any:
            return jax.tree.map(lambda leaf: np.asarray(leaf)[slots], program(states, shared, counts))

        trained = None
        if self._host:
            inputs = (self.examples.x_test, self.examples.x_validation, self._gallery)
            test, validation, gallery = (self._host.predict(states, shared, counts, x)[slots] for x in inputs)
            if predict_training:
                trained = self._host.decide(states, shared, counts, self.examples.x_train)[slots]
        else:
            test, validation, gallery = gathered(self._evaluation)
            trained = gathered(self._training_prediction) if predict_training else None
        variables = jax.tree.map(lambda leaf: np.asarray(leaf)[slots], states.variables)
        return Outcome(variables, test, validation, trained, None if self.examples.x_examples is None else gallery)

    def footprint(self, student: Student) -> Footprint:
        """Measure the memory that a device needs by the compiler's account of a program for one student a device.

        Args:
            student: any of the cohort's.
        """
        small = self.with_capacity(self.mesh.size)
        states, counts = small._initial_states([student])
        slots = small._slots_of(1)
        order = small._rows([epoch_order(student.seed, 0, *self._order_size)], slots)
        chunk = 0
        if small._host:
            lowered = small._host.lower_steps(states, small._shared, counts, slots)
            chunk = HELD * small._host.chunk_bytes
        else:
            lowered = small._epoch_program(0, small.steps).lower(states, small._shared, counts, order, np.int32(0))
        return Footprint(
            shared=_bytes_of(self._shared),
            slot=2 * (_bytes_of(states) + _bytes_of(order)) // self.mesh.size + chunk,
            working=int(lowered.compile().memory_analysis().temp_size_in_bytes),
            together=self.mapping == "vmap",
        )

    @property
    def _order_size(self) -> tuple[int, int]:
        """Training examples, and the rows of an epoch once its last batch is filled up."""
        return len(self.examples.x_train), self.steps * self.recipe.batch_size

    def _slots_of(self, count: int) -> NDArray[np.intp]:
        """The slots of `count` students: the first ones of every device, spread evenly over the devices."""
        per_device = self.capacity // self.mesh.size
        counts = self._students_per_device(count)
        return np.concatenate([device * per_device + np.arange(students) for device, students in enumerate(counts)])

    def _students_per_device(self, count: int) -> NDArray[np.int32]:
        devices = self.mesh.size
        return (count // devices + (np.arange(devices) < count % devices)).astype(np.int32)

    def _rows(self, rows: Sequence[Any], slots: NDArray[np.intp]) -> jax.Array:
        """Stack one array a student at its slot, the last in the empty ones too, and shard them over the devices."""
        filled = [rows[-1]] * self.capacity
        for slot, row in zip(slots, rows, strict=True):
            filled[slot] = row
        return jax.device_put(np.stack(filled), self._by_student)

    def _initial_states(self, students: Sequence[Student]) -> tuple[StudentState, jax.Array]:
        """Place a cohort on the devices, and count the students of each device."""
        if not 1 <= len(students) <= self.capacity:
            raise ValueError(f"a cohort of {len(students)} students does not fit {self.capacity} slots")
        rows = partial(self._rows, slots=self._slots_of(len(students)))
        variables = jax.tree.map(lambda *leaves: rows(leaves), *(s.initial for s in students))
        labels = np.int32 if task_named(self.recipe.task).discrete else np.float32
        states = StudentState(
            variables=variables,
            optimiser=self._fresh_optimiser(variables.trainable),
            alpha=rows([np.float32(s.alpha) for s in students]),
            temperature=rows([np.float32(s.temperature) for s in students]),
            learning_rate=rows([np.float32(s.learning_rate) for s in students]),
            seed=rows([np.uint32(s.seed % 2**32) for s in students]),
            teacher=rows([np.int32(s.teacher) for s in students]),
            labels=rows([s.labels.astype(labels) for s in students]),
            validation_labels=rows([s.validation_labels.astype(labels) for s in students]),
        )
        return states, jax.device_put(self._students_per_device(len(students)), self._by_student)

    def _epoch_program(self, first: int, last: int) -> Any:
        """The program of an epoch's steps from `first` to before `last`, compiled once."""
        if (first, last) not in self._epoch_programs:
            steps = partial(self._training.epoch, first, last)
            self._epoch_programs[first, last] = self._program(steps, by_student=1, everywhere=1, donate=(0,))
        return self._epoch_programs[first, last]

    def _program(
        self,
        one_student: Callable[..., Any],
        *,
        by_student: int = 0,
        everywhere: int = 0,
        donate: tuple[int, ...] = (),
    ) -> Any:
        """Make the program that does for a whole cohort what `one_student(state, shared, *more)` does for one.

        More are `by_student` arguments that each student has its own of, then `everywhere` ones that all share.
        """

        def shard(states: StudentState, shared: SharedArrays, counts: jax.Array, *more: Any) -> Any:
            mapped, common = more[:by_student], more[by_student:]

            def one(arguments: Any) -> Any:
                state, rows = arguments
                return one_student(state, shared, *rows, *common)

            if self.mapping == "vmap":
                return jax.vmap(one)((states, mapped))
            return _map_sequentially(one, (states, mapped), counts[0])

        if self.model.rows is not None:
            return jax.jit(shard, donate_argnums=donate, compiler_options=self._options)
        own, all_of = PartitionSpec(AXIS), PartitionSpec()
        specs = (own, all_of, own, *[own] * by_student, *[all_of] * everywhere)
        sharded = jax.shard_map(shard, mesh=self.mesh, in_specs=specs, out_specs=own, check_vma=False)
        # Without its sharding stated, an output of no rows would lose it, and the next epoch would compile again.
        return jax.jit(sharded, donate_argnums=donate, out_shardings=self._by_student, compiler_options=self._options)


def _map_sequentially(function: Callable[[Any], Any], arguments: Any, count: jax.Array) -> Any:
    """Apply a function to the first `count` rows of its arguments, one after another.

    The count is not known to the compiler, so the program of a row is the same whatever the number of slots: a
    student's numbers cannot depend on how many others there are.
    """
    row = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), arguments)
    slots = len(jax.tree.leaves(arguments)[0])
    empty = jax.tree.map(lambda leaf: jnp.zeros((slots, *leaf.shape), leaf.dtype), jax.eval_shape(function, row))

    def apply(slot: jax.Array, results: Any) -> Any:
        result = function(jax.tree.map(lambda leaf: leaf[slot], arguments))
        return jax.tree.map(lambda leaf, value: leaf.at[slot].set(value), results, result)

    return lax.fori_loop(0, count, apply, empty)


def _joined_epoch(parts: Sequence[tuple[int, Epoch]]) -> Epoch:
    """One epoch's record from those of its parts, each with its number of steps."""
    (steps, joined), *others = parts
    for more, then in others:
        alive = joined.finite_steps == steps
        mean = {
            name: (steps * getattr(joined, name) + more * getattr(then, name)) / (steps + more)
            for name in ("loss", "label_loss", "distillation_loss")
        }
        last = np.where(alive & (then.finite_steps > steps), then.last_finite_loss, joined.last_finite_loss)
        finite = np.where(alive, then.finite_steps, joined.finite_steps)
        joined = then._replace(**mean, finite_steps=finite, last_finite_loss=last)
        steps += more
    return joined


def _bytes_of(tree: Any) -> int:
    return sum(int(leaf.nbytes) for leaf in jax.tree.leaves(tree))
