"""Students of several outputs: one step by hand, unknown labels, and a single output as if it were the only one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from tests.engine.test_tasks import ALPHA, RATE, ROOM, N, T, drawn, of_kernel, one_step

from distillab.tasks import TASKS, Task
from distillab.tasks.several import Meant, several, with_options


class Of:
    def __init__(self, alpha: float | None = None, weight: float = 1.0) -> None:
        self.alpha, self.weight = alpha, weight


def kind_and_price(**options: Any) -> Task:
    meant = [Meant("kind", TASKS["categorical"], ("a", "b", "c")), Meant("price", TASKS["regression"], ("price",))]
    return with_options(several(meant), options)


def labels() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.column_stack([rng.integers(0, 3, N), rng.normal(size=N)]).astype(np.float32)


def parts_step(task: Task, y: np.ndarray, **options: Any) -> tuple[Any, ...]:
    model, x, teacher, z = drawn(4)
    gradient, outcome, record = one_step(model, x, y, teacher, task="several", parts=task.parts, **options)
    return gradient, outcome, record, x, teacher.astype(np.float64), z


@pytest.mark.parametrize("missing", [False, True])
def test_a_step_follows_the_gradient_worked_out_by_hand(missing: bool) -> None:
    y = labels()
    if missing:
        y[0, 0], y[2, 1], y[4, 1] = np.nan, np.nan, np.nan
    task = kind_and_price(price=Of(0.8, 2.0))
    gradient, outcome, record, x, t, z = parts_step(task, y, unlabelled=missing)
    known = ~np.isnan(y)
    one_hot = np.eye(3)[np.nan_to_num(y[:, 0]).astype(int)]
    of_kind = np.where(known[:, :1], softmax(z[:, :3], -1) - one_hot, 0) / known[:, 0].sum()
    of_teacher = T * (softmax(z[:, :3] / T, -1) - softmax(t[:, :3] / T, -1)) / N
    of_price = np.where(known[:, 1:], 2 * (z[:, 3:] - np.nan_to_num(y[:, 1:])), 0) / known[:, 1].sum()
    price_teacher = 2 * (z[:, 3:] - t[:, 3:]) / N
    by_outputs = np.hstack([ALPHA * of_kind + (1 - ALPHA) * of_teacher, 2 * (0.8 * of_price + 0.2 * price_teacher)])
    np.testing.assert_allclose(gradient, of_kernel(x, by_outputs), atol=10 * ROOM / RATE)
    assert outcome.train_predictions is not None
    np.testing.assert_array_equal(outcome.train_predictions[0][:, 0], outcome.test_logits[0][:, :3].argmax(-1))
    np.testing.assert_array_equal(outcome.train_predictions[0][:, 1], outcome.test_logits[0][:, 3])
    decided = outcome.train_predictions[0]
    right = np.mean((decided == y)[:, 0][known[:, 0]])
    own, truth = decided[known[:, 1], 1], y[known[:, 1], 1]
    r2 = 1 - ((own - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    assert record.validation_accuracy[0] == pytest.approx((right + 2 * r2) / 3, abs=1e-5)


@pytest.mark.parametrize("task", ["categorical", "binary", "multilabel", "regression"])
def test_a_single_output_of_several_trains_as_if_it_were_the_only_one(task: str) -> None:
    width = 1 if task == "binary" else 3
    model, x, teacher, _ = drawn(width)
    rng = np.random.default_rng(2)
    shape = (N,) if task in ("categorical", "binary") else (N, width)
    y = rng.normal(size=shape).astype(np.float32) if task == "regression" else rng.integers(0, 2, shape)
    names = ("no", "yes") if task == "binary" else ("a", "b", "c")
    parts = several([Meant("only", TASKS[task], names)]).parts
    losses = {"loss": "squared", "label_loss": "squared"} if task == "regression" else {}
    alone = one_step(model, x, y, teacher, task=task, **losses)
    packed = one_step(model, x, y.reshape(N, -1).astype(np.float32), teacher, task="several", parts=parts)
    np.testing.assert_array_equal(packed[0], alone[0])
    np.testing.assert_array_equal(packed[1].test_logits, alone[1].test_logits)
    for found, expected in zip(packed[2], alone[2], strict=True):
        np.testing.assert_array_equal(found, expected)
