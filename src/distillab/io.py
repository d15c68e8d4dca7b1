"""Writing files whole or not at all, and what reading a damaged one can raise."""

from __future__ import annotations

import lzma
import mmap
import os
import re
import struct
import zlib
from collections.abc import Callable, Collection
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

PACKED = (OSError, EOFError, ValueError, SyntaxError, struct.error, zlib.error, lzma.LZMAError)
"""What decoders raise for damaged images and archives."""

DAMAGE = (*PACKED, ArithmeticError, LookupError, TypeError, MemoryError, RuntimeError, BadZipFile, TokenError)
"""What zipfile, NumPy and JSON raise for damaged files and for headers that claim more than the file holds."""


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a temporary file and rename it in one step, so that no reader sees an incomplete file.

    Args:
        path: the file; its folder is created if missing.
        write: writes the whole file to the path it is given (which has the suffix of `path`).
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


def release_pages(array: Any) -> None:
    """Give back the memory that a mapped file's pages take in this process; they are read again where needed.

    Args:
        array: a NumPy array; one that is not mapped is left as it is.
    """
    base = array
    while base is not None:
        held = getattr(base, "_mmap", None)
        if held is not None and hasattr(mmap, "MADV_DONTNEED"):
            held.madvise(mmap.MADV_DONTNEED)  # what was written stays in the file
            return
        base = getattr(base, "base", None)


def temporaries(folder: Path, names: Collection[str] = ()) -> list[Path]:
    """Find the temporary files, sorted, of processes that were killed in `replace_file`.

    Args:
        folder: the folder to search; it may be missing.
        names: names of the target files; empty: any.
    """
    matches = {path: re.fullmatch(r"\.\d+\.(.+)", path.name) for path in folder.glob(".*")}
    return sorted(path for path, match in matches.items() if match and (not names or match[1] in names))
