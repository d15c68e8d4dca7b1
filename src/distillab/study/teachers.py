"""The teachers of a run: trained or read once, their predictions computed once and stored by digest."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.data.array_store import pieces, taken
from distillab.data.labels import Array
from distillab.engine.augmentation import Augmentation
from distillab.engine.devices import rows_mesh
from distillab.engine.functional import Functional, Variables, read_variables, write_variables
from distillab.engine.logits import teacher_digest, teacher_logits
from distillab.engine.teacher import train_teacher
from distillab.engine.types import Epoch, Examples, Recipe
from distillab.errors import WorkError
from distillab.io import replace_file
from distillab.metrics.metric import metric_named
from distillab.models import Dropout
from distillab.models.averaging import average_predictions
from distillab.models.predictions import stored_predictions
from distillab.models.top_k import TopK, as_dense, joined_rows, take_rows, uniform_rows
from distillab.study.folder import Folder
from distillab.study.models import Models
from distillab.study.progress import Progress
from distillab.study.settings import Settings, is_given
from distillab.study.splits import Rows, Splits, teacher_rows
from distillab.study.storage.records import TeacherResult
from distillab.study.storage.store import Store
from distillab.study.teacher_models import BATCH, Member, Predict, TeacherModel
from distillab.study.trials import members, teacher_identity, training_identity
from distillab.study.zoo_models import zoo_model
from distillab.tasks import task_named
from distillab.tasks.evaluation import evaluate
from distillab.tasks.several import with_options, without_alphas

CHUNK = 64 * 2**20
"""Bytes of inputs that a teacher predicts at a time, so that inputs larger than memory are never read whole."""

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class TeacherPredictions:
    """A teacher, and its logits for the rows of a trial.

    Args:
        members: of a live teacher; several where predictions are averaged, none for `uniform`.
        train: for the students' training rows without augmentation, shape (N, ..., C), or a `TopK` of them; None where
            they are not used.
        validation: shape (V, ..., C).
        test: shape (M, ..., C).
    """

    members: tuple[Member | Predict, ...]
    train: Logits | TopK | None
    validation: Logits
    test: Logits


class TeacherTraining(NamedTuple):
    """What a training of a teacher took."""

    settings: Settings
    examples: int
    """Of an epoch."""
    seconds: list[float]
    """Of each epoch."""


class TeacherCache:
    """Trains, reads and stores teachers and their predictions.

    Args:
        dataset: the data.
        models: the user's teachers.
        folder: keeps the trained teachers and all predictions.
        store: keeps the teachers' results.
        progress: is notified of every epoch.

    Attributes:
        trainings: what the trainings of this run took.
    """

    def __init__(self, dataset: Dataset, models: Models, folder: Folder, store: Store, progress: Progress) -> None:
        self.dataset, self.models, self.folder, self.store, self.progress = dataset, models, folder, store, progress
        self.trainings: list[TeacherTraining] = []
        self._snapshots: dict[str, dict[str, float]] = {}
        self._whole: dict[str, Logits | TopK] = {}

    def expect(self, trials: Iterable[Settings]) -> None:
        """Announce trials, so that all snapshots of one training are taken in one go.

        Args:
            trials: their settings.
        """
        for settings in dict.fromkeys(trials):
            for member in members(settings):
                snapshots = self._snapshots.setdefault(self._training(member), {})
                name = training_identity(member, self.dataset.digest)
                snapshots[name] = member.teacher.snapshot or float(member.teacher.epochs)

    def predictions(self, settings: Settings, splits: Splits, *, training: bool) -> TeacherPredictions:
        """The predictions of a trial's teacher.

        Args:
            settings: of any trial that learns from it.
            splits: the rows of those trials.
            training: whether its predictions for the unaugmented training rows are used.

        Raises:
            WorkError: a training diverges, or a file is not the teacher that was recorded.
        """
        models, average = [self._model(member, splits) for member in members(settings)], settings.average
        if settings.target == "uniform":
            live: tuple[Member | Predict, ...] = ()
            train: Logits | TopK | None = self._uniform(models, len(splits.train) + splits.unlabelled)
        else:
            live = tuple(model.live for model in models if model.live is not None)
            top_k = _top_k(models)
            # The top k is on disk already. It is used where no student needs it, too: zeros of all classes are larger.
            train = self._rows(models, splits.train, average) if training or top_k else None
            if train is not None and splits.unlabelled:
                unlabelled = self.dataset.unlabelled
                more = top_k(unlabelled) if top_k else self._predict(models, unlabelled, average)
                train = joined_rows([train, more])
        test = self.dataset.x_test if splits.test else self.dataset.x_test[:0]
        validation = as_dense(self._rows(models, splits.validation, average), self.dataset.outputs)
        predictions = TeacherPredictions(live, train, validation, self._predict(models, test, average))
        if splits.test:
            self._record_all(settings, models, splits, predictions.test)
        return predictions

    def gallery(self, predictions: TeacherPredictions, settings: Settings, splits: Splits, positions: Rows) -> Logits:
        """A teacher's logits for some training examples, without augmentation.

        Args:
            predictions, settings, splits: the teacher's, as `predictions` takes and returns them.
            positions: in `splits.train`, shape (K,).

        Returns:
            Shape (K, ..., C).
        """
        if predictions.train is not None:
            return as_dense(take_rows(predictions.train, positions), self.dataset.outputs)
        inputs = taken(self.dataset.x_train, splits.train[positions])
        several = [
            teacher_logits(*member[:2], inputs, member.scale) if isinstance(member, Member) else member(inputs)
            for member in predictions.members
        ]
        return average_predictions(several, average=settings.average)

    def _uniform(self, models: Sequence[TeacherModel], examples: int) -> Logits | TopK:
        """Equal logits; as a top k where the teacher is one, next to which they would be large."""
        shape, top_k = (examples, *self.dataset.output_shape), _top_k(models)
        if top_k is None:
            return np.zeros(shape, np.float32)
        return uniform_rows(top_k(self.dataset.x_train[:1]), shape[:-1], shape[-1])

    def _rows(self, models: Sequence[TeacherModel], rows: Rows, average: str) -> Logits | TopK:
        top_k = _top_k(models)
        if self.dataset.validation is None:
            inputs = self.dataset.store.selected([(self.dataset.x_train, rows)])
            return top_k(inputs) if top_k else self._predict(models, inputs, average)
        # Search and final trainings use different rows of one set: all of it is predicted once.
        name = " ".join(model.digest for model in models)
        if name not in self._whole:
            inputs = self.dataset.x_train
            self._whole[name] = top_k(inputs) if top_k else self._predict(models, inputs, average)
        taken: Logits | TopK = take_rows(self._whole[name], rows)
        return taken

    def _predict(self, models: Sequence[TeacherModel], inputs: Array, average: str) -> Logits:
        """Logits of teachers together; each predicts the same inputs once in the folder's life."""
        shape, logits = (len(inputs), *self.dataset.output_shape), []
        if not len(inputs):
            return np.zeros(shape, np.float32)
        for model in models:
            digest = hashlib.sha256(model.digest.encode())
            _add_rows(digest, inputs)

            def compute(model: TeacherModel = model) -> Logits:
                step = BATCH * max(1, CHUNK // max(1, BATCH * inputs[:1].nbytes)) * inputs[:1].nbytes
                return np.concatenate([model.predict(rows) for _, rows in pieces(inputs, step)])

            logits.append(stored_predictions(self.folder.predictions, digest.hexdigest(), shape, compute))
        return average_predictions(logits, average=average)

    def _model(self, settings: Settings, splits: Splits) -> TeacherModel:
        """One teacher: a user's, or one trained here where the folder has no file of it."""
        name, data = settings.teacher.model, self.dataset
        if is_given(name):
            return self.models.teacher(name)
        built = zoo_model(name, data, dropout_of(settings))
        functional = Functional(built, rows=rows_mesh())
        path = self._file(training_identity(settings, self.dataset.digest))
        if not path.exists():
            self._train(functional, settings, splits)
        member = Member(functional, _load(path), data.scale)
        digest = teacher_digest(functional, member.variables, data.scale)

        def predict(inputs: Array) -> Logits:
            changes = data.mean is not None or data.columns is not None
            return teacher_logits(*member[:2], data.prepared(np.array(inputs) if changes else inputs), data.scale)

        return TeacherModel(name, digest, predict, member, built)

    def _train(self, functional: Functional, settings: Settings, splits: Splits) -> None:
        """Train a teacher, and file it with every other snapshot of the same training."""
        rows, labels = teacher_rows(self.dataset, settings, splits)
        teacher, losses, seconds = settings.teacher, list[float](), list[float]()
        missing = dict(self._snapshots[self._training(settings)])
        epochs = int(np.ceil(max(missing.values())))
        self.trainings.append(TeacherTraining(settings, len(rows), seconds))
        self.progress.teacher(teacher.model, 0, epochs, None)
        clock = time.perf_counter()

        def on_epoch(epoch: Epoch) -> None:
            nonlocal clock
            seconds.append(time.perf_counter() - clock)
            clock = time.perf_counter()
            losses.append(float(epoch.loss[0]))
            self.progress.teacher(teacher.model, epoch.epoch + 1, epochs, losses[-1])

        training = train_teacher(
            functional,
            Examples.for_labels(
                self.dataset.prepared((self.dataset.x_train, rows), lazily=True),
                self.dataset.scale,
                self.dataset.output_shape,
                self.dataset.training_weights(rows),
            ),
            self.dataset.targets(labels),
            _recipe(settings, self.dataset),
            learning_rate=teacher.learning_rate,
            seed=teacher.seed,
            smoothing=teacher.label_smoothing,
            stops=missing.values(),
            on_epoch=on_epoch,
        )
        for stop, variables in training:
            _check_finite(settings, variables, losses)
            for name in [name for name, when in missing.items() if when == stop]:
                del missing[name]
                self._keep(name, functional, variables, losses)
            if not missing:
                return

    def _keep(self, name: str, functional: Functional, variables: Variables, losses: list[float]) -> None:
        """File a trained teacher; its losses first, so that they exist whenever it does."""
        if not self.folder.spec.is_file():  # and is not made again: it would belong to no study
            raise WorkError(
                f"{self.folder.path} was moved or deleted while its study ran. Put it back, and run the command again."
            )
        replace_file(self._file(name, "json"), lambda temporary: temporary.write_text(json.dumps(losses)))
        replace_file(self._file(name), lambda temporary: write_variables(functional.model, variables).save(temporary))

    def _record_all(self, settings: Settings, models: Sequence[TeacherModel], splits: Splits, test: Logits) -> None:
        for member, model in zip(members(settings), models, strict=True):
            alone = test if len(models) == 1 else self._predict([model], self.dataset.x_test, settings.average)
            file = self._file(training_identity(member, self.dataset.digest), "json")
            self._record(member, [model], splits, alone, json.loads(file.read_text()) if file.is_file() else [])
        if len(models) > 1:
            self._record(settings, models, splits, test, [])

    def _record(
        self, settings: Settings, models: Sequence[TeacherModel], splits: Splits, test: Logits, losses: Sequence[float]
    ) -> None:
        """Record a teacher, or check that it is still the recorded one."""
        name = teacher_identity(settings, self.dataset.digest)
        weights = hashlib.sha256("".join(model.digest for model in models).encode()).hexdigest()[:16]
        recorded = self.store.teachers().get(name)
        if recorded is None:
            given = is_given(settings.teacher.model)
            examples = 0 if given else len(teacher_rows(self.dataset, members(settings)[0], splits)[0])
            data = self.dataset
            task = with_options(data.task, settings.outputs)
            metrics = evaluate(task, data.in_units(test), data.y_test, linear=settings.squared)
            described = settings.teacher.model_dump() | {"name": " + ".join(model.name for model in models)}
            self.store.add_teacher(TeacherResult(name, described, weights, examples, metrics, losses))
            if not given:
                metric, value = next(iter(metrics.items()))
                self.progress.note(f"Teacher {_described(settings)}: test {metric_named(metric).shown(value)}.")
        elif recorded.weights != weights:
            raise WorkError(
                f"{self._file(name)} is not the teacher that this study's students learned from: its weights differ. "
                "Restore the original, or run the study in a new folder with --out."
            )

    def _training(self, settings: Settings) -> str:
        return training_identity(settings, self.dataset.digest, whole=True)

    def _file(self, name: str, kind: str = "keras") -> Path:
        return self.folder.teachers / f"{name}.{kind}"


def _add_rows(digest: hashlib._Hash, inputs: Array) -> None:
    """Add inputs to a digest as `add_array` does, a piece at a time."""
    digest.update(f"{inputs.dtype} {inputs.shape}".encode())
    for _, rows in pieces(inputs):
        digest.update(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)


def _top_k(models: Sequence[TeacherModel]) -> Callable[[Array], TopK] | None:
    """The top k of a single teacher that has no more; several are averaged over all classes."""
    return models[0].top_k if len(models) == 1 else None


def dropout_of(settings: Settings) -> Dropout:
    """The dropout of a trial's teacher.

    Args:
        settings: of the trial.
    """
    return Dropout(settings.teacher.input_dropout, settings.teacher.dropout)


def _recipe(settings: Settings, dataset: Dataset) -> Recipe:
    teacher = settings.teacher
    return Recipe(
        teacher.epochs,
        teacher.batch_size,
        task=settings.task,
        unlabelled=dataset.partly_labelled,
        loss=task_named(settings.task).losses[0],  # at alpha = 1 any will do
        label_loss=settings.label_loss,
        optimiser=teacher.optimiser,
        schedule=teacher.schedule,
        augmentation=Augmentation(teacher.shift, teacher.flip),
        weight_decay=teacher.weight_decay,
        max_norm=teacher.max_norm,
        parts=without_alphas(with_options(dataset.task, settings.outputs).parts),
    )


def _check_finite(settings: Settings, variables: Variables, losses: Sequence[float]) -> None:
    if not all(np.isfinite(array).all() for array in variables.trainable) or not np.isfinite(losses).all():
        epoch = int(np.argmin([*np.isfinite(losses), False])) + 1
        raise WorkError(
            f"The teacher {settings.teacher.model} diverged: its loss is not finite after epoch {epoch}. Lower "
            f"teacher.learning_rate={settings.teacher.learning_rate:g}."
        )


def _described(settings: Settings) -> str:
    teacher = settings.teacher
    name = teacher.model if teacher.members == 1 else f"{teacher.members} x {teacher.model}"
    return name if teacher.snapshot is None else f"{name} after {teacher.snapshot:g} epochs"


def _load(path: Path) -> Variables:
    """Read a teacher's weights from its file, in Keras's safe mode."""
    try:
        return read_variables(keras.models.load_model(path, compile=False, safe_mode=True))
    except Exception as error:  # Keras raises whatever its reader finds in a damaged file
        raise WorkError(
            f"{path} cannot be read as a Keras model ({type(error).__name__}). Delete it: it will be trained again."
        ) from error
