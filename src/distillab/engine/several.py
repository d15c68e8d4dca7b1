"""What the engine does once for each of several outputs: its losses, its decisions, its validation score."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from distillab.engine.types import Recipe
from distillab.losses import OutputLosses, label_losses_for, losses_for
from distillab.tasks import Part


def losses_of_outputs(recipe: Recipe) -> list[OutputLosses]:
    """The losses of each output: those of the recipe where its task has them, otherwise its task's own.

    Args:
        recipe: of several outputs.
    """
    return [
        OutputLosses(
            outputs=slice(*part.outputs),
            labels=slice(*part.labels),
            distillation_loss=losses_for(part.task.name)[_defined(recipe.loss, part.task.losses)],
            label_loss=label_losses_for(part.task.name)[_label_loss(recipe, part)],
            numbers=not part.task.discrete,
            single=part.task.exclusive,
            weight=part.weight,
            alpha=part.alpha,
        )
        for part in recipe.parts
    ]


def _defined(wanted: str, allowed: tuple[str, ...]) -> str:
    return wanted if wanted in allowed else allowed[0]


def _label_loss(recipe: Recipe, part: Part) -> str:
    # Squared errors of classes make outputs that are no logits; of several outputs, the word means real numbers.
    allowed = part.task.label_losses
    return allowed[0] if part.task.discrete else _defined(recipe.label_loss, allowed)


def weights_of_known(parts: tuple[Part, ...], known: jax.Array, rows: jax.Array) -> jax.Array:
    """The weights of a batch's labels: 0 for unknown ones; the known ones of each output weigh as much as all would.

    Args:
        parts: the outputs.
        known: of all training labels, packed, shape (N, L).
        rows: of the batch, shape (B,).

    Returns:
        Shape (B, L).
    """

    def of(part: Part) -> jax.Array:
        own = known[:, slice(*part.labels)]
        return jnp.where(own[rows], own.size / jnp.maximum(1, jnp.sum(own)), 0)

    return jnp.concatenate([of(part) for part in parts], axis=-1)


def decided_by_part(
    parts: tuple[Part, ...], decided: Callable[[str, jax.Array], jax.Array], outputs: jax.Array
) -> jax.Array:
    """What packed outputs say, in the form of packed labels.

    Args:
        parts: the outputs.
        decided: of a single output, by its task's name.
        outputs: shape (B, C').

    Returns:
        float32 (B, L): class numbers, 0 and 1, and real numbers as they are.
    """
    own = [decided(part.task.name, outputs[:, slice(*part.outputs)]) for part in parts]
    return jnp.concatenate([each.reshape(len(outputs), -1).astype(jnp.float32) for each in own], axis=-1)


def validation_score(
    parts: tuple[Part, ...],
    score: Callable[[Part, jax.Array, jax.Array], jax.Array],
    decided: jax.Array,
    labels: jax.Array,
) -> jax.Array:
    """The weighted mean over outputs of the share of right decisions, and of R2 for real numbers.

    Args:
        parts: the outputs.
        score: of a single output, from its decisions and labels.
        decided, labels: packed, shape (V, L).
    """
    columns = [slice(*part.labels) for part in parts]
    values = [score(part, decided[:, each], labels[:, each]) for part, each in zip(parts, columns, strict=True)]
    weighted = [part.weight * value for part, value in zip(parts, values, strict=True)]
    return sum(weighted, start=jnp.float32(0)) / sum(part.weight for part in parts)
