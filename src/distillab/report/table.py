"""A study's students, or their epochs, as a table: CSV, Parquet or pandas."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distillab.errors import RequestError, cannot_write, not_allowed
from distillab.io import replace_file
from distillab.study.folder import Folder
from distillab.study.spec import Spec
from distillab.study.storage.records import TrialResult

if TYPE_CHECKING:
    import pandas

Columns = Mapping[str, Sequence[Any]]

_EPOCH_COLUMNS = ("loss", "label_loss", "distillation_loss", "validation_accuracy")


def write_table(folder: str | os.PathLike[str], to: str | os.PathLike[str], *, epochs: bool = False) -> Path:
    """Write a study's students as .csv or .parquet, and return the file.

    Args:
        folder: the study's.
        to: the file; its suffix selects the format.
        epochs: a row an epoch, not a row a student.

    Raises:
        RequestError: the folder holds no study, the suffix is another one, or pyarrow is missing.
        WorkError: the file cannot be written.
    """
    to = Path(to)
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    if to.suffix.lower() not in writers:
        raise not_allowed("--to", str(to), "a name that ends in .csv or .parquet")
    spec, store = Folder(folder).read()
    with store:
        trials = store.trials(metrics=() if epochs else None, epochs=epochs)
    columns = (epoch_columns if epochs else student_columns)(spec, trials)
    try:
        replace_file(to, lambda path: writers[to.suffix.lower()](path, columns))
    except OSError as error:
        raise cannot_write(to, error) from error
    return to


def student_columns(spec: Spec, trials: Sequence[TrialResult]) -> dict[str, list[Any]]:
    """The columns of a table with a row a student; see `distillab.api.study.Study.to_pandas`.

    Args:
        spec: the study.
        trials: its students.
    """
    columns = _identity_columns(spec, trials)
    columns["state"] = ["finished" if trial.diverged_epoch is None else "diverged" for trial in trials]
    columns["diverged_epoch"] = [math.nan if t.diverged_epoch is None else t.diverged_epoch + 1 for t in trials]
    columns["teacher"] = [trial.teacher for trial in trials]
    metrics = [trial.metrics for trial in trials]
    for key in dict.fromkeys(key for keys in dict.fromkeys(map(tuple, metrics)) for key in sorted(keys)):
        columns["_".join(key)] = [values.get(key, math.nan) for values in metrics]
    return columns


def epoch_columns(spec: Spec, trials: Sequence[TrialResult]) -> dict[str, list[Any]]:
    """The columns of a table with a row an epoch; see `distillab.api.study.Study.epochs_to_pandas`.

    Args:
        spec: the study.
        trials: its students.
    """
    lengths = [len(trial.epochs) for trial in trials]
    columns = {
        name: [value for value, length in zip(values, lengths, strict=True) for _ in range(length)]
        for name, values in _identity_columns(spec, trials).items()
    }
    columns["epoch"] = [number for length in lengths for number in range(1, length + 1)]
    rows = [row for trial in trials for row in trial.epochs]
    return columns | {name: [row[index] for row in rows] for index, name in enumerate(_EPOCH_COLUMNS)}


def to_frame(columns: Columns) -> pandas.DataFrame:
    """A table as a pandas DataFrame.

    Args:
        columns: of equal length.

    Raises:
        RequestError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise RequestError("This table needs pandas. Install it: pip install 'distillab[pandas]'") from error
    return pd.DataFrame(columns)


def _identity_columns(spec: Spec, trials: Sequence[TrialResult]) -> dict[str, list[Any]]:
    """Identity, seed, alpha, and the value on every other axis."""
    points = {id(trial.coordinates): trial.coordinates for trial in trials}  # students of one cell share theirs
    columns: dict[str, list[Any]] = {
        name: [getattr(trial, name) for trial in trials] for name in ("id", "seed", "alpha")
    }
    for key in (axis.key for axis in spec.axes if axis.key != "alpha"):
        values = {name: _flat(point.get(key)) for name, point in points.items()}
        columns[key] = [values[id(trial.coordinates)] for trial in trials]
    return columns


def _flat(value: Any) -> Any:
    """A value of an axis in one cell of a table; groups become text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={part}" for key, part in value.items())
    return value


def _write_csv(path: Path, columns: Columns) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")  # which writes floats as repr does, and None as nothing
        writer.writerow(columns)
        writer.writerows(zip(*(_without_nan(values) for values in columns.values()), strict=True))


def _write_parquet(path: Path, columns: Columns) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise RequestError(
            "Parquet needs pyarrow. Install it: pip install 'distillab[parquet]'; or write .csv"
        ) from error
    arrays = {}
    for name, values in columns.items():
        cells = _without_nan(values)
        if {type(cell) for cell in cells} - {type(None), int, float}:  # Parquet's columns have one type
            cells = [None if cell is None else str(cell) for cell in cells]
        arrays[name] = pyarrow.array(cells)
    parquet.write_table(pyarrow.table(arrays), path)


def _without_nan(values: Sequence[Any]) -> list[Any]:
    """The values of a column, with None for NaN."""
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]
