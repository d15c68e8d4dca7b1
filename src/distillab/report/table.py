"""A study's students as a file that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distillab.errors import RequestError, cannot_write, not_allowed
from distillab.io import replace_file
from distillab.report.frames import read_frame
from distillab.study.folder import Folder


def write_table(folder: Path, to: Path, *, epochs: bool = False) -> Path:
    """Write a study's students as .csv or .parquet.

    Args:
        folder: the study's.
        to: the file; its ending says which.
        epochs: a row an epoch, not a row a student.

    Returns:
        The file.

    Raises:
        RequestError: the folder holds no study, another ending, or a library is missing.
        WorkError: the file cannot be written.
    """
    kind = to.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise not_allowed("--to", str(to), "a name that ends in .csv or .parquet")
    table = read_frame(Folder(folder), epochs=epochs)

    def write(place: Path) -> Any:
        return table.to_csv(place, index=False) if kind == ".csv" else table.to_parquet(place, index=False)

    try:
        replace_file(to, write)
    except ImportError as error:
        raise RequestError("Parquet needs pyarrow. Install it: pip install pyarrow, or write a .csv") from error
    except OSError as error:
        raise cannot_write(to, error) from error
    return to
