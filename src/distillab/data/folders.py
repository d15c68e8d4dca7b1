"""A user's image folder: with or without parts, images of mixed sizes, a few of them unreadable."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillab.data.array_store import ArrayStore
from distillab.data.images import SUFFIXES, open_image
from distillab.data.labels import UNLABELLED, Labels, Rows
from distillab.errors import RequestError
from distillab.io import PACKED

PARTS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "trusted": ("trusted",),
    "test": ("test", "testing"),
    "unlabelled": ("unlabelled", "unlabeled"),
}
"""The accepted folder names of each part."""

SKIPPED_AT_MOST = 0.01
"""Largest fraction of unreadable images; one is always tolerated."""


@dataclass(frozen=True)
class Photographs:
    """The contents of an image folder.

    Args:
        inputs: by part, bytes of shape (N, H, W, 1) if all images are grey, and (N, H, W, 3) otherwise.
        labels: by part, class numbers, shape (N,); -1 for unlabelled images.
        class_names: the folders of the classes, sorted.
        resized: how images of other sizes were resized, a sentence; empty if all had the same size.
        skipped: unreadable images, relative to the folder.
        files: by part, the paths of its images, relative to the folder.
    """

    inputs: Mapping[str, NDArray[np.uint8]]
    labels: Mapping[str, Labels]
    class_names: tuple[str, ...]
    resized: str
    skipped: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """The changes made on reading, one sentence each."""
        names = ", ".join(self.skipped[:5])
        skipped = f"{len(self.skipped)} images could not be read and were left out: {names}." if self.skipped else ""
        return tuple(note for note in (self.resized, skipped) if note)


def read_photographs(
    path: str | os.PathLike[str], *, size: tuple[int, int] | None = None, store: ArrayStore | None = None
) -> Photographs:
    """Read the images of a folder, on all cores.

    Args:
        path: a folder with one folder per class; or with `train`, and perhaps `val` and `test`, each with one folder
            per class. A folder `unlabelled` beside them holds images without a class. PNG or JPEG.
        size: (H, W) to which every image is resized; by default the most frequent size.
        store: allocates the arrays; by default one that memory-maps large ones.

    Raises:
        RequestError: the folder has another structure, fewer than two classes, or more unreadable images than
            `SKIPPED_AT_MOST`; the message names them.
    """
    path = Path(path)
    images = list(class_files(path, SUFFIXES))
    classes = classes_of(path, images, "images (PNG or JPEG)")
    files, store = [file for *_, file in images], store or ArrayStore()
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        sizes = list(pool.map(_image_size, files))
        readable = Counter(size for size in sizes if size is not None)
        if not readable:
            raise RequestError(f"{path}: none of its {len(files)} images can be read. Save them as PNG or JPEG.")
        chosen = size or readable.most_common(1)[0][0]
        decoded = store.empty((len(files), *chosen, 3), np.uint8)
        modes = list(pool.map(lambda row: _decode_into(decoded[row], files[row]), range(len(files))))
    skipped = tuple(str(file.relative_to(path)) for file, mode in zip(files, modes, strict=True) if not mode)
    if len(skipped) > max(1, SKIPPED_AT_MOST * len(files)):
        raise RequestError(
            f"{path}: {len(skipped)} of {len(files)} images cannot be read ({', '.join(skipped[:3])}, ...); at most "
            f"{SKIPPED_AT_MOST:.0%} are skipped. Remove or repair them."
        )
    one_channel = None if "colour" in modes else (lambda pixels: pixels[..., :1])
    inputs, labels, names = {}, {}, {}
    for part in PARTS:
        rows = [row for row, (where, *_) in enumerate(images) if where == part and modes[row] is not None]
        if rows:
            inputs[part] = store.gather([_rows_of(decoded, rows)], one_channel)
            groups = (images[row][1] for row in rows)
            numbers = [UNLABELLED if group is None else classes.index(group) for group in groups]
            labels[part] = np.array(numbers, np.int32)
            names[part] = tuple(files[row].relative_to(path).as_posix() for row in rows)
    others = sum(size is not None and size != chosen for size in sizes)
    resized = (
        f"{others:,} of {len(files):,} images were resized to {chosen[0]} x {chosen[1]} pixels (height x width) by "
        "bilinear interpolation, without keeping their proportions."
    )
    return Photographs(inputs, labels, classes, resized if others else "", skipped, names)


def classes_of(
    path: str | os.PathLike[str], files: Sequence[tuple[str, str | None, Path]], what: str
) -> tuple[str, ...]:
    """The classes of the training part, sorted; no other part may have more.

    Args:
        path: the folder, for messages.
        files: as `class_files` gives them.
        what: they hold, for messages.

    Raises:
        RequestError: there are fewer than two classes, or another part has more.
    """
    classes = tuple(sorted({name for part, name, _ in files if part == "train" and name is not None}))
    if len(classes) < 2:
        names = ", ".join(classes) or "none"
        raise RequestError(
            f"{path} has folders of {what} for these classes: {names}; there must be at least 2. Make a folder a "
            "class, in the folder itself or in its train, val and test."
        )
    for part, name, file in files:
        if name is not None and name not in classes:
            raise RequestError(f"{file}: the class {name!r} is in {part} and not in train. Add it there, or remove it.")
    return classes


def _rows_of(decoded: NDArray[np.uint8], rows: list[int]) -> tuple[NDArray[np.uint8], Rows | None]:
    """The rows for `ArrayStore.gather`; a slice if they are consecutive, as they are unless an image was skipped."""
    if rows[-1] - rows[0] + 1 == len(rows):
        return decoded[rows[0] : rows[-1] + 1], None
    return decoded, np.array(rows)


def class_files(path: str | os.PathLike[str], suffixes: Collection[str]) -> Iterator[tuple[str, str | None, Path]]:
    """Part, class (None: unlabelled) and path of every file, sorted.

    Args:
        path: the folder.
        suffixes: of the files, in small letters.

    Raises:
        RequestError: there is no such folder, or it has parts and no training part.
    """
    path = Path(path)
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
            yield from (
                (part, group.name, file) for file in _files_in(group, suffixes) if not group.name.startswith(".")
            )
    if unlabelled is not None:
        yield from (("unlabelled", None, file) for file in _files_in(unlabelled, suffixes))


def _files_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.suffix.lower() in suffixes and not f.name.startswith("."))


def _image_size(file: Path) -> tuple[int, int] | None:
    """An image's height and width, without decoding it; None if it is unreadable."""
    try:
        with open_image(file) as image:
            return image.height, image.width
    except PACKED:
        return None


def _decode_into(pixels: NDArray[np.uint8], file: Path) -> str | None:
    """Decode an image into an array (H, W, 3) and return "grey" or "colour"; None if it is unreadable."""
    from PIL import Image

    height, width, _ = pixels.shape
    try:
        with open_image(io.BytesIO(file.read_bytes())) as image:
            grey = image.mode in ("1", "L")
            plain = image.convert("RGB")
        if (plain.height, plain.width) != (height, width):
            plain = plain.resize((width, height), Image.Resampling.BILINEAR)
        pixels[:] = np.asarray(plain, np.uint8)
    except PACKED:
        return None
    return "grey" if grey else "colour"
