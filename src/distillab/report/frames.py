"""A study's students and their epochs as pandas tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distillab.errors import RequestError
from distillab.study.folder import Folder
from distillab.study.spec import Spec
from distillab.study.storage.damage import told_as_damage
from distillab.study.storage.records import TrialResult

if TYPE_CHECKING:
    import pandas

_OF_EPOCHS = ("loss", "hard", "soft", "validation_accuracy")


def read_frame(folder: Folder, *, epochs: bool) -> pandas.DataFrame:
    """Read no more of a folder than its table asks for; see `students_frame` and `epochs_frame`.

    Raises:
        RequestError: the folder holds no study, or pandas is not installed.
    """
    spec, store = folder.read()
    with store, told_as_damage(store.path):
        trials = store.trials(metrics=() if epochs else None, epochs=epochs)
    return (epochs_frame if epochs else students_frame)(spec, trials)


def students_frame(spec: Spec, trials: Sequence[TrialResult]) -> pandas.DataFrame:
    """The students, a row each; see `distillab.report.study.Study.to_pandas`."""
    columns = _places(spec, trials)
    columns["state"] = ["finished" if trial.diverged_epoch is None else "diverged" for trial in trials]
    columns["diverged_epoch"] = [math.nan if t.diverged_epoch is None else t.diverged_epoch + 1 for t in trials]
    columns["teacher"] = [trial.teacher for trial in trials]
    measured = [trial.metrics for trial in trials]
    for key in dict.fromkeys(key for keys in dict.fromkeys(map(tuple, measured)) for key in sorted(keys)):
        columns["_".join(key)] = [one.get(key, math.nan) for one in measured]
    return _frame(columns)


def epochs_frame(spec: Spec, trials: Sequence[TrialResult]) -> pandas.DataFrame:
    """The students' epochs, a row each; see `distillab.report.study.Study.epochs_to_pandas`."""
    lengths = [len(trial.epochs) for trial in trials]
    columns = {
        name: [value for value, length in zip(values, lengths, strict=True) for _ in range(length)]
        for name, values in _places(spec, trials).items()
    }
    columns["epoch"] = [number for length in lengths for number in range(1, length + 1)]
    told = [values for trial in trials for values in trial.epochs]
    for place, name in enumerate(_OF_EPOCHS):
        columns[name] = [values[place] for values in told]
    return _frame(columns)


def _places(spec: Spec, trials: Iterable[TrialResult]) -> dict[str, list[Any]]:
    """Who they are, and where on the study's axes."""
    held = list(trials)
    flat = {id(trial.coordinates): trial.coordinates for trial in held}  # students of one cell share it
    axes = [axis.key for axis in spec.axes if axis.key != "alpha"]
    by_axis = {axis: {name: _flat(place.get(axis)) for name, place in flat.items()} for axis in axes}
    return {
        "id": [trial.id for trial in held],
        "seed": [trial.seed for trial in held],
        "alpha": [trial.alpha for trial in held],
        **{axis: [values[id(trial.coordinates)] for trial in held] for axis, values in by_axis.items()},
    }


def _flat(value: Any) -> Any:
    """A value of an axis as a cell: groups as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={part}" for key, part in value.items())
    return value


def _frame(columns: Mapping[str, Sequence[Any]]) -> pandas.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise RequestError("A table of the students needs pandas. Install it: pip install pandas") from error
    return pd.DataFrame(columns)
