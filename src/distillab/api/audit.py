"""Which labels look wrong: every example judged by a teacher that has not seen its label."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab import metrics
from distillab.analysis.audit import FLAGGED, Detection, LabelAudit
from distillab.backend import need_jax
from distillab.data import Dataset, perturb, read_data
from distillab.data.array_store import taken
from distillab.data.read_options import ReadOptions
from distillab.data.splits import strata
from distillab.engine.logits import teacher_logits
from distillab.engine.teacher import train_teacher
from distillab.engine.types import Examples, Recipe
from distillab.errors import RequestError, not_allowed
from distillab.models import parse
from distillab.report.audit import write_audit
from distillab.stats import wrong_labels
from distillab.study.model_options import ModelOptions
from distillab.study.opening import opened_teachers
from distillab.study.progress import Progress, Silence
from distillab.study.reading_teachers import read_teachers
from distillab.study.storage.records import probabilities
from distillab.study.student_models import student_model

__all__ = ["LabelAudit", "Training", "audit_labels", "write_audit"]

SHARP = 2
"""The power of out-of-fold probabilities: a teacher of wrong labels expects some, and would explain them."""

LEARNED = "A trained teacher may have learned these very labels: it then doubts too few."

MEMORISED = 0.1
"""A teacher that agrees so much more often with training than with validation labels has learned them."""


@dataclass(frozen=True)
class Training:
    """How a teacher of the zoo is trained on each fold.

    Args:
        folds: parts of the examples, >= 2; each is judged by a teacher of the others.
        epochs, batch_size, learning_rate, seed: of each training; epochs and batch_size >= 1, learning_rate > 0,
            seed >= 0.

    Raises:
        RequestError: a value out of range.

    Example:
        >>> Training(epochs=8).folds
        5
    """

    folds: int = 5
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 0.003
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise not_allowed(name, getattr(self, name), f"a whole number >= {least}")
        if not 0 < self.learning_rate < math.inf:
            raise not_allowed("learning_rate", self.learning_rate, "a finite number > 0")


def audit_labels(
    data: Any,
    teacher: Any,
    *,
    training: Training | None = None,
    noise: tuple[str, float] | None = None,
    read: ReadOptions | None = None,
    options: ModelOptions | None = None,
    progress: Progress | None = None,
) -> LabelAudit:
    """Rank the examples of a data set by the probability that their label is wrong.

    A teacher of the zoo is trained once for each fold, on the other folds, so that it judges labels that it has not
    seen. Its probabilities, squared, are the prior of `stats.wrong_labels`, and the share of wrong labels is the mean
    of their probabilities of being wrong. The teacher of a file judges as it is.

    Args:
        data: as in `read_data`, of classes, one an example. Examples that it would split off for a test are judged too.
        teacher: a name of the zoo, or a trained model as in `distill`.
        training: of a teacher of the zoo.
        noise: a kind of label noise and its rate: labels are made wrong first, and the audit says how many it found.
        read: how data are read.
        options: how a teacher's file is read.
        progress: is notified of each fold.

    Raises:
        RequestError: labels are no classes, one an example; there are more folds than examples of a class.

    Example:
        >>> audit = audit_labels("digits", "mlp-64", noise=("shift", 0.1))  # doctest: +SKIP
        >>> write_audit(audit, "audit")  # doctest: +SKIP
    """
    need_jax("An audit of labels")
    training, progress = training or Training(), progress or Silence()
    dataset = _whole(data if isinstance(data, Dataset) else read_data(data, read or ReadOptions()))
    if dataset.task.name not in ("categorical", "binary") or dataset.positions:
        kind = "maps or sequences" if dataset.positions else f"task={dataset.task.name}"
        raise RequestError(f"An audit of labels needs classes, one an example, and the data have {kind}.")
    ids = (
        tuple(names[0] for names in dataset.ids.of("train")) if dataset.ids else tuple(map(str, range(_count(dataset))))
    )
    predict, method = _predictor(teacher, dataset, training, options or ModelOptions(), progress)
    clean = dataset.y_train
    if noise is not None:
        kind, rate = noise
        logits = np.log(np.clip(predict(dataset), 1e-6, 1)) if kind == "margin" else None
        dataset = replace(dataset, y_train=_perturbed(dataset, kind, rate, training.seed, logits))
    chances = predict(dataset)
    cross_fitted = isinstance(teacher, str) and _is_of_zoo(teacher)
    found = wrong_labels(chances ** (SHARP if cross_fitted else 1), dataset.y_train)
    if cross_fitted:
        # Labels bear a prior out that learned their own noise: the share must count what the ranking doubts.
        found = found._replace(share=found.doubted)
    doubt = 1 - found.posterior[np.arange(len(chances)), dataset.y_train]
    detected = {} if noise is None else _detections(doubt, chances, dataset.y_train, clean)
    caveat = "" if cross_fitted else _learned(chances, dataset)
    likeliest, agreement = found.posterior.argmax(axis=1), float((chances.argmax(axis=1) == dataset.y_train).mean())
    return LabelAudit(dataset, tuple(ids), doubt, likeliest, found, method, caveat, detected, agreement)


def _count(dataset: Dataset) -> int:
    return len(dataset.y_train)


def _whole(dataset: Dataset) -> Dataset:
    """The data with the examples that were split off for a test among the training ones again."""
    ids = dataset.ids
    if ids is None or not ids.test or ids.test[0][0] != "train":
        return dataset
    x = dataset.store.gather([(dataset.x_train, None), (dataset.x_test, None)])
    y = np.concatenate([dataset.y_train, dataset.y_test])
    weights = (
        None if dataset.weights is None else dataset.training_weights(np.arange(_count(dataset)), len(dataset.y_test))
    )
    return replace(dataset, x_train=x, y_train=y, weights=weights, ids=replace(ids, train=(*ids.train, *ids.test)))


def _is_of_zoo(name: str) -> bool:
    try:
        parse(name)
    except RequestError:
        return False
    return True


def _predictor(
    teacher: Any, dataset: Dataset, training: Training, options: ModelOptions, progress: Progress
) -> tuple[Callable[[Dataset], NDArray[np.float64]], str]:
    """The function from data to probabilities (N, C), and how they are made."""
    if not isinstance(teacher, str) or not _is_of_zoo(teacher):
        (model,) = read_teachers(opened_teachers([teacher], options), dataset, options)
        outputs = dataset.in_units(model.predict(dataset.x_train))
        told = probabilities(dataset.task, outputs).astype(np.float64)
        return (lambda data: told), f"The teacher {model.name} judged every example as it is."
    folds = _folds(dataset, training)

    def out_of_fold(data: Dataset) -> NDArray[np.float64]:
        return _out_of_fold(teacher, data, folds, training, progress)

    return out_of_fold, (
        f"Each of {training.folds} folds was judged by a teacher {teacher} of the others ({training.epochs} epochs)."
    )


def _folds(dataset: Dataset, training: Training) -> NDArray[np.intp]:
    """The fold of each example: of every class as many in each as possible."""
    groups = strata(dataset.task, dataset.y_train)
    least = int(np.bincount(groups - groups.min()).max())
    if not 2 <= training.folds <= least:
        raise not_allowed("folds", training.folds, f"from 2 to {least}, the examples of the largest class")
    rng, fold = np.random.default_rng([13, training.seed]), np.empty(len(groups), np.intp)
    order = rng.permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    fold[order] = np.arange(len(groups)) % training.folds
    return fold


def _out_of_fold(
    name: str, dataset: Dataset, folds: NDArray[np.intp], training: Training, progress: Progress
) -> NDArray[np.float64]:
    student = student_model(name, dataset, ModelOptions())
    outputs = np.empty((len(folds), dataset.outputs), np.float32)
    for fold in range(training.folds):
        rows, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if training.batch_size > len(rows):
            raise not_allowed("batch_size", training.batch_size, f"at most {len(rows)}, the examples of a training")
        recipe = Recipe(
            training.epochs,
            training.batch_size,
            task=dataset.task.name,
            loss=dataset.task.losses[0],  # at alpha = 1 any will do
            label_loss=dataset.task.label_losses[0],
        )
        *_, (_, variables) = train_teacher(
            student.functional,
            Examples.for_labels(
                dataset.prepared((dataset.x_train, rows)),
                student.scale,
                dataset.output_shape,
                dataset.training_weights(rows),
            ),
            dataset.targets(dataset.y_train[rows]),
            recipe,
            learning_rate=training.learning_rate,
            seed=training.seed,
            initial=student.initial(training.seed),
        )
        shown = dataset.prepared(taken(dataset.x_train, held_out))
        outputs[held_out] = teacher_logits(student.functional, variables, shown, student.scale)
        progress.note(f"Fold {fold + 1} of {training.folds}: {len(rows):,} examples trained, {len(held_out):,} judged.")
    if not np.isfinite(outputs).all():
        raise RequestError("A teacher diverged. Lower --learning-rate.")
    return probabilities(dataset.task, outputs).astype(np.float64)


def _perturbed(
    dataset: Dataset, kind: str, rate: float, seed: int, logits: NDArray[np.float64] | None
) -> NDArray[np.generic]:
    if logits is not None and dataset.task.name == "binary":
        logits = logits[:, 1:] - logits[:, :1]
    rng = np.random.default_rng([17, seed])
    task, classes = dataset.task, dataset.classes
    return perturb(dataset.y_train, kind=kind, rate=rate, classes=classes, rng=rng, task=task, logits=logits).labels


def _learned(chances: NDArray[np.float64], dataset: Dataset) -> str:
    """Whether a trained teacher seems to have learned the training labels."""
    right = chances.argmax(axis=1) == dataset.y_train
    if dataset.validation is None:
        return LEARNED
    held_out = float(right[dataset.validation].mean())
    seen = float(np.delete(right, dataset.validation).mean())
    if seen - held_out > MEMORISED:
        return (
            f"The teacher agrees with {seen:.1%} of the labels outside the validation part and with {held_out:.1%} "
            "there: it has probably learned the former, and doubts too few of them. Name an architecture instead."
        )
    return (
        "A trained teacher may have learned these very labels: it then doubts too few. Name an architecture to be sure."
    )


def _detections(
    doubt: NDArray[np.float64], chances: NDArray[np.float64], given: NDArray[Any], clean: NDArray[Any]
) -> dict[str, Detection]:
    wrong = (given != clean).astype(np.int32)
    found = {"distillab": _detection(doubt, doubt > FLAGGED, wrong)}
    if importlib.util.find_spec("cleanlab") is not None:
        filters, ranks = importlib.import_module("cleanlab.filter"), importlib.import_module("cleanlab.rank")

        quality = ranks.get_label_quality_scores(given, chances)
        found["cleanlab"] = _detection(1 - quality, filters.find_label_issues(given, chances, n_jobs=1), wrong)
    return found


def _detection(doubt: NDArray[np.float64], flagged: NDArray[np.bool_], wrong: NDArray[np.int32]) -> Detection:
    right = int((flagged & (wrong == 1)).sum())
    precision = right / flagged.sum() if flagged.any() else float("nan")
    recall = right / wrong.sum() if wrong.any() else float("nan")
    ranked = metrics.average_precision(metrics.Ranking(doubt, wrong).counts())
    return Detection(float(precision), float(recall), float(ranked), int(flagged.sum()), int(wrong.sum()))
