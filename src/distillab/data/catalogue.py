"""Data sets by name: the values of a study's `dataset:`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from distillab.data import canvases, paths
from distillab.data.archive import read_arrays, read_dataset, with_channels
from distillab.data.dataset import Dataset
from distillab.data.digests import find_mismatch
from distillab.data.digits import digits
from distillab.data.download import download as fetch
from distillab.data.images import ARCHIVES, read_image_dataset, read_images
from distillab.data.stdlib_docs import stdlib_docs
from distillab.data.synthetic import synthetic
from distillab.data.tabular import breast_cancer, diabetes
from distillab.errors import RequestError, not_allowed, unknown

Loader = Callable[[str | os.PathLike[str] | None, bool], Dataset]

DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    task: str | Mapping[str, str] | None = None,
) -> Dataset:
    """Load and check a data set.

    A file is searched for in `data_dir`, in the folder named by DISTILLAB_DATA, and in the user's cache
    (~/.cache/distillab, or under XDG_CACHE_HOME); if it is in none of them, it is downloaded into the cache.

    Args:
        name: a name in `LOADERS`, or the path of an `.npz` (see `read_dataset`), of an image folder, or of an archive
            of one (see `read_image_dataset`).
        data_dir: the folder to search first.
        download: whether the network may be used.
        task: what the labels of an `.npz` mean, a name in `TASKS`; by default as in `read_dataset`. A named set and
            images have their own.

    Raises:
        RequestError: an unknown name, another task than the data have, a folder that does not exist, a file that is
            missing, damaged or mislabelled.
        WorkError: the download failed.

    Example:
        >>> load("synthetic").input_shape
        (12, 12, 1)
    """
    text = os.fspath(name)
    if data_dir is not None:
        data_dir = paths.existing_folder(data_dir)
    if is_path(text):
        path = Path(text).expanduser()
        if not _holds_images(path):
            return read_dataset(path, task)
    else:
        check_name(text)
    has = task_of(text) or "categorical"
    if task not in (None, has):
        raise not_allowed("task", task, f"{has}: that is the task of {text}")
    return read_image_dataset(path) if is_path(text) else LOADERS[text](data_dir, download)


def task_of(name: str) -> str | None:
    """The task of a named data set, which is not loaded; None for a path.

    Args:
        name: as for `load`.

    Example:
        >>> task_of("diabetes"), task_of("digits"), task_of("./mine.npz")
        ('regression', 'categorical', None)
    """
    return None if is_path(name) else TASK_OF.get(name, "categorical")


def published_as(name: str) -> str | None:
    """The published data set whose file a named one is read from; None if it needs no file.

    Args:
        name: a name in `LOADERS`.
    """
    return "mnist" if name == "mnist-multilabel" else name if name in CLASS_NAMES else None


def check_name(name: str) -> None:
    """Check that a data set has this name.

    Args:
        name: a name in `LOADERS`.

    Raises:
        RequestError: there is none.
    """
    if name not in LOADERS:
        raise unknown("data set", name, [*LOADERS, "a path of an .npz or an image folder"])


def is_path(name: str) -> bool:
    """Whether a name is a path to a user's file or folder.

    Args:
        name: as for `load`.
    """
    return name not in LOADERS and (
        name.lower().endswith((".npz", *ARCHIVES)) or "/" in name or (name != "" and Path(name).is_dir())
    )


def files_of(name: str) -> tuple[str, ...]:
    """The names that a published data set's file or folder may have in a data folder.

    Args:
        name: a name in `CLASS_NAMES`.
    """
    images = (f"{name}-images.tar.xz", name) if name == "cifar10" else ()
    return (f"{name}.npz", *images)


def _holds_images(path: Path) -> bool:
    return path.is_dir() or path.name.lower().endswith(ARCHIVES)


def read_published(name: str, path: str | os.PathLike[str]) -> Dataset:
    """Read the images of a published data set, bytes of scale 1/255, and refuse a file with other contents.

    Args:
        name: a name in `CLASS_NAMES`.
        path: the file, or a folder or an archive of images.

    Raises:
        RequestError: the file is damaged or holds something else.
    """
    path = Path(path)
    do = f"Move the file away and load {name!r} again to download it, or replace it with an intact copy."
    if _holds_images(path):
        arrays, classes = read_images(path)
        if classes != CLASS_NAMES[name]:
            expected = ", ".join(CLASS_NAMES[name])
            raise RequestError(f"{path}: found the classes {', '.join(classes)}; those of {name} are {expected}. {do}")
    else:
        arrays = read_arrays(path, do)
    mismatch = find_mismatch(name, arrays, images=_holds_images(path))
    if mismatch:
        raise RequestError(f"{path}: {mismatch}. {do}")
    x_train, x_test = with_channels(arrays["x_train"]), with_channels(arrays["x_test"])
    return Dataset(name, x_train, arrays["y_train"], x_test, arrays["y_test"], CLASS_NAMES[name], 1 / 255)


def _published(name: str, data_dir: str | os.PathLike[str] | None, download: bool) -> Dataset:
    path = paths.find_first(files_of(name), data_dir)
    if path is None and not download:
        do = paths.how_to_provide(f"{name}.npz", data_dir)
        raise RequestError(f"{name}.npz was not found in {paths.searched(data_dir)}, and no download was allowed. {do}")
    return read_published(name, path or fetch(name, data_dir))


CLASS_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"mnist": DIGITS, "fashion_mnist": CLOTHES, "cifar10": THINGS}
)
"""The class names of the published data sets."""

LOADERS: Mapping[str, Loader] = MappingProxyType(
    {
        "digits": lambda data_dir, download: digits(),
        "mnist": partial(_published, "mnist"),
        "fashion_mnist": partial(_published, "fashion_mnist"),
        "cifar10": partial(_published, "cifar10"),
        "synthetic": lambda data_dir, download: synthetic(train=2_000, test=1_000, classes=10, side=12, seed=0),
        "breast_cancer": lambda data_dir, download: breast_cancer(),
        "diabetes": lambda data_dir, download: diabetes(),
        "stdlib_docs": lambda data_dir, download: stdlib_docs(),
        "digits-multilabel": lambda data_dir, download: canvases.multilabel(
            digits(), canvases.SMALL, "digits-multilabel"
        ),
        "digits-segmentation": lambda data_dir, download: canvases.segmentation(
            digits(), canvases.SMALL, "digits-segmentation"
        ),
        "mnist-multilabel": lambda data_dir, download: canvases.multilabel(
            _published("mnist", data_dir, download), canvases.LARGE, "mnist-multilabel"
        ),
    }
)
"""Every named data set."""

TASK_OF: Mapping[str, str] = MappingProxyType(
    {
        "breast_cancer": "binary",
        "diabetes": "regression",
        "digits-multilabel": "multilabel",
        "mnist-multilabel": "multilabel",
    }
)
"""The tasks of the named data sets that are not categorical."""
