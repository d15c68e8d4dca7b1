"""Downloading a published data set once, into the user's cache."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from pathlib import Path

from distillab.backend import check_backend
from distillab.data import paths
from distillab.data.archive import write_arrays
from distillab.data.dataset import ARRAYS
from distillab.data.digests import find_mismatch
from distillab.data.labels import Array
from distillab.errors import WorkError, reason


def download(name: str, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Download a data set through `keras.datasets` into the cache folder, and return its file.

    Args:
        name: `mnist`, `fashion_mnist` or `cifar10`, whose files Keras checks by their SHA-256 before it reads them.
        data_dir: the folder that the user named, for the error message; nothing is written there.

    Raises:
        WorkError: no network, contents that differ from the published ones, or a cache that cannot be written.
    """
    filename = f"{name}.npz"
    check_backend()  # Keras downloads
    by_hand = paths.how_to_provide(filename, data_dir)
    try:
        arrays = _fetch(name)
    except Exception as error:  # Keras raises bare Exception where the network fails
        raise WorkError(
            f"{filename} was not found in {paths.searched(data_dir)}, "
            f"and could not be downloaded ({reason(error)}). {by_hand}"
        ) from error
    wrong = find_mismatch(name, arrays)
    if wrong:
        raise WorkError(f"The download of {name} is not what was published: {wrong}. {by_hand}")
    path = paths.cache_folder() / filename
    try:
        write_arrays(path, arrays)
    except OSError as error:
        do = "Set XDG_CACHE_HOME to a folder you own."
        raise WorkError(f"{path} could not be written ({reason(error)}). {do}") from error
    return path


def _fetch(name: str) -> dict[str, Array]:
    with contextlib.redirect_stdout(sys.stderr):  # Keras prints its progress bar to stdout, which is for data
        (x_train, y_train), (x_test, y_test) = importlib.import_module(f"keras.datasets.{name}").load_data()
    return dict(zip(ARRAYS, (x_train, y_train.reshape(-1), x_test, y_test.reshape(-1)), strict=True))
