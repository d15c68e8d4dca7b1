"""Writing a file so that it is either there in full or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from pathlib import Path


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
