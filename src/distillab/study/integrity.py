"""Is a study's folder whole: does the file hold what its contract says, and do the files beside it belong to it?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from distillab.study.damage import check_rows, told_as_damage
from distillab.study.folder import Folder
from distillab.study.plan import trials as planned
from distillab.study.spec import Spec
from distillab.study.store import TrialRecord


class Condition(NamedTuple):
    """What a check has found."""

    trials: int
    teachers: int
    runs: int
    faults: tuple[str, ...]
    """In a sentence each; none where all is well."""


def check(folder: Folder) -> Condition:
    """Check a study's folder.

    The file itself (SQLite's own check), the rows (every student complete, of a recorded teacher, of this study and
    trained on the data of its runs), and the files of teachers.

    Args:
        folder: of a study.

    Raises:
        RequestError: the folder holds no study, or its file cannot be opened.
    """
    spec, store = folder.read()
    with store, told_as_damage(store.path):
        faults = list(store.faults())
        if faults:
            return Condition(0, 0, 0, tuple(faults))
        rows, teachers, runs = store.trials(), store.teachers(), store.runs()
        check_rows(rows, teachers)
        confusions, told = store.confusions(), store.shown()
    for trial in rows:
        faults += _of_trial(trial)
        if trial.teacher not in teachers:
            faults.append(f"Student {trial.id} learned from teacher {trial.teacher}, which is not recorded.")
    measured = {trial.id for trial in rows}
    for name, there in (("confusion counts", set(confusions)), ("shown answers", set(told))):
        if not there <= measured:
            faults.append(f"There are {name} of {len(there - measured)} students that are not recorded.")
    faults += _of_study(spec, rows, runs)
    return Condition(len(rows), len(teachers), len(runs), tuple(faults))


def _of_trial(trial: TrialRecord) -> Iterator[str]:
    diverged = trial.diverged_epoch is not None
    if diverged and trial.metrics:
        yield f"Student {trial.id} diverged, and has metrics."
    if not diverged and ("test", "accuracy") not in trial.metrics:
        yield f"Student {trial.id} is finished, and has no test accuracy."
    epochs = trial.settings.get("snapshot") or trial.settings.get("epochs")
    if not diverged and epochs is not None and len(trial.epochs) != epochs:
        yield f"Student {trial.id} has {len(trial.epochs)} of {epochs} epochs."


def _of_study(spec: Spec, rows: list[TrialRecord], runs: list[dict[str, object]]) -> Iterator[str]:
    """Students whose identity is none of this study's, on the data of its runs."""
    digests = {str(data["digest"]) for run in runs if isinstance(data := run.get("data"), dict) and "digest" in data}
    if len(digests) > 1:
        yield f"Its runs used {len(digests)} different data sets."
    if not digests or not rows:
        return
    known = {trial.id for digest in digests for trial in planned(spec, digest)}
    strange = sum(trial.id not in known for trial in rows if trial.seed < spec.frame.seeds)
    if strange:
        yield f"{strange:,} students are none of this study's: of other settings, data or another version."
