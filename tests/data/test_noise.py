"""Label noise: exact counts, honest masks, nothing left to chance but what should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.data import NOISE_KINDS, perturb, transition_matrix
from distillab.data.digests import sha256
from distillab.errors import RequestError
from distillab.tasks import TASKS, Task

RATED = sorted(set(TASKS["categorical"].noise) - {"matrix"})


def needs(kind: str, labels: np.ndarray, classes: int) -> dict[str, object]:
    """What a kind of noise needs besides the rate: `margin` the logits of a model."""
    if kind != "margin":
        return {}
    return {"logits": 3 * np.eye(classes)[labels] + np.random.default_rng(9).normal(size=(len(labels), classes))}


SEEDS = st.integers(0, 2**32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    classes = draw(st.integers(2, 6))
    return np.array(draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=60))), classes


@pytest.mark.parametrize("kind", RATED)
@given(case=cases(), rate=st.floats(0, 1), seed=SEEDS)
def test_exactly_the_rate_changes_and_the_mask_says_where(kind: str, case, rate: float, seed: int) -> None:
    labels, classes = case
    before = labels.copy()
    new, changed = perturb(labels, kind=kind, rate=rate, classes=classes, rng=rng(seed), **needs(kind, labels, classes))
    assert changed.sum() == round(rate * len(labels))
    np.testing.assert_array_equal(new != labels, changed)
    np.testing.assert_array_equal(labels, before)
    assert new.dtype == np.int32
    assert ((new >= 0) & (new < classes)).all()


@given(case=cases(), rate=st.floats(0, 1))
def test_shift_goes_one_class_down_and_pair_one_up(case, rate: float) -> None:
    labels, classes = case
    down = perturb(labels, kind="shift", rate=rate, classes=classes, rng=rng())
    up = perturb(labels, kind="pair", rate=rate, classes=classes, rng=rng())
    np.testing.assert_array_equal(down.labels[down.changed], (labels[down.changed] - 1) % classes)
    np.testing.assert_array_equal(up.labels[up.changed], (labels[up.changed] + 1) % classes)


@pytest.mark.parametrize("kind", RATED)
@given(case=cases(), rate=st.floats(0, 1), seed=SEEDS)
def test_the_same_seed_gives_the_same_labels(kind: str, case, rate: float, seed: int) -> None:
    labels, classes = case
    one, again = (
        perturb(labels, kind=kind, rate=rate, classes=classes, rng=rng(seed), **needs(kind, labels, classes))
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.labels, again.labels)


@pytest.mark.parametrize("kind", RATED)
def test_a_higher_rate_keeps_the_changes_of_a_lower_one(kind: str) -> None:
    labels = np.arange(200) % 10
    low, high = (
        perturb(labels, kind=kind, rate=rate, classes=10, rng=rng(3), **needs(kind, labels, 10)) for rate in (0.1, 0.4)
    )
    assert high.changed[low.changed].all()
    np.testing.assert_array_equal(high.labels[low.changed], low.labels[low.changed])


def test_symmetric_noise_reaches_every_other_class_equally() -> None:
    new = perturb(np.zeros(9_000, int), kind="symmetric", rate=1.0, classes=10, rng=rng()).labels
    counts = np.bincount(new, minlength=10)
    assert counts[0] == 0
    assert np.abs(counts[1:] - 1_000).max() < 150  # five standard deviations of a binomial(9000, 1/9)


def test_another_seed_changes_other_rows() -> None:
    labels = np.arange(200) % 10
    one, other = (perturb(labels, kind="shift", rate=0.2, classes=10, rng=rng(seed)).changed for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_a_matrix_gives_exact_counts_for_every_class() -> None:
    labels = np.repeat([0, 1, 2], [10, 20, 7])
    matrix = [[0.7, 0.2, 0.1], [0, 1, 0], [0.5, 0, 0.5]]
    new, changed = perturb(labels, kind="matrix", matrix=matrix, classes=3, rng=rng())
    counts = [np.bincount(new[labels == number], minlength=3).tolist() for number in range(3)]
    # Class 2: 3.5 and 3.5 of 7, and the tie goes to the lower class.
    assert counts == [[7, 2, 1], [0, 20, 0], [4, 0, 3]]
    assert changed.sum() == 3 + 0 + 4


@given(case=cases(), data=st.data())
def test_matrix_counts_lie_within_one_of_their_shares(case, data: st.DataObject) -> None:
    labels, classes = case
    weights = st.lists(st.integers(0, 9), min_size=classes, max_size=classes).filter(any)
    matrix = np.array([data.draw(weights) for _ in range(classes)], float)
    matrix /= matrix.sum(axis=1, keepdims=True)
    new, changed = perturb(labels, kind="matrix", matrix=matrix, classes=classes, rng=rng())
    np.testing.assert_array_equal(new != labels, changed)
    for number in range(classes):
        counts = np.bincount(new[labels == number], minlength=classes)
        exact = matrix[number] * (labels == number).sum()
        assert np.abs(counts - exact).max() < 1 + 1e-9  # float error of the products written here
        assert (counts[matrix[number] == 0] == 0).all()


def test_classes_that_do_not_occur_are_no_obstacle() -> None:
    new = perturb([0, 0], kind="matrix", matrix=np.eye(3)[[1, 0, 2]], classes=3, rng=rng()).labels
    assert new.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "symetric"}, "There is no kind of label noise 'symetric'. Did you mean 'symmetric'?"),
        ({"rate": -0.1}, "rate=-0.1 is not allowed: it must be a number from 0 to 1"),
        ({"rate": 1.1}, "rate=1.1 is not allowed"),
        ({"rate": float("nan")}, "rate=nan is not allowed"),
        ({"rate": None}, "rate=None is not allowed"),
        ({"rate": True}, "rate=True is not allowed"),
        ({"classes": 1}, "classes=1 is not allowed: it must be a whole number >= 2"),
        ({"classes": 2}, r"labels\[2\]=2 is not allowed: it must be a class number from 0 to 1"),
        ({"labels": [[0, 1, 0]]}, r"labels.shape=\(1, 3\) .* One-hot labels become class numbers"),
        ({"labels": []}, r"labels.shape=\(0,\) is not allowed"),
        ({"labels": [0.5]}, "labels.dtype='float64' is not allowed"),
        ({"matrix": np.eye(3)}, "matrix='given' is not allowed: it must be left out unless the kind is 'matrix'"),
        ({"kind": "matrix"}, "rate=0.5 is not allowed: it must be left out when the kind is 'matrix'"),
        ({"kind": "matrix", "rate": None}, r"matrix=None is not allowed: it must be given, of shape \(3, 3\)"),
        ({"kind": "matrix", "rate": None, "matrix": np.eye(2)}, r"matrix.shape=\(2, 2\) is not allowed"),
        (
            {"kind": "matrix", "rate": None, "matrix": [[1, 0, 0], [0, 0.9, 0], [0, 0, 1]]},
            r"sum\(matrix\[1\]\)=0.9 is not allowed: it must be 1",
        ),
        (
            {"kind": "matrix", "rate": None, "matrix": [[1, 0, 0], [0, 1, 0], [-0.5, 0.5, 1]]},
            r"matrix\[2\]=\[-0.5, 0.5, 1.0\] is not allowed: it must be shares >= 0",
        ),
        (
            {"kind": "matrix", "rate": None, "matrix": [[np.nan, 0, 0], [0, 1, 0], [0, 0, 1]]},
            r"matrix\[0\]=\[nan, 0.0, 0.0\] is not allowed",
        ),
    ],
)
def test_a_bad_request_is_refused(changes: dict[str, object], message: str) -> None:
    request: dict[str, object] = {"labels": [0, 1, 2], "kind": "shift", "rate": 0.5, "classes": 3, "rng": rng()}
    with pytest.raises(RequestError, match=message):
        perturb(**(request | changes))


def test_margin_noise_gives_an_example_the_class_it_is_most_easily_taken_for() -> None:
    """Hand-worked: the runner-up of each row, the true class left aside."""
    logits = np.array([[5.0, 1.0, 2.0], [0.0, 4.0, 3.0], [9.0, 8.0, 7.0]])
    new = perturb([0, 1, 2], kind="margin", rate=1.0, classes=3, rng=rng(), logits=logits).labels
    assert new.tolist() == [2, 2, 0]


def test_margin_noise_draws_an_example_by_the_odds_against_its_label() -> None:
    """One of three labels is made wrong; weights exp(-margin) are 1, 2 and 5 of 8."""
    logits = np.array([[0.0, 0.0], [0.0, np.log(2)], [0.0, np.log(5)]])
    draws = [
        perturb([0, 0, 0], kind="margin", rate=1 / 3, classes=2, rng=rng(k), logits=logits).changed for k in range(4000)
    ]
    shares = np.mean(draws, axis=0)
    expected = np.array([1, 2, 5]) / 8
    assert np.abs(shares - expected).max() < 5 * np.sqrt(0.25 / 4000)  # five standard deviations at most


@pytest.mark.parametrize("logits", [None, np.zeros((3, 2)), np.full((3, 3), np.nan)])
def test_margin_noise_needs_an_answer_for_each_example(logits: np.ndarray | None) -> None:
    with pytest.raises(RequestError, match=r"logits.*=.* is not allowed: it must be .*\(3, 3\)"):
        perturb([0, 1, 2], kind="margin", rate=0.5, classes=3, rng=rng(), logits=logits)


def test_logits_are_refused_by_the_other_kinds() -> None:
    with pytest.raises(
        RequestError, match="logits='given' is not allowed: it must be left out unless the kind is 'margin'"
    ):
        perturb([0, 1, 2], kind="pair", rate=0.5, classes=3, rng=rng(), logits=np.zeros((3, 3)))


@pytest.mark.parametrize("kind", ["shift", "pair", "symmetric"])
def test_the_transition_matrix_is_what_perturbing_does_on_average(kind: str) -> None:
    labels = np.repeat(np.arange(4), 20_000)
    new = perturb(labels, kind=kind, rate=0.3, classes=4, rng=rng()).labels
    counted = np.array([np.bincount(new[labels == k], minlength=4) / 20_000 for k in range(4)])
    assert np.abs(counted - transition_matrix(kind, classes=4, rate=0.3)).max() < 5 * np.sqrt(0.25 / 20_000)


def test_a_given_matrix_is_its_own_transition_and_margins_have_none() -> None:
    given_one = [[0.9, 0.1], [0.0, 1.0]]
    np.testing.assert_array_equal(transition_matrix("matrix", classes=2, matrix=given_one), given_one)
    assert transition_matrix("margin", classes=2, rate=0.1) is None


BINARY, MULTILABEL, REGRESSION = TASKS["binary"], TASKS["multilabel"], TASKS["regression"]
ZERO_ONE = np.array([0, 1] * 20)
TAGS = np.where(np.arange(40) % 7 == 6, -1, ZERO_ONE).reshape(10, 4)  # 35 known entries, 18 of them ones
NUMBERS = np.array([[1.0, 10.0], [np.nan, 20.0], [3.0, 30.0]])
OF_TASK = [
    (BINARY, "symmetric", ZERO_ONE, {}),
    (BINARY, "one_sided", ZERO_ONE, {}),
    (BINARY, "margin", ZERO_ONE, {"logits": np.linspace(-2, 2, 40)[:, None]}),
    (MULTILABEL, "symmetric", TAGS, {}),
    (MULTILABEL, "one_sided", TAGS, {}),
    (REGRESSION, "additive", NUMBERS, {"spread": [1.0, 10.0]}),
    (REGRESSION, "heavy_tailed", NUMBERS, {"spread": [1.0, 10.0]}),
]


def noisy(task: Task, kind: str, labels: np.ndarray, rate: float, seed: int = 0, **more: object) -> tuple:
    classes = labels.shape[-1] if task in (MULTILABEL, REGRESSION) else 2
    return perturb(labels, kind=kind, classes=classes, rng=rng(seed), rate=rate, task=task, **more)


@pytest.mark.parametrize(("task", "kind", "labels", "more"), OF_TASK)
def test_noise_of_any_task_repeats_marks_its_changes_and_leaves_unknown_labels(task, kind, labels, more) -> None:
    (new, changed), again = noisy(task, kind, labels, 0.5, **more), noisy(task, kind, labels, 0.5, **more)
    known = ~np.isnan(labels) & (labels != -1)
    np.testing.assert_array_equal(new, again.labels)
    np.testing.assert_array_equal((new != labels) & known, changed)
    np.testing.assert_array_equal(new[~known], labels[~known])
    assert changed.any()
    assert new.dtype == (np.float32 if task is REGRESSION else np.int32)
    assert not noisy(task, kind, labels, 0.0, **more).changed.any()
    assert (noisy(task, kind, labels, 0.5, seed=1, **more).labels != new)[known].any()


def test_flips_of_zero_and_one_are_counted_exactly() -> None:
    """Of 40 labels 20 are ones: a quarter of all is 10, a quarter of the ones 5. Of 35 known tags 18 are ones."""
    assert noisy(BINARY, "symmetric", ZERO_ONE, 0.25).changed.sum() == 10
    missed = noisy(BINARY, "one_sided", ZERO_ONE, 0.25)
    assert (missed.changed.sum(), missed.labels.sum()) == (5, 15)
    assert noisy(MULTILABEL, "symmetric", TAGS, 0.2).changed.sum() == 7
    missing = noisy(MULTILABEL, "one_sided", TAGS, 1.0)
    assert missing.changed.sum() == (TAGS == 1).sum() == 18
    assert (missing.labels == 1).sum() == 0


@pytest.mark.parametrize(("task", "kind", "labels", "more"), [row for row in OF_TASK if row[0] is not REGRESSION])
def test_a_higher_rate_of_flips_keeps_those_of_a_lower_one(task, kind, labels, more) -> None:
    low, high = (noisy(task, kind, labels, rate, **more).changed for rate in (0.2, 0.6))
    assert high[low].all()
    assert high.sum() > low.sum()


def test_binary_noise_is_that_of_two_classes() -> None:
    two = perturb(ZERO_ONE, kind="symmetric", classes=2, rng=rng(), rate=0.3).labels
    np.testing.assert_array_equal(noisy(BINARY, "symmetric", ZERO_ONE, 0.3).labels, two)
    z = np.linspace(-2, 2, 40)[:, None]
    two = perturb(ZERO_ONE, kind="margin", classes=2, rng=rng(), rate=0.3, logits=np.hstack([0 * z, z])).labels
    np.testing.assert_array_equal(noisy(BINARY, "margin", ZERO_ONE, 0.3, logits=z).labels, two)


def test_noise_of_numbers_is_their_draws_times_rate_and_spread() -> None:
    """At twice the rate the same draws, twice as large; a draw is Gaussian, or Student's t with 2 degrees."""
    for kind, draws in (("additive", rng().standard_normal((3, 2))), ("heavy_tailed", rng().standard_t(2, (3, 2)))):
        for rate in (0.1, 0.2):
            new = noisy(REGRESSION, kind, NUMBERS, rate, spread=[1.0, 10.0]).labels
            expected = NUMBERS + rate * np.array([1.0, 10.0]) * draws
            np.testing.assert_allclose(new, expected, rtol=1e-6)  # float32 numbers, each rounded twice


def test_unknown_positions_stay_unknown_and_do_not_count() -> None:
    maps = np.where(np.arange(60) % 3 == 0, -1, np.arange(60) % 4).reshape(5, 3, 4)
    new, changed = perturb(maps, kind="shift", classes=4, rng=rng(), rate=0.5)
    assert changed.sum() == 20  # half of 40 known ones
    np.testing.assert_array_equal(new[maps == -1], -1)
    np.testing.assert_array_equal(new[changed], (maps[changed] - 1) % 4)
    logits = np.random.default_rng(1).normal(size=(5, 3, 4, 4))
    assert perturb(maps, kind="margin", classes=4, rng=rng(), rate=0.5, logits=logits).changed.sum() == 20


@pytest.mark.parametrize(
    ("task", "labels", "more", "message"),
    [
        (
            BINARY,
            ZERO_ONE,
            {"kind": "pair"},
            "kind='pair' is not allowed: .* task=binary: symmetric, one_sided, margin",
        ),
        (MULTILABEL, TAGS, {"kind": "margin"}, "task=multilabel: symmetric, one_sided"),
        (REGRESSION, NUMBERS, {"kind": "symmetric"}, "task=regression: additive, heavy_tailed"),
        (
            TASKS["categorical"],
            ZERO_ONE,
            {"kind": "additive"},
            "task=categorical: shift, symmetric, pair, matrix, margin",
        ),
        (REGRESSION, NUMBERS, {"kind": "additive"}, "spread=None is not allowed: it must be 2 finite numbers > 0"),
        (REGRESSION, NUMBERS, {"kind": "additive", "spread": [1.0, 0.0]}, r"spread=\[1.0, 0.0\] is not allowed"),
        (REGRESSION, NUMBERS, {"kind": "additive", "spread": [1.0]}, r"spread=\[1.0\] is not allowed"),
        (
            BINARY,
            ZERO_ONE,
            {"kind": "symmetric", "spread": [1.0]},
            "left out unless the kind is 'additive' or 'heavy_ta",
        ),
        (MULTILABEL, TAGS, {"kind": "symmetric", "logits": TAGS * 1.0}, "left out unless the kind is 'margin'"),
        (BINARY, ZERO_ONE, {"kind": "margin", "logits": np.zeros((40, 2))}, r"logits.shape=\(40, 2\) .* \(40, 1\)"),
        (MULTILABEL, TAGS, {"kind": "symmetric", "rate": 1.5}, "rate=1.5 is not allowed"),
    ],
)
def test_what_does_not_belong_to_a_task_is_refused(task, labels, more, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        noisy(task, labels=labels, **{"rate": 0.5, **more})


def test_every_kind_of_every_task_exists() -> None:
    assert {kind for task in TASKS.values() for kind in task.noise} == set(NOISE_KINDS)


def test_one_sided_noise_has_a_transition_matrix_and_that_of_numbers_none() -> None:
    assert transition_matrix("one_sided", classes=2, rate=0.25).tolist() == [[1.0, 0.0], [0.25, 0.75]]
    assert transition_matrix("symmetric", classes=2, rate=0.25).tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert transition_matrix("additive", classes=2, rate=0.1) is None


def test_noise_of_classes_is_what_it_has_always_been() -> None:
    """Digits of earlier versions: a study that is resumed must draw the same labels."""
    labels = np.arange(50) % 5
    draws = [
        perturb(labels, kind=kind, classes=5, rng=rng(7), rate=0.3, **needs(kind, labels, 5)).labels for kind in RATED
    ]
    assert sha256(np.concatenate(draws)) == "ff6fc1056825d25812016eef2666840cf7da704fd8b9ecc1c1904c7384ee601a"
