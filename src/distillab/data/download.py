"""Fetching a published data set once, into the user's cache."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from distillab.data import places
from distillab.data.archive import one_line
from distillab.data.dataset import ARRAYS
from distillab.data.digests import fault
from distillab.data.labels import Array
from distillab.errors import WorkError


def download(name: str, data_dir: Path | None = None) -> Path:
    """Fetch a data set through `keras.datasets` and keep it in the cache folder.

    Args:
        name: `mnist`, `fashion_mnist` or `cifar10`, whose files Keras checks by their SHA-256 before it reads them.
        data_dir: the folder the user asked for, to say where a file may be put by hand; nothing is written there.

    Returns:
        The file written.

    Raises:
        WorkError: no network, another content than was published, or the cache cannot be written.
    """
    filename = f"{name}.npz"
    by_hand = places.how_to_provide(filename, data_dir)
    try:
        arrays = _fetch(name)
    except Exception as error:  # Keras raises bare Exception where the network fails
        raise WorkError(
            f"{filename} was not found in {places.looked_in(data_dir)}, "
            f"and could not be downloaded ({one_line(error)}). {by_hand}"
        ) from error
    wrong = fault(name, arrays)
    if wrong:
        raise WorkError(f"The download of {name} is not what was published: {wrong}. {by_hand}")
    path = places.cache_folder() / filename
    try:
        _write(path, arrays)
    except OSError as error:
        raise WorkError(
            f"{path} could not be written ({one_line(error)}). Set XDG_CACHE_HOME to a folder you own."
        ) from error
    return path


def _fetch(name: str) -> dict[str, Array]:
    # Only the download is wanted of Keras here; where the user has chosen no backend, take the one this project needs.
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with contextlib.redirect_stdout(sys.stderr):  # Keras draws its progress bar on stdout, which is for data
        (x_train, y_train), (x_test, y_test) = importlib.import_module(f"keras.datasets.{name}").load_data()
    return dict(zip(ARRAYS, (x_train, y_train.reshape(-1), x_test, y_test.reshape(-1)), strict=True))


def _write(path: Path, arrays: dict[str, Array]) -> None:
    """Write whole or not at all, whoever else is writing: a file beside it, then one rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.stem}-", suffix=".npz", delete=False) as file:
        temporary = Path(file.name)
        try:
            np.savez(
                file,
                x_train=arrays["x_train"],
                y_train=arrays["y_train"],
                x_test=arrays["x_test"],
                y_test=arrays["y_test"],
            )
            file.close()
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
