"""Reading a user's data in any supported form: labelled and unlabelled examples, and a separate test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from distillab.data.archive import default_scale
from distillab.data.array_store import ArrayStore
from distillab.data.column_fitting import table_columns
from distillab.data.columns import Columns
from distillab.data.dataset import Dataset
from distillab.data.example_ids import ExampleIds
from distillab.data.forms import Readers, input_forms, stored_inputs
from distillab.data.labels import UNLABELLED, Array, class_names, label_positions
from distillab.data.outputs import MANY, several_outputs
from distillab.data.parts import Parts, split_parts
from distillab.data.read_options import ReadOptions
from distillab.data.several import as_mappings, check_one_output
from distillab.data.source import Source
from distillab.data.sources import read_source
from distillab.data.standardisation import feature_scale
from distillab.data.table import label_note
from distillab.data.text_ids import WantedTokenizer, with_token_ids
from distillab.data.trusted import checked_trusted
from distillab.data.weights import example_weights
from distillab.errors import RequestError, not_allowed
from distillab.tasks import Head, Task, recognise
from distillab.tasks.matching import check_heads
from distillab.tasks.several import column_names

__all__ = ["ReadOptions", "Source", "dataset_from", "read_data", "read_source"]


def read_data(
    data: Any, options: ReadOptions | None = None, *, heads: Sequence[Head] = (), readers: Readers = ()
) -> Dataset:
    """Read data with validation and test parts; the parts that are missing are split off at random.

    Args:
        data: a path or the arrays themselves. Paths: an `.npz` with x and y, or x_train, y_train, x_test, y_test, and
            perhaps x_validation, y_validation, x_unlabelled, and x_trusted, y_trusted, whose labels are known to be
            right; an image folder or an archive of one
            (`read_photographs`); a table (`read_table`); or a name such as "mnist". Arrays: `(x, y)`,
            `(x_train, y_train, x_test, y_test)`, a mapping of such names, a `Dataset`, a `tf.data.Dataset` or a
            `keras.utils.PyDataset` of (x, y). Several inputs are a mapping by name, or a list in the models' order; in
            an `.npz`, x_NAME or x_train_NAME. Labels: (N,) or (N, 1), one-hot or several (N, C), or one for each
            position, such as (N, H, W). Labels of several outputs likewise: {"age": ..., "income": ...}, a list of
            arrays, or y_NAME, y_train_NAME. An example whose labels are all -1 or NaN is an unlabelled one.
            Weights of examples: a third array, (x, y, weights), or `weights` beside x and y.
        options: how data are read and split; by default `ReadOptions()`.
        heads: the outputs of teacher and student, which help to recognise the task.
        readers: the inputs of teacher and student, which show what is read as token ids or as series.

    Returns:
        The data set with fixed validation rows; features get a mean and a spread.

    Raises:
        RequestError: the data are unusable; the message says why.

    Example:
        >>> x, y = np.arange(80, dtype=np.float32).reshape(40, 2), np.arange(40) % 2
        >>> data = read_data((x, y), ReadOptions(validation=0.25, test=0.2))
        >>> len(data.training), len(data.validation), len(data.y_test)
        (24, 8, 8)
    """
    options = ReadOptions() if options is None else options
    return dataset_from(read_source(data, options), options, heads, readers)


OF_TEXT = ("text", "tokenizer", "vocabulary", "length")
"""Options of data that are texts."""


def dataset_from(source: Source, options: ReadOptions, heads: Sequence[Head] = (), readers: Readers = ()) -> Dataset:
    """Recognise the task of data that were read, check them, and split off the parts that are missing.

    Args:
        source: made by `read_source`.
        options: how data are split, and what the labels mean.
        heads, readers: as in `read_data`.

    Returns:
        As `read_data`.

    Raises:
        RequestError: the data are unusable, or several tasks are possible; the message says why.
    """
    if isinstance(source.task, Task):
        check_heads(source.task, heads)
        return _split(source, options, source.task, source.class_names, readers)
    mappings = as_mappings(source.arrays, heads)
    if mappings is not None:
        return _of_several_outputs(source._replace(arrays=mappings), options, heads, readers)
    check_one_output(heads, options.task)
    task, (arrays, names, notes) = _recognise(source, options, heads), (source.arrays, source.class_names, source.notes)
    if task.name != "categorical" and options.task is None:
        notes = (*notes, f"The labels are {task.meaning}: task={task.name}.")
    if source.column is not None:
        arrays, names = _numbered(source, task, options.ignore_class)
    ignore = options.ignore_class if source.column is None else None
    positions = heads[0].positions if heads else label_positions(arrays["y_train"])
    source = source._replace(arrays=arrays, notes=notes)
    return _split(source, options, task, names, readers, positions=positions, ignore=ignore)


def _of_several_outputs(source: Source, options: ReadOptions, heads: Sequence[Head], readers: Readers) -> Dataset:
    """The data of several outputs, their labels packed into one matrix."""
    arrays, task = several_outputs(source.arrays, heads, task=options.task, ignore=options.ignore_class)
    meanings = "; ".join(f"{part.name}, {part.task.meaning} (task={part.task.name})" for part in task.parts)
    source = source._replace(arrays=arrays, notes=(*source.notes, f"The data have several outputs: {meanings}."))
    return _split(source, options, task, column_names(task), readers)


def _split(
    source: Source,
    options: ReadOptions,
    task: Task,
    names: tuple[str, ...] | None,
    readers: Readers,
    *,
    positions: int = 0,
    ignore: int | None = None,
) -> Dataset:
    """The data with their inputs as the models read them, and with the parts that are missing split off."""
    _check_options_of_texts(source, options)
    forms = options if source.texts is None else replace(options, inputs="tokens")
    arrays = _with_stored_inputs(source.arrays, forms, readers, source.store)
    parts = split_parts(arrays, task, options, source.store, positions=positions, ignore=ignore)
    names = column_names(task) if task.parts else class_names(parts.labels, task, names)
    weights = example_weights(
        arrays, parts.read, len(parts.y) - len(parts.read), parts.y, task, names, options.class_weight
    )
    weighed = () if weights is None else (_weights_note(weights),)
    columns, of_table = _columns(source, parts)
    of_label = () if source.table is None or task.parts else (label_note(source.table, task, names),)
    mean, spread = feature_scale(parts.x, source.store) if columns is None else (None, None)
    scale = default_scale(parts.x) if source.scale is None else source.scale
    dataset = Dataset(
        source.name, parts.x, parts.y, parts.x_test, parts.y_test, names, scale, validation=parts.validation,
        unlabelled=parts.unlabelled, mean=mean, spread=spread, task=task, store=source.store,
        notes=(*of_label, *source.notes, *parts.notes, *weighed, *of_table),
        ids=ExampleIds(parts.trained, parts.tested, parts.others, source.ids), columns=columns, weights=weights,
        trusted=parts.trusted,
    )  # fmt: skip
    if source.texts is None:
        return checked_trusted(dataset)
    length = options.length
    if length is None:
        length = next((one.shape[0] for of in readers for one in of if one.tokens and one.shape), None)
    return checked_trusted(
        with_token_ids(dataset, source.texts, WantedTokenizer(options.tokenizer, options.vocabulary, length))
    )


def _check_options_of_texts(source: Source, options: ReadOptions) -> None:
    for name in OF_TEXT if source.texts is None else ():
        if getattr(options, name) is not None:
            raise not_allowed(name, getattr(options, name), "left out: the data are no texts")


def _weights_note(weights: Array) -> str:
    return f"Training examples weigh {weights.min():.3g} to {weights.max():.3g}; metrics do not weigh."


def _columns(source: Source, parts: Parts) -> tuple[Columns | None, tuple[str, ...]]:
    """What the columns of a table with words or gaps mean, fitted on the training rows, and what was noticed."""
    if source.table is None:
        return None, ()
    train = np.setdiff1d(np.arange(len(parts.x)), parts.validation)
    held_out = [
        (parts.x[parts.validation], parts.read[parts.validation]),
        (parts.x_test, parts.tested[0][1]),
        (parts.unlabelled, parts.others[0][1]),
    ]
    columns, notes = table_columns(source.table, parts.x[train], held_out)
    return columns, tuple(notes)


def _with_stored_inputs(
    arrays: dict[str, Any], options: ReadOptions, readers: Readers, store: ArrayStore
) -> dict[str, Any]:
    """The arrays, their inputs in the form in which a data set holds them."""
    forms = input_forms(arrays["x_train"], readers, options.inputs)
    inputs = {name: of for name, of in arrays.items() if name.startswith("x_")}
    return arrays | {name: stored_inputs(of, name, forms, readers, store) for name, of in inputs.items()}


def _recognise(source: Source, options: ReadOptions, heads: Sequence[Head]) -> Task:
    stated: Any = options.task or source.task
    if options.task is None and source.task == "binary" and heads:
        stated = None  # a model with two outputs learns the same labels as two classes
    labels = np.asarray(source.arrays["y_train"])
    if labels.ndim > 2:
        labels = labels[:: max(1, len(labels) // SEEN)]
    if options.ignore_class is not None and labels.dtype.kind in "fiub":
        labels = np.where(labels == options.ignore_class, np.nan, labels)
    task = recognise(labels, heads, given=stated)
    if source.column is not None and stated is None and not heads and task.name == "categorical":
        values = np.unique(labels[~np.isnan(labels)])
        if len(values) > MANY and values[-1] - values[0] >= len(values):
            raise RequestError(
                f"The column {source.column!r} holds {len(values)} different whole numbers from {values[0]:g} to "
                f"{values[-1]:g}. State task=regression if they are amounts, or task=categorical if they are classes."
            )
    return task


SEEN = 1_000
"""Examples of maps that are looked at to recognise their task."""


def _numbered(source: Source, task: Task, ignore: int | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arrays of a table with its number labels as the task has them, and the names of their classes."""
    values = np.where(source.arrays["y_train"] == ignore, np.nan, source.arrays["y_train"])
    if task.name not in ("categorical", "binary"):
        return {**source.arrays, "y_train": values}, (str(source.column),)
    classes = np.unique(values[~np.isnan(values)])
    if task.name == "binary" and 0 in classes and np.isin(classes, (UNLABELLED, 0, 1)).all():
        return {**source.arrays, "y_train": values}, ("0", "1")
    numbers = np.where(np.isnan(values), UNLABELLED, np.searchsorted(classes, values)).astype(np.int32)
    return {**source.arrays, "y_train": numbers}, tuple(f"{value:.15g}" for value in classes)
