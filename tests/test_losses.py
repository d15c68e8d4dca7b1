"""The losses: numbers worked by hand, an independent reference, and the properties that each must have.

One table, `CONTRACTS`, has a row for every loss in `LOSSES`; a test takes each row through every property.
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
from scipy.special import log_softmax, softmax

from distillab.losses import LOSSES, distillation_kl, label_cross_entropy

EPSILON = 2.0**-23  # float32: spacing of the numbers at 1


def teacher_entropy(teacher: np.ndarray, T: float) -> np.ndarray:
    return T**2 * -np.sum(softmax(teacher / T, axis=-1) * log_softmax(teacher / T, axis=-1), axis=-1)


def reference_kl(student: np.ndarray, teacher: np.ndarray, T: float) -> np.ndarray:
    p, q = softmax(teacher / T, axis=-1), softmax(student / T, axis=-1)
    return T**2 * np.sum(p * np.log(p / q), axis=-1)


def reference_cross_entropy(student: np.ndarray, teacher: np.ndarray, T: float) -> np.ndarray:
    return -(T**2) * np.sum(softmax(teacher / T, axis=-1) * np.log(softmax(student / T, axis=-1)), axis=-1)


class Contract(NamedTuple):
    """What one loss promises.

    Args:
        by_hand: the value at student [2, 1, 4], teacher [1, 2, 3] and T = 3.
        reference: the loss in float64 NumPy, written from its formula.
        floor: its least value, reached exactly where student and teacher agree up to a constant.
    """

    by_hand: float
    reference: Callable[[np.ndarray, np.ndarray, float], np.ndarray]
    floor: Callable[[np.ndarray, float], np.ndarray]


CONTRACTS = {
    # teacher/3 = [1/3, 2/3, 1]: e^ = [1.3956, 1.9477, 2.7183], sum 6.0616, p = [0.23024, 0.32132, 0.44844]
    # student/3 = [2/3, 1/3, 4/3]: e^ = [1.9477, 1.3956, 3.7937], sum 7.1370, q = [0.27290, 0.19554, 0.53155]
    # KL = 0.23024 ln(0.23024/0.27290) + 0.32132 ln(0.32132/0.19554) + 0.44844 ln(0.44844/0.53155)
    #    = -0.03914 + 0.15959 - 0.07625 = 0.04420;  9 * 0.04420 = 0.3978
    "kl": Contract(0.3978, reference_kl, lambda teacher, T: np.zeros(len(teacher))),
    # entropy of p = 0.23024 * 1.46863 + 0.32132 * 1.13532 + 0.44844 * 0.80198 = 1.06257;  9 * 1.06257 = 9.5632
    # cross-entropy = entropy + KL: 9.5632 + 0.3978 = 9.9610
    "cross_entropy": Contract(9.9610, reference_cross_entropy, teacher_entropy),
}
every_loss = pytest.mark.parametrize("name", sorted(CONTRACTS))

logits = st.sampled_from([2, 3, 10]).flatmap(  # a few shapes, for each is compiled anew
    lambda classes: st.lists(
        st.lists(st.floats(-20, 20, width=32), min_size=classes, max_size=classes), min_size=2, max_size=2
    )
)
temperatures = st.sampled_from([0.5, 1.0, 3.0, 10.0])


def pair(rows: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    student, teacher = np.array(rows, np.float32)
    return student[None], teacher[None]


def drawn(seed: int, *, batch: int = 6, classes: int = 5, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    student, teacher = (spread * rng.standard_normal((2, batch, classes))).astype(np.float32)
    return student, teacher


def rounding(student: np.ndarray, teacher: np.ndarray, T: float) -> float:
    """Room for float32: T^2 times a sum of at most 10 terms p * log p, whose logarithms are rounded like the logits."""
    size = max(np.abs(student).max(), np.abs(teacher).max())
    return float(16 * EPSILON * T**2 * (1 + 2 * size / T + np.log(student.shape[-1])))


def gradient(name: str, student: np.ndarray, teacher: np.ndarray, T: float) -> np.ndarray:
    return np.asarray(_gradient(name, student, teacher, np.float32(T)))


@partial(jax.jit, static_argnums=0)
def _gradient(name: str, student: Any, teacher: Any, T: Any) -> Any:
    return jax.grad(lambda z: jnp.sum(LOSSES[name](z, teacher, temperature=T)))(student)


def test_every_loss_has_its_contract() -> None:
    assert set(CONTRACTS) == set(LOSSES)


@every_loss
def test_the_value_is_the_one_worked_by_hand(name: str) -> None:
    student, teacher = np.array([[2.0, 1.0, 4.0]]), np.array([[1.0, 2.0, 3.0]])
    assert float(LOSSES[name](student, teacher, temperature=3.0)[0]) == pytest.approx(CONTRACTS[name].by_hand, abs=5e-5)


@every_loss
def test_whole_numbered_logits_do_not_round_the_temperature(name: str) -> None:
    student, teacher = np.array([[2, 1, 4]]), np.array([[1, 2, 3]])
    as_floats = LOSSES[name](student.astype(np.float32), teacher.astype(np.float32), temperature=2.5)
    np.testing.assert_array_equal(LOSSES[name](student, teacher, temperature=2.5), as_floats)


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures)
def test_the_value_agrees_with_numpy_in_float64(name: str, rows: list[list[float]], T: float) -> None:
    student, teacher = pair(rows)
    expected = CONTRACTS[name].reference(student.astype(np.float64), teacher.astype(np.float64), T)
    np.testing.assert_allclose(
        LOSSES[name](student, teacher, temperature=T), expected, rtol=0, atol=rounding(student, teacher, T)
    )


@every_loss
@pytest.mark.parametrize("T", [0.5, 1.0, 3.0, 10.0])
def test_the_gradient_agrees_with_central_differences(name: str, T: float) -> None:
    student, teacher = drawn(1)
    at, step = student.astype(np.float64), 1e-5
    slopes = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        nudge = np.zeros_like(at)
        nudge[place] = step
        up, down = (CONTRACTS[name].reference(at + side * nudge, teacher.astype(np.float64), T) for side in (1, -1))
        slopes[place] = np.sum(up - down) / (2 * step)
    # The gradient is T * (q - p), probabilities rounded to float32; the difference quotient is good to 1e-9.
    np.testing.assert_allclose(gradient(name, student, teacher, T), slopes, rtol=0, atol=16 * EPSILON * T)


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures)
def test_nothing_is_below_the_value_at_agreement(name: str, rows: list[list[float]], T: float) -> None:
    student, teacher = pair(rows)
    value = np.asarray(LOSSES[name](student, teacher, temperature=T))
    floor = CONTRACTS[name].floor(teacher.astype(np.float64), T)
    assert (floor >= 0).all()
    assert (value >= floor - rounding(student, teacher, T)).all()


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures, constant=st.floats(-20, 20, width=32))
def test_a_student_equal_up_to_a_constant_costs_the_least(
    name: str, rows: list[list[float]], T: float, constant: float
) -> None:
    _, teacher = pair(rows)
    student = teacher + np.float32(constant)
    value = LOSSES[name](student, teacher, temperature=T)
    floor = CONTRACTS[name].floor(teacher.astype(np.float64), T)
    np.testing.assert_allclose(value, floor, rtol=0, atol=rounding(student, teacher, T))
    np.testing.assert_allclose(
        gradient(name, student, teacher, T), 0, atol=rounding(student, teacher, T) / T
    )  # no way down from there


@every_loss
def test_a_student_that_differs_by_more_than_a_constant_costs_more(name: str) -> None:
    _, teacher = drawn(2)
    student = teacher.copy()
    student[:, 0] += 0.5
    value = np.asarray(LOSSES[name](student, teacher, temperature=3.0))
    assert (value > CONTRACTS[name].floor(teacher.astype(np.float64), 3.0) + 1e-3).all()


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures, shifts=st.tuples(*[st.floats(-20, 20, width=32)] * 2))
def test_adding_a_constant_to_all_logits_changes_nothing(
    name: str, rows: list[list[float]], T: float, shifts: tuple[float, float]
) -> None:
    student, teacher = pair(rows)
    moved = student + np.float32(shifts[0]), teacher + np.float32(shifts[1])
    np.testing.assert_allclose(
        LOSSES[name](*moved, temperature=T),
        LOSSES[name](student, teacher, temperature=T),
        rtol=0,
        atol=2 * rounding(*(np.abs(z) + 20 for z in (student, teacher)), T),
    )


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures, data=st.data())
def test_renaming_the_classes_changes_nothing(
    name: str, rows: list[list[float]], T: float, data: st.DataObject
) -> None:
    student, teacher = pair(rows)
    order = data.draw(st.permutations(range(student.shape[-1])))
    np.testing.assert_allclose(
        LOSSES[name](student[:, order], teacher[:, order], temperature=T),
        LOSSES[name](student, teacher, temperature=T),
        rtol=0,
        atol=rounding(student, teacher, T),
    )


@every_loss
def test_at_high_temperature_the_gradient_is_the_centred_logit_difference_over_classes(name: str) -> None:
    """Hinton, Vinyals and Dean 2015, section 2.1: distillation then matches logits, whatever T."""
    student, teacher = drawn(3)
    T, classes = 300.0, student.shape[-1]
    centred = [z - z.mean(-1, keepdims=True) for z in (student, teacher)]
    limit = (centred[0] - centred[1]) / classes
    # What the limit drops is the next order of the exponential: at most z^2 / (T C) on each side.
    dropped = 2 * max(np.abs(z).max() for z in centred) ** 2 / (T * classes)
    np.testing.assert_allclose(gradient(name, student, teacher, T), limit, rtol=0, atol=dropped)
    assert dropped < 0.1 * np.abs(limit).max()


@every_loss
@pytest.mark.parametrize("T", [0.5, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_huge_logits_and_a_teacher_without_doubt_stay_finite(name: str, size: float, T: float) -> None:
    student = np.array([[size, -size, 0.0], [-size, size, 0.0], [0.0, 0.0, 0.0]], np.float32)
    teacher = np.array([[-size, size, 0.0], [-size, size, 0.0], [size, -size, -size]], np.float32)
    value = np.asarray(LOSSES[name](student, teacher, temperature=T))
    assert np.isfinite(value).all()
    # The first student puts the teacher's class 2 * size below its own: T^2 * 2 size / T. The second agrees.
    np.testing.assert_allclose(value[:2], [2 * size * T, 0], rtol=8 * EPSILON, atol=T**2 * np.exp(-size / T) * 2e2)
    slopes = gradient(name, student, teacher, T)
    assert np.isfinite(slopes).all()
    assert (np.abs(slopes) <= T * (1 + 8 * EPSILON)).all()  # T * (q - p)


@every_loss
def test_one_temperature_for_all_and_the_same_one_for_each_agree(name: str) -> None:
    student, teacher = drawn(4)
    scalar = LOSSES[name](student, teacher, temperature=3.0)
    each = LOSSES[name](student, teacher, temperature=np.full(len(student), 3.0, np.float32))
    assert scalar.shape == each.shape == (len(student),)
    np.testing.assert_array_equal(scalar, each)


@every_loss
@pytest.mark.parametrize("batch", [1, 3, 5])  # as many examples as classes too: nothing may be spread over classes
def test_each_example_may_have_its_own_temperature(name: str, batch: int) -> None:
    student, teacher = drawn(5, batch=batch)
    T = np.linspace(1, 4, batch).astype(np.float32)
    each = LOSSES[name](student, teacher, temperature=T)
    alone = [LOSSES[name](student[i : i + 1], teacher[i : i + 1], temperature=float(T[i]))[0] for i in range(batch)]
    np.testing.assert_allclose(each, alone, rtol=4 * EPSILON * 10)


@every_loss
def test_the_labels_are_ignored(name: str) -> None:
    student, teacher = drawn(6)
    labels = np.zeros(len(student), np.int32)
    np.testing.assert_array_equal(
        LOSSES[name](student, teacher, labels, temperature=2.0), LOSSES[name](student, teacher, temperature=2.0)
    )


@every_loss
def test_a_new_temperature_compiles_nothing_and_promotes_nothing(name: str) -> None:
    student, teacher = (jnp.asarray(z) for z in drawn(7))
    traces = []

    @jax.jit
    def loss(z: Any, T: Any) -> Any:
        traces.append(T)
        return LOSSES[name](z, teacher, temperature=T)

    with jax.numpy_dtype_promotion("strict"):
        one, two = loss(student, jnp.float32(1.0)), loss(student, jnp.float32(4.0))
    assert len(traces) == 1
    assert one.dtype == jnp.float32
    assert not np.array_equal(one, two)


def test_half_precision_logits_stay_half_precision() -> None:
    student, teacher = (jnp.asarray(z, jnp.bfloat16) for z in drawn(8))
    assert distillation_kl(student, teacher, temperature=3.0).dtype == jnp.bfloat16


@every_loss
def test_the_losses_have_one_gradient_for_they_differ_by_what_the_student_cannot_change(name: str) -> None:
    student, teacher = drawn(9)
    np.testing.assert_allclose(
        gradient(name, student, teacher, 3.0), gradient("kl", student, teacher, 3.0), rtol=0, atol=3 * 16 * EPSILON
    )


def test_label_cross_entropy_is_the_one_worked_by_hand() -> None:
    # softmax([1, 2, 3]): e^ = [2.7183, 7.3891, 20.0855], sum 30.1929
    # -ln(20.0855 / 30.1929) = 0.4076;  -ln(2.7183 / 30.1929) = 2.4076
    logits = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], np.float32)
    np.testing.assert_allclose(label_cross_entropy(logits, np.array([2, 0])), [0.4076, 2.4076], atol=5e-5)


@settings(deadline=None, max_examples=15)
@given(rows=logits, data=st.data())
def test_label_cross_entropy_agrees_with_numpy_in_float64(rows: list[list[float]], data: st.DataObject) -> None:
    z = np.array(rows, np.float32)
    labels = np.array([data.draw(st.integers(0, z.shape[-1] - 1)) for _ in z])
    expected = -log_softmax(z.astype(np.float64), axis=-1)[np.arange(len(z)), labels]
    value = np.asarray(label_cross_entropy(z, labels))
    np.testing.assert_allclose(value, expected, rtol=0, atol=rounding(z, z, 1.0))
    assert (value >= 0).all()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_label_cross_entropy_takes_labels_as_data_sets_hold_them(dtype: str) -> None:
    z, _ = drawn(10)
    labels = np.arange(len(z)) % z.shape[-1]
    np.testing.assert_array_equal(label_cross_entropy(z, labels.astype(dtype)), label_cross_entropy(z, labels))


def test_label_cross_entropy_has_the_gradient_of_softmax_regression() -> None:
    z, _ = drawn(11)
    labels = np.arange(len(z)) % z.shape[-1]
    slopes = jax.grad(lambda z: jnp.sum(label_cross_entropy(z, labels)))(z)
    np.testing.assert_allclose(
        slopes, softmax(z.astype(np.float64), axis=-1) - np.eye(z.shape[-1])[labels], rtol=0, atol=16 * EPSILON
    )


def test_label_cross_entropy_of_huge_logits_is_finite() -> None:
    z = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    np.testing.assert_array_equal(label_cross_entropy(z, np.array([0, 0])), [0, 2e4])
    assert np.isfinite(jax.grad(lambda z: jnp.sum(label_cross_entropy(z, np.array([0, 0]))))(z)).all()


def test_a_teacher_that_repeats_the_labels_gives_the_label_loss() -> None:
    """At T = 1, a one-hot teacher is the label: both distillation losses are then the label's cross-entropy."""
    z, _ = drawn(12)
    labels = np.arange(len(z)) % z.shape[-1]
    teacher = (1e4 * np.eye(z.shape[-1])[labels]).astype(np.float32)
    for loss in LOSSES.values():
        np.testing.assert_allclose(
            loss(z, teacher, temperature=1.0), label_cross_entropy(z, labels), rtol=0, atol=16 * EPSILON * 8
        )


def test_the_names_of_the_losses_cannot_be_changed_from_outside() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        LOSSES["mine"] = distillation_kl  # type: ignore[index]
