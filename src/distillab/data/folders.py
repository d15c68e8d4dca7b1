"""Reading anybody's image folder: with or without parts, images of any sizes, a few of them unreadable."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillab.data.images import BROKEN, SUFFIXES
from distillab.data.mapped import Room
from distillab.errors import RequestError

PARTS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
    "unlabelled": ("unlabelled", "unlabeled"),
}
"""What the folders of the parts may be called."""

SKIPPED_AT_MOST = 0.01
"""The share of images that may be unreadable, or one image where that is less."""


@dataclass(frozen=True)
class Photographs:
    """What an image folder holds.

    Args:
        inputs: by part, bytes of shape (N, H, W, 1) where all images are grey, and (N, H, W, 3) otherwise.
        labels: by part, class numbers, shape (N,); -1 for the unlabelled.
        class_names: the classes' folders, sorted.
        rule: how images of other sizes were brought to one, a sentence; empty where all had it.
        skipped: images that could not be read, relative to the folder.
    """

    inputs: Mapping[str, NDArray[np.uint8]]
    labels: Mapping[str, NDArray[np.int32]]
    class_names: tuple[str, ...]
    rule: str
    skipped: tuple[str, ...]


def read_photographs(path: Path, *, size: tuple[int, int] | None = None, room: Room | None = None) -> Photographs:
    """Read the images of a folder, on all cores.

    Args:
        path: holds a folder a class; or `train`, and perhaps `val` and `test`, each with a folder a class. A folder
            `unlabelled`, beside the classes or the parts, holds images whose class nobody told. PNG or JPEG.
        size: (H, W) that every image is brought to; by default the one that most images have.
        room: where the arrays lie; by default in memory where it has room for them.

    Raises:
        RequestError: the folder is not like that, has fewer than two classes, or more images are unreadable than
            `SKIPPED_AT_MOST`; the message names them.
    """
    files = list(_files(path))
    classes = tuple(sorted({name for part, name, _ in files if part == "train" and name is not None}))
    if len(classes) < 2:
        found = ", ".join(classes) or "none"
        raise RequestError(
            f"{path} has folders of images for these classes: {found}; there must be at least 2. Make a folder a "
            "class, in the folder itself or in its train, val and test, with PNG or JPEG images."
        )
    for part, name, file in files:
        if name is not None and name not in classes:
            raise RequestError(f"{file}: the class {name!r} is in {part} and not in train. Add it there, or remove it.")
    places, room = [file for *_, file in files], room or Room()
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        headers = list(pool.map(_header, places))
        chosen = size or Counter(header for header in headers if header is not None).most_common(1)[0][0]
        whole = room.empty((len(files), *chosen, 3), np.uint8)
        fates = list(pool.map(lambda place: _into(whole, place, places[place], chosen), range(len(files))))
    broken = tuple(str(file.relative_to(path)) for file, fate in zip(places, fates, strict=True) if fate is None)
    if len(broken) > max(1, SKIPPED_AT_MOST * len(files)):
        raise RequestError(
            f"{path}: {len(broken)} of {len(files)} images cannot be read ({', '.join(broken[:3])}, ...); at most "
            f"{SKIPPED_AT_MOST:.0%} are skipped. Remove or mend them."
        )
    grey = not any(fate == "colour" for fate in fates)
    one_channel = (lambda images: images[..., :1]) if grey else None
    inputs, labels = {}, {}
    for part in PARTS:
        rows = [row for row, (where, *_) in enumerate(files) if where == part and fates[row] is not None]
        if rows:
            # Files are listed part by part: where none is left out, a part is a stretch of the whole.
            stretch = rows[-1] - rows[0] + 1 == len(rows)
            taken = (whole[rows[0] : rows[-1] + 1], None) if stretch else (whole, np.array(rows))
            inputs[part] = room.gather([taken], one_channel)
            told = (files[row][1] for row in rows)
            labels[part] = np.array([-1 if name is None else classes.index(name) for name in told], np.int32)
    others = sum(header is not None and header != chosen for header in headers)
    rule = ""
    if others:
        rule = (
            f"{others:,} of {len(files):,} images were brought to {chosen[0]} x {chosen[1]} pixels (height x width), "
            "the whole image by bilinear interpolation, without keeping its proportions."
        )
    return Photographs(inputs, labels, classes, rule, broken)


def _files(path: Path) -> Iterator[tuple[str, str | None, Path]]:
    """Part, class (None: not told) and place of every image, sorted."""
    if not path.is_dir():
        raise RequestError(f"There is no folder {path}.")
    parts = {part: path / name for part, names in PARTS.items() for name in names if (path / name).is_dir()}
    unlabelled = parts.pop("unlabelled", None)
    if "train" not in parts:
        if parts:
            raise RequestError(f"{path} has {', '.join(p.name for p in parts.values())} and no train. Add it.")
        parts = {"train": path}
    for part, folder in parts.items():
        for group in sorted(item for item in folder.iterdir() if item.is_dir() and item != unlabelled):
            yield from ((part, group.name, file) for file in _images_in(group) if not group.name.startswith("."))
    if unlabelled is not None:
        yield from (("unlabelled", None, file) for file in _images_in(unlabelled))


def _images_in(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))


def _header(file: Path) -> tuple[int, int] | None:
    """An image's height and width, without decoding it."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            return image.height, image.width
    except (*BROKEN, UnidentifiedImageError, Image.DecompressionBombError):
        return None


def _into(whole: NDArray[np.uint8], place: int, file: Path, size: tuple[int, int]) -> str | None:
    """Decode an image into its place, in three channels; tell whether it is "grey" or "colour", None: unreadable."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(file.read_bytes())) as image:
            grey = image.mode in ("1", "L")
            plain = image.convert("RGB")
        if (plain.height, plain.width) != size:
            plain = plain.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        whole[place] = np.asarray(plain, np.uint8)
    except (*BROKEN, UnidentifiedImageError, Image.DecompressionBombError):
        return None
    return "grey" if grey else "colour"
