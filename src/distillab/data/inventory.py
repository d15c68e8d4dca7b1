"""The inventory of data sets: which are present, which are missing or damaged, and what to do about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from distillab.data import places
from distillab.data.catalogue import CLASS_NAMES, LOADERS, files_of, is_path, known, load, read_published
from distillab.errors import RequestError

Status = Literal["present", "embedded", "missing", "damaged"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One data set as it stands on this machine.

    Args:
        name: as given to `load`.
        status: `present` (a file that passed the check), `embedded` (needs no file), `missing`, or `damaged`.
        path: the file; None without one.
        do: what to do, a sentence; empty if nothing is needed.
    """

    name: str
    status: Status
    path: Path | None = None
    do: str = ""


def inventory(data_dir: Path | None = None) -> list[Entry]:
    """Check every data set that has a name, by its contents; nothing is downloaded.

    Args:
        data_dir: the folder to look in first.

    Returns:
        One entry for each, in the order of `LOADERS`.

    Raises:
        RequestError: `data_dir` does not exist.
    """
    return [check(name, data_dir) for name in LOADERS]


def check(name: str | os.PathLike[str], data_dir: Path | None = None) -> Entry:
    """Check one data set by its contents; nothing is downloaded.

    Args:
        name: as for `load`.
        data_dir: the folder to look in first.

    Returns:
        Its entry; a damaged file is reported there and raises no error.

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
    """The file a data set would be loaded from.

    Args:
        name: as for `load`.
        data_dir: the folder to look in first.

    Returns:
        The file, unread; None if the set needs no file or has none.

    Raises:
        RequestError: an unknown name, or a folder that does not exist.
    """
    text = os.fspath(name)
    if data_dir is not None:
        places.asked_for(data_dir)
    if is_path(text):
        path = Path(text).expanduser()
        return path if path.exists() else None
    return places.find(files_of(text), data_dir) if known(text) in CLASS_NAMES else None


def _how_to_get(name: str, data_dir: Path | None) -> str:
    by_hand = places.how_to_provide(f"{name}.npz", data_dir)
    return f"With internet it is downloaded at its first use. Without: {by_hand[0].lower()}{by_hand[1:]}"
