"""Image files: the formats that may be read, and named data sets of `train/CLASS/*` and `test/CLASS/*`."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distillab.data import paths
from distillab.data.archive import read_arrays, write_arrays
from distillab.data.dataset import ARRAYS, Dataset
from distillab.data.labels import Array
from distillab.errors import RequestError, reason
from distillab.io import PACKED

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg")
PARTS = ("train", "test")
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")

Files = dict[tuple[str, str, str], bytes]
"""The encoded images by part, class and file name."""

LARGEST_IMAGE = 256 * 2**20
"""Bytes of an encoded image; an archive may claim more than there is memory."""

WORTH_CACHING = 5_000
"""Number of images, which take a second or more to decode, from which the decoded images are cached."""


def read_images(path: str | os.PathLike[str]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Read every image of a folder or an archive. Many are cached decoded, under a digest of the encoded ones.

    Args:
        path: a folder that holds `train/CLASS/*` and `test/CLASS/*`, or a tar file of one; PNG or JPEG, all of one
            size. Other files are ignored.

    Returns:
        The arrays x_train, y_train, x_test, y_test, bytes of shape (N, H, W, 1) if all images are grey and
        (N, H, W, 3) otherwise, in the order of class and file name; and the names of the classes, sorted.

    Raises:
        RequestError: the folders are not as described, an image cannot be read, or sizes differ.
    """
    path = Path(path)
    files = _from_archive(path) if path.is_file() else _from_folder(path)
    classes, tested = (tuple(sorted({group for where, group, _ in files if where == part})) for part in PARTS)
    if len(classes) < 2 or tested != classes:
        raise RequestError(
            f"{path}: found the classes {', '.join(classes) or 'none'} in train and {', '.join(tested) or 'none'} in "
            "test; expected the same two or more in both. Make folders train/CLASS and test/CLASS with PNG or JPEG "
            "images."
        )
    files = dict(sorted(files.items(), key=lambda file: (PARTS.index(file[0][0]), *file[0][1:])))
    if len(files) < WORTH_CACHING:
        return _decoded(path, files, classes), classes
    cached = paths.cache_folder() / "images" / f"{_digest(files)}.npz"
    if not cached.is_file():
        arrays = _decoded(path, files, classes)
        try:
            write_arrays(cached, arrays)
        except OSError:  # without a writable cache the images are decoded again the next time
            return arrays, classes
    return read_arrays(cached, "Delete it: the images will be decoded again."), classes


def read_image_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Read an image folder, or an archive of one, as a data set.

    Args:
        path: as for `read_images`.

    Raises:
        RequestError: as `read_images`, or its images are no valid data set.
    """
    path = Path(path)
    arrays, classes = read_images(path)
    try:
        x_train, y_train, x_test, y_test = (arrays[name] for name in ARRAYS)
        return Dataset(path.name.split(".")[0], x_train, y_train, x_test, y_test, classes, 1 / 255)
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from error


@contextmanager
def open_image(source: str | os.PathLike[str] | IO[bytes]) -> Iterator[Image.Image]:
    """Open a PNG or JPEG image; other formats are refused.

    Args:
        source: its path or an open file.

    Raises:
        OSError, ValueError: the image is unreadable, or too large to be decoded safely.
    """
    from PIL import Image

    try:
        with Image.open(source, formats=("PNG", "JPEG")) as image:
            yield image
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from error


def _digest(files: Files) -> str:
    """SHA-256 of the encoded images with their names and of the decoder's version, which can change the last bit."""
    import PIL

    digest = hashlib.sha256(f"pillow {PIL.__version__}\n".encode())
    for name, encoded in files.items():
        digest.update(f"{'/'.join(name)} {len(encoded)}\n".encode())
        digest.update(encoded)
    return digest.hexdigest()


def _decoded(path: Path, files: Files, classes: tuple[str, ...]) -> dict[str, Array]:
    images = [decode_image(path, "/".join(name), encoded) for name, encoded in files.items()]
    shape, first = images[0].shape[:2], "/".join(next(iter(files)))
    for name, image in zip(files, images, strict=True):
        if image.shape[:2] != shape:
            raise RequestError(
                f"{path}: {'/'.join(name)} has {image.shape[0]} x {image.shape[1]} pixels, and {first} has {shape[0]} "
                f"x {shape[1]}. Resize all images to one size."
            )
    channels = max(image.shape[2] for image in images)
    images = [image if image.shape[2] == channels else np.repeat(image, channels, axis=-1) for image in images]
    dtype = np.uint8 if len(classes) <= 256 else np.int32
    arrays: dict[str, Array] = {}
    for part in PARTS:
        arrays[f"x_{part}"] = np.stack(
            [image for (where, *_), image in zip(files, images, strict=True) if where == part]
        )
        arrays[f"y_{part}"] = np.array([classes.index(group) for where, group, _ in files if where == part], dtype)
    return arrays


def decode_image(path: Path, name: str, encoded: bytes) -> NDArray[np.uint8]:
    """Decode an image: bytes, (H, W, 1) if it is grey and (H, W, 3) otherwise; transparency is dropped.

    Args:
        path: where it was found, for messages.
        name: its own, for messages.
        encoded: PNG or JPEG.

    Raises:
        RequestError: it is unreadable, or has more than 8 bits a channel.
    """
    try:
        with open_image(io.BytesIO(encoded)) as image:
            if image.mode.startswith(("I", "F")):  # conversion would clip all values above 255
                deep = f"{name} has more than 8 bits a channel (mode {image.mode})"
                raise RequestError(f"{path}: {deep}. Convert it to 8 bits.")
            grey = image.mode in ("1", "L", "LA")
            mode = "L" if grey else "RGB"
            plain = image if image.mode == mode else image.convert(mode)
            shape = (plain.height, plain.width, 1 if grey else 3)
            return np.frombuffer(plain.tobytes(), np.uint8).reshape(shape)  # half the time of np.asarray(plain)
    except RequestError:
        raise
    except PACKED as error:
        do = "Remove or repair it."
        raise RequestError(f"{path}: {name} cannot be read as an image ({reason(error)}). {do}") from error


def _from_folder(path: Path) -> Files:
    files: Files = {}
    for part in PARTS:
        for file in path.glob(f"{part}/*/*"):
            if _is_image(PurePosixPath(file)) and not file.is_dir():
                try:
                    files[part, file.parent.name, file.name] = file.read_bytes()
                except OSError as error:
                    raise RequestError(f"{file} cannot be read ({reason(error)}). Remove or repair it.") from error
    return files


def _is_image(path: PurePosixPath) -> bool:
    """Whether a file has the suffix of an image, and neither it nor its folder is hidden."""
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.parts[-2:])


def _from_archive(path: Path) -> Files:
    """The images of an archive, read as a stream: nothing is unpacked on the disk."""
    files: Files = {}
    for name, encoded in _members(path):
        part, group, file = PurePosixPath(name).parts[-3:]
        if part in PARTS:
            if (part, group, file) in files:
                raise RequestError(
                    f"{path}: there are two images {part}/{group}/{file}, in folders of different names. Put one data "
                    "set in each archive."
                )
            files[part, group, file] = encoded
    return files


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if member.isfile() and _is_image(name) and len(name.parts) >= 3:
                    if member.size > LARGEST_IMAGE:
                        raise RequestError(
                            f"{path}: {member.name} has {member.size:,} bytes; an image may have at most "
                            f"{LARGEST_IMAGE:,}. Remove it."
                        )
                    content = archive.extractfile(member)
                    if content is not None:
                        yield member.name, content.read()
    except RequestError:
        raise
    except (tarfile.TarError, *PACKED) as error:
        do = "Replace it with an intact copy."
        raise RequestError(f"{path}: the archive cannot be read ({reason(error)}). {do}") from error
