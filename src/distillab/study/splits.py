"""What the students of a study learn from: which rows, and which labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset, perturb, stratified_split, stratified_subset
from distillab.engine.augmentation import Augmentation
from distillab.engine.randomness import stream
from distillab.errors import RequestError, not_allowed
from distillab.study.settings import Settings
from distillab.study.storage.records import GalleryExamples

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """Rows of the data set's training part, each array sorted.

    Args:
        used: all that a cell uses: training and validation.
        train: what students train on.
        validation: what alpha is chosen on; no teacher and no student trains on it.
    """

    used: Rows
    train: Rows
    validation: Rows


@dataclass(frozen=True)
class Labels:
    """A draw of labels for the rows of a split.

    Args:
        train: shape (N,).
        validation: shape (V,).
        changed: which training labels are not the original ones, shape (N,).
        clean: the original training labels, shape (N,).
    """

    train: NDArray[np.int32]
    validation: NDArray[np.int32]
    changed: NDArray[np.bool_]
    clean: NDArray[np.int32]


def split(dataset: Dataset, settings: Settings) -> Split:
    """Choose a cell's rows: the same for every seed, alpha and teacher, so that nothing else differs between them.

    Raises:
        RequestError: where the data set is too small for the settings.
    """
    examples = len(dataset.y_train)
    size = examples if settings.train_size is None else settings.train_size
    if size > examples:
        raise not_allowed("train_size", size, f"at most {examples}, the training examples of {dataset.name}")
    used = stratified_subset(dataset.y_train, size=size, rng=stream("training subset", 0))
    train, held_out = stratified_split(
        dataset.y_train[used], share=settings.validation.share, rng=stream("validation split", 0)
    )
    if settings.batch_size > len(train):
        raise not_allowed(
            "batch_size", settings.batch_size, f"at most {len(train)}, the training examples left beside validation"
        )
    if not len(held_out):
        raise not_allowed(
            "validation.share", settings.validation.share, f"large enough to hold out one of {size} examples"
        )
    return Split(used, used[train], used[held_out])


def draw_labels(
    dataset: Dataset, settings: Settings, rows: Split, seed: int, logits: NDArray[np.float32] | None = None
) -> Labels:
    """Draw the labels that one seed's students see.

    The perturbed labels are drawn anew for each seed, unless the teacher trained on them: then one draw serves all.

    Args:
        dataset: the data.
        settings: of a cell.
        rows: which rows it uses.
        seed: of its students.
        logits: the teacher's answers over the used rows, shape (U, C), for noise that depends on its margin.
    """
    draw = 0 if settings.teacher.labels == "noisy" else seed
    new = _perturbed(dataset, settings, rows.used, stream("label noise", draw), logits)
    clean = dataset.y_train[rows.used]
    train, validation = np.isin(rows.used, rows.train), np.isin(rows.used, rows.validation)
    seen = new[validation] if settings.validation.labels == "noisy" else clean[validation]
    return Labels(new[train], seen, (new != clean)[train], clean[train])


def _perturbed(
    dataset: Dataset,
    settings: Settings,
    rows: Rows,
    rng: np.random.Generator,
    logits: NDArray[np.float32] | None = None,
) -> NDArray[np.int32]:
    noise, labels = settings.noise, dataset.y_train[rows]
    if not noise.perturbs:
        return labels
    how = {"matrix": noise.matrix} if noise.kind == "matrix" else {"rate": noise.rate, "logits": logits}
    return perturb(labels, kind=noise.kind, classes=dataset.classes, rng=rng, **how).labels


MOST_SHOWN, LEAST_SHOWN, NUMBERS_SHOWN = 256, 24, 4096
"""So many examples are shown at most and at least; in between so many that a student gives about 4096 numbers."""


def shown_places(rows: Split, classes: int) -> Rows:
    """Which training examples are shown one by one: drawn at random, the same for all students of the same rows.

    Args:
        rows: of a cell.
        classes: C.

    Returns:
        Their places in `rows.train`, ascending, shape (K,).
    """
    count = min(max(NUMBERS_SHOWN // classes, LEAST_SHOWN), MOST_SHOWN, len(rows.train))
    return np.sort(stream("shown examples", 0).choice(len(rows.train), size=count, replace=False))


def shown_examples(dataset: Dataset, rows: Split) -> tuple[Rows, GalleryExamples]:
    """The examples that are shown one by one: their places in `rows.train`, and themselves."""
    places = shown_places(rows, dataset.classes)
    shown = rows.train[places]
    return places, GalleryExamples(dataset.x_train[shown], dataset.y_train[shown].astype(np.int16), dataset.scale)


def teacher_material(dataset: Dataset, settings: Settings, rows: Split) -> tuple[Rows, NDArray[np.int32]]:
    """The rows and labels that a cell's teacher trains on; never a validation row.

    Raises:
        RequestError: where the teacher asks for what the data cannot give.
    """
    teacher, examples = settings.teacher, len(dataset.y_train)
    Augmentation(teacher.shift, teacher.flip).check(dataset.input_shape)
    Augmentation(**settings.augmentation.model_dump()).check(dataset.input_shape)
    if teacher.labels == "noisy" and teacher.train_size not in (None, len(rows.used)):
        raise RequestError(
            f"teacher.train_size={teacher.train_size} is not allowed with teacher.labels=noisy: the teacher then "
            "sees the students' own labels and rows. Leave teacher.train_size out, or set teacher.labels to own."
        )
    if teacher.train_size is None or teacher.labels == "noisy":
        chosen = rows.train
    else:
        if teacher.train_size > examples:
            raise not_allowed("teacher.train_size", teacher.train_size, f"at most {examples}, the training examples")
        wanted = stratified_subset(dataset.y_train, size=teacher.train_size, rng=stream("training subset", 0))
        chosen = np.setdiff1d(wanted, rows.validation)
    if teacher.batch_size > len(chosen):
        raise not_allowed("teacher.batch_size", teacher.batch_size, f"at most {len(chosen)}, its training examples")
    if teacher.labels == "noisy":
        return chosen, draw_labels(dataset, settings, rows, seed=0).train
    if teacher.labels == "own":
        return chosen, _perturbed(dataset, settings, chosen, stream("teacher's label noise", teacher.seed))
    return chosen, dataset.y_train[chosen]
