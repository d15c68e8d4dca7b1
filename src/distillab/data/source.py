"""A user's data as they are stored, before it is known what the labels mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from distillab.data.array_store import ArrayStore
from distillab.data.inputs import Scale
from distillab.data.streams import Stream, read_stream
from distillab.data.table import Table
from distillab.data.text import RawTexts, text_rows
from distillab.tasks import Task


class Source(NamedTuple):
    """Data as read, before their task is known, and before they are checked and split."""

    name: str
    arrays: dict[str, Any]
    """x_train and y_train; perhaps those of "test", "validation", "trusted"; x_unlabelled, w_train, w_validation."""
    store: ArrayStore
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    scale: Scale | None = None
    task: str | Task | None = None
    """The task that a data set states, other than one of several classes: a model may show that to be binary; of
    several outputs with its parts, and packed labels."""
    column: str | None = None
    """The label column of a table, if its labels are numbers."""
    ids: Mapping[str, Sequence[str]] = {}
    """By part, the ids of its examples, where the data give them."""
    table: Table | None = None
    """The table whose rows the training examples are."""
    texts: RawTexts | None = None
    """The texts, where the data are texts; the inputs are their row numbers, (N, 1)."""

    @classmethod
    def of_stream(cls, stream: Stream, store: ArrayStore) -> Source:
        """Read a stream once, into the store.

        Args:
            stream: of examples.
            store: holds what was read.

        Raises:
            RequestError: the stream gives something else than examples.
        """
        read = read_stream(stream, store)
        arrays = {"x_train": read.x, "y_train": read.y} | ({} if read.weights is None else {"w_train": read.weights})
        return cls(stream.name, arrays, store, notes=(read.note,))

    def of_texts(self, texts: Mapping[str, Any]) -> Source:
        """The source with row numbers in place of texts.

        Args:
            texts: by the name of the array that they are: "x_train", "x_test".
        """
        rows, raw = text_rows(dict(texts))
        return self._replace(arrays={**self.arrays, **rows}, texts=raw)
