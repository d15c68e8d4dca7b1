"""The rows and labels that the students and teachers of a trial train on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset, perturb, stratified_split, stratified_subset
from distillab.data.array_store import taken
from distillab.data.labels import Array, check_variety
from distillab.data.splits import strata
from distillab.engine.augmentation import Augmentation
from distillab.engine.randomness import stream
from distillab.errors import RequestError, not_allowed
from distillab.study.settings import Settings
from distillab.study.storage.records import GalleryExamples, gallery_labels
from distillab.tasks import UNKNOWN, known_entries

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Splits:
    """Rows of the data set's training part, each array sorted.

    Args:
        used: all rows of a trial: training and validation.
        train: the students' training rows: the transfer set.
        validation: the rows on which alpha is chosen; no student evaluated on them trains on them, nor does a teacher
            that is trained here. Empty in the final trainings of a search.
        unlabelled: how many unlabelled inputs follow the training rows.
        test: whether the test set is read.
        trusted: validation rows whose labels are known to be right: no noise reaches them.
        teacher: the rows that a teacher learns from that names no number of them; by default the students'.
    """

    used: Rows
    train: Rows
    validation: Rows
    unlabelled: int = 0
    test: bool = True
    teacher: Rows | None = None
    trusted: Rows = field(default_factory=lambda: np.empty(0, np.intp))


@dataclass(frozen=True)
class Labels:
    """A draw of labels for the rows of a split.

    Args:
        train: shape (N, ...); -1 or NaN for the unlabelled inputs at the end.
        validation: shape (V, ...).
        changed, clean: where the training labels differ from the original ones, and those, shape (N, ...).
    """

    train: Array
    validation: Array
    changed: NDArray[np.bool_]
    clean: Array


def split(dataset: Dataset, settings: Settings) -> Splits:
    """Choose a trial's rows: the same for every seed, alpha and teacher, so that nothing else differs between them.

    Args:
        dataset, settings: of the trial; validation rows that the data set fixes are taken.

    Raises:
        RequestError: the data set is too small for the settings.
    """
    if dataset.validation is None:
        used, train, validation = _drawn(dataset, settings)
    else:
        used, train, validation = np.arange(len(dataset.y_train)), dataset.training, dataset.validation
    if settings.evaluate == "test":
        train, validation = used, used[:0]
    available = train
    if not settings.transfer.whole:
        train = _transferred(dataset, settings, train)
        used = np.union1d(train, validation)
    unlabelled = len(dataset.unlabelled) if settings.unlabelled else 0
    if settings.batch_size > (count := len(train) + unlabelled):
        raise not_allowed("batch_size", settings.batch_size, f"at most {count}, the number of training examples")
    trusted = _trusted(dataset, settings, validation)
    return Splits(used, train, validation, unlabelled, settings.evaluate != "validation", available, trusted)


def _trusted(dataset: Dataset, settings: Settings, validation: Rows) -> Rows:
    """The validation rows with trusted labels: those that the data set names, or as many as the settings say."""
    count = settings.validation.trusted
    if count > len(validation) > 0:
        allowed = f"at most {len(validation)}, the validation examples"
        raise not_allowed("validation.trusted", count, allowed)
    if not count or not len(validation):
        return validation[np.isin(validation, dataset.trusted)]
    classes = strata(dataset.task, dataset.y_train)
    drawn = stratified_subset(classes[validation], size=count, rng=stream("trusted examples", 0))
    return validation[drawn]


def _transferred(dataset: Dataset, settings: Settings, train: Rows) -> Rows:
    """Those of the training rows that students learn from."""
    transfer, labels = settings.transfer, dataset.y_train
    if transfer.size is not None:
        if transfer.size > len(labels):
            raise not_allowed("transfer.size", transfer.size, f"at most {len(labels)}, the training examples")
        train = np.intersect1d(train, _subset(dataset, transfer.size, settings.draw))
    if transfer.withheld is not None:
        if dataset.positions:
            raise RequestError("transfer.withheld is not allowed with labels at every position. Leave it out.")
        if transfer.withheld >= dataset.classes:
            allowed = f"the number of a class of {dataset.name}, from 0 to {dataset.classes - 1}"
            raise not_allowed("transfer.withheld", transfer.withheld, allowed)
        train = train[labels[train] != transfer.withheld]
    check_variety(labels[train], dataset.task, dataset.class_names, "transfer set")
    return train


def _subset(dataset: Dataset, size: int, draw: int) -> Rows:
    """So many of the training examples, stratified; of one draw, the smaller subset is within the larger one."""
    classes = strata(dataset.task, dataset.y_train)
    return stratified_subset(classes, size=size, rng=stream("training subset", draw))


def _drawn(dataset: Dataset, settings: Settings) -> tuple[Rows, Rows, Rows]:
    examples = len(dataset.y_train)
    size = examples if settings.train_size is None else settings.train_size
    if size > examples:
        raise not_allowed("train_size", size, f"at most {examples}, the training examples of {dataset.name}")
    used, classes = _subset(dataset, size, settings.draw), strata(dataset.task, dataset.y_train)
    share, rng = settings.validation.share, stream("validation split", settings.draw)
    train, held_out = stratified_split(classes[used], share=share, rng=rng)
    if not len(held_out):
        raise not_allowed("validation.share", share, f"large enough to hold out one of {size} examples")
    for part, rows in (("training", train), ("validation", held_out)):
        check_variety(dataset.y_train[used[rows]], dataset.task, dataset.class_names, part)
    return used, used[train], used[held_out]


def draw_labels(
    dataset: Dataset, settings: Settings, splits: Splits, seed: int, logits: NDArray[np.float32] | None = None
) -> Labels:
    """Draw the labels of one seed's students.

    The perturbed labels are drawn anew for each seed, unless the teacher trained on them: then one draw serves all.

    Args:
        dataset, settings, splits, seed: of the students.
        logits: the teacher's predictions for the used rows, shape (U, ..., C), for noise that depends on its margin.
    """
    draw = 0 if settings.teacher.labels == "noisy" else seed
    noisy = _perturbed(dataset, settings, splits.used, stream("label noise", draw), logits)
    clean = dataset.y_train[splits.used]
    train, validation = np.isin(splits.used, splits.train), np.isin(splits.used, splits.validation)
    noisy = np.where(_like(np.isin(splits.used, splits.trusted), clean), clean, noisy)
    seen = noisy[validation] if settings.validation.labels == "noisy" else clean[validation]
    changed = (noisy != clean) & known_entries(clean, dataset.task)
    none = np.full((splits.unlabelled, *clean.shape[1:]), UNKNOWN if dataset.task.discrete else np.nan, clean.dtype)
    return Labels(
        np.concatenate([noisy[train], none]),
        seen,
        np.concatenate([changed[train], np.zeros(none.shape, np.bool_)]),
        np.concatenate([clean[train], none]),
    )


def _like(rows: NDArray[np.bool_], labels: Array) -> NDArray[np.bool_]:
    """A mask of rows, of as many axes as the labels."""
    return rows.reshape(-1, *[1] * (labels.ndim - 1))


def _perturbed(
    dataset: Dataset,
    settings: Settings,
    rows: Rows,
    rng: np.random.Generator,
    logits: NDArray[np.float32] | None = None,
) -> Array:
    noise, labels = settings.noise, dataset.y_train[rows]
    if not noise.perturbs:
        return labels
    how: dict[str, Any] = {"matrix": noise.matrix} if noise.kind == "matrix" else {"rate": noise.rate, "logits": logits}
    of_data: dict[str, Any] = {"task": dataset.task, "classes": dataset.classes, "spread": dataset.target_spread}
    return perturb(labels, kind=noise.kind, rng=rng, **of_data, **how).labels


def teacher_rows(dataset: Dataset, settings: Settings, splits: Splits) -> tuple[Rows, Array]:
    """Choose the rows and labels that a trial's teacher trains on; never a validation row.

    Args:
        dataset, settings, splits: of the trial, with a single teacher that is trained here.

    Returns:
        Rows of the data set's training part, shape (K,), and their labels.

    Raises:
        RequestError: the teacher's settings do not fit the data.
    """
    teacher = settings.teacher
    Augmentation(teacher.shift, teacher.flip).check(dataset.input_shape)
    rows = _teacher_rows(dataset, settings, splits)
    if teacher.batch_size > len(rows):
        raise not_allowed("teacher.batch_size", teacher.batch_size, f"at most {len(rows)}, its training examples")
    if teacher.labels == "noisy":
        return rows, draw_labels(dataset, settings, splits, seed=0).train
    if teacher.labels == "own":
        return rows, _perturbed(dataset, settings, rows, stream("teacher's label noise", teacher.seed))
    return rows, dataset.y_train[rows]


def _teacher_rows(dataset: Dataset, settings: Settings, splits: Splits) -> Rows:
    teacher, examples = settings.teacher, len(dataset.y_train)
    size = teacher.train_size
    if teacher.labels == "noisy" and size not in (None, len(splits.used)):
        raise RequestError(
            f"teacher.train_size={size} is not allowed with teacher.labels=noisy: the teacher then trains on the "
            "students' labels and rows. Leave teacher.train_size out, or set teacher.labels to own."
        )
    if size is None or teacher.labels == "noisy":
        return splits.train if splits.teacher is None else splits.teacher
    if size > examples:
        raise not_allowed("teacher.train_size", size, f"at most {examples}, the training examples")
    return np.setdiff1d(_subset(dataset, size, settings.draw), splits.validation)


GALLERY_MOST, GALLERY_LEAST, GALLERY_MAPS, GALLERY_NUMBERS = 256, 24, 8, 4096
"""Most and fewest gallery examples, fewest maps; in between as many as make about 4096 numbers a student."""


def gallery(dataset: Dataset, splits: Splits) -> tuple[Rows, GalleryExamples] | None:
    """Draw the training examples whose predictions are kept one by one: the same for all students of the same rows.

    Args:
        dataset, splits: of the students.

    Returns:
        Their positions in `splits.train`, ascending, shape (K,), and the examples; None for real outputs and for
        several inputs, of which a page draws nothing.
    """
    if not dataset.task.discrete or not isinstance(dataset.scale, float):
        return None
    numbers, least = dataset.classes, GALLERY_LEAST
    if dataset.positions:
        numbers, least = math.prod(dataset.positions), GALLERY_MAPS
    count = min(max(GALLERY_NUMBERS // numbers, least), GALLERY_MOST, len(splits.train))
    positions = np.sort(stream("shown examples", 0).choice(len(splits.train), size=count, replace=False))
    rows = splits.train[positions]
    return positions, GalleryExamples(
        taken(dataset.x_train, rows), gallery_labels(dataset.y_train[rows]), dataset.scale
    )
