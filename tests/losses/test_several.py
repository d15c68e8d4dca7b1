"""The objective of several outputs: a sum of single ones, each with its own columns, losses, weight and alpha."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax

from distillab.losses import LossTerms, OutputLosses, label_losses_for, losses_for, objective, objective_of_several

EPSILON = 2.0**-23
N, ALPHA, T = 6, 0.3, 2.0


def output(task: str, outputs: slice, labels: slice, weight: float = 1.0, alpha: float | None = None) -> OutputLosses:
    single = task in ("categorical", "binary")
    losses = next(iter(losses_for(task).values())), next(iter(label_losses_for(task).values()))
    return OutputLosses(outputs, labels, *losses, task == "regression", single, weight, alpha)


KIND = output("categorical", slice(0, 3), slice(0, 1), 0.5)
PRICE = output("regression", slice(3, 5), slice(1, 3), 2.0, 0.8)
OLD = output("binary", slice(5, 6), slice(3, 4), 1.5)


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    student, teacher = (2 * rng.standard_normal((2, N, 6))).astype(np.float32)
    labels = np.column_stack([rng.integers(0, 3, N), rng.normal(size=(N, 2)), rng.integers(0, 2, N)])
    return student, teacher, labels.astype(np.float32)


def terms(*arrays: Any, outputs: list[OutputLosses], **options: Any) -> LossTerms:
    return objective_of_several(
        *map(jnp.asarray, arrays), jnp.ones(len(arrays[0])), outputs, alpha=ALPHA, temperature=T, **options
    )


def reference(student: np.ndarray, teacher: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """The formula in float64: weights 0.5, 2 and 1.5; alpha 0.3, but 0.8 of the numbers."""
    z, t, y = (array.astype(np.float64) for array in (student, teacher, labels))
    p = softmax(t[:, :3] / T, -1)
    kind = -log_softmax(z[:, :3], -1)[np.arange(N), y[:, 0].astype(int)].mean()
    kind_d = T**2 * (p * (np.log(p) - log_softmax(z[:, :3] / T, -1))).sum(-1).mean()
    price, price_d = ((z[:, 3:5] - y[:, 1:3]) ** 2).mean(), ((z[:, 3:5] - t[:, 3:5]) ** 2).mean()
    old = (np.logaddexp(0, z[:, 5]) - y[:, 3] * z[:, 5]).mean()
    q, s = expit(t[:, 5] / T), expit(z[:, 5] / T)
    old_d = T**2 * (q * np.log(q / s) + (1 - q) * np.log((1 - q) / (1 - s))).mean()
    from_labels = 0.5 * kind + 2 * price + 1.5 * old
    from_teacher = 0.5 * kind_d + 2 * price_d + 1.5 * old_d
    mixed = ALPHA * (0.5 * kind + 1.5 * old) + (1 - ALPHA) * (0.5 * kind_d + 1.5 * old_d)
    return mixed + 2 * (0.8 * price + 0.2 * price_d), from_labels, from_teacher


def test_the_sum_is_the_one_worked_by_hand() -> None:
    # Binary: student 0, label 1: log 2 = 0.693147; teacher 0: divergence 0. Weight 1, alpha 0.3: 0.207944.
    # Number: student 1, label 2: 1; teacher 3: 4. Weight 2, own alpha 0.8: 2 (0.8 * 1 + 0.2 * 4) = 3.2.
    outputs = [output("binary", slice(0, 1), slice(0, 1)), output("regression", slice(1, 2), slice(1, 2), 2.0, 0.8)]
    student, teacher, labels = np.array([[0.0, 1.0]]), np.array([[0.0, 3.0]]), np.array([[1.0, 2.0]])
    np.testing.assert_allclose(terms(student, teacher, labels, outputs=outputs), [3.407944, 2.693147, 8.0], atol=1e-6)


def test_the_sum_agrees_with_numpy_in_float64() -> None:
    found = terms(*drawn(), outputs=[KIND, PRICE, OLD])
    np.testing.assert_allclose(found, reference(*drawn()), atol=1e2 * EPSILON, rtol=4 * EPSILON)


def test_the_order_of_outputs_does_not_matter() -> None:
    student, teacher, labels = drawn()
    order, of_labels = [5, 0, 1, 2, 3, 4], [3, 0, 1, 2]
    moved = [
        OLD._replace(outputs=slice(0, 1), labels=slice(0, 1)),
        KIND._replace(outputs=slice(1, 4), labels=slice(1, 2)),
        PRICE._replace(outputs=slice(4, 6), labels=slice(2, 4)),
    ]
    before = terms(student, teacher, labels, outputs=[KIND, PRICE, OLD])
    after = terms(student[:, order], teacher[:, order], labels[:, of_labels], outputs=moved)
    np.testing.assert_allclose(after, before, rtol=4 * EPSILON)


def test_an_output_of_weight_0_counts_for_nothing() -> None:
    arrays = drawn()
    without = terms(*arrays, outputs=[KIND, OLD])
    np.testing.assert_array_equal(terms(*arrays, outputs=[KIND, PRICE._replace(weight=0.0), OLD]), without)


@pytest.mark.parametrize("task", ["categorical", "binary", "multilabel", "regression"])
def test_one_output_is_the_objective_of_a_single_one_to_the_bit(task: str) -> None:
    rng, width = np.random.default_rng(1), 1 if task == "binary" else 3
    student, teacher = rng.standard_normal((2, N, width)).astype(np.float32)
    shape = (N,) if task in ("categorical", "binary") else (N, width)
    labels = rng.normal(size=shape).astype(np.float32) if task == "regression" else rng.integers(0, 2, shape)
    weights = jnp.asarray([1.0] * (N - 2) + [0.0] * 2)
    of = output(task, slice(0, width), slice(0, labels.reshape(N, -1).shape[1]))
    options = {"alpha": jnp.float32(ALPHA), "temperature": jnp.float32(T)}
    packed = jnp.asarray(labels.reshape(N, -1).astype(np.float32))
    found = objective_of_several(student, teacher, packed, weights, [of], **options)
    alone = objective(
        student, teacher, jnp.asarray(labels), weights,
        distillation_loss=of.distillation_loss, label_loss=of.label_loss, **options,
    )  # fmt: skip
    np.testing.assert_array_equal(found, alone)
