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
from tests.losses.slopes import central_differences

from distillab.losses import LOSSES, label_cross_entropy, relates_examples

EPSILON = 2.0**-23  # float32: spacing of the numbers at 1


# The losses once more, in float64 and in probabilities, each written from its formula.


def reference_kl(student: Any, teacher: Any, labels: Any, T: float) -> np.ndarray:
    p, q = softmax(teacher / T, axis=-1), softmax(student / T, axis=-1)
    return T**2 * np.sum(p * np.log(p / q), axis=-1)


def reference_cross_entropy(student: Any, teacher: Any, labels: Any, T: float) -> np.ndarray:
    return -(T**2) * np.sum(softmax(teacher / T, axis=-1) * np.log(softmax(student / T, axis=-1)), axis=-1)


def reference_reverse_kl(student: Any, teacher: Any, labels: Any, T: float) -> np.ndarray:
    return reference_kl(teacher, student, labels, T)


def reference_generalised(
    student: Any, teacher: Any, labels: Any, T: float, s: float = 0.1, r: float = 0.0
) -> np.ndarray:
    p, q = softmax(teacher / T, axis=-1), softmax(student / T, axis=-1)
    forward = np.sum(p * np.log(p / (s * p + (1 - s) * q)), axis=-1)
    backward = np.sum(q * np.log(q / (s * q + (1 - s) * p)), axis=-1)
    return T**2 * ((1 - r) * forward + r * backward)


def reference_logit_mse(student: Any, teacher: Any, labels: Any, T: float) -> np.ndarray:
    return np.mean((student - teacher) ** 2, axis=-1) / 2


def reference_decoupled(student: Any, teacher: Any, labels: Any, T: float) -> np.ndarray:
    values = []
    for z_s, z_t, y in zip(student, teacher, labels, strict=True):
        p, q = softmax(z_t / T), softmax(z_s / T)
        rest_p, rest_q = np.delete(p, y).sum(), np.delete(q, y).sum()
        binary = p[y] * np.log(p[y] / q[y]) + rest_p * np.log(rest_p / rest_q)
        others_p, others_q = softmax(np.delete(z_t, y) / T), softmax(np.delete(z_s, y) / T)
        values.append(binary + 8 * np.sum(others_p * np.log(others_p / others_q)))
    return T**2 * np.array(values)


def reference_dist(student: Any, teacher: Any, labels: Any, T: float) -> np.ndarray:
    p, q = softmax(teacher / T, axis=-1), softmax(student / T, axis=-1)
    inter = np.array([1 - correlation(a, b) for a, b in zip(q, p, strict=True)])
    intra = 1 - np.mean([correlation(a, b) for a, b in zip(q.T, p.T, strict=True)])
    return T**2 * (inter + intra)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-8))


def reference_standardised(student: Any, teacher: Any, labels: Any, T: float) -> np.ndarray:
    def standardised(z: Any) -> Any:
        deviation = z.std(axis=-1, keepdims=True)
        constant = deviation**2 <= 1e-12
        return np.where(constant, 0, (z - z.mean(axis=-1, keepdims=True)) / np.where(constant, 1, deviation))

    return reference_kl(standardised(student), standardised(teacher), labels, T)


def reference_unmatched(student: Any, teacher: Any, labels: Any, T: float) -> np.ndarray:
    return reference_kl(student, teacher / T, labels, 1.0) * T**2


def virtual_teacher(like: Any, labels: Any) -> np.ndarray:
    classes = like.shape[-1]
    u = np.full(like.shape, 0.01 / (classes - 1))
    u[np.arange(len(u)), labels] = 0.99
    return np.log(u)


def reference_teacher_free(student: Any, teacher: Any, labels: Any, T: float) -> np.ndarray:
    return reference_kl(student, virtual_teacher(student, labels), labels, T)


# What the contracts below are made of.


def the_teacher(teacher: Any, labels: Any) -> Any:
    return teacher


def nothing(teacher: Any, labels: Any, T: float) -> np.ndarray:
    return np.zeros(len(teacher))


def teacher_entropy(teacher: Any, labels: Any, T: float) -> np.ndarray:
    return T**2 * -np.sum(softmax(teacher / T, axis=-1) * log_softmax(teacher / T, axis=-1), axis=-1)


def relation_missed(teacher: Any, labels: Any, T: float) -> np.ndarray:
    """DIST at the teacher itself: the 1e-8 beside the norms' product, so 1 where nothing varies."""
    p = softmax(teacher / T, axis=-1)
    rows, columns = (1e-8 / (p.var(axis) * p.shape[axis] + 1e-8) for axis in (1, 0))
    return T**2 * (rows + np.mean(columns))


def least_of_dist(teacher: Any, T: float) -> np.ndarray:
    """No student's norm is above 1 within an example, nor above sqrt(B) over the batch."""
    p = softmax(teacher / T, axis=-1)
    rows, columns = (
        1e-8 / (most * np.sqrt(p.var(axis) * p.shape[axis]) + 1e-8) for axis, most in ((1, 1), (0, np.sqrt(len(p))))
    )
    return T**2 * (rows + np.mean(columns))


def centred(z: Any) -> Any:
    return z - z.mean(-1, keepdims=True)


def matching(student: Any, teacher: Any, labels: Any) -> Any:
    """Hinton, Vinyals and Dean 2015, section 2.1: at high temperature, distillation matches logits."""
    return (centred(student) - centred(teacher)) / student.shape[-1]


def decoupled_limit(student: Any, teacher: Any, labels: Any) -> Any:
    """Of d = z_s - z_t: (C-1)/C^2 u^2 / 2 with u = d_y - mean of the other d, and 8 times the others' variance / 2."""
    d = student - teacher
    slope = np.zeros_like(d)
    for row, y in enumerate(labels):
        others, C = np.delete(d[row], y), d.shape[-1]
        u = d[row, y] - others.mean()
        slope[row] = (-(C - 1) / C**2 * u + 8 * (d[row] - others.mean())) / (C - 1)
        slope[row, y] = (C - 1) / C**2 * u
    return slope


def dist_limit(student: Any, teacher: Any, labels: Any) -> Any:
    """Probabilities become (1 + centred logits / T) / C, and a correlation does not see factors."""

    def slope_of_minus_correlation(a: Any, b: Any) -> Any:
        a, b = centred(a), centred(b)
        a_size, b_size = (np.sqrt(np.sum(z * z, axis=-1, keepdims=True)) for z in (a, b))
        r = np.sum(a * b, axis=-1, keepdims=True) / (a_size * b_size)
        return -(b / b_size - r * a / a_size) / a_size

    inter = slope_of_minus_correlation(student, teacher)
    intra = slope_of_minus_correlation(centred(student).T, centred(teacher).T).T / student.shape[-1]
    return inter + len(student) * centred(intra)  # every example has the whole of the second term


def standardised_limit(student: Any, teacher: Any, labels: Any) -> Any:
    deviation, others = student.std(-1, keepdims=True), teacher.std(-1, keepdims=True)
    ours, theirs = centred(student) / deviation, centred(teacher) / others
    gap = ours - theirs
    return (gap - ours * np.mean(ours * gap, axis=-1, keepdims=True)) / (student.shape[-1] * deviation)


def opposite(size: float, T: float) -> float:
    return 2 * size * T


def apart_when_standardised(size: float, T: float) -> float:
    a = np.sqrt(1.5) / T  # (s, -s, 0) has the deviation s sqrt(2/3)
    return T**2 * 2 * a * (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a) + 1)


def extremes_of_teacher_free(size: float, T: float) -> tuple[float, float]:
    u = softmax(np.log([0.99, 0.005, 0.005]) / T)
    floor = T**2 * np.sum(u * np.log(u))
    return floor + T * size * 3 * u[1], floor + T * size * (2 * u[0] + u[2])


def rounding(student: np.ndarray, teacher: np.ndarray, T: float) -> float:
    """Room for float32: T^2 times a sum of at most 10 terms p * log p, whose logarithms are rounded like the logits."""
    size = max(np.abs(student).max(), np.abs(teacher).max())
    return float(16 * EPSILON * T**2 * (1 + 2 * size / T + np.log(student.shape[-1])))


def of_squares(student: np.ndarray, teacher: np.ndarray, T: float) -> float:
    """Squares of logit differences, each difference rounded like the logits."""
    tiny = float(np.finfo(np.float32).tiny)  # smaller squares are 0 in float32
    return tiny + float(16 * EPSILON * (np.abs(student).max() + np.abs(teacher).max()) ** 2)


def of_correlations(student: np.ndarray, teacher: np.ndarray, T: float) -> float:
    """Probabilities rounded at 1, times the steepest slope of a correlation r = a b / (|a| |b| + 1e-8)."""
    probabilities = [softmax(z.astype(np.float64) / T, axis=-1) for z in (student, teacher)]
    slopes = []
    for axis in (0, 1):
        a, b = (np.sqrt(np.var(p, axis=axis) * p.shape[axis]) for p in probabilities)
        slopes.append(((a + b) / (a * b + 1e-8)).max())
    return float(16 * EPSILON * T**2 * student.shape[-1] * (1 + 20 / T) * max(1.0, *slopes))


def of_standardised(student: np.ndarray, teacher: np.ndarray, T: float) -> float:
    """Logits are divided by their deviation, and their rounding with them."""
    stretch = max(np.abs(z).max() / max(z.std(-1).min(), 1e-6) for z in (student, teacher))
    return rounding(student * 0 + 4, teacher * 0 + 4, T) * max(1.0, stretch)


class Contract(NamedTuple):
    """What one loss promises.

    Args:
        by_hand: the value at student [2, 1, 4], teacher [1, 2, 3], label 2 and T = 3.
        reference: the loss in float64 NumPy, written from its formula.
        extremes: values, to the leading order, of a student sure of class 0 with a teacher sure of class 1, and of a
            student that agrees with a teacher sure of class 1; label 0, logits of +-size.
        limit: the gradient at high temperature, divided by T^power.
        lowest: the student that costs least.
        cooled: whether its logits are divided by T.
        floor: what that student costs.
        room: how far float32 may be from the reference.
        factor: how many times larger its terms are than those of KL.
    """

    by_hand: float
    reference: Callable[..., np.ndarray]
    extremes: Callable[[float, float], tuple[float, float]]
    limit: Callable[..., Any] = matching
    power: int = 0
    lowest: Callable[..., Any] = the_teacher
    cooled: bool = False
    floor: Callable[..., np.ndarray] = nothing
    room: Callable[..., float] = rounding
    factor: float = 1.0
    uses_labels: bool = False
    uses_temperature: bool = True
    sees_a_constant: bool = False


CONTRACTS = {
    # teacher/3 = [1/3, 2/3, 1]: e^ = [1.3956, 1.9477, 2.7183], sum 6.0616, p = [0.23024, 0.32132, 0.44844]
    # student/3 = [2/3, 1/3, 4/3]: e^ = [1.9477, 1.3956, 3.7937], sum 7.1370, q = [0.27290, 0.19554, 0.53155]
    # KL = 0.23024 ln(0.23024/0.27290) + 0.32132 ln(0.32132/0.19554) + 0.44844 ln(0.44844/0.53155)
    #    = -0.03914 + 0.15959 - 0.07625 = 0.04420;  9 * 0.04420 = 0.3978
    "kl": Contract(0.3978, reference_kl, lambda size, T: (opposite(size, T), 0)),
    # entropy of p = 0.23024 * 1.46863 + 0.32132 * 1.13532 + 0.44844 * 0.80198 = 1.06257;  9 * 1.06257 = 9.5632
    # cross-entropy = entropy + KL: 9.5632 + 0.3978 = 9.9610
    "cross_entropy": Contract(
        9.9610, reference_cross_entropy, lambda size, T: (opposite(size, T), 0), floor=teacher_entropy
    ),
    # KL(q || p) = 0.27290 * 0.17000 - 0.19554 * 0.49666 + 0.53155 * 0.17002 = 0.04639 - 0.09712 + 0.09037 = 0.03965
    # with six digits 0.039653;  9 * 0.039653 = 0.3569
    "reverse_kl": Contract(0.3569, reference_reverse_kl, lambda size, T: (opposite(size, T), 0)),
    # m = [0.25157, 0.25843, 0.49000]: KL(p||m) = 0.23024 ln 0.91521 + 0.32132 ln 1.24336 + 0.44844 ln 0.91518
    #   = -0.02040 + 0.06999 - 0.03975 = 0.00984; KL(q||m) = 0.27290 ln 1.08479 + 0.19554 ln 0.75664
    #   + 0.53155 ln 1.08480 = 0.02221 - 0.05452 + 0.04327 = 0.01096; 9 * (0.00984 + 0.01096) / 2 = 0.0936
    # Near agreement it is a quarter of KL: an eighth of chi^2, not a half.
    "jensen_shannon": Contract(
        0.0936,
        partial(reference_generalised, s=0.5, r=0.5),
        lambda size, T: (T**2 * np.log(2), 0),
        limit=lambda *z: matching(*z) / 4,
    ),
    # m = p / 10 + 9 q / 10 = [0.26863, 0.20812, 0.52324]: 0.23024 ln 0.85709 + 0.32132 ln 1.54393 + 0.44844 ln 0.85704
    #   = -0.03550 + 0.13955 - 0.06918 = 0.03487;  9 * 0.03487 = 0.3138
    # Near agreement it is (1 - 0.1)^2 of KL; where student and teacher exclude each other, -ln(0.1) = 2.3026.
    "generalised": Contract(
        0.3138, reference_generalised, lambda size, T: (-(T**2) * np.log(0.1), 0), limit=lambda *z: 0.81 * matching(*z)
    ),
    # differences 1, -1, 1: (1 + 1 + 1) / 3 / 2 = 0.5
    "logit_mse": Contract(
        0.5,
        reference_logit_mse,
        lambda size, T: (8 * size**2 / 6, 0),
        limit=lambda student, teacher, labels: (student - teacher) / student.shape[-1],
        room=of_squares,
        uses_temperature=False,
        sees_a_constant=True,
    ),
    # binary: 0.44844 ln(0.44844/0.53155) + 0.55156 ln(0.55156/0.46845) = -0.07625 + 0.09009 = 0.01384
    # others: logits differ by 1/3, p = [0.41743, 0.58257], q = [0.58257, 0.41743]: (0.58257 - 0.41743) / 3 = 0.055047
    # 9 * (0.013837 + 8 * 0.055047) = 4.0879
    "decoupled": Contract(
        4.0879,
        reference_decoupled,
        lambda size, T: (9 * size * T, 0),
        limit=decoupled_limit,
        factor=9,
        uses_labels=True,
    ),
    # p - 1/3 = [-0.10309, -0.01201, 0.11511], q - 1/3 = [-0.06043, -0.13779, 0.19822]
    # r = (0.006230 + 0.001655 + 0.022817) / sqrt(0.024022 * 0.061929) = 0.030702 / 0.038571 = 0.79598
    # a single example has no relation over the batch: 9 * (1 - 0.79598 + 1) = 10.8362
    "dist": Contract(
        10.8362,
        reference_dist,
        lambda size, T: (2.5 * T**2, T**2),  # correlations -1/2 and 1; over the batch -0.189, 0.189 and none
        limit=dist_limit,
        power=2,
        floor=relation_missed,
        room=of_correlations,
    ),
    # student: mean 7/3, deviation sqrt(14/9) = 1.24722: [-0.26726, -1.06904, 1.33631]; teacher: [-1.22474, 0, 1.22474]
    # over 3: e^ = [0.91476, 0.70022, 1.56117] sum 3.17615; [0.66480, 1, 1.50421] sum 3.16901
    # p = [0.20978, 0.31556, 0.47466], q = [0.28801, 0.22046, 0.49153]
    # KL = -0.06649 + 0.11317 - 0.01658 = 0.03010;  9 * 0.03010 = 0.2709
    "standardised": Contract(
        0.2709,
        reference_standardised,
        lambda size, T: (apart_when_standardised(size, T), 0),
        limit=standardised_limit,
        room=of_standardised,
    ),
    # the student at T = 1: e^ = [7.38906, 2.71828, 54.59815], ln 64.70549 = 4.16985, and
    # ln q = [-2.16985, -3.16985, -0.16985];
    # cross-entropy = 0.230237 * 2.16985 + 0.321322 * 3.16985 + 0.448441 * 0.16985 = 1.59429; less the entropy 1.06258
    # = 0.53171;  9 * 0.53171 = 4.7854
    # Its gradient is T^2 (q - p), T times that of KL: it tends to T^2 (q - 1/C).
    "unmatched": Contract(
        4.7854,
        reference_unmatched,
        lambda size, T: (2 * T**2 * size, 0),
        limit=lambda student, teacher, labels: softmax(student, axis=-1) - 1 / student.shape[-1],
        power=2,
        cooled=True,
        factor=20,
    ),
    # u = [0.005, 0.005, 0.99]; ln u / 3 = [-1.76611, -1.76611, -0.00335]: e^ = [0.17100, 0.17100, 0.99666]
    # sum 1.33866, u_T = [0.12774, 0.12774, 0.74452]
    # KL = 0.12774 ln(0.12774/0.27290) + 0.12774 ln(0.12774/0.19554) + 0.74452 ln(0.74452/0.53155)
    #    = -0.09696 - 0.05440 + 0.25086 = 0.09950;  9 * 0.09950 = 0.8955
    "teacher_free": Contract(
        0.8955,
        reference_teacher_free,
        extremes_of_teacher_free,
        limit=lambda student, teacher, labels: matching(student, virtual_teacher(student, labels), labels),
        lowest=virtual_teacher,
        uses_labels=True,
    ),
}
every_loss = pytest.mark.parametrize("name", sorted(CONTRACTS))

logits = st.sampled_from([2, 3, 10]).flatmap(  # a few shapes, for each is compiled anew
    lambda classes: st.lists(
        st.lists(st.floats(-20, 20, width=32), min_size=classes, max_size=classes), min_size=2, max_size=2
    )
)
temperatures = st.sampled_from([0.5, 1.0, 3.0, 10.0])
NONE_YET = np.zeros(1, np.int32)  # the label of a single example


def pair(rows: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    student, teacher = np.array(rows, np.float32)
    return student[None], teacher[None]


def drawn(seed: int, *, batch: int = 6, classes: int = 5, spread: float = 2.0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    student, teacher = (spread * rng.standard_normal((2, batch, classes))).astype(np.float32)
    return student, teacher, rng.integers(0, classes, batch).astype(np.int32)


def value_of(name: str, student: Any, teacher: Any, labels: Any, T: Any) -> np.ndarray:
    return np.asarray(LOSSES[name](student, teacher, labels, temperature=T))


def gradient(name: str, student: Any, teacher: Any, labels: Any, T: float) -> np.ndarray:
    return np.asarray(_gradient(name, student, teacher, labels, np.float32(T)))


@partial(jax.jit, static_argnums=0)
def _gradient(name: str, student: Any, teacher: Any, labels: Any, T: Any) -> Any:
    return jax.grad(lambda z: jnp.sum(LOSSES[name](z, teacher, labels, temperature=T)))(student)


def room(name: str, student: np.ndarray, teacher: np.ndarray, T: float) -> float:
    return CONTRACTS[name].factor * CONTRACTS[name].room(student, teacher, T)


def best(name: str, teacher: np.ndarray, labels: np.ndarray, T: float) -> np.ndarray:
    lowest = CONTRACTS[name].lowest(teacher, labels).astype(np.float32)
    return np.asarray(lowest / np.float32(T) if CONTRACTS[name].cooled else lowest)


def doubles(*arrays: np.ndarray) -> list[np.ndarray]:
    return [array.astype(np.float64) for array in arrays]


def test_every_loss_has_its_contract() -> None:
    assert set(CONTRACTS) == set(LOSSES)


@every_loss
def test_the_value_is_the_one_worked_by_hand(name: str) -> None:
    student, teacher, label = np.array([[2.0, 1.0, 4.0]]), np.array([[1.0, 2.0, 3.0]]), np.array([2])
    value = value_of(name, student, teacher, label, 3.0)[0]
    assert float(value) == pytest.approx(CONTRACTS[name].by_hand, abs=5e-5 * max(1, CONTRACTS[name].by_hand / 5))


@every_loss
def test_whole_numbered_logits_do_not_round_the_temperature(name: str) -> None:
    student, teacher, label = np.array([[2, 1, 4]]), np.array([[1, 2, 3]]), np.array([2])
    as_floats = value_of(name, student.astype(np.float32), teacher.astype(np.float32), label, 2.5)
    np.testing.assert_array_equal(value_of(name, student, teacher, label, 2.5), as_floats)


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures)
def test_the_value_agrees_with_numpy_in_float64(name: str, rows: list[list[float]], T: float) -> None:
    student, teacher = pair(rows)
    expected = CONTRACTS[name].reference(*doubles(student, teacher), NONE_YET, T)
    np.testing.assert_allclose(
        value_of(name, student, teacher, NONE_YET, T), expected, rtol=0, atol=room(name, student, teacher, T)
    )


@every_loss
@pytest.mark.parametrize("T", [0.5, 1.0, 3.0, 10.0])
def test_a_batch_agrees_with_numpy_in_float64(name: str, T: float) -> None:
    student, teacher, labels = drawn(13, batch=8)
    expected = CONTRACTS[name].reference(*doubles(student, teacher), labels, T)
    np.testing.assert_allclose(
        value_of(name, student, teacher, labels, T), expected, rtol=0, atol=room(name, student, teacher, T)
    )


@every_loss
def test_float64_logits_are_computed_in_float64(name: str) -> None:
    student, teacher, labels = *doubles(*drawn(3)[:2]), drawn(3)[2]
    expected = CONTRACTS[name].reference(student, teacher, labels, 2.3)
    with jax.enable_x64(True):
        value = value_of(name, jnp.asarray(student), jnp.asarray(teacher), labels, 2.3)
    assert value.dtype == np.float64
    np.testing.assert_allclose(value, expected, rtol=1e-12)


@every_loss
@pytest.mark.parametrize("T", [0.5, 1.0, 3.0, 10.0])
def test_the_gradient_agrees_with_central_differences(name: str, T: float) -> None:
    student, teacher, labels = drawn(1)
    theirs = teacher.astype(np.float64)
    slopes = central_differences(lambda z: CONTRACTS[name].reference(z, theirs, labels, T), student)
    # A slope is rounded like a value, of which it is one T-th; the difference quotient is good to 1e-9.
    np.testing.assert_allclose(
        gradient(name, student, teacher, labels, T), slopes, rtol=0, atol=room(name, student, teacher, T) / T
    )


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures)
def test_nothing_is_below_the_value_of_the_best_student(name: str, rows: list[list[float]], T: float) -> None:
    student, teacher = pair(rows)
    floor = CONTRACTS[name].floor(*doubles(teacher), NONE_YET, T)
    assert (floor >= 0).all()
    if name == "dist":  # beside the 1e-8, a student that varies more than the teacher costs less
        floor = least_of_dist(*doubles(teacher), T)
    assert (value_of(name, student, teacher, NONE_YET, T) >= floor - room(name, student, teacher, T)).all()


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures, constant=st.floats(-20, 20, width=32))
def test_a_student_equal_up_to_a_constant_costs_the_least(
    name: str, rows: list[list[float]], T: float, constant: float
) -> None:
    _, teacher = pair(rows)
    shift = np.float32(0 if CONTRACTS[name].sees_a_constant else constant)
    student = best(name, teacher, NONE_YET, T) + shift
    floor = CONTRACTS[name].floor(*doubles(teacher), NONE_YET, T)
    allowed = room(name, student, teacher, T)
    np.testing.assert_allclose(value_of(name, student, teacher, NONE_YET, T), floor, rtol=0, atol=allowed)
    # No way down from there. What is near to constant has a slope without bound under DIST and standardisation.
    slopes = gradient(name, student, teacher, NONE_YET, T)
    if name in ("dist", "standardised"):
        assert np.isfinite(slopes).all()
    else:
        np.testing.assert_allclose(slopes, 0, atol=allowed / T)


@every_loss
def test_a_student_that_differs_by_more_than_a_constant_costs_more(name: str) -> None:
    _, teacher, labels = drawn(2)
    student = best(name, teacher, labels, 3.0)
    student[:, 0] += 0.5
    value = value_of(name, student, teacher, labels, 3.0)
    assert (value > CONTRACTS[name].floor(*doubles(teacher), labels, 3.0) + 1e-3).all()


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures, shifts=st.tuples(*[st.floats(-20, 20, width=32)] * 2))
def test_adding_a_constant_to_all_logits_changes_nothing(
    name: str, rows: list[list[float]], T: float, shifts: tuple[float, float]
) -> None:
    student, teacher = pair(rows)
    ours, theirs = shifts
    if CONTRACTS[name].sees_a_constant:
        theirs = ours  # it takes the same constant on both sides
    moved = student + np.float32(ours), teacher + np.float32(theirs)
    larger = [np.abs(z) + 20 for z in (student, teacher)]
    allowed = room(name, *larger, T)
    if name in ("dist", "standardised"):  # what matters to them is the logits' own spread, and the shift's rounding
        allowed = 20 * max(room(name, *moved, T), room(name, student, teacher, T))
    np.testing.assert_allclose(
        value_of(name, *moved, NONE_YET, T), value_of(name, student, teacher, NONE_YET, T), rtol=0, atol=2 * allowed
    )


@every_loss
@settings(deadline=None, max_examples=15)
@given(rows=logits, T=temperatures, data=st.data())
def test_renaming_the_classes_changes_nothing(
    name: str, rows: list[list[float]], T: float, data: st.DataObject
) -> None:
    student, teacher = pair(rows)
    order = data.draw(st.permutations(range(student.shape[-1])))
    renamed = np.array([order.index(0)], np.int32)
    np.testing.assert_allclose(
        value_of(name, student[:, order], teacher[:, order], renamed, T),
        value_of(name, student, teacher, NONE_YET, T),
        rtol=0,
        atol=2 * room(name, student, teacher, T),
    )


@every_loss
def test_the_gradient_at_high_temperature_is_the_one_that_its_formula_tends_to(name: str) -> None:
    student, teacher, labels = drawn(3)
    T, contract = 300.0, CONTRACTS[name]
    limit = contract.limit(*doubles(student, teacher), labels)
    # Each power series that is cut short is cut at a term smaller by |logits| / T; no loss has more than four of them.
    dropped = 4 * max(np.abs(centred(z)).max() for z in (student, teacher)) / T * np.abs(limit).max()
    slopes = gradient(name, student, teacher, labels, T) / T**contract.power
    np.testing.assert_allclose(slopes, limit, rtol=0, atol=dropped)


@every_loss
@pytest.mark.parametrize("T", [0.5, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_huge_logits_and_a_teacher_without_doubt_stay_finite(name: str, size: float, T: float) -> None:
    student = np.array([[size, -size, 0.0], [-size, size, 0.0], [0.0, 0.0, 0.0]], np.float32)
    teacher = np.array([[-size, size, 0.0], [-size, size, 0.0], [size, -size, -size]], np.float32)
    labels = np.zeros(3, np.int32)
    value = value_of(name, student, teacher, labels, T)
    assert np.isfinite(value).all()
    # The formulas' leading terms: probabilities of exp(-size / T) are left out. A loss that sums or takes roots of
    # numbers near 1 rounds them; the others subtract logits alone.
    left_out = CONTRACTS[name].factor * T**2 * np.exp(-size / T) * 2e2
    rounded = (
        0
        if name in ("kl", "cross_entropy", "reverse_kl", "logit_mse", "decoupled", "unmatched")
        else 16 * EPSILON * T**2
    )
    expected = CONTRACTS[name].extremes(size, T)
    np.testing.assert_allclose(value[:2], expected, rtol=8 * EPSILON, atol=left_out + rounded)
    assert np.isfinite(gradient(name, student, teacher, labels, T)).all()


@pytest.mark.parametrize("name", ["kl", "cross_entropy"])
def test_the_gradient_of_huge_logits_is_never_larger_than_the_temperature(name: str) -> None:
    student, teacher = np.array([[1e4, -1e4, 0.0]], np.float32), np.array([[-1e4, 1e4, 0.0]], np.float32)
    slopes = gradient(name, student, teacher, NONE_YET, 3.0)  # T * (q - p)
    assert (np.abs(slopes) <= 3 * (1 + 8 * EPSILON)).all()


@every_loss
def test_one_temperature_for_all_and_the_same_one_for_each_agree(name: str) -> None:
    student, teacher, labels = drawn(4)
    scalar = value_of(name, student, teacher, labels, 3.0)
    each = value_of(name, student, teacher, labels, np.full(len(student), 3.0, np.float32))
    assert scalar.shape == each.shape == (len(student),)
    np.testing.assert_array_equal(scalar, each)


@pytest.mark.parametrize("name", [name for name in sorted(LOSSES) if not relates_examples(LOSSES[name])])
@pytest.mark.parametrize("batch", [1, 3, 5])  # as many examples as classes too: nothing may be spread over classes
def test_each_example_may_have_its_own_temperature_and_label(name: str, batch: int) -> None:
    student, teacher, labels = drawn(5, batch=batch)
    T = np.linspace(1, 4, batch).astype(np.float32)
    each = value_of(name, student, teacher, labels, T)
    alone = [
        value_of(name, student[i : i + 1], teacher[i : i + 1], labels[i : i + 1], float(T[i]))[0] for i in range(batch)
    ]
    np.testing.assert_allclose(each, alone, rtol=4 * EPSILON * 10)


@every_loss
def test_the_labels_matter_to_those_that_say_so_and_to_no_other(name: str) -> None:
    student, teacher, labels = drawn(6)
    others = (labels + 1) % student.shape[-1]
    values, relabelled = (value_of(name, student, teacher, y, 2.0) for y in (labels, others))
    if CONTRACTS[name].uses_labels:
        assert (np.abs(values - relabelled) > 1e-3).any()
    else:
        np.testing.assert_array_equal(values, relabelled)
        np.testing.assert_array_equal(values, LOSSES[name](student, teacher, temperature=2.0))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
@every_loss
def test_labels_are_taken_as_data_sets_hold_them(name: str, dtype: str) -> None:
    student, teacher, labels = drawn(10)
    np.testing.assert_array_equal(
        value_of(name, student, teacher, labels.astype(dtype), 2.0), value_of(name, student, teacher, labels, 2.0)
    )


@every_loss
def test_a_new_temperature_compiles_nothing_and_promotes_nothing(name: str) -> None:
    student, teacher, labels = (jnp.asarray(z) for z in drawn(7))
    traces = []

    @jax.jit
    def loss(z: Any, T: Any) -> Any:
        traces.append(T)
        return LOSSES[name](z, teacher, labels, temperature=T)

    with jax.numpy_dtype_promotion("strict"):
        at_one, at_four = loss(student, jnp.float32(1.0)), loss(student, jnp.float32(4.0))
    assert len(traces) == 1
    assert at_one.dtype == jnp.float32
    assert np.array_equal(at_one, at_four) != CONTRACTS[name].uses_temperature


@every_loss
def test_half_precision_logits_stay_half_precision(name: str) -> None:
    student, teacher, labels = drawn(8)
    value = LOSSES[name](
        jnp.asarray(student, jnp.bfloat16), jnp.asarray(teacher, jnp.bfloat16), labels, temperature=3.0
    )
    assert value.dtype == jnp.bfloat16
    assert np.isfinite(value).all()


@every_loss
def test_half_precision_floats_of_few_bits_stay_finite(name: str) -> None:
    student, teacher, labels = drawn(8)
    value = LOSSES[name](jnp.asarray(student, jnp.float16), jnp.asarray(teacher, jnp.float16), labels, temperature=3.0)
    assert np.isfinite(value).all()


def test_kl_and_cross_entropy_have_one_gradient_for_they_differ_by_what_the_student_cannot_change() -> None:
    student, teacher, labels = drawn(9)
    slopes = [gradient(name, student, teacher, labels, 3.0) for name in ("kl", "cross_entropy")]
    np.testing.assert_allclose(*slopes, rtol=0, atol=3 * 16 * EPSILON)


@pytest.mark.parametrize("name", ["kl", "cross_entropy"])
def test_a_teacher_that_repeats_the_labels_gives_the_label_loss(name: str) -> None:
    """At T = 1, a one-hot teacher is the label: both losses are then the label's cross-entropy."""
    z, _, labels = drawn(12)
    teacher = (1e4 * np.eye(z.shape[-1])[labels]).astype(np.float32)
    np.testing.assert_allclose(
        value_of(name, z, teacher, labels, 1.0), label_cross_entropy(z, labels), rtol=0, atol=16 * EPSILON * 8
    )


def test_the_names_of_the_losses_cannot_be_changed_from_outside() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        LOSSES["mine"] = label_cross_entropy  # type: ignore[index]
