"""Teachers whose predictions are stored: arrays found by the contents of the inputs, or lines found by their ids."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.data.labels import Array
from distillab.errors import RequestError
from distillab.models.answer_folder import is_answer_folder, read_answer_folder
from distillab.models.answers import read_answers
from distillab.models.class_names import columns_by_name, mapped_logits
from distillab.models.digests import row_digests
from distillab.models.prediction_files import chunks, is_top_k, read_mapped, read_top_k
from distillab.models.predictions import CATEGORICAL, Predictions, are_probabilities
from distillab.models.top_k import TopK, take_rows
from distillab.study.outputs import check_outputs
from distillab.tasks import Head


class StoredTeacher(NamedTuple):
    """Stored predictions of one teacher for the examples of a data set."""

    name: str
    digest: str
    predict: Callable[[Array], NDArray[np.float32]]
    """From inputs as stored to logits of all classes."""
    top_k: Callable[[Array], TopK] | None = None
    """From inputs as stored to the top k; None where all classes are stored, or the top k is no smaller."""


def is_stored(source: object) -> bool:
    """Whether a teacher is named by its stored predictions: `.npy`, `.jsonl`, or a folder of either with `config.json`.

    Args:
        source: as the user names it.
    """
    return str(source).endswith((".npy", ".jsonl")) or is_answer_folder(Path(str(source)).expanduser())


def check_stored(path: Path) -> None:
    """Refuse damaged files before the data are read.

    Args:
        path: as `is_stored` takes it.

    Raises:
        RequestError: a file is missing or damaged.
    """
    if path.suffix == ".npy":
        Predictions.read(path)
    elif is_answer_folder(path):
        read_answer_folder(path)
    elif not path.is_file():
        raise RequestError(f"There are no stored answers {path}.")


def stored_teacher(path: Path, dataset: Dataset) -> StoredTeacher:
    """Read stored predictions.

    Args:
        path: as `is_stored` takes it.
        dataset: the data.

    Raises:
        RequestError: the files are damaged or do not fit the data, or an example has no prediction.
    """
    if is_answer_folder(path):
        return _of_folder(path, dataset)
    if path.suffix == ".jsonl":
        stored = _of_lines([path], dataset.class_names, dataset)
    else:
        stored = Predictions.read(path, dataset.task)
    check_outputs(f"The teacher {path.name}", stored.shape[1:], dataset)
    _check_complete(stored, dataset)
    top_k = stored.top_k_of if _is_short(stored) else None
    return StoredTeacher(path.name, stored.digest(), lambda inputs: dataset.standardised(stored.of(inputs)), top_k)


def stored_head(path: Path) -> Head | None:
    """The outputs of the model that made stored predictions, as far as their values show them.

    Args:
        path: as `is_stored` takes it.

    Returns:
        None where classes are matched by name: the data decide.

    Raises:
        RequestError: the files are damaged.
    """
    if path.suffix != ".npy":
        return None
    if is_top_k(path):
        top, outputs = read_top_k(path)
        return Head(outputs, "softmax", top.rest.ndim - 1, path.name)
    stored = read_mapped(path)
    outputs = 1 if stored.ndim == 1 else stored.shape[-1]
    ending = "softmax" if outputs > 1 and _all(stored, lambda p: are_probabilities(p, CATEGORICAL)) else ""
    if not ending and _all(stored, lambda p: bool(((p >= 0) & (p <= 1)).all())):
        ending = "sigmoid"
    return Head(outputs, ending, max(0, stored.ndim - 2), path.name)


def _all(stored: Array, holds: Callable[[Array], bool]) -> bool:
    return all(holds(stored[piece]) for piece in chunks(stored))


def _check_complete(stored: Predictions, dataset: Dataset) -> None:
    """Missing predictions are an error now, not after the search."""
    for part in (dataset.x_train, dataset.unlabelled, dataset.x_test):
        stored.rows(part)


def _is_short(stored: Predictions) -> bool:
    """Whether a top k takes less memory than all logits: k values, k numbers and the rest."""
    return isinstance(stored.stored, TopK) and 2 * stored.stored.values.shape[-1] + 1 < stored.shape[-1]


def _of_folder(path: Path, dataset: Dataset) -> StoredTeacher:
    """Predictions whose columns are put into the order of the data's classes."""
    _check_classes(path, dataset)
    names, predictions, lines = read_answer_folder(path)
    columns = columns_by_name(names, dataset.class_names)
    stored = _of_lines(lines, names, dataset) if predictions is None else Predictions.read(predictions, dataset.task)
    if stored.shape[1:] != (*dataset.positions, len(names)):
        raise RequestError(
            f"{path.name}: config.json names {len(names)} classes, and predictions.npy has shape {stored.shape}."
        )
    _check_complete(stored, dataset)
    digest, top_k = hashlib.sha256(f"{stored.digest()} {columns.tolist()}".encode()).hexdigest(), None
    if _is_short(stored) and len(names) == len(columns) and (columns >= 0).all():
        top_k = partial(_renumbered, stored, np.argsort(columns))
    return StoredTeacher(path.name, digest, lambda inputs: mapped_logits(stored.of(inputs), columns), top_k)


def _renumbered(stored: Predictions, numbers: NDArray[np.intp], inputs: Array) -> TopK:
    top = stored.top_k_of(inputs)
    return top._replace(classes=numbers[top.classes].astype(top.classes.dtype))


def _of_lines(paths: Sequence[Path], names: Sequence[str], dataset: Dataset) -> Predictions:
    """Lines matched to the examples by their ids, and filed under the digests of their inputs."""
    _check_classes(paths[0], dataset)
    if dataset.positions:
        raise RequestError(f"{paths[0].name} has one answer for an example, and the data have many positions each.")
    answers = read_answers(paths, names)
    rows, absent = list[int](), list[str]()
    for part in ("train", "unlabelled", "test"):
        for ids in dataset.example_ids.of(part):
            found = next((answers.rows[name] for name in ids if name in answers.rows), None)
            if found is None:
                absent.append(ids[0])
            else:
                rows.append(found)
    if absent:
        raise RequestError(
            f"{paths[0].name} has no answer for {len(absent):,} of {len(rows) + len(absent):,} examples; the first is "
            f"{absent[0]!r}. Its ids are such as {next(iter(answers.rows))!r}."
        )
    parts = [part for part in (dataset.x_train, dataset.unlabelled, dataset.x_test) if len(part)]
    keys = np.concatenate([row_digests(part) for part in parts])
    return Predictions(keys, take_rows(answers.top, np.array(rows)), len(names))


def _check_classes(path: Path, dataset: Dataset) -> None:
    if dataset.task.name != "categorical":
        raise RequestError(f"{path.name} gives probabilities of classes, and the task is {dataset.task.name}.")
