"""Predictions at many positions: every loss of every task takes each position as an example of its own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distillab.losses import label_losses_for, losses_for, relates_examples
from distillab.tasks import TASKS

EPSILON = 2.0**-23  # float32: spacing of the numbers at 1
LOSSES = {(task, name): loss for task in TASKS for name, loss in losses_for(task).items()}
LABEL_LOSSES = {(task, name): loss for task in TASKS for name, loss in label_losses_for(task).items()}
ALONE = [key for key, loss in LOSSES.items() if not relates_examples(loss)]


def drawn(task: str, *, batch: int = 3, positions: tuple[int, ...] = (2, 4)) -> tuple[np.ndarray, ...]:
    """Outputs of student and teacher, (B, P..., C'), and labels in the task's canonical form."""
    rng = np.random.default_rng(1)
    width = TASKS[task].outputs(3)
    student, teacher = (2 * rng.standard_normal((2, batch, *positions, width))).astype(np.float32)
    if task == "regression":
        return student, teacher, rng.standard_normal(student.shape).astype(np.float32)
    shape = student.shape if task == "multilabel" else student.shape[:-1]
    return student, teacher, rng.integers(0, 3 if task == "categorical" else 2, shape).astype(np.int32)


def flat(array: np.ndarray, axes: int) -> np.ndarray:
    """The batch and the positions as one axis."""
    return array.reshape(-1, *array.shape[axes:])


quick_of_each_task = pytest.mark.parametrize(
    ("task", "name"),
    [pytest.param(task, name, marks=[] if name in ("kl", "bounded") else pytest.mark.slow) for task, name in ALONE],
)


@pytest.mark.parametrize("positions", [(4,), (2, 4)])
@quick_of_each_task
def test_a_position_costs_what_an_example_with_its_outputs_costs(task: str, name: str, positions: tuple[int, ...]):
    student, teacher, labels = drawn(task, positions=positions)
    axes = 1 + len(positions)

    def total(z: Any, *others: Any) -> Any:
        values = LOSSES[task, name](z, *others, temperature=2.0)
        return jnp.sum(values), values

    (_, maps), slopes = jax.value_and_grad(total, has_aux=True)(student, teacher, labels)
    (_, rows), flat_slopes = jax.value_and_grad(total, has_aux=True)(
        *(flat(array, axes) for array in (student, teacher, labels))
    )
    assert maps.shape == student.shape[:-1]
    np.testing.assert_allclose(flat(maps, axes), rows, rtol=0, atol=16 * EPSILON * max(1, np.abs(rows).max()))
    np.testing.assert_allclose(
        flat(slopes, axes), flat_slopes, rtol=0, atol=16 * EPSILON * max(1, np.abs(flat_slopes).max())
    )


@quick_of_each_task
def test_an_examples_own_temperature_holds_at_all_its_positions(task: str, name: str):
    arrays = drawn(task)
    temperatures = np.array([0.5, 2.0, 5.0], np.float32)
    maps = np.asarray(LOSSES[task, name](*arrays, temperature=temperatures))
    assert maps.shape == arrays[0].shape[:-1]
    for row, T in enumerate(temperatures):
        alone = LOSSES[task, name](*(array[row : row + 1] for array in arrays), temperature=float(T))[0]
        np.testing.assert_allclose(maps[row], alone, rtol=0, atol=16 * EPSILON * max(1, np.abs(alone).max()))


@pytest.mark.parametrize(("task", "name"), LABEL_LOSSES)
def test_a_label_loss_has_a_value_for_each_entry_of_the_labels(task: str, name: str):
    student, _, labels = drawn(task)
    maps = np.asarray(LABEL_LOSSES[task, name](student, labels))
    assert maps.shape == labels.shape
    rows = LABEL_LOSSES[task, name](flat(student, 3), flat(labels, 3))
    np.testing.assert_allclose(flat(maps, 3), rows, rtol=0, atol=16 * EPSILON * max(1, np.abs(rows).max()))
