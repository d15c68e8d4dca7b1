"""Where data files are looked for, and what to tell a user who has none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from distillab.errors import not_allowed

VARIABLE = "DISTILLAB_DATA"


def cache_folder() -> Path:
    """The user's own folder for downloads: `distillab` in XDG_CACHE_HOME, else in ~/.cache. It need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification: a path that is not absolute is to be ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "distillab"


def folders(data_dir: Path | None = None) -> list[Path]:
    """The folders to look in, the first before the others: the one asked for, DISTILLAB_DATA, the cache.

    Raises:
        RequestError: a folder that was asked for does not exist.
    """
    found = [] if data_dir is None else [asked_for(data_dir)]
    variable = os.environ.get(VARIABLE, "")
    if variable:
        folder = Path(variable).expanduser()
        if not folder.is_dir():
            raise not_allowed(VARIABLE, variable, "a folder that exists", "Correct the variable or unset it.")
        found.append(folder)
    return [*found, cache_folder()]


def asked_for(data_dir: Path) -> Path:
    """The folder given as `data_dir`.

    Raises:
        RequestError: it does not exist.
    """
    folder = Path(data_dir).expanduser()
    if not folder.is_dir():
        raise not_allowed("data_dir", str(data_dir), "a folder that exists")
    return folder


def find(names: Sequence[str], data_dir: Path | None = None) -> Path | None:
    """The first file or folder of any of these names in `folders`, or None; of one folder, the first of the names."""
    there = (folder / name for folder in folders(data_dir) for name in names if (folder / name).exists())
    return next(there, None)


def looked_in(data_dir: Path | None = None) -> str:
    """The folders, for a message."""
    return ", ".join(str(folder) for folder in folders(data_dir))


def how_to_provide(filename: str, data_dir: Path | None = None) -> str:
    """What to do by hand about a file that is nowhere: a sentence."""
    folder = cache_folder() if data_dir is None else data_dir
    return f"Put {filename} into {folder}, or set {VARIABLE} to a folder that holds it."
