"""How data are read and split, checked once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distillab.data.inputs import KINDS, Kind
from distillab.data.weights import ClassWeight, check_class_weight
from distillab.errors import not_allowed, unknown
from distillab.tasks.matching import parsed_tasks


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How data are read and split.

    Args:
        data_dir: the folder of named data sets.
        validation: fraction of the training examples used for validation, in (0, 1), without a validation part.
        test: fraction of the labelled examples used for testing, in (0, 1), without a test part.
        size: (H, W) for the images of a folder; by default the most frequent size.
        label: name of the label column of a table; of several outputs several names.
        task: what the labels mean, a name in `TASKS`, or of several outputs "age=regression, income=binary" or such a
            mapping; by default recognised from labels and models.
        inputs: what inputs are, "images", "features", "series" or "tokens"; by default as the models read them.
        text: name of the column of texts of a table; by default the only one, if it holds texts.
        tokenizer: of texts: "bpe" (the default) or "wordpiece", which is trained, or the path of a `tokenizer.json`.
        vocabulary: the number of token ids of a tokenizer that is trained; by default 4,000.
        length: the token ids of a text; by default as the models read them, else the 95th percentile of training texts,
            at most 256.
        drop: names of columns of a table that are left out, such as names of people.
        sample_weight: name of the column of a table that holds the examples' weights.
        class_weight: "balanced", or a weight for each class by name; it multiplies the examples' own weights.
        ignore_class: a class number that means "no label here", such as 255 in maps.
        seed: seed of the random splits.
        memory: bytes above which an array is memory-mapped from a file; by default a quarter of the free memory.

    Raises:
        RequestError: a fraction is out of range, or there is no such task.
    """

    data_dir: str | os.PathLike[str] | None = None
    validation: float = 0.1
    test: float = 0.2
    size: tuple[int, int] | None = None
    label: str | Sequence[str] | None = None
    task: str | Mapping[str, str] | None = None
    inputs: Kind | None = None
    text: str | None = None
    tokenizer: str | os.PathLike[str] | None = None
    vocabulary: int | None = None
    length: int | None = None
    drop: tuple[str, ...] = ()
    sample_weight: str | None = None
    class_weight: ClassWeight | None = None
    ignore_class: int | None = None
    seed: int = 0
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.task is not None:
            parsed_tasks(self.task)
        if self.inputs is not None and self.inputs not in KINDS:
            raise unknown("inputs", self.inputs, KINDS)
        check_class_weight(self.class_weight)
        for name in ("validation", "test"):  # checked even if the data have these parts
            fraction = getattr(self, name)
            if isinstance(fraction, bool) or not 0 < fraction < 1:
                raise not_allowed(name, fraction, "a number between 0 and 1, both excluded")
