"""Losses of real outputs: by hand, against float64, and the properties that each must have.

One table, `CONTRACTS`, has a row for every loss of the regression task, and for every label loss the teacher's row of
the same name: the labels then stand in the teacher's place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.losses.slopes import central_differences

from distillab.losses import label_losses_for, losses_for, teacher_bounded

EPSILON = 2.0**-23  # float32: spacing of the numbers at 1
LOSSES, LABEL_LOSSES = losses_for("regression"), label_losses_for("regression")

# The losses once more, in float64, each written from its formula.


def reference_squared(student: Any, teacher: Any, labels: Any) -> np.ndarray:
    return np.mean((student - teacher) ** 2, axis=-1)


def reference_absolute(student: Any, teacher: Any, labels: Any) -> np.ndarray:
    return np.mean(np.abs(student - teacher), axis=-1)


def reference_huber(student: Any, teacher: Any, labels: Any) -> np.ndarray:
    d = np.abs(student - teacher)
    return np.mean(np.where(d <= 1, d**2 / 2, d - 0.5), axis=-1)


def reference_bounded(student: Any, teacher: Any, labels: Any, margin: float = 0.0) -> np.ndarray:
    ours, bound = reference_squared(student, labels, None), reference_squared(teacher, labels, None)
    return np.where(ours + margin > bound, ours, 0)


def of_squares(*outputs: np.ndarray) -> float:
    """Squares of differences, each difference rounded like the outputs."""
    return float(16 * EPSILON * (1 + sum(np.abs(z).max() for z in outputs)) ** 2)


def of_differences(*outputs: np.ndarray) -> float:
    return float(16 * EPSILON * (1 + sum(np.abs(z).max() for z in outputs)))


class Contract(NamedTuple):
    """What one loss promises.

    Args:
        by_hand: the value at student [2, -1], teacher [0, -1.5] and labels [1, 1].
        reference: the loss in float64 NumPy, written from its formula.
        extreme: the value of one output of size where the target is -size.
        room: how far float32 may be from the reference.
    """

    by_hand: float
    reference: Callable[..., np.ndarray]
    extreme: Callable[[float], float]
    room: Callable[..., float] = of_squares


CONTRACTS = {
    # differences 2 and 0.5: (4 + 0.25) / 2
    "squared": Contract(2.125, reference_squared, lambda size: 4 * size**2),
    # (2 + 0.5) / 2
    "absolute": Contract(1.25, reference_absolute, lambda size: 2 * size, of_differences),
    # 2 - 1/2 beyond 1, and 0.25 / 2 within: (1.5 + 0.125) / 2
    "huber": Contract(0.8125, reference_huber, lambda size: 2 * size - 0.5, of_differences),
    # student to labels: (1 + 4) / 2 = 2.5; teacher to labels: (1 + 6.25) / 2 = 3.625, so the student is better: 0
    "bounded": Contract(0.0, reference_bounded, lambda size: 4 * size**2),
}
every_loss = pytest.mark.parametrize("name", sorted(CONTRACTS))
every_label_loss = pytest.mark.parametrize("name", sorted(LABEL_LOSSES))
to_the_teacher = pytest.mark.parametrize("name", sorted(set(CONTRACTS) - {"bounded"}))

outputs = st.sampled_from([1, 3]).flatmap(  # a few shapes, for each is compiled anew
    lambda width: st.lists(
        st.lists(st.floats(-20, 20, width=32), min_size=width, max_size=width), min_size=3, max_size=3
    )
)


def three(rows: list[list[float]]) -> tuple[np.ndarray, ...]:
    return tuple(np.array(rows, np.float32)[:, None])


def drawn(seed: int, *, batch: int = 6, width: int = 3) -> tuple[np.ndarray, ...]:
    return tuple(np.random.default_rng(seed).standard_normal((3, batch, width)).astype(np.float32))


def value_of(name: str, *arrays: Any) -> np.ndarray:
    return np.asarray(LOSSES[name](*arrays))


@partial(jax.jit, static_argnums=0)
def gradient(loss: Callable[..., Any], student: Any, *targets: Any) -> Any:
    return jax.grad(lambda z: jnp.sum(loss(z, *targets)))(student)


def doubles(*arrays: np.ndarray) -> list[np.ndarray]:
    return [array.astype(np.float64) for array in arrays]


def test_every_loss_has_its_contract() -> None:
    assert set(CONTRACTS) == set(LOSSES)
    assert set(LABEL_LOSSES) <= set(CONTRACTS)


@every_loss
def test_the_value_is_the_one_worked_by_hand(name: str) -> None:
    value = value_of(name, np.array([[2.0, -1.0]]), np.array([[0.0, -1.5]]), np.array([[1.0, 1.0]]))
    assert value.tolist() == [CONTRACTS[name].by_hand]


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=outputs)
def test_the_value_agrees_with_numpy_in_float64(name: str, rows: list[list[float]]) -> None:
    arrays = three(rows)
    expected, room = CONTRACTS[name].reference(*doubles(*arrays)), CONTRACTS[name].room(*arrays)
    value = value_of(name, *arrays)
    assert (value >= 0).all()
    if name == "bounded":  # whose step from 0 is at equal errors, where rounding decides
        ours, bound = (reference_squared(z, arrays[2].astype(float), None) for z in doubles(*arrays[:2]))
        expected = np.where(np.abs(ours - bound) <= room, value, expected)
    np.testing.assert_allclose(value, expected, rtol=0, atol=room)


@every_loss
@pytest.mark.parametrize("width", [1, 3])
def test_the_gradient_agrees_with_central_differences(name: str, width: int) -> None:
    arrays = drawn(1, width=width)
    teacher, labels = doubles(*arrays[1:])
    slopes = central_differences(lambda z: CONTRACTS[name].reference(z, teacher, labels), arrays[0])
    np.testing.assert_allclose(gradient(LOSSES[name], *arrays), slopes, rtol=0, atol=CONTRACTS[name].room(*arrays))


@every_label_loss
def test_a_label_loss_has_a_value_for_each_output_whose_mean_is_the_loss_against_the_teacher(name: str) -> None:
    student, labels, _ = drawn(2)
    values = np.asarray(LABEL_LOSSES[name](student, labels))
    assert values.shape == labels.shape
    np.testing.assert_allclose(values.mean(-1), value_of(name, student, labels, labels), rtol=8 * EPSILON)
    for k in range(labels.shape[-1]):  # each output for itself
        np.testing.assert_array_equal(
            LABEL_LOSSES[name](student[:, k : k + 1], labels[:, k : k + 1])[:, 0], values[:, k]
        )
    slopes = central_differences(lambda z: CONTRACTS[name].reference(z, labels.astype(float), None), student)
    np.testing.assert_allclose(
        np.asarray(gradient(LABEL_LOSSES[name], student, labels)) / labels.shape[-1],
        slopes,
        rtol=0,
        atol=CONTRACTS[name].room(student, labels),
    )


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32"])
@every_label_loss
def test_labels_are_taken_as_data_sets_hold_them_with_or_without_a_last_axis(name: str, dtype: str) -> None:
    student = drawn(3, width=1)[0]
    labels = np.arange(len(student)).astype(dtype)
    expected = LABEL_LOSSES[name](student, labels.astype(np.float32))
    assert expected.shape == (len(student),)
    np.testing.assert_array_equal(LABEL_LOSSES[name](student, labels), expected)
    np.testing.assert_array_equal(LABEL_LOSSES[name](student, labels[:, None]), expected[:, None])
    np.testing.assert_array_equal(
        teacher_bounded(student, student + 9, labels), teacher_bounded(student, student + 9, labels[:, None])
    )


@to_the_teacher
@settings(deadline=None, max_examples=15)
@given(rows=outputs)
def test_a_student_that_agrees_costs_nothing_and_has_no_way_down(name: str, rows: list[list[float]]) -> None:
    _, teacher, labels = three(rows)
    np.testing.assert_array_equal(value_of(name, teacher, teacher, labels), 0)
    np.testing.assert_array_equal(gradient(LOSSES[name], teacher, teacher, labels), 0)


@to_the_teacher
def test_a_student_that_differs_costs_more(name: str) -> None:
    _, teacher, labels = drawn(4)
    nudged = teacher.copy()
    nudged[:, 1] += 0.25
    assert (value_of(name, nudged, teacher, labels) > 1e-3).all()


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=outputs, shift=st.floats(-20, 20, width=32), data=st.data())
def test_reordering_mirroring_or_shifting_all_outputs_changes_nothing(
    name: str, rows: list[list[float]], shift: float, data: st.DataObject
) -> None:
    arrays = three(rows)
    order = data.draw(st.permutations(range(arrays[0].shape[-1])))
    room = 2 * CONTRACTS[name].room(*(np.abs(z) + 20 for z in arrays))
    value = value_of(name, *arrays)
    mirrored, reordered, shifted = (
        value_of(name, *(change(z) for z in arrays))
        for change in (np.negative, lambda z: z[:, order], lambda z: z + np.float32(shift))
    )
    np.testing.assert_array_equal(mirrored, value)
    if name == "bounded":  # whose step from 0 is at equal errors, where rounding decides
        ours, bound = (reference_squared(z, arrays[2].astype(float), None) for z in doubles(*arrays[:2]))
        reordered, shifted = (np.where(np.abs(ours - bound) <= room, value, z) for z in (reordered, shifted))
    np.testing.assert_allclose(reordered, value, rtol=0, atol=room)
    np.testing.assert_allclose(shifted, value, rtol=0, atol=room)


@to_the_teacher
@settings(deadline=None, max_examples=15)
@given(rows=outputs)
def test_student_and_target_may_change_places(name: str, rows: list[list[float]]) -> None:
    student, teacher, labels = three(rows)
    np.testing.assert_array_equal(value_of(name, student, teacher, labels), value_of(name, teacher, student, labels))


@every_loss
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_huge_outputs_stay_finite(name: str, size: float) -> None:
    student = np.array([[size], [-size], [size]], np.float32)
    targets = np.array([[-size], [size], [size]], np.float32)
    teacher = np.zeros_like(targets) if name == "bounded" else targets  # there the labels are the targets
    value = value_of(name, student, teacher, targets)
    apart = CONTRACTS[name].extreme(size)
    np.testing.assert_allclose(value, [apart, apart, 0], rtol=4 * EPSILON)
    assert np.isfinite(gradient(LOSSES[name], student, teacher, targets)).all()


@every_loss
def test_no_temperature_changes_a_value_and_none_is_needed(name: str) -> None:
    arrays = drawn(5)
    for T in (0.5, 3.0, np.full(len(arrays[0]), 7.0, np.float32)):
        np.testing.assert_array_equal(LOSSES[name](*arrays, temperature=T), value_of(name, *arrays))


@every_loss
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_outputs_stay_half_precision(name: str, dtype: Any) -> None:
    arrays = [jnp.asarray(z, dtype) for z in drawn(6)]
    value = LOSSES[name](*arrays)
    assert value.dtype == dtype
    assert np.isfinite(value).all()


def test_huber_is_squared_inside_one_deviation_and_linear_outside() -> None:
    student, zero = np.array([[-3.0], [-1.0], [-0.5], [0.5], [1.0], [3.0]], np.float32), np.zeros((6, 1), np.float32)
    # d^2 / 2 up to 1, |d| - 1/2 beyond; slopes d, then 1
    np.testing.assert_array_equal(value_of("huber", student, zero, zero), [2.5, 0.5, 0.125, 0.125, 0.5, 2.5])
    slopes = gradient(LOSSES["huber"], student[[0, 2, 3, 5]], zero[:4], zero[:4])
    np.testing.assert_array_equal(slopes, [[-1], [-0.5], [0.5], [1]])


def test_the_teacher_bounds_the_students_error_up_to_the_margin() -> None:
    """Chen et al. 2017, equation 4: |R_s - y|^2 where |R_s - y|^2 + m > |R_t - y|^2, else 0."""
    labels, teacher = np.zeros((4, 1), np.float32), np.full((4, 1), 2.0, np.float32)  # the teacher's error is 4
    student = np.array([[3.0], [2.0], [1.5], [1.0]], np.float32)  # errors 9, 4, 2.25, 1
    # Without margin only the student with the larger error pays; at equal errors it does not.
    np.testing.assert_array_equal(teacher_bounded(student, teacher, labels), [9, 0, 0, 0])
    # With m = 2: 4 + 2 > 4 and 2.25 + 2 > 4 pay too; 1 + 2 does not.
    np.testing.assert_array_equal(teacher_bounded(student, teacher, labels, margin=2.0), [9, 4, 2.25, 0])
    # A student that is better has no slope; one that is worse has that of its squared error to the label, 2 R_s.
    np.testing.assert_array_equal(gradient(teacher_bounded, student, teacher, labels), [[6], [0], [0], [0]])


def test_the_bounded_loss_pulls_to_the_labels_and_never_to_the_teacher() -> None:
    student, teacher, labels = drawn(7, batch=50, width=1)
    slopes = np.asarray(gradient(teacher_bounded, student, teacher, labels))
    worse = np.abs(student - labels) > np.abs(teacher - labels)
    assert 0 < worse.sum() < 50
    np.testing.assert_allclose(slopes, np.where(worse, 2 * (student - labels), 0), rtol=4 * EPSILON)
