"""From a trained student to its result: metrics, curves and kept predictions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.data.labels import Array
from distillab.engine.functional import Variables
from distillab.engine.types import Epoch, Outcome
from distillab.errors import WorkError
from distillab.io import DAMAGE, replace_file
from distillab.models.top_k import as_dense
from distillab.study.settings import Transfer
from distillab.study.splits import Labels, Rows, Splits
from distillab.study.storage.records import (
    GalleryPredictions,
    TrialResult,
    gallery_predictions,
    validation_predictions,
)
from distillab.study.teachers import TeacherPredictions
from distillab.study.trials import Trial
from distillab.tasks import Task
from distillab.tasks.calibration import reliability
from distillab.tasks.case_scores import case_scores
from distillab.tasks.correction import best_correction, corrected, prior_correction
from distillab.tasks.denoising import denoising
from distillab.tasks.detail import detail
from distillab.tasks.evaluation import confusion, decisions, evaluate
from distillab.tasks.several import with_options


class KeptStudent(NamedTuple):
    """A trained student that is kept whole."""

    variables: Variables
    """Its weights."""
    test_logits: NDArray[np.float32]
    """Shape (M, ..., C); real outputs are standardised."""

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it as `.npz`.

        Args:
            path: the file.
        """
        weights = {f"trainable_{i}": array for i, array in enumerate(self.variables.trainable)}
        weights |= {f"fixed_{i}": array for i, array in enumerate(self.variables.fixed)}
        replace_file(Path(path), lambda temporary: np.savez(temporary, test_logits=self.test_logits, **weights))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> KeptStudent:
        """Read what `write` wrote.

        Args:
            path: the file.

        Raises:
            WorkError: it is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                trainable, fixed = (
                    [arrays[f"{kind}_{i}"] for i in range(sum(name.startswith(kind) for name in arrays.files))]
                    for kind in ("trainable", "fixed")
                )
                return cls(Variables(trainable, fixed), arrays["test_logits"])
        except DAMAGE as error:
            raise WorkError(f"{path} is damaged. Delete it: the student will be trained again.") from error


def kept_student(outcome: Outcome, slot: int) -> KeptStudent:
    """One student of a cohort's outcome.

    Args:
        outcome, slot: of a cohort, and the student's index in it.
    """
    variables: Variables = jax.tree.map(lambda leaf: leaf[slot], outcome.variables)
    return KeptStudent(variables, outcome.test_logits[slot])


class Evaluation(NamedTuple):
    """A trained cohort, and what its students are evaluated on."""

    outcome: Outcome
    epochs: Sequence[Epoch]
    steps: int
    """Of an epoch."""
    dataset: Dataset
    splits: Splits
    gallery: tuple[str, Rows] | None
    """Identity of the gallery's examples, and their positions in the training rows; None: there is none."""


def trial_result(
    trial: Trial, slot: int, labels: Labels, teacher: TeacherPredictions, cohort: Evaluation
) -> TrialResult:
    """Evaluate one trained student; a student that diverged has its history, and no metrics.

    Args:
        trial, slot, labels: of the student; slot is its index in the cohort.
        teacher: its teacher's predictions.
        cohort: all students' predictions and epochs.
    """
    test, validation = cohort.outcome.test_logits[slot], cohort.outcome.validation_logits[slot]
    broken = next((epoch for epoch in cohort.epochs if epoch.finite_steps[slot] < cohort.steps), None)
    if broken is None and not (np.isfinite(test).all() and np.isfinite(validation).all()):
        broken = cohort.epochs[-1]
    until = [epoch for epoch in cohort.epochs if broken is None or epoch.epoch <= broken.epoch]
    finite = [float(epoch.last_finite_loss[slot]) for epoch in until if epoch.finite_steps[slot] > 0]
    result = TrialResult(
        id=trial.id,
        seed=trial.seed,
        alpha=trial.settings.alpha,
        coordinates=trial.coordinates,
        settings=trial.settings.model_dump(),
        teacher=trial.teacher,
        epochs=[_epoch_row(epoch, slot) for epoch in cohort.epochs],
        metrics={},
        diverged_epoch=None if broken is None else broken.epoch,
        last_finite_loss=finite[-1] if finite else None,
    )
    return _with_metrics(result, trial, slot, labels, teacher, cohort) if broken is None else result


def _with_metrics(
    result: TrialResult, trial: Trial, slot: int, labels: Labels, teacher: TeacherPredictions, cohort: Evaluation
) -> TrialResult:
    outcome, data, squared = cohort.outcome, cohort.dataset, trial.settings.squared
    task, y_test = (
        with_options(data.task, trial.settings.outputs),
        data.y_test if cohort.splits.test else data.y_test[:0],
    )
    test, validation = data.in_units(outcome.test_logits[slot]), data.in_units(outcome.validation_logits[slot])
    test, validation = _corrected(trial.settings.transfer, test, validation, data)
    metrics: dict[tuple[str, str], float] = {}
    for split, outputs, truth, reference in (
        ("test", test, y_test, teacher.test),
        ("validation", validation, labels.validation, teacher.validation),
    ):
        if len(truth):
            values = evaluate(task, outputs, truth, data.in_units(reference), linear=squared)
            metrics |= {(split, name): value for name, value in values.items()}
    if outcome.train_predictions is not None and labels.changed.any():
        metrics |= _denoising(outcome.train_predictions[slot], labels, teacher, data)
    return replace(
        result,
        metrics=metrics,
        confusion=confusion(task, test, y_test).tolist() if len(test) and task.exclusive else None,
        reliability=reliability(task, test, y_test) if len(test) and not squared else None,
        detail=(detail(task, test, y_test) or None) if len(test) else None,
        test_correct=_test_correct(task, test, y_test) if len(test) else None,
        validation_predictions=validation_predictions(task, result.alpha, validation, labels.validation, squared),
        example_predictions=_example_predictions(slot, labels, cohort),
    )


def _test_correct(task: Task, outputs: Array, labels: Array) -> NDArray[np.bool_] | None:
    if task.name not in ("categorical", "binary") or outputs.ndim > 2:
        return None
    return case_scores(task, "accuracy", outputs, labels) > 0


def _corrected(
    transfer: Transfer, test: NDArray[np.float32], validation: NDArray[np.float32], data: Dataset
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Test and validation logits, where the study asks for it with that of the withheld class raised."""
    column = transfer.withheld
    if column is None or transfer.correction == "none":
        return test, validation
    if transfer.correction == "test":
        amount = best_correction(test, data.y_test, column)
    else:
        amount = prior_correction(validation, column, float(np.mean(data.y_train == column)))
    return corrected(test, column, amount), corrected(validation, column, amount)


def _denoising(
    predictions: Array, labels: Labels, teacher: TeacherPredictions, data: Dataset
) -> dict[tuple[str, str], float]:
    shares = denoising(data.task, data.in_units(predictions), labels.clean, labels.train)
    if teacher.train is not None:
        decided = decisions(data.task, data.in_units(as_dense(teacher.train, data.outputs)))
        of_teacher = denoising(data.task, decided, labels.clean, labels.train)
        shares |= {f"teacher_{name}": value for name, value in of_teacher.items()}
    return {("train", name): value for name, value in shares.items()}


def _example_predictions(slot: int, labels: Labels, cohort: Evaluation) -> GalleryPredictions | None:
    if cohort.gallery is None or cohort.outcome.example_logits is None:
        return None
    name, positions = cohort.gallery
    outputs = cohort.dataset.in_units(cohort.outcome.example_logits[slot])
    return gallery_predictions(cohort.dataset.task, name, labels.train[positions], outputs)


def _epoch_row(epoch: Epoch, slot: int) -> tuple[float, float, float, float]:
    columns = (epoch.loss, epoch.label_loss, epoch.distillation_loss, epoch.validation_accuracy)
    return tuple(float(column[slot]) for column in columns)  # type: ignore[return-value]  # of four
