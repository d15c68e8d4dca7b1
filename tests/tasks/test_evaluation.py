"""Metrics by task: those of classes to the bit, scikit-learn's for the others, unknown labels, draws of examples."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from scipy.special import expit

from distillab.errors import RequestError
from distillab.metrics import METRICS, all_metrics, auroc
from distillab.metrics.ranking import Ranking
from distillab.tasks import TASKS
from distillab.tasks.detail import detail
from distillab.tasks.evaluation import confusion, decisions, evaluate
from distillab.tasks.resampling import example_metric

EXACT = 1e-10  # float64 on both sides, in another order of summation
SHAPES = {"flat": (), "sequence": (7,), "map": (4, 5)}


def case(task: str, positions: tuple[int, ...] = (), examples: int = 40, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Outputs of a student and of its teacher, and labels of which some are unknown."""
    rng = np.random.default_rng(seed)
    shape = (examples, *positions)
    names = {"categorical": 4, "binary": 1, "multilabel": 3, "regression": 2}[task]
    teacher = rng.standard_normal((*shape, names)).astype(np.float32)
    student = (0.5 * teacher + np.round(rng.standard_normal((*shape, names)), 1)).astype(np.float32)
    if task == "regression":
        labels = (10 + teacher + rng.standard_normal(teacher.shape)).astype(np.float32)
        student, teacher = student + 10, teacher + 10
        labels[rng.random(labels.shape) < 0.1] = np.nan
        return student, teacher, labels
    if task == "categorical":
        labels = np.where(rng.random(shape) < 0.6, teacher.argmax(-1), rng.integers(0, names, shape))
    else:
        labels = (rng.random(teacher.shape) < expit(2 * teacher - 0.5)).astype(np.int32)
        labels = labels[..., 0] if task == "binary" else labels
    return student, teacher, np.where(rng.random(labels.shape) < 0.1, -1, labels).astype(np.int32)


@pytest.mark.parametrize("linear", [False, True])
def test_one_of_several_classes_has_the_metrics_of_a_classifier_to_the_bit(linear: bool) -> None:
    student, teacher, labels = case("categorical")
    labels = np.maximum(labels, 0)
    for given in (None, teacher):
        expected = all_metrics(student, labels, given, linear=linear)
        values = evaluate(TASKS["categorical"], student, labels, given, linear=linear)
        assert values == dict(expected)
        order = [name for name in TASKS["categorical"].metrics if name in expected]
        assert list(values) == order


@pytest.mark.parametrize("positions", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("task", TASKS)
def test_every_metric_of_a_task_is_there_in_its_order_and_has_a_name(task: str, positions: tuple[int, ...]) -> None:
    student, teacher, labels = case(task, positions)
    values = evaluate(TASKS[task], student, labels, teacher)
    assert list(values) == list(TASKS[task].metrics_of(bool(positions)))
    assert set(values) <= set(METRICS)
    assert np.isfinite(list(values.values())).all()
    with_teacher = {"agreement", "kl_to_teacher", "mae_to_teacher"} & set(values)
    assert set(evaluate(TASKS[task], student, labels)) == set(values) - with_teacher
    itself = evaluate(TASKS[task], teacher, labels, teacher)
    assert {name: itself[name] for name in with_teacher} == {name: float(name == "agreement") for name in with_teacher}


@pytest.mark.parametrize("task", TASKS)
def test_positions_are_examples_of_their_own(task: str) -> None:
    student, teacher, labels = case(task, (4, 5))
    rows = [each.reshape(-1, each.shape[-1]) for each in (student, teacher)]
    of_rows = labels.reshape(len(rows[0]), *labels.shape[3:])
    values, flat = evaluate(TASKS[task], student, labels, teacher), evaluate(TASKS[task], rows[0], of_rows, rows[1])
    shared = set(values) & set(flat)
    assert len(shared) >= 5
    assert {name: values[name] for name in shared} == {name: flat[name] for name in shared}


@pytest.mark.parametrize("positions", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("task", TASKS)
def test_outputs_where_the_label_is_unknown_change_nothing(task: str, positions: tuple[int, ...]) -> None:
    student, teacher, labels = case(task, positions)
    unknown = np.isnan(labels) if task == "regression" else labels < 0
    expected = evaluate(TASKS[task], student, labels, teacher)
    student[unknown], teacher[unknown] = 50, -50
    assert evaluate(TASKS[task], student, labels, teacher) == expected


def test_one_logit_agrees_with_scikit_learn() -> None:
    student, teacher, labels = case("binary", (7,))
    values = evaluate(TASKS["binary"], student, labels, teacher) | evaluate(
        TASKS["binary"], student.reshape(-1, 1), labels.reshape(-1)
    )
    known = labels >= 0
    z, y, t = student[known][:, 0].astype(float), labels[known], teacher[known][:, 0].astype(float)
    p, q, decided = expit(z), expit(t), z > 0
    expected = {
        "auroc": sklearn.metrics.roc_auc_score(y, z),
        "average_precision": sklearn.metrics.average_precision_score(y, z),
        "f1": sklearn.metrics.f1_score(y, decided),
        "iou": sklearn.metrics.jaccard_score(y, decided),
        "accuracy": sklearn.metrics.accuracy_score(y, decided),
        "pixel_accuracy": sklearn.metrics.accuracy_score(y, decided),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(y, decided),
        "nll": sklearn.metrics.log_loss(y, p),
        "brier": sklearn.metrics.brier_score_loss(y, p),
        "agreement": np.mean(decided == (t > 0)),
        "kl_to_teacher": np.mean(q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))),
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=EXACT)


def test_one_logit_is_judged_as_two() -> None:
    student, teacher, labels = case("binary")
    two = [np.concatenate([np.zeros_like(z), z], axis=-1) for z in (student, teacher)]
    one = evaluate(TASKS["binary"], student, labels, teacher)
    both = evaluate(TASKS["categorical"], two[0], labels, two[1])
    for name in ("accuracy", "balanced_accuracy", "nll", "ece", "agreement", "kl_to_teacher"):
        assert one[name] == both[name]
    assert one["brier"] == pytest.approx(both["brier"] / 2, abs=EXACT)


def test_independent_labels_agree_with_scikit_learn() -> None:
    student, teacher, labels = case("multilabel")
    labels = np.maximum(labels, 0)
    values = evaluate(TASKS["multilabel"], student, labels, teacher)
    z, p, q = (each.astype(float) for each in (student, expit(student.astype(float)), expit(teacher.astype(float))))
    expected = {
        "map": sklearn.metrics.average_precision_score(labels, z, average="macro"),
        "auroc_macro": sklearn.metrics.roc_auc_score(labels, z, average="macro"),
        "f1_micro": sklearn.metrics.f1_score(labels, z > 0, average="micro"),
        "f1_macro": sklearn.metrics.f1_score(labels, z > 0, average="macro"),
        "label_accuracy": 1 - sklearn.metrics.hamming_loss(labels, z > 0),
        "nll": sklearn.metrics.log_loss(labels.ravel(), p.ravel()),
        "brier": np.mean((p - labels) ** 2),
        "agreement": np.mean((z > 0) == (teacher > 0)),
        "kl_to_teacher": np.mean(q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))),
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=EXACT)


def test_maps_agree_with_scikit_learn() -> None:
    student, _, labels = case("categorical", (4, 5))
    values = evaluate(TASKS["categorical"], student, labels)
    decided, y = student.argmax(-1)[labels >= 0], labels[labels >= 0]
    assert values["mean_iou"] == pytest.approx(sklearn.metrics.jaccard_score(y, decided, average="macro"), abs=EXACT)
    assert values["pixel_accuracy"] == sklearn.metrics.accuracy_score(y, decided)
    matrix = confusion(TASKS["categorical"], student, labels)
    np.testing.assert_array_equal(matrix, sklearn.metrics.confusion_matrix(y, decided))


def test_numbers_leave_out_unknown_labels_also_beside_the_teacher() -> None:
    # Errors 1 and -3; beside the teacher 2 and 1. The unknown entry would add 100.
    outputs, teacher = np.array([[1.0], [2.0], [0.0]]), np.array([[-1.0], [1.0], [100.0]])
    values = evaluate(TASKS["regression"], outputs, np.array([[0.0], [5.0], [np.nan]]), teacher)
    assert (values["mae"], values["mae_to_teacher"]) == (2.0, 1.5)
    assert values["rmse"] == pytest.approx(np.sqrt(5), abs=EXACT)


def test_decisions_have_the_shape_and_the_terms_of_the_labels() -> None:
    for task in TASKS:
        student, _, labels = case(task, (4, 5))
        decided = decisions(TASKS[task], student)
        assert decided.shape == labels.shape
        if task != "regression":
            assert decided.dtype == np.int32
    assert decisions(TASKS["binary"], np.array([[-1.0], [0.0], [1.0]])).tolist() == [0, 0, 1]
    assert decisions(TASKS["multilabel"], np.array([[-1.0, 2.0]])).tolist() == [[0, 1]]
    assert decisions(TASKS["categorical"], np.array([[-1.0, 2.0]])).tolist() == [1]


def test_a_confusion_matrix_of_one_logit_counts_its_decisions() -> None:
    matrix = confusion(TASKS["binary"], np.array([[1.0], [-1.0], [2.0], [3.0]]), np.array([1, 1, 0, -1]))
    assert matrix.tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_what_has_no_classes_that_exclude_each_other_has_no_confusion_matrix(task: str) -> None:
    student, _, labels = case(task)
    with pytest.raises(RequestError, match=f"task='{task}' is not allowed"):
        confusion(TASKS[task], student, labels)


@pytest.mark.parametrize("task", TASKS)
def test_labels_that_are_all_unknown_are_refused(task: str) -> None:
    student, _, labels = case(task)
    with pytest.raises(RequestError, match="all are unknown"):
        evaluate(TASKS[task], student, np.full_like(labels, np.nan if task == "regression" else -1))


@pytest.mark.parametrize("positions", [(), (4, 5)], ids=["flat", "map"])
@pytest.mark.parametrize(("task", "linear"), [*((task, False) for task in TASKS), ("categorical", True)])
def test_a_metric_of_drawn_examples_is_that_of_the_drawn_arrays(
    task: str, positions: tuple[int, ...], linear: bool
) -> None:
    student, teacher, labels = case(task, positions)
    rng, of = np.random.default_rng(1), TASKS[task]
    draws = (np.arange(len(labels)), *rng.integers(0, len(labels), (5, len(labels))))
    expected = [evaluate(of, student[rows], labels[rows], teacher[rows], linear=linear) for rows in draws]
    for metric in expected[0]:
        value = example_metric(of, metric, student, labels, teacher, linear=linear)
        for rows, values in zip(draws, expected, strict=True):
            assert value(rows) == pytest.approx(values[metric], abs=1e-8), metric  # R2: float32 labels near 10, squared


def test_a_metric_is_not_defined_on_draws_without_both_labels() -> None:
    value = example_metric(TASKS["binary"], "auroc", np.array([[1.0], [2.0]]), np.array([0, 1]))
    assert value(np.array([0, 1])) == 1
    assert np.isnan(value(np.array([1, 1])))


@pytest.mark.parametrize(
    ("task", "metric"), [("binary", "agreement"), ("regression", "auroc"), ("categorical", "mean_iou")]
)
def test_a_metric_that_evaluate_does_not_give_is_refused(task: str, metric: str) -> None:
    student, _, labels = case(task)
    with pytest.raises(RequestError, match=f"metric='{metric}' is not allowed: .* for task={task}: "):
        example_metric(TASKS[task], metric, student, labels)


def kilobytes(of: dict[str, Any]) -> float:
    return len(json.dumps(of, allow_nan=False)) / 1000


@pytest.mark.parametrize("positions", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("task", TASKS)
def test_what_a_page_draws_is_small_and_plain(task: str, positions: tuple[int, ...]) -> None:
    student, _, labels = case(task, positions, examples=2000)
    assert kilobytes(detail(TASKS[task], student, labels)) < 10


def test_a_thinned_curve_keeps_its_ends_and_its_area() -> None:
    student, _, labels = case("binary", examples=4000)
    curves = detail(TASKS["binary"], student + np.linspace(0, 1e-3, 4000)[:, None], labels)
    for name in ("roc", "pr"):
        assert len(curves[name]) <= 101
    false, true = np.transpose(curves["roc"])
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    known = labels >= 0
    exact = auroc(Ranking(student[known, 0], labels[known]).counts())
    # a step of the curve is 1/50 long at most: the area of the triangles cut off is below a hundredth
    assert sklearn.metrics.auc(false, true) == pytest.approx(exact, abs=0.01)
    assert curves["pr"][-1] == [1.0, pytest.approx(labels[known].mean(), abs=1e-4)]


def test_a_curve_without_both_labels_and_a_label_without_them_are_not_drawn() -> None:
    assert detail(TASKS["binary"], np.zeros((3, 1)), np.ones(3, int)) == {"roc": None, "pr": None}
    table = detail(TASKS["multilabel"], np.array([[1.0, -1.0], [2.0, 1.0]]), np.array([[1, 0], [1, 1]]))["labels"]
    first = {"label": 0, "positives": 2, "auroc": None, "average_precision": None}
    assert table[0] == first | {"f1": 1.0, "precision": 1.0, "recall": 1.0}
    second = {"label": 1, "positives": 1, "auroc": 1.0, "average_precision": 1.0}
    assert table[1] == second | {"f1": 1.0, "precision": 1.0, "recall": 1.0}


def test_of_many_labels_the_most_frequent_are_listed() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((500, 90)) < np.linspace(0.1, 0.9, 90)).astype(np.int32)
    result = detail(TASKS["multilabel"], rng.standard_normal((500, 90)), labels)
    assert [row["label"] for row in result["labels"]] == sorted(np.argsort(-labels.sum(0), kind="stable")[:40])
    assert kilobytes(result) < 10


def test_residuals_count_every_known_entry_and_pairs_show_every_output() -> None:
    student, _, labels = case("regression", (4, 5), examples=300)
    drawn = detail(TASKS["regression"], student, labels)
    assert sum(drawn["residuals"]["counts"]) == np.count_nonzero(~np.isnan(labels))
    assert len(drawn["residuals"]["edges"]) == len(drawn["residuals"]["counts"]) + 1
    assert 200 < len(drawn["pairs"]) <= 300
    assert {output for _, _, output in drawn["pairs"]} == {0, 1}
    label, predicted, output = drawn["pairs"][0]
    assert (label, predicted) == pytest.approx((labels[0, 0, 0, output], student[0, 0, 0, output]), rel=1e-4)
