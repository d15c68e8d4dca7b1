"""Data sets by name: what a study's `dataset:` may say."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from distillab.data import places
from distillab.data.archive import read_arrays, read_dataset
from distillab.data.dataset import Dataset
from distillab.data.digests import fault
from distillab.data.digits import digits
from distillab.data.download import download as fetch
from distillab.data.synthetic import synthetic
from distillab.errors import RequestError, unknown

Loader = Callable[[Path | None, bool], Dataset]

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load(name: str | os.PathLike[str], *, data_dir: Path | None = None, download: bool = True) -> Dataset:
    """Load a data set, checked.

    A file is looked for in `data_dir`, in the folder named by DISTILLAB_DATA, in the user's cache (~/.cache/distillab,
    or under XDG_CACHE_HOME), and downloaded into the cache when it is in none of them.

    Args:
        name: a name in `LOADERS`, or a path ending in `.npz` (see `read_dataset`), taken as it stands.
        data_dir: the folder to look in first.
        download: whether the network may be used.

    Returns:
        The data set.

    Raises:
        RequestError: an unknown name, a folder that does not exist, a file that is missing, damaged or mislabelled.
        WorkError: the download failed.

    Example:
        >>> load("synthetic").input_shape
        (12, 12, 1)
    """
    text = os.fspath(name)
    if data_dir is not None:
        data_dir = places.asked_for(data_dir)
    if is_path(text):
        return read_dataset(Path(text).expanduser())
    return LOADERS[known(text)](data_dir, download)


def known(name: str) -> str:
    """The name, where it is one of `LOADERS`.

    Raises:
        RequestError: it is not.
    """
    if name not in LOADERS:
        raise unknown("data set", name, [*LOADERS, "a path ending in .npz"])
    return name


def is_path(name: str) -> bool:
    """Whether a name is a path to the user's own file."""
    return name.lower().endswith(".npz")


def read_published(name: str, path: Path) -> Dataset:
    """Read a published data set from a file, and refuse other contents under its name.

    Args:
        name: `mnist` or `fashion_mnist`.
        path: the file.

    Returns:
        Images (N, 28, 28, 1) of bytes, scale 1/255.

    Raises:
        RequestError: the file is damaged or holds something else.
    """
    do = f"Move the file away and load {name!r} again to download it, or put a true copy in its place."
    arrays = read_arrays(path, do)
    wrong = fault(name, arrays)
    if wrong:
        raise RequestError(f"{path}: {wrong}. {do}")
    x_train, x_test = (arrays[key][..., None] for key in ("x_train", "x_test"))
    return Dataset(name, x_train, arrays["y_train"], x_test, arrays["y_test"], CLASS_NAMES[name], 1 / 255)


def _published(name: str, data_dir: Path | None, download: bool) -> Dataset:
    path = places.find_file(f"{name}.npz", data_dir)
    if path is None and not download:
        do = places.how_to_provide(f"{name}.npz", data_dir)
        raise RequestError(
            f"{name}.npz was not found in {places.looked_in(data_dir)}, and no download was allowed. {do}"
        )
    return read_published(name, path or fetch(name, data_dir))


CLASS_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType({"mnist": DIGITS, "fashion_mnist": CLOTHES})
"""The published data sets, and what their classes are called."""

LOADERS: Mapping[str, Loader] = MappingProxyType(
    {
        "digits": lambda data_dir, download: digits(),
        "mnist": partial(_published, "mnist"),
        "fashion_mnist": partial(_published, "fashion_mnist"),
        "synthetic": lambda data_dir, download: synthetic(train=2_000, test=1_000, classes=10, side=12, seed=0),
    }
)
"""Every data set with a name of its own."""
