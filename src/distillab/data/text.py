"""Raw texts: of a data set, for teachers that read them; and as read, before they are token ids."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data.labels import Array
from distillab.data.tokenizer import Tokenizer
from distillab.errors import RequestError, reason, shown


@dataclass(frozen=True, eq=False)
class Text:
    """The texts behind a data set's token ids.

    Args:
        tokenizer: from texts to token ids.
        train, test, unlabelled: the raw texts of the data set's parts, in their order.
    """

    tokenizer: Tokenizer
    train: tuple[str, ...]
    test: tuple[str, ...]
    unlabelled: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the tokenizer and all texts."""
        sha = hashlib.sha256(self.tokenizer.content.encode())
        for texts in (self.train, self.test, self.unlabelled):
            sha.update(f"{len(texts)}\n".encode())
            for text in texts:
                sha.update(hashlib.sha256(text.encode()).digest())
        return sha.hexdigest()

    @cached_property
    def _by_ids(self) -> tuple[dict[bytes, str], int]:
        """By the digest of token ids, the first text that has them; and how many texts have those of another one."""
        found: dict[bytes, str] = {}
        shared = 0
        for texts in (self.train, self.test, self.unlabelled):
            for key, text in zip(_keys(self.tokenizer.encode(texts)), texts, strict=True):
                shared += found.setdefault(key, text) != text
        return found, shared

    @property
    def shared(self) -> int:
        """How many texts have the token ids of another one, because they are cut or written alike."""
        return self._by_ids[1]

    def of(self, ids: Array) -> list[str]:
        """The raw texts of stored inputs, found by their token ids; of several with the same ids the first.

        Args:
            ids: rows of the data set, (M, T).

        Raises:
            RequestError: a row is none of the data set's.
        """
        found = self._by_ids[0]
        try:
            return [found[key] for key in _keys(ids)]
        except KeyError:
            raise RequestError("The token ids are none of the data's, so the raw text is not known.") from None


def _keys(ids: Array) -> list[bytes]:
    rows = np.ascontiguousarray(ids, np.int32)
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]


class RawTexts(NamedTuple):
    """Texts as read: a data set's inputs are row numbers in `texts` until its parts are known."""

    texts: Sequence[str]
    where: Callable[[int], str]
    """From a row number to the text's place, for messages."""


def is_texts(values: Any) -> bool:
    """Whether inputs are texts: a list or an array of str.

    Args:
        values: inputs as a user has them.

    Example:
        >>> is_texts(["a cat"]), is_texts(np.zeros((2, 3))), is_texts({"a": [1]})
        (True, False, False)
    """
    if isinstance(values, np.ndarray) and values.dtype.kind not in "UTO":
        return False
    if isinstance(values, (str, bytes, dict)) or not hasattr(values, "__len__") or not len(values):
        return False
    if not hasattr(values, "__iter__"):
        return False
    return isinstance(next(iter(values)), str)


def text_rows(parts: dict[str, Any]) -> tuple[dict[str, NDArray[np.int32]], RawTexts]:
    """Row numbers in place of texts.

    Args:
        parts: texts by the name of their array, such as x_train.

    Returns:
        (arrays of shape (N, 1) by the same names, the texts).

    Raises:
        RequestError: an entry is no text, or empty; the message names part and row.
    """
    texts: list[str] = []
    places: list[tuple[str, int]] = []
    rows = {}
    for name, values in parts.items():
        start = len(texts)
        texts += [str(checked_text(value, f"{name}: row {row}")) for row, value in enumerate(values)]
        places += [(name, row) for row in range(len(texts) - start)]
        rows[name] = np.arange(start, len(texts), dtype=np.int32)[:, None]
    return rows, RawTexts(texts, lambda row: "{}: row {}".format(*places[row]))


def checked_text(value: Any, where: str) -> str:
    """A text that is not empty.

    Args:
        value: as read.
        where: its place, for the message.

    Raises:
        RequestError: it is empty, no text, or no Unicode.
    """
    if (
        value is None
        or (isinstance(value, float) and np.isnan(value))
        or (isinstance(value, str) and not value.strip())
    ):
        raise RequestError(f"{where} has no text. Remove the example, or write a text.")
    if not isinstance(value, str):
        raise RequestError(f"{where} holds {shown(value)}, and must hold a text.")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON can hold
        raise RequestError(f"{where} holds a text that is no Unicode ({reason(error)}).") from error
    return value
