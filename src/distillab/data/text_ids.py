"""A data set of texts: token ids in place of the row numbers of texts, once its parts are known."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from distillab.data.dataset import Dataset
from distillab.data.labels import Array
from distillab.data.text import RawTexts, Text
from distillab.data.tokenizer import KINDS, VOCABULARY, Tokenizer, read_tokenizer, train_tokenizer
from distillab.errors import RequestError, not_allowed


class WantedTokenizer(NamedTuple):
    """Which tokenizer is trained or read.

    Args:
        source: "bpe", "wordpiece" or the path of a `tokenizer.json`; None: "bpe".
        vocabulary: the number of token ids of one that is trained; None: 4,000.
        length: T; None: as in `train_tokenizer`.
    """

    source: str | os.PathLike[str] | None = None
    vocabulary: int | None = None
    length: int | None = None


def with_token_ids(dataset: Dataset, raw: RawTexts, wanted: WantedTokenizer) -> Dataset:
    """The data set with token ids in place of row numbers.

    A tokenizer that is trained sees training and unlabelled texts, and none for validation or testing.

    Args:
        dataset: its inputs are row numbers, (N, 1).
        raw: the texts.
        wanted: which tokenizer.

    Raises:
        RequestError: the tokenizer cannot be trained or read, or a text has no token.
    """
    rows = {part: getattr(dataset, part)[:, 0] for part in ("x_train", "x_test", "unlabelled")}
    texts = {part: tuple(raw.texts[row] for row in numbers) for part, numbers in rows.items()}
    training = [texts["x_train"][row] for row in dataset.training] + list(texts["unlabelled"])
    chosen = _tokenizer(training, wanted)
    ids = {part: chosen.encode(held, dataset.store) for part, held in texts.items()}
    for part, numbers in rows.items():
        empty = np.flatnonzero((ids[part] == chosen.padding).all(axis=1))
        if len(empty):
            raise RequestError(f"{raw.where(numbers[empty[0]])} has no token of the tokenizer. Remove the example.")
    return replace(
        dataset,
        x_train=ids["x_train"],
        x_test=ids["x_test"],
        unlabelled=ids["unlabelled"],
        text=Text(chosen, texts["x_train"], texts["x_test"], texts["unlabelled"]),
        notes=(*dataset.notes, _note(chosen, ids["x_train"][dataset.training])),
    )


def with_tokenizer(dataset: Dataset, tokenizer: Tokenizer) -> Dataset:
    """A data set of texts with the token ids of another tokenizer.

    Args:
        dataset: of texts.
        tokenizer: the other one.
    """
    if dataset.text is None:
        return dataset
    text = replace(dataset.text, tokenizer=tokenizer)
    ids = [tokenizer.encode(texts, dataset.store) for texts in (text.train, text.test, text.unlabelled)]
    return replace(dataset, x_train=ids[0], x_test=ids[1], unlabelled=ids[2], text=text)


def _note(tokenizer: Tokenizer, ids: Array) -> str:
    """What the students read, in words; a text without padding is as long as the length, or was cut to it."""
    whole = float((ids[:, -1] != tokenizer.padding).mean())
    return (
        f"Texts are read as {tokenizer.length} token ids of {tokenizer.vocabulary:,} ({tokenizer.described}); "
        f"{whole:.1%} of the training texts fill that length or are cut to it."
    )


def _tokenizer(training: list[str], wanted: WantedTokenizer) -> Tokenizer:
    source, length = wanted.source, wanted.length
    if source is None or source in KINDS:
        vocabulary = VOCABULARY if wanted.vocabulary is None else wanted.vocabulary
        return train_tokenizer(training, kind=str(source or "bpe"), vocabulary=vocabulary, length=length)
    if wanted.vocabulary is not None:
        do = "It is the size of a tokenizer that is trained."
        raise not_allowed("vocabulary", wanted.vocabulary, f"left out with --tokenizer {source}", do)
    return read_tokenizer(source, training, length=length)
