"""Losses of independent labels: by hand, against float64, and the properties that each must have.

One table, `CONTRACTS`, has a row for every loss of the binary and the multilabel task, which share their functions.
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
from scipy.special import expit
from tests.losses.slopes import central_differences

from distillab.losses import LOSSES, label_binary_cross_entropy, label_cross_entropy, label_losses_for, losses_for

EPSILON = 2.0**-23  # float32: spacing of the numbers at 1

# The losses once more, in float64 and in probabilities of both outcomes, each written from its formula.


def outcomes(z: Any) -> np.ndarray:
    """The probabilities of 1 and of 0; `1 - expit(z)` would round small ones to 0."""
    return np.stack([expit(z), expit(-z)])


def divergence(p: Any, q: Any) -> np.ndarray:
    return np.mean(np.sum(p * np.log(p / q), axis=0), axis=-1)


def reference_kl(student: Any, teacher: Any, T: float) -> np.ndarray:
    return T**2 * divergence(outcomes(teacher / T), outcomes(student / T))


def reference_cross_entropy(student: Any, teacher: Any, T: float) -> np.ndarray:
    p, q = outcomes(teacher / T), outcomes(student / T)
    return T**2 * np.mean(-np.sum(p * np.log(q), axis=0), axis=-1)


def reference_reverse_kl(student: Any, teacher: Any, T: float) -> np.ndarray:
    return reference_kl(teacher, student, T)


def reference_generalised(student: Any, teacher: Any, T: float, s: float = 0.1, r: float = 0.0) -> np.ndarray:
    p, q = outcomes(teacher / T), outcomes(student / T)
    return T**2 * ((1 - r) * divergence(p, s * p + (1 - s) * q) + r * divergence(q, s * q + (1 - s) * p))


def reference_logit_mse(student: Any, teacher: Any, T: float) -> np.ndarray:
    return np.mean((student - teacher) ** 2, axis=-1) / 4


def nothing(teacher: Any, T: float) -> np.ndarray:
    return np.zeros(teacher.shape[:-1])


def teacher_entropy(teacher: Any, T: float) -> np.ndarray:
    p = outcomes(teacher / T)
    return T**2 * np.mean(-np.sum(p * np.log(p), axis=0), axis=-1)


def rounding(student: np.ndarray, teacher: np.ndarray, T: float) -> float:
    """Room for float32: T^2 times a mean of sums of two terms p * log p, whose logarithms are rounded like logits."""
    size = max(np.abs(student).max(), np.abs(teacher).max())
    return float(16 * EPSILON * T**2 * (1 + 2 * size / T + np.log(2)))


def of_squares(student: np.ndarray, teacher: np.ndarray, T: float) -> float:
    """Squares of logit differences, each difference rounded like the logits."""
    tiny = float(np.finfo(np.float32).tiny)  # smaller squares are 0 in float32
    return tiny + float(16 * EPSILON * (np.abs(student).max() + np.abs(teacher).max()) ** 2)


class Contract(NamedTuple):
    """What one loss promises.

    Args:
        by_hand: the value at student [2, -1], teacher [0, 1] and T = 2.
        reference: the loss in float64 NumPy, written from its formula.
        extreme: the value, to the leading order, of a logit of +size where the teacher's is -size.
        limit: the gradient at high temperature, as a multiple of (z_s - z_t) / C.
        floor: what a student that agrees with the teacher costs.
        room: how far float32 may be from the reference.
    """

    by_hand: float
    reference: Callable[..., np.ndarray]
    extreme: Callable[[float, float], float]
    limit: float = 1 / 4
    floor: Callable[..., np.ndarray] = nothing
    room: Callable[..., float] = rounding
    uses_temperature: bool = True


CONTRACTS = {
    # student/2 = [1, -0.5]: q = [0.731059, 0.377541]; teacher/2 = [0, 0.5]: p = [0.5, 0.622459]
    # first:  0.5 ln(0.5/0.731059) + 0.5 ln(0.5/0.268941) = -0.189943 + 0.310058 = 0.120115
    # second: 0.622459 * 0.5 + 0.377541 * (-0.5) = 0.122459 (p and q are mirrored, and ln(p/q) = 0.5)
    # 4 * (0.120115 + 0.122459) / 2 = 0.4851
    "kl": Contract(0.4851, reference_kl, lambda size, T: T * size),
    # entropies 0.693147 and 0.622459 * 0.474077 + 0.377541 * 0.974077 = 0.662847: 4 * their mean 0.677997 = 2.7120
    # cross-entropy = entropy + KL: 2.7120 + 0.4851 = 3.1971
    "cross_entropy": Contract(3.1971, reference_cross_entropy, lambda size, T: T * size, floor=teacher_entropy),
    # first: 0.731059 ln(0.731059/0.5) + 0.268941 ln(0.268941/0.5) = 0.277718 - 0.166774 = 0.110944
    # second: mirrored, again 0.122459;  4 * (0.110944 + 0.122459) / 2 = 0.4668
    "reverse_kl": Contract(0.4668, reference_reverse_kl, lambda size, T: T * size),
    # m = [0.615530, 0.5]. First: KL(p||m) = 0.5 ln(0.5/0.615530) + 0.5 ln(0.5/0.384470) = 0.027434,
    #   KL(q||m) = 0.731059 ln(1.187690) + 0.268941 ln(0.699511) = 0.125749 - 0.096113 = 0.029636
    # second: twice 0.622459 ln(1.244918) + 0.377541 ln(0.755082) = 0.136362 - 0.106062 = 0.030300
    # 4 * ((0.027434 + 0.029636) / 2 + 0.030300) / 2 = 0.1177
    # Near agreement it is a quarter of KL: an eighth of chi^2, not a half.
    "jensen_shannon": Contract(
        0.1177, partial(reference_generalised, s=0.5, r=0.5), lambda size, T: T**2 * np.log(2), limit=1 / 16
    ),
    # m = p/10 + 9 q/10 = [0.707953, 0.402033]. First: 0.5 ln(0.5/0.707953) + 0.5 ln(0.5/0.292047) = 0.094963
    # second: 0.622459 ln(0.622459/0.402033) + 0.377541 ln(0.377541/0.597967) = 0.272104 - 0.173615 = 0.098489
    # 4 * (0.094963 + 0.098489) / 2 = 0.3869
    # Near agreement it is (1 - 0.1)^2 of KL; where student and teacher exclude each other, -ln(0.1).
    "generalised": Contract(0.3869, reference_generalised, lambda size, T: -(T**2) * np.log(0.1), limit=0.81 / 4),
    # differences 2 and -2 in one of two logits: 4 / 2 / 2 = 1 each
    "logit_mse": Contract(
        1.0, reference_logit_mse, lambda size, T: size**2, limit=1 / 2, room=of_squares, uses_temperature=False
    ),
}
every_loss = pytest.mark.parametrize("name", sorted(CONTRACTS))
one_label_or_several = pytest.mark.parametrize("labels", [1, 4])
BERNOULLI = losses_for("multilabel")

logits = st.sampled_from([1, 3]).flatmap(  # a few shapes, for each is compiled anew
    lambda labels: st.lists(
        st.lists(st.floats(-20, 20, width=32), min_size=labels, max_size=labels), min_size=2, max_size=2
    )
)
temperatures = st.sampled_from([0.5, 1.0, 3.0, 10.0])


def pair(rows: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    student, teacher = np.array(rows, np.float32)
    return student[None], teacher[None]


def drawn(seed: int, labels: int, *, batch: int = 6) -> tuple[np.ndarray, np.ndarray]:
    student, teacher = (2 * np.random.default_rng(seed).standard_normal((2, batch, labels))).astype(np.float32)
    return student, teacher


def value_of(name: str, student: Any, teacher: Any, T: Any) -> np.ndarray:
    return np.asarray(BERNOULLI[name](student, teacher, temperature=T))


@partial(jax.jit, static_argnums=0)
def _gradient(loss: Callable[..., Any], student: Any, teacher: Any, T: Any) -> Any:
    return jax.grad(lambda z: jnp.sum(loss(z, teacher, temperature=T)))(student)


def gradient(name: str, student: Any, teacher: Any, T: float) -> np.ndarray:
    return np.asarray(_gradient(BERNOULLI[name], student, teacher, np.float32(T)))


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_every_loss_has_its_contract(task: str) -> None:
    assert losses_for(task) == BERNOULLI
    assert set(CONTRACTS) == set(BERNOULLI)


@every_loss
def test_the_value_is_the_one_worked_by_hand(name: str) -> None:
    value = value_of(name, np.array([[2.0, -1.0]]), np.array([[0.0, 1.0]]), 2.0)[0]
    assert float(value) == pytest.approx(CONTRACTS[name].by_hand, abs=6e-5)


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures)
def test_the_value_agrees_with_numpy_in_float64(name: str, rows: list[list[float]], T: float) -> None:
    student, teacher = pair(rows)
    expected = CONTRACTS[name].reference(student.astype(float), teacher.astype(float), T)
    value = value_of(name, student, teacher, T)
    assert value.shape == (1,)
    np.testing.assert_allclose(value, expected, rtol=0, atol=CONTRACTS[name].room(student, teacher, T))


@every_loss
@one_label_or_several
@pytest.mark.parametrize("T", [0.5, 1.0, 3.0, 10.0])
def test_the_gradient_agrees_with_central_differences(name: str, labels: int, T: float) -> None:
    student, teacher = drawn(1, labels)
    slopes = central_differences(lambda z: CONTRACTS[name].reference(z, teacher.astype(float), T), student)
    # A slope is rounded like a value, of which it is one T-th; the difference quotient is good to 1e-9.
    np.testing.assert_allclose(
        gradient(name, student, teacher, T), slopes, rtol=0, atol=CONTRACTS[name].room(student, teacher, T) / T
    )


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures)
def test_a_student_that_agrees_costs_the_least_and_has_no_way_down(
    name: str, rows: list[list[float]], T: float
) -> None:
    student, teacher = pair(rows)
    floor = CONTRACTS[name].floor(teacher.astype(float), T)
    room = CONTRACTS[name].room(student, teacher, T)
    assert (floor >= 0).all()
    assert (value_of(name, student, teacher, T) >= floor - room).all()
    np.testing.assert_allclose(value_of(name, teacher, teacher, T), floor, rtol=0, atol=room)
    np.testing.assert_allclose(gradient(name, teacher, teacher, T), 0, atol=room / T)


@every_loss
@one_label_or_several
def test_a_student_that_differs_costs_more(name: str, labels: int) -> None:
    _, teacher = drawn(2, labels)
    student = teacher + np.float32(0.5)  # no constant is free: each logit stands alone
    floor = CONTRACTS[name].floor(teacher.astype(float), 3.0)
    assert (value_of(name, student, teacher, 3.0) > floor + 1e-3).all()


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures, data=st.data())
def test_reordering_the_labels_or_swapping_0_and_1_changes_nothing(
    name: str, rows: list[list[float]], T: float, data: st.DataObject
) -> None:
    student, teacher = pair(rows)
    order = data.draw(st.permutations(range(student.shape[-1])))
    value, room = value_of(name, student, teacher, T), 2 * CONTRACTS[name].room(student, teacher, T)
    np.testing.assert_allclose(value_of(name, student[:, order], teacher[:, order], T), value, rtol=0, atol=room)
    np.testing.assert_allclose(value_of(name, -student, -teacher, T), value, rtol=0, atol=room)


@every_loss
@one_label_or_several
def test_the_gradient_at_high_temperature_is_the_difference_of_the_logits(name: str, labels: int) -> None:
    """Hinton, Vinyals and Dean 2015, section 2.1, for the two logits (0, z) of each label: (z_s - z_t) / (4 C)."""
    student, teacher = drawn(3, labels)
    T = 300.0
    limit = CONTRACTS[name].limit * (student.astype(float) - teacher) / labels
    # Each power series that is cut short is cut at a term smaller by |logits| / T; no loss has more than four of them.
    dropped = 4 * max(np.abs(student).max(), np.abs(teacher).max()) / T * np.abs(limit).max()
    np.testing.assert_allclose(gradient(name, student, teacher, T), limit, rtol=0, atol=dropped)


@every_loss
@pytest.mark.parametrize("T", [0.5, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_huge_logits_and_a_teacher_without_doubt_stay_finite(name: str, size: float, T: float) -> None:
    student = np.array([[size], [-size], [size], [0.0]], np.float32)
    teacher = np.array([[-size], [size], [size], [-size]], np.float32)
    apart = CONTRACTS[name].extreme(size, T)
    # Probabilities of exp(-size / T) are left out; sums of numbers near 1 are rounded.
    left_out = T**2 * np.exp(-size / T) * 2e2 + 16 * EPSILON * T**2
    value = value_of(name, student, teacher, T)
    np.testing.assert_allclose(value[:3], [apart, apart, 0], rtol=8 * EPSILON, atol=left_out)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient(name, student, teacher, T)).all()


@every_loss
def test_a_new_temperature_compiles_nothing_and_promotes_nothing(name: str) -> None:
    student, teacher = (jnp.asarray(z) for z in drawn(7, 4))
    traces = []

    @jax.jit
    def loss(z: Any, T: Any) -> Any:
        traces.append(T)
        return BERNOULLI[name](z, teacher, temperature=T)

    with jax.numpy_dtype_promotion("strict"):
        at_one, at_four = loss(student, jnp.float32(1.0)), loss(student, jnp.float32(4.0))
    assert len(traces) == 1
    assert at_one.dtype == jnp.float32
    assert np.array_equal(at_one, at_four) != CONTRACTS[name].uses_temperature


@every_loss
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_logits_stay_half_precision(name: str, dtype: Any) -> None:
    student, teacher = (jnp.asarray(z, dtype) for z in drawn(8, 4))
    value = BERNOULLI[name](student, teacher, temperature=3.0)
    assert value.dtype == dtype
    assert np.isfinite(value).all()


@every_loss
@one_label_or_several
def test_each_label_is_a_categorical_loss_of_two_logits_zero_and_z(name: str, labels: int) -> None:
    student, teacher = drawn(9, labels)

    def of_two_classes(z: Any) -> Any:
        two = [jnp.stack([jnp.zeros_like(logit), logit], -1) for logit in (z, jnp.asarray(teacher))]
        columns = [LOSSES[name](two[0][:, k], two[1][:, k], temperature=3.0) for k in range(labels)]
        return sum(columns) / labels

    room = CONTRACTS[name].room(student, teacher, 3.0)
    np.testing.assert_allclose(value_of(name, student, teacher, 3.0), of_two_classes(student), rtol=0, atol=room)
    # By the chain rule, the slope in z is that in the second of the two logits.
    slopes = jax.grad(lambda z: jnp.sum(of_two_classes(z)))(student)
    np.testing.assert_allclose(gradient(name, student, teacher, 3.0), slopes, rtol=0, atol=room / 3)


# Against the labels.


def reference_label_loss(z: Any, y: Any) -> np.ndarray:
    p, rest = outcomes(z)
    return -y * np.log(p) - (1 - y) * np.log(rest)


def zero_one(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, shape).astype(np.int32)


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_cross_entropy_is_the_only_label_loss(task: str) -> None:
    assert dict(label_losses_for(task)) == {"cross_entropy": label_binary_cross_entropy}


def test_the_label_loss_is_the_one_worked_by_hand() -> None:
    # z = 1: sigmoid 0.731059; -ln 0.731059 = 0.3133 for label 1, -ln 0.268941 = 1.3133 for label 0; 1/2: their mean
    value = label_binary_cross_entropy(np.array([[1.0, 1.0, 1.0]]), np.array([[1.0, 0.0, 0.5]]))
    np.testing.assert_allclose(value, [[0.3133, 1.3133, 0.8133]], atol=5e-5)


@settings(deadline=None, max_examples=15)
@given(rows=logits)
def test_the_label_loss_agrees_with_numpy_in_float64(rows: list[list[float]]) -> None:
    z = np.array(rows, np.float32)
    y = zero_one(0, z.shape)
    value = np.asarray(label_binary_cross_entropy(z, y))
    expected = reference_label_loss(z.astype(float), y)
    np.testing.assert_allclose(value, expected, rtol=0, atol=16 * EPSILON * (1 + 2 * np.abs(z).max() + np.log(2)))
    assert (value >= 0).all()


def test_the_label_losss_gradient_is_that_of_logistic_regression_and_of_central_differences() -> None:
    z, _ = drawn(11, 5)
    y = zero_one(1, z.shape)
    slopes = jax.grad(lambda z: jnp.sum(label_binary_cross_entropy(z, y)))(z)
    np.testing.assert_allclose(slopes, expit(z.astype(float)) - y, rtol=0, atol=16 * EPSILON)
    differences = central_differences(lambda z: reference_label_loss(z, y), z)
    np.testing.assert_allclose(slopes, differences, rtol=0, atol=16 * EPSILON)


def test_the_label_loss_sees_neither_the_order_of_labels_nor_which_of_them_is_called_1() -> None:
    z, _ = drawn(12, 5)
    y, order = zero_one(2, z.shape), [3, 0, 4, 2, 1]
    value = np.asarray(label_binary_cross_entropy(z, y))
    np.testing.assert_array_equal(label_binary_cross_entropy(z[:, order], y[:, order]), value[:, order])
    room = 16 * EPSILON * np.abs(z).max()
    np.testing.assert_allclose(label_binary_cross_entropy(-z, 1 - y), value, rtol=0, atol=room)


def test_huge_logits_cost_their_size_and_stay_finite() -> None:
    z, y = np.array([[1e4], [-1e4], [1e4], [-1e4]], np.float32), np.array([1, 0, 0, 1])
    np.testing.assert_array_equal(label_binary_cross_entropy(z, y), [0, 0, 1e4, 1e4])
    slopes = jax.grad(lambda z: jnp.sum(label_binary_cross_entropy(z, y)))(z)
    np.testing.assert_array_equal(slopes, [[0], [0], [1], [-1]])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32"])
def test_labels_are_taken_as_data_sets_hold_them_with_or_without_a_last_axis(dtype: str) -> None:
    z, _ = drawn(13, 1)
    y = zero_one(3, (len(z),))
    expected = label_binary_cross_entropy(z, y)
    assert expected.shape == (len(z),)
    np.testing.assert_array_equal(label_binary_cross_entropy(z, y.astype(dtype)), expected)
    np.testing.assert_array_equal(label_binary_cross_entropy(z, y.astype(dtype)[:, None]), expected[:, None])


def test_one_logit_against_labels_is_the_categorical_label_loss_of_zero_and_z() -> None:
    z, _ = drawn(14, 1)
    y = zero_one(4, (len(z),))

    def of_two_classes(z: Any) -> Any:
        return label_cross_entropy(jnp.concatenate([jnp.zeros_like(z), z], -1), y)

    room = 16 * EPSILON * (1 + 2 * np.abs(z).max())
    np.testing.assert_allclose(label_binary_cross_entropy(z, y), of_two_classes(z), rtol=0, atol=room)
    slopes = [jax.grad(lambda z, f=f: jnp.sum(f(z)))(z) for f in (of_two_classes, partial(_of_one, y=y))]
    np.testing.assert_allclose(*slopes, rtol=0, atol=room)


def _of_one(z: Any, y: Any) -> Any:
    return label_binary_cross_entropy(z, y)
