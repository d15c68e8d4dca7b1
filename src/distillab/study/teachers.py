"""The teachers of a study: each trained once, kept in the study's folder, and asked once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import keras
from distillab.data import Dataset
from distillab.engine.augmentation import Augmentation
from distillab.engine.devices import rows_mesh
from distillab.engine.functional import Functional, Variables, read_variables, write_variables
from distillab.engine.logits import logits_digest, teacher_logits
from distillab.engine.teacher import train_teacher
from distillab.engine.types import Epoch, Recipe
from distillab.errors import WorkError
from distillab.io import replace_file
from distillab.metrics import all_metrics
from distillab.models import build
from distillab.models.averaging import DEFAULT_AVERAGE, average_predictions
from distillab.models.digests import add_array
from distillab.models.predictions import stored_predictions
from distillab.study.folder import Folder
from distillab.study.progress import Progress
from distillab.study.settings import Settings
from distillab.study.splits import Rows, Split, teacher_material
from distillab.study.storage.records import TeacherResult
from distillab.study.storage.store import Store
from distillab.study.trials import members, teacher_identity, training_identity


@dataclass(frozen=True)
class TeacherPredictions:
    """A teacher, and its logits over the rows that a study needs.

    Args:
        members: architecture and weights; several where several teachers answer together.
        train: over the students' training rows as they lie, shape (N, C); None where the students see them changed, so
            that the teacher must answer them live.
        validation: shape (V, C).
        test: shape (M, C).
    """

    members: tuple[tuple[Functional, Variables], ...]
    train: NDArray[np.float32] | None
    validation: NDArray[np.float32]
    test: NDArray[np.float32]


class TeacherCache:
    """Fetches teachers' answers, training first those that the folder does not hold.

    Args:
        dataset: the data.
        folder: keeps the teachers and their logits.
        store: keeps their records.
        progress: is told of every epoch.
        wanted: the settings of all cells: teachers that are snapshots of one training are taken in one go.

    Attributes:
        taught: the settings of each teacher that was trained here, and the seconds of each epoch.
    """

    def __init__(
        self, dataset: Dataset, folder: Folder, store: Store, progress: Progress, wanted: Iterable[Settings]
    ) -> None:
        self.dataset, self.folder, self.store, self.progress = dataset, folder, store, progress
        self.taught: list[tuple[Settings, list[float]]] = []
        self._snapshots: dict[str, dict[str, float]] = {}
        for settings in wanted:
            for one in members(settings):
                names = self._snapshots.setdefault(self._training(one), {})
                names[training_identity(one, dataset.digest)] = one.teacher.snapshot or float(one.teacher.epochs)

    def answers(self, settings: Settings, rows: Split, *, training: bool) -> TeacherPredictions:
        """The answers of a cell's teacher.

        Args:
            settings: of any cell that learns from it.
            rows: which rows those cells use.
            training: whether its answers to the training rows as they lie are wanted; see `hears_stored_answers`.

        Raises:
            WorkError: where a training diverges, or a file is not the teacher it was.
        """
        data, linear = self.dataset, settings.label_loss == "squared"
        several = [self._member(one, rows) for one in members(settings)]
        answers = TeacherPredictions(
            tuple(several),
            train=self._ask(several, data.x_train[rows.train], linear) if training else None,
            validation=self._ask(several, data.x_train[rows.validation], linear),
            test=self._ask(several, data.x_test, linear),
        )
        for one, alone in zip(members(settings), several, strict=True):
            self._record(one, [alone], rows, self._losses(training_identity(one, data.digest)))
        if len(several) > 1:
            self._record(settings, several, rows, [])
        return answers

    def shown(self, answers: TeacherPredictions, settings: Settings, rows: Split, places: Rows) -> NDArray[np.float32]:
        """A teacher's logits for the training examples at some places of `rows.train`, as they lie; shape (K, C)."""
        if answers.train is not None:
            return answers.train[places]
        inputs = self.dataset.x_train[rows.train[places]]
        several = [teacher_logits(*member, inputs, self.dataset.scale) for member in answers.members]
        return average_predictions(several, average=_average(settings.label_loss == "squared"))

    def _member(self, settings: Settings, rows: Split) -> tuple[Functional, Variables]:
        """One teacher: its architecture and its weights, trained where the folder has no file of it."""
        built = build(settings.teacher.model, self.dataset.input_shape, self.dataset.classes)
        teacher = Functional(built, rows=rows_mesh())
        path = self._file(training_identity(settings, self.dataset.digest))
        if not path.exists():
            self._train(teacher, settings, rows)
        return teacher, _load(path)

    def _train(self, teacher: Functional, settings: Settings, rows: Split) -> None:
        """Train a teacher, and file it with every other snapshot of the same training."""
        chosen, labels = teacher_material(self.dataset, settings, rows)
        how, losses = settings.teacher, []
        waiting = dict(self._snapshots[self._training(settings)])
        epochs = int(np.ceil(max(waiting.values())))
        self.progress.teacher(how.model, 0, epochs, None)
        seconds: list[float] = []
        self.taught.append((settings, seconds))
        clock = time.perf_counter()

        def on_epoch(epoch: Epoch) -> None:
            nonlocal clock
            seconds.append(time.perf_counter() - clock)
            clock = time.perf_counter()
            losses.append(float(epoch.loss[0]))
            self.progress.teacher(how.model, epoch.epoch + 1, epochs, losses[-1])

        training = train_teacher(
            teacher,
            self.dataset.x_train[chosen],
            labels,
            scale=self.dataset.scale,
            classes=self.dataset.classes,
            recipe=Recipe(
                how.epochs,
                how.batch_size,
                label_loss=settings.label_loss,
                optimiser=how.optimiser,
                schedule=how.schedule,
                augmentation=Augmentation(how.shift, how.flip),
            ),
            learning_rate=how.learning_rate,
            seed=how.seed,
            stops=waiting.values(),
            on_epoch=on_epoch,
        )
        for stop, variables in training:
            if not all(np.isfinite(array).all() for array in variables.trainable) or not np.isfinite(losses).all():
                raise WorkError(
                    f"The teacher {how.model} has diverged: its loss is no longer finite after epoch "
                    f"{int(np.argmin([*np.isfinite(losses), False])) + 1}. Lower "
                    f"teacher.learning_rate={how.learning_rate:g}."
                )
            for name in [name for name, when in waiting.items() if when == stop]:
                del waiting[name]
                self._keep(name, teacher, variables, losses)
            if not waiting:
                return

    def _keep(self, name: str, teacher: Functional, variables: Variables, losses: list[float]) -> None:
        """File a trained teacher; its losses first, so that they are there whenever it is."""
        if not self.folder.spec.is_file():  # and is not made again: it would be no study's
            raise WorkError(
                f"{self.folder.path} was moved or deleted while its study ran. Put it back, and give the command again."
            )
        replace_file(self._losses_file(name), lambda temporary: temporary.write_text(json.dumps(losses)))
        replace_file(self._file(name), lambda temporary: write_variables(teacher.model, variables).save(temporary))

    def _record(
        self, settings: Settings, several: list[tuple[Functional, Variables]], rows: Split, losses: list[float]
    ) -> None:
        """Put a teacher on record, or see that it is still the one on record."""
        name = teacher_identity(settings, self.dataset.digest)
        weights = weights_digest([variables for _, variables in several])
        recorded = self.store.teachers().get(name)
        if recorded is None:
            examples = len(teacher_material(self.dataset, settings, rows)[0])
            linear = settings.label_loss == "squared"
            metrics = all_metrics(self._ask(several, self.dataset.x_test, linear), self.dataset.y_test, linear=linear)
            told = settings.teacher.model_dump()
            self.store.add_teacher(TeacherResult(name, told, weights, examples, metrics, losses))
            self.progress.note(f"Teacher {_called(settings)}: test accuracy {metrics['accuracy']:.2%}.")
        elif recorded.weights != weights:
            raise WorkError(
                f"{self._file(name)} is not the teacher that this study's students learned from: its weights differ. "
                "Put the original back, or run the study in a new folder with --out."
            )

    def _ask(
        self, several: list[tuple[Functional, Variables]], inputs: NDArray[np.generic], linear: bool
    ) -> NDArray[np.float32]:
        """What teachers say together of some inputs; each is asked once in the folder's life."""
        scale, shape = self.dataset.scale, (len(inputs), self.dataset.classes)
        answers = []
        for teacher, variables in several:
            digest = logits_digest(teacher, variables, inputs, scale)

            def ask(teacher: Functional = teacher, variables: Variables = variables) -> NDArray[np.float32]:
                return teacher_logits(teacher, variables, inputs, scale)

            answers.append(stored_predictions(self.folder.logits, digest, shape, ask))
        return average_predictions(answers, average=_average(linear))

    def _training(self, settings: Settings) -> str:
        return training_identity(settings, self.dataset.digest, whole=True)

    def _file(self, name: str) -> Path:
        return self.folder.teachers / f"{name}.keras"

    def _losses_file(self, name: str) -> Path:
        return self.folder.teachers / f"{name}.json"

    def _losses(self, name: str) -> list[float]:
        path = self._losses_file(name)
        return list(json.loads(path.read_text())) if path.is_file() else []


def hears_stored_answers(settings: Settings) -> bool:
    """Whether a cell uses its teacher's answers to the training rows as they lie: not where its students see them
    changed, unless the answers decide which labels are wrong."""
    changed = settings.augmentation.shift > 0 or settings.augmentation.flip
    return not changed or (settings.noise.kind == "margin" and settings.noise.perturbs)


def _average(linear: bool) -> str:
    """Outputs that estimate the labels have no free constant to remove."""
    return "outputs" if linear else DEFAULT_AVERAGE


def weights_digest(several: Iterable[Variables]) -> str:
    """Digest of models' weights, as 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for variables in several:
        for array in (*variables.trainable, *variables.fixed):
            add_array(digest, array)
    return digest.hexdigest()[:16]


def _called(settings: Settings) -> str:
    teacher = settings.teacher
    told = teacher.model if teacher.members == 1 else f"{teacher.members} x {teacher.model}"
    return told if teacher.snapshot is None else f"{told} after {teacher.snapshot:g} epochs"


def _load(path: Path) -> Variables:
    """Read a teacher's weights from its file, in Keras's safe mode."""
    try:
        return read_variables(keras.models.load_model(path, compile=False, safe_mode=True))
    except Exception as error:  # Keras raises whatever its reader met in a damaged file
        raise WorkError(
            f"{path} cannot be read as a Keras model ({type(error).__name__}). Delete it: it will be trained again."
        ) from error
