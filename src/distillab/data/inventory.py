"""The state of the data sets on this machine, and how to get those that are missing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from distillab.data import paths
from distillab.data.catalogue import (
    LOADERS,
    check_name,
    files_of,
    is_path,
    load,
    published_as,
    read_published,
    task_of,
)
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
        task: what its labels mean; empty for a path, whose labels say it when they are read.
    """

    name: str
    status: Status
    path: Path | None = None
    do: str = ""
    task: str = ""


def inventory(data_dir: str | os.PathLike[str] | None = None) -> list[Entry]:
    """Check the contents of every named data set, in the order of `LOADERS`; nothing is downloaded.

    Args:
        data_dir: the folder to search first.

    Raises:
        RequestError: `data_dir` or the folder in DISTILLAB_DATA does not exist.
    """
    return [check(name, data_dir) for name in LOADERS]


def check(name: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None = None) -> Entry:
    """Check the contents of one data set; nothing is downloaded. A damaged file is reported, not raised.

    Args:
        name: as for `load`.
        data_dir: the folder to search first.

    Raises:
        RequestError: an unknown name, or a folder that does not exist.
    """
    text = os.fspath(name)
    path, task = find(text, data_dir), task_of(text) or ""
    published = None if is_path(text) else published_as(text)
    if not is_path(text) and published is None:
        return Entry(name=text, status="embedded", task=task)
    if path is None:
        do = "Correct the path." if published is None else _how_to_get(published, data_dir)
        return Entry(name=text, status="missing", do=do, task=task)
    try:
        if published is None:
            load(text)
        else:
            read_published(published, path)
    except RequestError as error:
        return Entry(name=text, status="damaged", path=path, do=str(error), task=task)
    return Entry(name=text, status="present", path=path, task=task)


def find(name: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None = None) -> Path | None:
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
    published = published_as(text)
    return None if published is None else paths.find_first(files_of(published), data_dir)


def _how_to_get(name: str, data_dir: str | os.PathLike[str] | None) -> str:
    by_hand = paths.how_to_provide(f"{name}.npz", data_dir)
    return f"With internet it is downloaded at first use. Without: {by_hand[0].lower()}{by_hand[1:]}"
