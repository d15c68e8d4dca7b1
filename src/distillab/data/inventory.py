"""The state of the data sets on this machine, and how to get those that are missing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from distillab.data import paths
from distillab.data.catalogue import CLASS_NAMES, LOADERS, check_name, files_of, is_path, load, read_published
from distillab.errors import RequestError

Status = Literal["present", "embedded", "missing", "damaged"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The state of one data set on this machine.

    Args:
        name: as given to `load`.
        status: `present` (a valid file), `embedded` (needs no file), `missing`, or `damaged` (an invalid file).
        path: the file; None if there is none.
        do: the remedy, a sentence; empty if none is needed.
    """

    name: str
    status: Status
    path: Path | None = None
    do: str = ""


def inventory(data_dir: Path | None = None) -> list[Entry]:
    """Check the contents of every named data set, in the order of `LOADERS`; nothing is downloaded.

    Args:
        data_dir: the folder to search first.

    Raises:
        RequestError: `data_dir` or the folder in DISTILLAB_DATA does not exist.
    """
    return [check(name, data_dir) for name in LOADERS]


def check(name: str | os.PathLike[str], data_dir: Path | None = None) -> Entry:
    """Check the contents of one data set; nothing is downloaded. A damaged file is reported, not raised.

    Args:
        name: as for `load`.
        data_dir: the folder to search first.

    Raises:
        RequestError: an unknown name, or a folder that does not exist.
    """
    text = os.fspath(name)
    path = find(text, data_dir)
    if not is_path(text) and text not in CLASS_NAMES:
        return Entry(name=text, status="embedded")
    if path is None:
        do = "Correct the path." if is_path(text) else _how_to_get(text, data_dir)
        return Entry(name=text, status="missing", do=do)
    try:
        if is_path(text):
            load(text)
        else:
            read_published(text, path)
    except RequestError as error:
        return Entry(name=text, status="damaged", path=path, do=str(error))
    return Entry(name=text, status="present", path=path)


def find(name: str | os.PathLike[str], data_dir: Path | None = None) -> Path | None:
    """Find the file that a data set would be loaded from, unread; None if the set needs no file or has none.

    Args:
        name: as for `load`.
        data_dir: the folder to search first.

    Raises:
        RequestError: an unknown name, or a folder that does not exist.
    """
    text = os.fspath(name)
    if data_dir is not None:
        paths.existing_folder(data_dir)
    if is_path(text):
        path = Path(text).expanduser()
        return path if path.exists() else None
    check_name(text)
    return paths.find_first(files_of(text), data_dir) if text in CLASS_NAMES else None


def _how_to_get(name: str, data_dir: Path | None) -> str:
    by_hand = paths.how_to_provide(f"{name}.npz", data_dir)
    return f"With internet it is downloaded at first use. Without: {by_hand[0].lower()}{by_hand[1:]}"
