"""Studies that were run in two places, brought together in one folder."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable
from typing import NamedTuple

from distillab.errors import RequestError
from distillab.io import replace_file
from distillab.study.folder import Folder
from distillab.study.spec import Spec
from distillab.study.storage.damage import told_as_damage
from distillab.study.storage.store import Store


class Merged(NamedTuple):
    """What came of it."""

    added: int
    """Students that were not there yet."""
    known: int
    """Students that were there already, with the same results."""


def merge(into: Folder, other: Folder) -> Merged:
    """Add another folder's students to a study.

    Args:
        into: the folder that grows.
        other: a folder of the same study, of other seeds or cells, or overlapping; it stays as it is.

    Raises:
        RequestError: a folder holds no study, or they hold different ones, or one student has two results; nothing has
            been added.
        WorkError: a file cannot be written.
    """
    if into.path.resolve() == other.path.resolve():
        raise RequestError(f"{into.path} cannot be merged with itself. Name two folders.")
    ours, theirs = _spec(into), _spec(other)
    differences = ours.differs_from(theirs)
    if differences:
        raise RequestError(
            f"{into.path} and {other.path} hold different studies: they differ in {', '.join(differences)}. Only the "
            "same study can be merged."
        )
    seeds = max(ours.objective.seeds, theirs.objective.seeds)
    spec = dataclasses.replace(ours, objective=ours.objective.model_copy(update={"seeds": seeds}))
    with into.write(spec) as target:
        with Store(other.store, read_only=True) as source, told_as_damage(other.store):
            found = target.take_from(source)
        _copy_teachers(into, other)
    return Merged(*found)


def _spec(folder: Folder) -> Spec:
    spec, store = folder.read()
    store.close()
    return spec


def _copy_teachers(into: Folder, other: Folder) -> None:
    for path in _missing(into, other):
        replace_file(into.teachers / path, lambda place, path=path: shutil.copyfile(other.teachers / path, place))  # type: ignore[misc]


def _missing(into: Folder, other: Folder) -> Iterable[str]:
    return [path.name for path in sorted(other.teachers.glob("*.*")) if not (into.teachers / path.name).exists()]
