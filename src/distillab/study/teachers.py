"""The teachers of a study: each trained once, kept in the study's folder, and asked once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.engine.augmentation import Augmentation
from distillab.engine.cohort import Epoch, Recipe
from distillab.engine.devices import rows_mesh
from distillab.engine.functional import Functional, Variables, read_variables, write_variables
from distillab.engine.logits import logits_digest, teacher_logits
from distillab.engine.teacher import train_teacher
from distillab.errors import WorkError
from distillab.files import replace_file
from distillab.metrics import all_metrics
from distillab.models import build
from distillab.models.answers import add_array, stored_logits
from distillab.study.folder import Folder
from distillab.study.material import Split, teacher_material
from distillab.study.progress import Progress
from distillab.study.settings import Settings
from distillab.study.store import Store, TeacherRecord


@dataclass(frozen=True)
class Answers:
    """A teacher, and its logits over the rows that a study needs.

    Args:
        teacher: the architecture.
        variables: its weights.
        train: over the students' training rows, shape (N, C); None where these rows are changed in every epoch, so that
            the teacher must answer them live.
        validation: shape (V, C).
        test: shape (M, C).
    """

    teacher: Functional
    variables: Variables
    train: NDArray[np.float32] | None
    validation: NDArray[np.float32]
    test: NDArray[np.float32]


def teach(
    name: str, dataset: Dataset, settings: Settings, rows: Split, *, folder: Folder, store: Store, progress: Progress
) -> Answers:
    """Fetch a teacher's answers, training it first where the folder does not hold it.

    Args:
        name: the teacher's identity.
        dataset: the data.
        settings: of any cell that learns from it.
        rows: which rows those cells use.
        folder: keeps the teacher and its logits.
        store: keeps its record.
        progress: is told of every epoch.
    """
    built = build(settings.teacher.model, dataset.input_shape, dataset.classes)
    teacher = Functional(built, rows=rows_mesh())
    path = folder.teachers / f"{name}.keras"
    recorded = store.teachers().get(name)
    if path.exists():
        variables = _load(path)
        losses: list[float] | None = None
    else:
        variables, losses = _train(teacher, dataset, settings, rows, progress)
        replace_file(path, lambda temporary: write_variables(teacher.model, variables).save(temporary))
    weights = weights_digest(variables)
    if recorded is not None and recorded.weights != weights:
        raise WorkError(
            f"{path} is not the teacher that this study's students learned from: its weights differ. Put the original "
            "back, or run the study in a new folder with --out."
        )
    ask = partial(_answers, teacher, variables, dataset=dataset, folder=folder)
    live = settings.augmentation.shift or settings.augmentation.flip
    answers = Answers(
        teacher,
        variables,
        train=None if live else ask(dataset.x_train[rows.train]),
        validation=ask(dataset.x_train[rows.validation]),
        test=ask(dataset.x_test),
    )
    if recorded is None:
        examples = len(teacher_material(dataset, settings, rows)[0])
        metrics = all_metrics(answers.test, dataset.y_test)
        store.add_teacher(TeacherRecord(name, settings.teacher.model_dump(), weights, examples, metrics, losses or []))
        progress.note(f"Teacher {settings.teacher.model}: test accuracy {metrics['accuracy']:.2%}.")
    return answers


def weights_digest(variables: Variables) -> str:
    """Digest of a model's weights, as 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for array in (*variables.trainable, *variables.fixed):
        add_array(digest, array)
    return digest.hexdigest()[:16]


def _answers(
    teacher: Functional, variables: Variables, inputs: NDArray[np.generic], dataset: Dataset, folder: Folder
) -> NDArray[np.float32]:
    digest = logits_digest(teacher, variables, inputs, dataset.scale)
    shape = (len(inputs), dataset.classes)
    return stored_logits(
        folder.logits, digest, shape, lambda: teacher_logits(teacher, variables, inputs, dataset.scale)
    )


def _train(
    teacher: Functional, dataset: Dataset, settings: Settings, rows: Split, progress: Progress
) -> tuple[Variables, list[float]]:
    chosen, labels = teacher_material(dataset, settings, rows)
    how = settings.teacher
    losses: list[float] = []
    progress.teacher(how.model, 0, how.epochs, None)

    def on_epoch(epoch: Epoch) -> None:
        losses.append(float(epoch.loss[0]))
        progress.teacher(how.model, epoch.epoch + 1, how.epochs, losses[-1])

    variables = train_teacher(
        teacher,
        dataset.x_train[chosen],
        labels,
        scale=dataset.scale,
        classes=dataset.classes,
        recipe=Recipe(
            how.epochs,
            how.batch_size,
            optimiser=how.optimiser,
            schedule=how.schedule,
            augmentation=Augmentation(shift=how.shift),
        ),
        learning_rate=how.learning_rate,
        seed=how.seed,
        on_epoch=on_epoch,
    )
    if not np.isfinite(losses[-1]):
        raise WorkError(
            f"The teacher {how.model} has diverged: its loss is no longer finite after epoch "
            f"{int(np.argmin(np.isfinite(losses))) + 1}. Lower teacher.learning_rate={how.learning_rate:g}."
        )
    return variables, losses


def _load(path: Path) -> Variables:
    """Read a teacher's weights from its file, in Keras's safe mode."""
    try:
        return read_variables(keras.models.load_model(path, compile=False, safe_mode=True))
    except Exception as error:  # Keras raises whatever its reader met in a damaged file
        raise WorkError(
            f"{path} cannot be read as a Keras model ({type(error).__name__}). Delete it: it will be trained again."
        ) from error
