"""One student's training as pure functions of its arrays: steps of an epoch, predictions. No student axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from distillab.data.inputs import Scale
from distillab.engine.batches import batched_logits
from distillab.engine.functional import Functional, Variables
from distillab.engine.inputs import Inputs, count, scaled, take
from distillab.engine.optimiser import OPTIMISERS, SCHEDULES
from distillab.engine.randomness import example_keys
from distillab.engine.regularisation import constrained, decayed
from distillab.engine.several import decided_by_part, losses_of_outputs, validation_score, weights_of_known
from distillab.engine.teacher_rows import batch_logits
from distillab.engine.types import Recipe
from distillab.losses import LossTerms, label_losses_for, losses_for, objective, objective_of_several
from distillab.tasks import Part, Task, task_named


class StudentState(NamedTuple):
    """One student's arrays."""

    variables: Variables
    optimiser: Any
    alpha: jax.Array
    temperature: jax.Array
    learning_rate: jax.Array
    seed: jax.Array
    teacher: jax.Array
    labels: jax.Array
    validation_labels: jax.Array


class SharedArrays(NamedTuple):
    """The examples, which all students share."""

    x_train: Any
    x_validation: Any
    x_test: Any
    teacher_logits: Any
    x_examples: Any
    weights: Any
    """Of the training examples, (N,); None: each weighs 1."""


class _Carry(NamedTuple):
    """What an epoch carries from step to step."""

    variables: Variables
    optimiser: Any
    sums: jax.Array  # (3,) loss, label loss and distillation loss, added up
    finite_steps: jax.Array
    last_finite_loss: jax.Array


class StepChunk(NamedTuple):
    """Consecutive steps of an epoch with the inputs of their rows, and where the epoch stood before them."""

    rows: Any  # (steps, B), row numbers of whole batches
    inputs: Any  # (steps, B, ...), one array or several by name
    rest: Any  # (R,), the rows of the last batch where it stays short; R may be 0
    rest_inputs: Any  # (R, ...)
    progress: Any  # as `start_of_steps` begins it


Progress = tuple[Any, Any, Any]
"""Sums of the loss and its terms, the number of finite steps and the last finite loss."""


def start_of_steps(first: int) -> Progress:
    """Where an epoch stands before a step.

    Args:
        first: the step, counted from 0.
    """
    return jnp.zeros(3), jnp.int32(first), jnp.float32(jnp.nan)


@dataclass(frozen=True)
class Training:
    """How one student trains and predicts.

    Args:
        model: the architecture.
        recipe: epochs, batch size, losses, optimiser.
        examples: N, the number of training examples.
        scale: stored inputs times this are the model's inputs.
    """

    model: Functional
    recipe: Recipe
    examples: int
    scale: Scale

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.examples // self.recipe.batch_size)

    @cached_property
    def optimiser(self) -> optax.GradientTransformation:
        """The direction of descent for a learning rate of one."""
        return OPTIMISERS[self.recipe.optimiser]()

    @cached_property
    def _schedule(self) -> optax.Schedule:
        return SCHEDULES[self.recipe.schedule](self.steps * self.recipe.epochs)

    def epoch(
        self, first: int, last: int, state: StudentState, shared: SharedArrays, order: jax.Array, epoch: jax.Array
    ) -> tuple[StudentState, tuple[jax.Array, ...]]:
        """Train for the steps of an epoch from `first` to before `last`: a scan over them.

        Args:
            first, last: steps, counted from 0 in the epoch.
            state: the student's arrays.
            shared: the examples.
            order: the epoch's row numbers, filled up to whole batches, shape (steps * batch size,).
            epoch: its number, from 0, a scalar.

        Returns:
            The state after them, and loss, label loss, distillation loss (means), validation accuracy, the number of
            finite steps and the last finite loss.
        """
        start = _Carry(state.variables, state.optimiser, *start_of_steps(first))
        step = partial(self._step, state, shared, epoch)
        batch_size, whole = self.recipe.batch_size, self.whole_steps
        upto = min(last, whole)
        rows = order[first * batch_size : upto * batch_size].reshape(upto - first, batch_size)
        numbers = jnp.arange(first * batch_size, upto * batch_size)
        weights = (numbers < self.examples).astype(jnp.float32).reshape(rows.shape)
        end, _ = lax.scan(step, start, (jnp.arange(first, upto), rows, weights, None))
        if upto < last:
            rest = order[whole * batch_size : self.examples]
            end, _ = step(end, (jnp.int32(whole), rest, jnp.ones(len(rest)), None))
        after = state._replace(variables=end.variables, optimiser=end.optimiser)
        means = end.sums / (last - first)
        accuracy = jnp.float32(jnp.nan)
        if count(shared.x_validation):
            accuracy = self.judge(state, shared, self.decide(after, shared, shared.x_validation))
        return after, (means[0], means[1], means[2], accuracy, end.finite_steps, end.last_finite_loss)

    @property
    def whole_steps(self) -> int:
        """Steps of whole batches: all but the last where it stays short."""
        # The last batch is filled up with rows of no weight; where a batch's rows see each other, it stays short.
        return self.examples // self.recipe.batch_size if self.model.depends_on_batch else self.steps

    def chunk(
        self, state: StudentState, shared: SharedArrays, chunk: StepChunk, epoch: jax.Array, first: jax.Array
    ) -> tuple[StudentState, Progress]:
        """Train for some steps of an epoch whose inputs come along, exactly as `epoch` does.

        Args:
            state: the student's arrays.
            shared: the examples, without inputs.
            chunk: rows and inputs of the steps.
            epoch, first: numbers of the epoch and of the first step, from 0, scalars.

        Returns:
            The state after them, and where the epoch then stands.
        """
        start = _Carry(state.variables, state.optimiser, *chunk.progress)
        step = partial(self._step, state, shared, epoch)
        steps, batch_size = chunk.rows.shape
        numbers = first * batch_size + jnp.arange(steps * batch_size)
        weights = (numbers < self.examples).astype(jnp.float32).reshape(chunk.rows.shape)
        end, _ = lax.scan(step, start, (first + jnp.arange(steps), chunk.rows, weights, chunk.inputs))
        if len(chunk.rest):
            ones = jnp.ones(len(chunk.rest))
            end, _ = step(end, (jnp.int32(self.whole_steps), chunk.rest, ones, chunk.rest_inputs))
        after = state._replace(variables=end.variables, optimiser=end.optimiser)
        return after, (end.sums, end.finite_steps, end.last_finite_loss)

    def _step(
        self,
        state: StudentState,
        shared: SharedArrays,
        epoch: jax.Array,
        carry: _Carry,
        batch: tuple[jax.Array, jax.Array, jax.Array, Inputs | None],
    ) -> tuple[_Carry, None]:
        """One step: a batch, its gradient, and the optimiser's move."""
        number, rows, weight, given = batch
        # Rows are gathered as stored, all at once; fused with what follows they would be read number by number.
        inputs = self._inputs(lax.optimization_barrier(take(shared.x_train, rows) if given is None else given))
        if self.recipe.augmentation:
            inputs = self.recipe.augmentation(example_keys("augmentation", state.seed, epoch, rows), inputs)
        labels, label_weights = state.labels[rows], None
        if self.recipe.unlabelled:
            known = self._known(state.labels)
            if self.recipe.parts:
                label_weights = weights_of_known(self.recipe.parts, known, rows)
            else:
                label_weights = jnp.where(known[rows], known.size / jnp.maximum(1, jnp.sum(known)), 0)
            labels = jnp.where(known[rows], labels, 0)

        example_weights = None if shared.weights is None else shared.weights[rows]

        def loss(trainable: Any) -> tuple[jax.Array, Any]:
            output = self.model(Variables(trainable, carry.variables.fixed), inputs, training=True)
            told = batch_logits(shared.teacher_logits, state.teacher, rows, output.logits.shape[-1])
            weights = _at_positions(weight, output.mask)
            further = {"label_weights": label_weights, "example_weights": example_weights}
            terms = self._terms(state, (output.logits, told, labels, weights), further)
            whole = terms.loss + output.penalty
            return whole, (terms._replace(loss=whole), output.fixed)

        gradient, (terms, fixed) = jax.grad(loss, has_aux=True)(carry.variables.trainable)
        if self.recipe.weight_decay:
            gradient = decayed(gradient, carry.variables.trainable, self.recipe.weight_decay)
        direction, optimiser = self.optimiser.update(gradient, carry.optimiser, carry.variables.trainable)
        rate = state.learning_rate * self._schedule(epoch * self.steps + number)
        trainable = optax.tree.add_scale(carry.variables.trainable, -rate, direction)
        if self.recipe.max_norm is not None:
            trainable = constrained(trainable, self.recipe.max_norm)
        alive = jnp.isfinite(terms.loss) & (carry.finite_steps == number)
        return _Carry(
            Variables(trainable, fixed),
            optimiser,
            carry.sums + jnp.stack(terms),
            carry.finite_steps + alive,
            jnp.where(alive, terms.loss, carry.last_finite_loss),
        ), None

    def _terms(
        self,
        state: StudentState,
        arrays: tuple[jax.Array, jax.Array, jax.Array, jax.Array],
        weights: Mapping[str, jax.Array | None],
    ) -> LossTerms:
        """The objective of a batch: of one output, or of several packed ones."""
        numbers: dict[str, Any] = {"alpha": state.alpha, "temperature": state.temperature, **weights}
        if self.recipe.parts:
            return objective_of_several(*arrays, losses_of_outputs(self.recipe), **numbers)
        return objective(
            *arrays,
            distillation_loss=losses_for(self.recipe.task)[self.recipe.loss],
            label_loss=label_losses_for(self.recipe.task)[self.recipe.label_loss],
            **numbers,
        )

    def evaluate(self, state: StudentState, shared: SharedArrays) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Predict the logits of the test inputs (M, ..., C), the validation inputs and the gallery's.

        Args:
            state: the student's arrays.
            shared: the examples.
        """
        test, validation, gallery = (
            self._logits(state.variables, x) for x in (shared.x_test, shared.x_validation, shared.x_examples)
        )
        return test, validation, gallery

    def predict_training(self, state: StudentState, shared: SharedArrays) -> jax.Array:
        """Predict the training inputs without augmentation: decisions or real outputs, in the labels' shape.

        Args:
            state: the student's arrays.
            shared: the examples.
        """
        return self.decide(state, shared, shared.x_train)

    def decide(self, state: StudentState, shared: SharedArrays, inputs: Inputs) -> jax.Array:
        """Predict inputs without augmentation: decisions or real outputs, in the labels' shape.

        Args:
            state: the student's arrays.
            shared: not used.
            inputs: as stored, (M, ...).
        """
        return self._decided(self._logits(state.variables, inputs))

    def predict(self, state: StudentState, shared: SharedArrays, inputs: Inputs) -> jax.Array:
        """Predict the logits of inputs, (M, ..., C).

        Args:
            state: the student's arrays.
            shared: not used.
            inputs: as stored, (M, ...).
        """
        return self._logits(state.variables, inputs)

    def judge(self, state: StudentState, shared: SharedArrays, decided: jax.Array) -> jax.Array:
        """The share of right decisions; for real outputs R2, the share of the variance that is explained.

        Args:
            state: the student's arrays, with the labels.
            shared: not used.
            decided: of all validation inputs, as `decide` gives them.
        """
        labels = state.validation_labels
        if self.recipe.parts:
            return validation_score(self.recipe.parts, _part_score, decided, labels)
        return _score(self._task.discrete, decided, labels, self._known(labels))

    def _decided(self, logits: jax.Array) -> jax.Array:
        if self.recipe.parts:
            return decided_by_part(self.recipe.parts, _decided, logits)
        return _decided(self._task.name, logits)

    @property
    def _task(self) -> Task:
        return task_named(self.recipe.task)

    def _known(self, labels: jax.Array) -> jax.Array:
        return labels >= 0 if self._task.discrete else ~jnp.isnan(labels)

    def _logits(self, variables: Variables, inputs: Inputs) -> jax.Array:
        return batched_logits(lambda rows: self.model(variables, self._inputs(rows), training=False).logits, inputs)

    def _inputs(self, stored: Inputs) -> Inputs:
        return scaled(stored, self.scale)


def _decided(task: str, logits: jax.Array) -> jax.Array:
    """What outputs say: class numbers, 0 and 1, or real numbers as they are."""
    match task:
        case "categorical":
            return jnp.argmax(logits, axis=-1).astype(jnp.int32)
        case "binary":
            return (logits[..., 0] > 0).astype(jnp.int32)
        case "multilabel":
            return (logits > 0).astype(jnp.int32)
        case _:
            return logits


def _score(discrete: bool, decided: jax.Array, labels: jax.Array, known: jax.Array) -> jax.Array:
    if discrete:
        return jnp.sum((decided == labels) & known) / jnp.sum(known)
    mean = jnp.nanmean(labels, axis=0)
    left, whole = (jnp.sum(jnp.where(known, (y - labels) ** 2, 0)) for y in (decided, mean))
    return 1 - left / whole


def _part_score(part: Part, decided: jax.Array, labels: jax.Array) -> jax.Array:
    return _score(part.task.discrete, decided, labels, ~jnp.isnan(labels))


def _at_positions(weights: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Weights of examples, or where a model masks positions, of the positions of examples."""
    if mask is None:
        return weights
    return weights.reshape(len(weights), *[1] * (mask.ndim - 1)) * mask
