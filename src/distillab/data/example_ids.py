"""The ids by which files of answers name examples: row numbers as read, a table's ids, or paths of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from distillab.data.labels import Rows

Segments = tuple[tuple[str, Rows], ...]
"""Where consecutive examples were read from: parts ("train", "test", ...), each with rows, counted from 0."""


@dataclass(frozen=True)
class ExampleIds:
    """Where the examples of a data set were read from, before they were split.

    Args:
        train: of x_train.
        test: of x_test.
        unlabelled: of the unlabelled inputs.
        names: by part, the ids of its rows where the data give them: a table's column, or paths of images.

    Example:
        >>> ids = ExampleIds((("train", np.array([2, 0])),), (("test", np.array([1])),), ())
        >>> list(ids.of("train")), list(ids.of("test"))
        ([('train/2', '2'), ('train/0', '0')], [('test/1',)])
    """

    train: Segments
    test: Segments
    unlabelled: Segments
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of_rows(cls, train: int, test: int, unlabelled: int) -> ExampleIds:
        """Those of arrays that were not split.

        Args:
            train, test, unlabelled: the number of examples.
        """
        rows = [np.arange(count) for count in (train, test, unlabelled)]
        return cls((("train", rows[0]),), (("test", rows[1]),), (("unlabelled", rows[2]),))

    def of(self, which: str) -> Iterator[tuple[str, ...]]:
        """The ids of examples in their order; an answer may name any of an example's.

        Args:
            which: "train", "test" or "unlabelled".
        """
        segments: Segments = getattr(self, which)
        for part, rows in segments:
            names = self.names.get(part)
            for row in rows.tolist():
                if names is not None:
                    yield _with_and_without_suffix(names[row])
                else:
                    yield (f"{part}/{row}", f"{row}") if part == "train" else (f"{part}/{row}",)


def _with_and_without_suffix(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    return (name, str(path.with_suffix(""))) if path.suffix else (name,)
