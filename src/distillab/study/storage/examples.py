"""A few training examples that every student answers, kept to be looked at one by one."""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.models.digests import add_array


class GalleryExamples(NamedTuple):
    """The examples themselves."""

    inputs: NDArray[np.generic]
    """As stored, shape (K, ...); times `scale` they are what models see."""
    labels: NDArray[np.int16]
    """Clean, shape (K,)."""
    scale: float

    @property
    def id(self) -> str:
        """Digest of all of it, as 16 hexadecimal digits."""
        digest = hashlib.sha256(repr(self.scale).encode())
        for array in (self.inputs, self.labels):
            add_array(digest, array)
        return digest.hexdigest()[:16]

    def packed(self) -> tuple[str, str, float, bytes, bytes]:
        """Type, shape, scale, and both arrays compressed."""
        inputs = np.ascontiguousarray(self.inputs, self.inputs.dtype.newbyteorder("<"))
        return inputs.dtype.str, json.dumps(inputs.shape), self.scale, _packed(inputs), _packed(self.labels, "<i2")

    @classmethod
    def unpacked(cls, kind: str, shape: str, scale: float, inputs: bytes, labels: bytes) -> GalleryExamples:
        """What `packed` gave."""
        found = np.frombuffer(zlib.decompress(inputs), np.dtype(kind)).reshape(json.loads(shape))
        return cls(found, np.frombuffer(zlib.decompress(labels), "<i2"), scale)


class GalleryPredictions(NamedTuple):
    """What a finished student answers to the shown examples."""

    examples: str
    """Which ones: `ShownExamples.id`."""
    labels: NDArray[np.int16]
    """As given to this student, so perhaps wrong, shape (K,)."""
    logits: NDArray[np.float16]
    """Shape (K, C). Halves hold them to three digits, more than an eye can see in a bar."""

    def packed(self) -> tuple[str, int, bytes, bytes]:
        """Examples, number of classes, and both arrays compressed."""
        return self.examples, self.logits.shape[1], _packed(self.labels, "<i2"), _packed(self.logits, "<f2")

    @classmethod
    def unpacked(cls, examples: str, classes: int, labels: bytes, logits: bytes) -> GalleryPredictions:
        """What `packed` gave."""
        given = np.frombuffer(zlib.decompress(labels), "<i2")
        return cls(examples, given, unpacked_logits(classes, logits))


def packed_logits(logits: NDArray[np.floating]) -> tuple[int, bytes]:
    """Number of classes, and logits (K, C) compressed."""
    return logits.shape[1], _packed(halves(logits), "<f2")


def unpacked_logits(classes: int, logits: bytes) -> NDArray[np.float16]:
    """What `packed_logits` gave."""
    return np.frombuffer(zlib.decompress(logits), "<f2").reshape(-1, classes)


def halves(logits: NDArray[np.floating]) -> NDArray[np.float16]:
    """Logits as halves; what is beyond their range stops at its end."""
    end = float(np.finfo(np.float16).max)
    return np.asarray(np.clip(logits, -end, end), np.float16)


def _packed(array: NDArray[np.generic], kind: str | None = None) -> bytes:
    return zlib.compress(np.ascontiguousarray(array, kind).tobytes(), 6)
