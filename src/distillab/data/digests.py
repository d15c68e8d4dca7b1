"""Checksums of the published data sets.

The same arrays can be compressed into different files, so the arrays are compared and not the files: by the SHA-256 of
their bytes in C order or, if the order of the examples differs between copies, by the sum of all bytes and the number
of examples of each class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from distillab.data.labels import Array


@dataclass(frozen=True, kw_only=True)
class Pin:
    """The known properties of one array; None for an unknown one."""

    shape: tuple[int, ...]
    sha256: str | None = None
    total: int | None = None
    per_class: int | None = None
    channel_means: tuple[float, ...] | None = None


NEAR = 1.0
"""Grey levels by which the channel means of a lossy copy may differ: coding changes pixels, but hardly their mean."""

Edition = Mapping[str, Pin]

_TRAIN, _TEST = (60_000, 28, 28), (10_000, 28, 28)

MNIST: Edition = {
    "x_train": Pin(shape=_TRAIN, sha256="741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"),
    "y_train": Pin(shape=_TRAIN[:1], sha256="1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"),
    "x_test": Pin(shape=_TEST, sha256="6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"),
    "y_test": Pin(shape=_TEST[:1], sha256="ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"),
}

FASHION_PUBLISHED: Edition = {
    # The sum is the widely printed mean pixel of the published training images, 72.94035223214286, times 47,040,000.
    "x_train": Pin(shape=_TRAIN, total=3_431_114_169),
    "y_train": Pin(shape=_TRAIN[:1], per_class=6_000),
    "x_test": Pin(shape=_TEST),
    "y_test": Pin(shape=_TEST[:1], per_class=1_000),
}

FASHION_COPY: Edition = {
    # A copy distributed as image files: its grey levels and its order within a class are not the published ones.
    "x_train": Pin(shape=_TRAIN, total=3_635_518_345),
    "y_train": Pin(shape=_TRAIN[:1], per_class=6_000),
    "x_test": Pin(shape=_TEST, sha256="609ba4791d49f67462bbc816f23bd6bf1480c4b8f768b57f39a97b04ec6e232a"),
    "y_test": Pin(shape=_TEST[:1], sha256="3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"),
}

_COLOUR_TRAIN, _COLOUR_TEST = (50_000, 32, 32, 3), (10_000, 32, 32, 3)

CIFAR10_PUBLISHED: Edition = {
    # The sum is that of the widely printed channel means 125.306918046875, 122.950394140625 and 113.86538318359375,
    # times 51,200,000 each: three whole numbers.
    "x_train": Pin(shape=_COLOUR_TRAIN, total=18_540_682_003),
    "y_train": Pin(shape=_COLOUR_TRAIN[:1], per_class=5_000),
    "x_test": Pin(shape=_COLOUR_TEST),
    "y_test": Pin(shape=_COLOUR_TEST[:1], per_class=1_000),
}

CIFAR10_IMAGES: Edition = {
    # Lossy image files; decoders differ in the last bit, so neither bytes nor sums are known.
    "x_train": Pin(shape=_COLOUR_TRAIN, channel_means=(125.306918046875, 122.950394140625, 113.86538318359375)),
    "y_train": Pin(shape=_COLOUR_TRAIN[:1], per_class=5_000),
    "x_test": Pin(shape=_COLOUR_TEST),
    "y_test": Pin(shape=_COLOUR_TEST[:1], per_class=1_000),
}

EDITIONS: Mapping[str, tuple[Edition, ...]] = {
    "mnist": (MNIST,),
    "fashion_mnist": (FASHION_COPY, FASHION_PUBLISHED),
    "cifar10": (CIFAR10_PUBLISHED,),
}
"""The accepted editions of each published data set."""

IMAGE_EDITIONS: Mapping[str, tuple[Edition, ...]] = {"cifar10": (CIFAR10_IMAGES, CIFAR10_PUBLISHED)}
"""The editions accepted for arrays that were decoded from image files."""


def sha256(array: Array) -> str:
    """SHA-256, in hex, of an array's bytes in C order.

    Args:
        array: any shape and type.

    Example:
        >>> sha256(np.zeros(3, np.uint8))[:8]
        '709e80c8'
    """
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def find_mismatch(name: str, arrays: Mapping[str, Array], *, images: bool = False) -> str | None:
    """Compare the arrays of a published data set with the accepted editions.

    Args:
        name: a name in `EDITIONS`.
        arrays: x_train, y_train, x_test and y_test, as stored.
        images: whether they were decoded from image files.

    Returns:
        The first mismatch with the nearest edition: array, found, expected; None for an accepted edition.
    """
    mismatches = []
    for edition in (IMAGE_EDITIONS if images else EDITIONS)[name]:
        compared = (_compare(arrays[key], pin, f"{name}'s {key}", key) for key, pin in edition.items())
        mismatches.append([mismatch for mismatch in compared if mismatch])
    nearest = min(mismatches, key=len)
    return nearest[0] if nearest else None


def _compare(array: Array, pin: Pin, what: str, key: str) -> str | None:
    if array.dtype != np.uint8:
        return f"{key} has type {array.dtype}, expected uint8"
    if array.shape != pin.shape:
        return f"{key} has shape {array.shape}, expected {pin.shape}"
    if pin.sha256 is not None and (digest := sha256(array)) != pin.sha256:
        return f"{key} is not {what}: it has SHA-256 {digest}, expected {pin.sha256}{_known_as(digest)}"
    if pin.total is not None and (total := int(array.sum(dtype=np.int64))) != pin.total:
        return f"{key} is not {what}: its bytes sum to {total}, expected {pin.total}"
    if pin.per_class is not None and (counts := np.bincount(array).tolist()) != [pin.per_class] * 10:
        return f"{key} is not {what}: it has {counts} examples of each class, expected {pin.per_class} of each of 10"
    if pin.channel_means is not None:
        means = array.mean(axis=(0, 1, 2), dtype=np.float64)
        if np.abs(means - pin.channel_means).max() > NEAR:
            given, expected = (", ".join(f"{mean:.1f}" for mean in row) for row in (means, pin.channel_means))
            return f"{key} is not {what}: its channels have the means {given}, expected {expected}"
    return None


def _known_as(digest: str) -> str:
    """The published array with this digest, as a remark; empty if it is unknown."""
    for name, editions in EDITIONS.items():
        for edition in editions:
            for key, pin in edition.items():
                if pin.sha256 == digest:
                    return f" (these are the bytes of {name}'s {key})"
    return ""
