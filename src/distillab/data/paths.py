"""Where data files are searched for, and how a user can provide one that is missing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from distillab.errors import not_allowed

VARIABLE = "DISTILLAB_DATA"


def cache_folder() -> Path:
    """The user's folder for downloads: `distillab` in XDG_CACHE_HOME, else in ~/.cache. It need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification says to ignore a path that is not absolute.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "distillab"


def _search_folders(data_dir: str | os.PathLike[str] | None) -> list[Path]:
    """The folders to search, in this order: `data_dir`, DISTILLAB_DATA, the cache. The first two must exist."""
    folders = [] if data_dir is None else [existing_folder(data_dir)]
    variable = os.environ.get(VARIABLE, "")
    if variable:
        folder = Path(variable).expanduser()
        if not folder.is_dir():
            raise not_allowed(VARIABLE, variable, "a folder that exists", "Correct the variable or unset it.")
        folders.append(folder)
    return [*folders, cache_folder()]


def existing_folder(data_dir: str | os.PathLike[str]) -> Path:
    """Check the folder given as `data_dir`.

    Args:
        data_dir: its path; `~` is expanded.

    Raises:
        RequestError: it does not exist.
    """
    folder = Path(data_dir).expanduser()
    if not folder.is_dir():
        raise not_allowed("data_dir", str(data_dir), "a folder that exists")
    return folder


def find_first(names: Sequence[str], data_dir: str | os.PathLike[str] | None = None) -> Path | None:
    """Find the first file or folder with one of several names; None if there is none.

    Args:
        names: the names; within one folder, an earlier name wins.
        data_dir: a folder to search first.
    """
    candidates = (folder / name for folder in _search_folders(data_dir) for name in names)
    return next((path for path in candidates if path.exists()), None)


def searched(data_dir: str | os.PathLike[str] | None = None) -> str:
    """List the searched folders, for a message.

    Args:
        data_dir: the folder that is searched first.
    """
    return ", ".join(str(folder) for folder in _search_folders(data_dir))


def how_to_provide(filename: str, data_dir: str | os.PathLike[str] | None = None) -> str:
    """Say how to provide a missing file by hand, in a sentence.

    Args:
        filename: its name.
        data_dir: the folder that the user named; by default the cache folder.
    """
    folder = cache_folder() if data_dir is None else data_dir
    return f"Put {filename} into {folder}, or set {VARIABLE} to a folder that holds it."
