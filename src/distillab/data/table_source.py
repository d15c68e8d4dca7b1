"""Data in a table: features or texts, with one label column or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from distillab.data.array_store import ArrayStore
from distillab.data.frame import Frame, read_frame
from distillab.data.label_column import label_texts
from distillab.data.labels import UNLABELLED
from distillab.data.read_options import ReadOptions
from distillab.data.source import Source
from distillab.data.table import read_table
from distillab.data.text_files import ReadTexts, read_text_table, text_and_label


def source_of_table(path: Path, options: ReadOptions, store: ArrayStore) -> Source:
    """Read a table.

    Args:
        path: a file that `read_frame` reads.
        options: which columns are labels, texts, weights, or left out.
        store: of the arrays.

    Raises:
        RequestError: a fault of the file or of a column; the message names row and column.
    """
    frame = read_frame(path).without(options.drop)
    labels = (options.label,) if isinstance(options.label, str) else tuple(options.label or ())
    if len(labels) > 1:
        return _of_several_labels(frame, labels, options, store)
    label, weight, stated = labels[0] if labels else None, options.sample_weight, options.text is not None
    text_columns = text_and_label(frame, options.text, label, weight)
    if text_columns is not None:
        return source_of_texts(read_text_table(frame, *text_columns, stated=stated, weight=weight), path, store)
    table = read_table(frame, label=label, weight=weight)
    ids = {} if table.ids is None else {"train": table.ids}
    y, column = (table.y, None) if table.numbers is None else (table.numbers, table.label)
    arrays, names = {"x_train": table.x, "y_train": y}, table.class_names if column is None else None
    if table.weights is not None:
        arrays["w_train"] = table.weights
    return Source(path.stem, arrays, store, names, table.notes, column=column, ids=ids, table=table)


def source_of_texts(read: ReadTexts, path: Path, store: ArrayStore) -> Source:
    """The source of texts that were read.

    Args:
        read: from a table or a folder.
        path: of it.
        store: of the arrays.
    """
    source = Source(path.stem, read.arrays, store, read.class_names, read.notes)
    return source._replace(column=read.column, ids=read.ids, texts=read.raw)


def _of_several_labels(frame: Frame, labels: Sequence[str], options: ReadOptions, store: ArrayStore) -> Source:
    """A table with a label column for each of several outputs."""
    texts, path = label_texts(frame, labels), Path(frame.path)
    if options.text is not None:
        read = read_text_table(frame, options.text, labels[0], stated=True, weight=options.sample_weight)
        source = source_of_texts(read, path, store)
        return source._replace(arrays={**source.arrays, "y_train": texts}, class_names=None, column=None)
    table = read_table(frame, label=labels[0], weight=options.sample_weight, others=labels[1:])
    missing = np.all([of == "" for of in texts.values()], axis=0)
    table = table._replace(y=np.where(missing, UNLABELLED, 0).astype(np.int32))
    ids = {} if table.ids is None else {"train": table.ids}
    notes = (*table.notes, f"The labels are the columns {', '.join(map(repr, labels))}.")
    arrays = {"x_train": table.x, "y_train": texts} | ({} if table.weights is None else {"w_train": table.weights})
    return Source(path.stem, arrays, store, notes=notes, ids=ids, table=table)
