"""Reading an image folder: `train` and `test`, in each a folder a class, in each the images; or an archive of such."""

from __future__ import annotations

import hashlib
import io
import lzma
import struct
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from distillab.data import places
from distillab.data.archive import one_line, read_arrays
from distillab.data.dataset import Dataset
from distillab.data.labels import Array
from distillab.errors import RequestError
from distillab.io import replace_file

SUFFIXES = (".png", ".jpg", ".jpeg")
PARTS = ("train", "test")
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")

Files = dict[str, dict[str, dict[str, bytes]]]
"""The encoded images: part, then class, then file name."""

BROKEN = (OSError, EOFError, ValueError, SyntaxError, struct.error, zlib.error, lzma.LZMAError)
"""What decoders raise of damaged files."""

LARGEST_IMAGE = 256 * 2**20
"""Bytes of an encoded image; an archive may claim more than there is memory."""

WORTH_KEEPING = 5_000
"""So many images take a second or more to decode, and are kept decoded in the cache folder."""


def read_images(path: Path) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Read every image of a folder or an archive.

    Args:
        path: a folder that holds `train/CLASS/*` and `test/CLASS/*`, or a tar file of one; PNG or JPEG, all of one
            size. Other files are left aside.

    Returns:
        The arrays x_train, y_train, x_test, y_test, bytes of shape (N, H, W, 1) where all images are grey and
        (N, H, W, 3) otherwise; and the names of the classes, sorted, which number them. Images are in the order of
        class and file name. Many images are kept decoded in the cache folder, under a digest of the encoded ones.

    Raises:
        RequestError: the folders are not as described, an image cannot be read, or sizes differ.
    """
    files = _from_archive(path) if path.is_file() else _from_folder(path)
    classes = tuple(sorted(files["train"]))
    if len(classes) < 2 or tuple(sorted(files["test"])) != classes:
        raise RequestError(
            f"{path}: found the classes {', '.join(classes) or 'none'} in train and "
            f"{', '.join(sorted(files['test'])) or 'none'} in test; expected the same two or more in both. Make "
            "folders train/CLASS and test/CLASS with PNG or JPEG images."
        )
    count = sum(len(images) for groups in files.values() for images in groups.values())
    if count < WORTH_KEEPING:
        return _decoded(path, files, classes), classes
    kept = places.cache_folder() / "images" / f"{_digest(files)}.npz"
    if not kept.is_file():
        arrays = _decoded(path, files, classes)
        try:
            replace_file(kept, lambda temporary: _save(temporary, arrays))
        except OSError:  # a cache that cannot be written costs time and nothing else
            return arrays, classes
    return read_arrays(kept, "Delete it: the images will be decoded again."), classes


def _save(path: Path, arrays: dict[str, Array]) -> None:
    np.savez(
        path,
        x_train=arrays["x_train"],
        y_train=arrays["y_train"],
        x_test=arrays["x_test"],
        y_test=arrays["y_test"],
    )


def _digest(files: Files) -> str:
    """SHA-256 of the encoded images with their names, and of the decoder: two may differ in the last bit."""
    import PIL

    digest = hashlib.sha256(f"pillow {PIL.__version__}\n".encode())
    for part in PARTS:
        for group, images in sorted(files[part].items()):
            for name, encoded in sorted(images.items()):
                digest.update(f"{part}/{group}/{name} {len(encoded)}\n".encode())
                digest.update(encoded)
    return digest.hexdigest()


def _decoded(path: Path, files: Files, classes: tuple[str, ...]) -> dict[str, Array]:
    listed = [
        (part, number, f"{part}/{name}/{file}", encoded)
        for part in PARTS
        for number, name in enumerate(classes)
        for file, encoded in sorted(files[part][name].items())
    ]
    images = [_decode(path, name, encoded) for _, _, name, encoded in listed]
    shape = images[0].shape[:2]
    for (_, _, name, _), image in zip(listed, images, strict=True):
        if image.shape[:2] != shape:
            raise RequestError(
                f"{path}: {name} has {image.shape[0]} x {image.shape[1]} pixels, and {listed[0][2]} has {shape[0]} x "
                f"{shape[1]}. Bring all images to one size."
            )
    if any(image.ndim == 3 for image in images):
        images = [image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1) for image in images]
    else:
        images = [image[..., None] for image in images]
    arrays: dict[str, Array] = {}
    dtype = np.uint8 if len(classes) <= 256 else np.int32
    for part in PARTS:
        arrays[f"x_{part}"] = np.stack([image for one, image in zip(listed, images, strict=True) if one[0] == part])
        arrays[f"y_{part}"] = np.array([number for where, number, _, _ in listed if where == part], dtype)
    return arrays


def read_image_dataset(path: Path) -> Dataset:
    """Make a data set of a user's own image folder, or an archive of one; see `read_images`."""
    arrays, classes = read_images(path)
    name = path.name.split(".")[0]
    try:
        return Dataset(name, arrays["x_train"], arrays["y_train"], arrays["x_test"], arrays["y_test"], classes, 1 / 255)
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from error


def _decode(path: Path, name: str, encoded: bytes) -> NDArray[np.uint8]:
    """An image as bytes, (H, W) where it is grey and (H, W, 3) otherwise; transparency is left out."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG")) as image:
            if image.mode.startswith(("I", "F")):  # conversion would cut off all above 255
                raise RequestError(
                    f"{path}: {name} has more than 8 bits a channel (mode {image.mode}). Convert it to 8 bits."
                )
            grey = image.mode in ("1", "L", "LA")
            wanted = "L" if grey else "RGB"
            plain = image if image.mode == wanted else image.convert(wanted)
            shape = (plain.height, plain.width) if grey else (plain.height, plain.width, 3)
            return np.frombuffer(plain.tobytes(), np.uint8).reshape(shape)  # half the time of np.asarray(plain)
    except RequestError:
        raise
    except (*BROKEN, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise RequestError(
            f"{path}: {name} cannot be read as an image ({one_line(error)}). Remove or mend it."
        ) from error


def _from_folder(path: Path) -> Files:
    files: Files = {part: {} for part in PARTS}
    for part in PARTS:
        for file in path.glob(f"{part}/*/*"):
            if _is_image(PurePosixPath(file)) and not file.is_dir():
                try:
                    files[part].setdefault(file.parent.name, {})[file.name] = file.read_bytes()
                except OSError as error:
                    raise RequestError(f"{file} cannot be read ({one_line(error)}). Remove or mend it.") from error
    return files


def _is_image(path: PurePosixPath) -> bool:
    """Whether a file's name is an image's, and neither it nor its class's folder is hidden."""
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.parts[-2:])


def _from_archive(path: Path) -> Files:
    """The same from an archive, read as a stream: nothing is unpacked on the disk."""
    files: Files = {part: {} for part in PARTS}
    for name, encoded in _members(path):
        part, group, file = PurePosixPath(name).parts[-3:]
        if part in PARTS:
            if file in files[part].setdefault(group, {}):
                raise RequestError(
                    f"{path}: there are two images {part}/{group}/{file}, in folders of different names. Pack one data "
                    "set an archive."
                )
            files[part][group][file] = encoded
    return files


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if member.isfile() and _is_image(name) and len(name.parts) >= 3:
                    if member.size > LARGEST_IMAGE:
                        raise RequestError(
                            f"{path}: {member.name} has {member.size:,} bytes, more than an image's "
                            f"{LARGEST_IMAGE:,}. Leave it out."
                        )
                    content = archive.extractfile(member)
                    if content is not None:
                        yield member.name, content.read()
    except RequestError:
        raise
    except (tarfile.TarError, *BROKEN) as error:
        raise RequestError(
            f"{path}: the archive cannot be read ({one_line(error)}). Put a true copy in its place."
        ) from error
