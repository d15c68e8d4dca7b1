"""The finding of a distillation, as plain values: the content of `answer.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from distillab.analysis.distillation import Comparison, PairedGain, PredictedTest, compare, paired_gain
from distillab.data import Dataset
from distillab.data.inputs import changed, scaling
from distillab.data.labels import Array
from distillab.engine.cost import Cost, cost
from distillab.metrics.metric import metric_named
from distillab.search.grid import FINALISTS, REPEATS, SearchResult
from distillab.search.pipeline import Finals, Pipeline
from distillab.search.space import Score
from distillab.study.student_models import StudentModel
from distillab.study.teacher_models import TeacherModel
from distillab.tasks.detail import detail
from distillab.tasks.evaluation import confusion
from distillab.tasks.several import described

BY_COLUMNS = "as columns.json makes them of raw rows, words as codes and NaN where a value is missing"
"""How the student of a table with words or gaps reads them."""

BY_TOKENIZER = ", which tokenizer.json makes of texts"
"""What a student of texts reads."""


def distillation_finding(
    pipeline: Pipeline,
    found: SearchResult,
    finals: Finals,
    predictions: PredictedTest,
    teachers: Sequence[TeacherModel],
    model: keras.Model,
) -> dict[str, Any]:
    """Compare the final students, and gather everything that a report states.

    Args:
        pipeline: of the distillation.
        found: by the search.
        finals: the results of the final trainings.
        predictions: of the students and the teacher for the test examples.
        teachers: of the distillation.
        model: the shipped student.

    Returns:
        Plain values: names, verdict, chosen settings, search, candidates, costs, data and request.
    """
    wanted, dataset, architecture = pipeline.request, pipeline.dataset, pipeline.student(found.distilled)
    compared = compare(
        finals.student, finals.baseline, predictions, dataset.y_test,
        task=dataset.task, metric=pipeline.metric.name, margin=wanted.margin or 0.001,
    )  # fmt: skip
    return {
        "kind": "distillation",
        "names": {
            "student": architecture.name,
            "teacher": " + ".join(one.name for one in teachers),
            "data": dataset.name,
        },
        "verdict": _verdict(compared, len(dataset.y_test)),
        "chosen": found.distilled._asdict(),
        "baseline": found.baseline._asdict(),
        "search": _search(pipeline, found),
        "candidates": [_candidate(one, wanted.search_seeds, pipeline.metric.sign) for one in found.scores],
        "detail": {who: _detail(getattr(predictions, who), dataset) for who in ("student", "baseline", "teacher")},
        "start": architecture.start._asdict(),
        "costs": _costs(model, architecture, teachers, dataset),
        "data": _data(dataset, architecture),
        "unlabelled": _effect_of_unlabelled(finals, dataset, pipeline.metric.name),
        "request": wanted.model_dump(mode="json"),
    }


def _candidate(score: Score, seeds: int, sign: int) -> dict[str, Any]:
    return {
        **score.candidate._asdict(),
        "score": sign * score.value,
        "nll": -score.tie,
        "trainings": seeds * score.repeats,
    }


def _verdict(compared: Comparison, test_examples: int) -> dict[str, Any]:
    ruling = compared.verdict
    return {
        "metric": compared.metric,
        "kind": ruling.kind,
        "reason": ruling.reason,
        "p": ruling.p,
        "seeds": ruling.seeds,
        "test_examples": test_examples,
        "seeds_needed": ruling.needed.seeds,
        "examples_needed": ruling.needed.examples,
        "margin": ruling.margin,
        "student": {name: value._asdict() for name, value in compared.student.items()},
        "baseline": {name: value._asdict() for name, value in compared.baseline.items()},
        "teacher": dict(compared.teacher),
        "gain": {name: value._asdict() for name, value in compared.gain.items()},
        "over_both": {who: value._asdict() for who, value in compared.over_both.items()},
        "by_seed": {who: dict(of) for who, of in compared.by_seed.items()},
    }


def _detail(outputs: Array, dataset: Dataset) -> dict[str, Any]:
    """What a page draws of one model's test predictions."""
    drawn = dict(detail(dataset.task, outputs, dataset.y_test))
    if dataset.task.exclusive:
        drawn["confusion"] = confusion(dataset.task, outputs, dataset.y_test).tolist()
    return drawn


def _search(pipeline: Pipeline, found: SearchResult) -> dict[str, Any]:
    return {
        "method": found.method,
        "metric": pipeline.metric.name,
        "distilled": found.count(True),
        "baseline": found.count(False),
        "trainings": pipeline.request.search_seeds,
        "finalists": FINALISTS if found.repeated else 0,
        "repeats": REPEATS if found.repeated else 1,
        "cuts": list(pipeline.budget.cuts),
        "choose": "robust" if any(score.clean is not None for score in found.scores) else "metric",
        "wrong_labels": None if pipeline.clean is None else pipeline.clean.share._asdict(),
    }


def _costs(
    model: keras.Model, student: StudentModel, teachers: Sequence[TeacherModel], dataset: Dataset
) -> dict[str, Any]:
    """Costs of the student, and of the teacher where it is a single model."""
    first = dataset.x_test[:1]
    costs = {"student": cost(model, student.functional, changed(dataset.prepared(first), scaling(student.scale))[0])}
    if len(teachers) == 1 and teachers[0].model is not None and teachers[0].member is not None:
        functional, _, scale = teachers[0].member
        costs["teacher"] = cost(teachers[0].model, functional, changed(first, scaling(scale))[0])
    return {who: _plain_cost(one) for who, one in costs.items()}


def _plain_cost(one: Cost) -> dict[str, Any]:
    return {**one._asdict(), "latency": {str(size): times._asdict() for size, times in one.latency.items()}}


def _data(dataset: Dataset, student: StudentModel) -> dict[str, Any]:
    stored, shapes = dataset.x_train.dtype == np.uint8, dataset.input_shapes
    return {
        "labelled": len(dataset.y_train),
        "validation": 0 if dataset.validation is None else len(dataset.validation),
        "unlabelled": len(dataset.unlabelled),
        "test": len(dataset.y_test),
        "task": dataset.task.name,
        "outputs": [{**of, "gives": _gives(of["name"], student)} for of in described(dataset.task)],
        "class_names": list(dataset.class_names),
        "output_shape": list(dataset.output_shape),
        "input_shape": list(dataset.input_shape),
        "inputs": {name: {"kind": dataset.input_kinds[name], "shape": list(shape)} for name, shape in shapes.items()},
        "reads": "as stored (bytes, 0 to 255)" if stored else _reads(dataset),
        "student_gives": "probabilities" if student.ending else "logits" if dataset.task.softens else "real numbers",
        "notes": list(dataset.notes),
    }


def _gives(output: str, student: StudentModel) -> str:
    """What the shipped student gives as one of several outputs."""
    outputs = student.outputs
    return "" if outputs is None else outputs.gives(output)


def _reads(dataset: Dataset) -> str:
    if dataset.columns is not None:
        return BY_COLUMNS
    return "as they are" if dataset.text is None else BY_TOKENIZER


def _effect_of_unlabelled(finals: Finals, dataset: Dataset, metric: str) -> dict[str, Any] | None:
    """What the unlabelled examples gained on the test set; its gain is None where a student without them diverged."""
    if not finals.labelled:
        return None
    with_them, without = (
        np.array([one.metrics.get(("test", metric), np.nan) for one in of]) for of in (finals.student, finals.labelled)
    )
    gain: PairedGain | None = None
    if np.isfinite(with_them - without).all():
        gain = paired_gain(with_them - without, share=metric_named(metric).unit == "%")
    return {"count": len(dataset.unlabelled), "gain": gain and gain._asdict()}
