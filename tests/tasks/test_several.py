"""Several outputs, packed: taken apart and put together, judged part by part, drawn anew, matched with models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.tasks.test_evaluation import case

from distillab.errors import RequestError
from distillab.metrics import metric_named
from distillab.tasks import TASKS, Head, Task
from distillab.tasks.evaluation import decisions, evaluate
from distillab.tasks.matching import check_heads, output_order, parsed_tasks, recognised_parts
from distillab.tasks.resampling import example_metric
from distillab.tasks.several import (
    Meant,
    described,
    from_described,
    labels_of,
    outputs_of,
    packed_labels,
    several,
    with_options,
)

M = 40
WEIGHTS = {"kind": 1.0, "old": 2.0, "tags": 0.5, "price": 3.0}
OF = {"kind": "categorical", "old": "binary", "tags": "multilabel", "price": "regression"}
NAMES = {"kind": tuple("abcd"), "old": ("no", "yes"), "tags": tuple("xyz"), "price": ("low", "high")}


class Stated:
    def __init__(self, weight: float = 1.0, alpha: float | None = None) -> None:
        self.weight, self.alpha = weight, alpha


def packed() -> tuple[Task, np.ndarray, np.ndarray, np.ndarray, dict[str, tuple[np.ndarray, ...]]]:
    """The cases of the single tasks side by side: outputs, labels, the teacher's outputs, and each alone."""
    alone = {name: case(task, examples=M) for name, task in OF.items()}
    task = several([Meant(name, TASKS[of], NAMES[name]) for name, of in OF.items()])
    task = with_options(task, {name: Stated(weight) for name, weight in WEIGHTS.items()})
    outputs, teacher = (np.concatenate([alone[name][i] for name in OF], axis=1) for i in (0, 1))
    return task, outputs, packed_labels(task, {name: of[2] for name, of in alone.items()}), teacher, alone


def test_what_is_packed_is_taken_apart_as_it_was() -> None:
    task, outputs, labels, _, alone = packed()
    for part in task.parts:
        np.testing.assert_array_equal(outputs_of(part, outputs), alone[part.name][0])
        np.testing.assert_array_equal(labels_of(part, labels), alone[part.name][2])
    assert from_described(described(task)) == task


def test_every_output_is_judged_as_if_it_were_the_only_one() -> None:
    task, outputs, labels, teacher, alone = packed()
    values = evaluate(task, outputs, labels, teacher)
    assert list(values) == list(task.metrics)
    for name, of in OF.items():
        student, its_teacher, truth = alone[name]
        for metric, value in evaluate(TASKS[of], student, truth, its_teacher).items():
            assert values[f"{name}.{metric}"] == value
    parts = {"kind": "accuracy", "old": "auroc", "tags": "map", "price": "r2"}
    expected = sum(WEIGHTS[name] * values[f"{name}.{metric}"] for name, metric in parts.items()) / 6.5
    assert values["score"] == pytest.approx(expected)
    losses = {name: values[f"{name}.nll"] for name in ("kind", "old", "tags")} | {"price": 1 - values["price.r2"]}
    assert values["loss"] == pytest.approx(sum(WEIGHTS[name] * value for name, value in losses.items()) / 6.5)


def test_decisions_are_packed_like_labels() -> None:
    task, outputs, _, _, alone = packed()
    decided = decisions(task, outputs)
    for part in task.parts:
        np.testing.assert_array_equal(labels_of(part, decided), decisions(part.task, alone[part.name][0]))


@pytest.mark.parametrize("metric", ["score", "loss", "kind.f1_macro", "price.r2", "tags.map", "old.agreement"])
def test_a_draw_of_examples_gives_the_metric_of_the_drawn(metric: str) -> None:
    task, outputs, labels, teacher, _ = packed()
    value = example_metric(task, metric, outputs, labels, teacher)
    rng = np.random.default_rng(1)
    for rows in (np.arange(M), rng.integers(0, M, M)):
        expected = evaluate(task, outputs[rows], labels[rows], teacher[rows])[metric]
        assert value(rows) == pytest.approx(expected)


def test_an_output_without_a_known_label_is_left_out_of_the_score() -> None:
    task, outputs, labels, _, _ = packed()
    labels[:, slice(*task.parts[3].labels)] = np.nan
    values = evaluate(task, outputs, labels)
    assert np.isnan(values["price.r2"])
    known = [values["kind.accuracy"], 2 * values["old.auroc"], 0.5 * values["tags.map"]]
    assert values["score"] == pytest.approx(sum(known) / 3.5)


def test_the_order_of_outputs_changes_no_metric() -> None:
    task, outputs, labels, _, alone = packed()
    other = several([Meant(name, TASKS[OF[name]], NAMES[name]) for name in reversed(OF)])
    other = with_options(other, {name: Stated(weight) for name, weight in WEIGHTS.items()})
    turned = np.concatenate([alone[name][0] for name in reversed(OF)], axis=1)
    values = evaluate(other, turned, packed_labels(other, {name: of[2] for name, of in alone.items()}))
    for name, value in evaluate(task, outputs, labels).items():
        assert values[name] == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"agee": Stated()}, "There is no output 'agee'"),
        ({name: Stated(0.0) for name in OF}, "The weights of all outputs are 0"),
    ],
)
def test_options_of_no_output_and_weights_of_nothing_are_refused(options: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        with_options(packed()[0], options)


def test_options_are_of_several_outputs_only() -> None:
    assert with_options(TASKS["binary"], {}) is TASKS["binary"]
    with pytest.raises(RequestError, match="the data have one output, task=binary"):
        with_options(TASKS["binary"], {"age": Stated()})


@pytest.mark.parametrize("name", ["a/b", "a:b", "a,b", "a=b", " "])
def test_names_that_options_or_layers_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(RequestError, match="output="):
        several([Meant(name, TASKS["regression"], ("y",))])


@pytest.mark.parametrize(
    ("found", "keyed", "order"),
    [(["b", "a"], True, [1, 0]), (["dense", "dense_1"], False, [0, 1]), (["a", "dense"], False, [0, 1])],
)
def test_outputs_are_matched_by_name_and_else_by_order(found: list[str], keyed: bool, order: list[int]) -> None:
    assert output_order(["a", "b"], found, "The model", keyed=keyed) == order


@pytest.mark.parametrize(
    ("found", "keyed", "message"),
    [
        (["a", "c"], True, "The model names its outputs a, c, and the data name theirs a, b"),
        (["dense", "a"], False, "names its outputs dense, a"),
        (["a"], False, r"The model has 1 output \(a\), and the data have 2 \(a, b\)"),
    ],
)
def test_outputs_that_cannot_be_matched_are_refused(found: list[str], keyed: bool, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        output_order(["a", "b"], found, "The model", keyed=keyed)


def heads(*endings: str) -> Head:
    parts = tuple(Head(1, end, 0, f"output {of}", output=of) for of, end in zip("ab", endings, strict=True))
    return Head(2, "", 0, "the model", parts=parts)


def test_each_task_is_recognised_from_its_labels_and_its_output() -> None:
    labels = {"a": [0, 1, 1], "b": [0.5, 1.5, 2.5]}
    assert {name: task.name for name, task in recognised_parts(labels, [heads("sigmoid", "")]).items()} == {
        "a": "binary",
        "b": "regression",
    }
    stated = recognised_parts(labels, [heads("", "")], given="a=regression")
    assert stated["a"].name == "regression"
    with pytest.raises(RequestError, match="Output 'b': The model ends in one sigmoid"):
        recognised_parts(labels, [heads("sigmoid", "sigmoid")])
    with pytest.raises(RequestError, match="There is no output 'c'"):
        recognised_parts(labels, given="c=binary")
    task = several([Meant("a", TASKS["regression"], ("a",)), Meant("b", TASKS["regression"], ("b",))])
    with pytest.raises(RequestError, match="task=regression needs a last layer without activation; output a"):
        check_heads(task, [heads("sigmoid", "")])


def test_stated_tasks_are_read_from_text_and_checked() -> None:
    assert parsed_tasks({"a": "binary"}) == parsed_tasks(" a = binary ") == {"a": "binary"}
    with pytest.raises(RequestError, match="There is no task 'bynary'"):
        parsed_tasks("a=bynary")


def test_a_metric_of_an_output_has_the_unit_and_direction_of_the_metric() -> None:
    metric = metric_named("my.price.rmse")
    assert (metric.label, metric.sign, metric.in_label_unit) == ("root mean squared error of my.price", -1, True)
    with pytest.raises(RequestError, match=r"There is no metric 'price\.rms'"):
        metric_named("price.rms")
