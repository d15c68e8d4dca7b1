"""Writing a file so that it is either there in full or not at all."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Collection
from pathlib import Path

from distillab.errors import WorkError

_ADVICE = {
    errno.ENOSPC: " Make space; what is recorded stays, and the same command goes on from there.",
    errno.EDQUOT: " Make space; what is recorded stays, and the same command goes on from there.",
    errno.EROFS: " Choose a folder that may be written.",
    errno.EACCES: " Choose a folder that you may write in.",
}


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place and move it there in one step, so that no reader sees half of it.

    Args:
        path: where the file belongs; its folder is made where missing.
        write: writes the whole file to the path it is given (which keeps the suffix of `path`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(temporary)
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def temporaries(folder: Path, names: Collection[str] = ()) -> list[Path]:
    """What processes that were killed in `replace_file` left in a folder.

    Args:
        folder: it may be missing.
        names: of the files that were being written; none: of any.
    """
    found = {path: re.fullmatch(r"\.\d+\.(.+)", path.name) for path in folder.glob(".*")}
    return sorted(path for path, match in found.items() if match and (not names or match[1] in names))


def cannot_write(place: Path, error: OSError) -> WorkError:
    """Word the failure of writing a file: which, why, and what to do.

    Args:
        place: what was being written, where the error itself does not say.
        error: what the system said.
    """
    advice = _ADVICE.get(error.errno or 0, "")
    return WorkError(f"{error.filename or place} cannot be written: {error.strerror or error}.{advice}")
