"""A study's folder: the paths of its files, opening it for reading, and writing to it under a lock."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from distillab.errors import TO_DO, RequestError, cannot_write
from distillab.io import replace_file, temporaries
from distillab.study.spec import SearchSpec, Spec, load_folder_spec
from distillab.study.storage.connection import refuse_earlier
from distillab.study.storage.store import Store
from distillab.study.trials import NUMERICS


class Folder:
    """The paths in a study's folder.

    Args:
        path: the folder itself.

    Attributes:
        spec: the study, its configuration resolved.
        store: every result.
        teachers, predictions: of teachers, by identity and by digest.
        students: kept students, weights and test logits, one `.npz` a trial.
        figures, report, answer: the charts, the page, and the answer as JSON.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path = Path(path)
        self.spec, self.store = path / "study.yaml", path / "study.db"
        self.teachers, self.predictions, self.students = path / "teachers", path / "predictions", path / "students"
        self.figures, self.report, self.answer = path / "figures", path / "report.html", path / "answer.json"

    def student(self, trial: str) -> Path:
        """The file of a kept student.

        Args:
            trial: its identity.
        """
        return self.students / f"{trial}.npz"

    def described(self) -> Spec | SearchSpec:
        """Read `study.yaml`: a study's grid, or the request of a search.

        Raises:
            RequestError: it cannot be read.
        """
        return load_folder_spec(self.spec)

    def is_search(self) -> bool:
        """Whether the folder holds a distillation, whose trials a search proposes."""
        return self.spec.is_file() and isinstance(self.described(), SearchSpec)

    def open(self) -> tuple[Spec | SearchSpec, Store]:
        """Open a study or a distillation for reading.

        Raises:
            RequestError: the folder holds neither, or its file cannot be read.
        """
        if not self.path.is_dir():
            raise RequestError(f"There is no folder {str(self.path)!r}. 'distillab run STUDY --out DIR' makes one.")
        if not self.spec.is_file():
            raise RequestError(f"{self.path} holds no study: {self.spec.name} is missing. Run 'distillab run' first.")
        refuse_earlier(self.store)
        return self.described(), Store(self.store, read_only=True)

    def read(self) -> tuple[Spec, Store]:
        """Open a study for reading.

        Raises:
            RequestError: the folder holds no study, or its file cannot be read.
        """
        spec, store = self.open()
        if isinstance(spec, SearchSpec):
            store.close()
            raise RequestError(f"{self.path} holds a distillation, and a study is needed. Name a folder of a study.")
        return spec, store

    def recorded(self) -> dict[str, int]:
        """Seed of every recorded trial, by identity; empty where there is no study."""
        if not (self.spec.is_file() and self.store.exists()):
            return {}
        with Store(self.store, read_only=True) as store:
            return store.seeds()

    def refuse_other_numerics(self) -> None:
        """Refuse to add to results that an engine of other numerics computed: they differ in rounding.

        Raises:
            RequestError: a run of this folder that trained students had another version.
        """
        if not self.recorded():
            return
        with Store(self.store, read_only=True) as store:
            others = store.numerics() - {NUMERICS}
        if others:
            version = " and ".join("an earlier version" if one is None else f"version {one}" for one in others)
            raise RequestError(
                f"{self.path} holds results of {version} of the engine's numerics; this distillab computes with "
                f"version {NUMERICS}, which rounds in other places. Run again in a new folder with --out."
            )

    def check(self, spec: Spec | SearchSpec) -> None:
        """Refuse, before any work, a folder that `write` would refuse; nothing is written.

        Args:
            spec: as in `write`.

        Raises:
            RequestError: the folder holds another study or other files.
            WorkError: it cannot be made.
        """
        if self.path.exists():
            self._check(spec)
        above = next(parent for parent in (self.path, *self.path.absolute().parents) if parent.exists())
        if not above.is_dir():
            raise cannot_write(self.path, NotADirectoryError(errno.ENOTDIR, "Not a directory", str(above)))

    @contextmanager
    def write(self, spec: Spec | SearchSpec) -> Iterator[Store]:
        """Open the folder for writing a study's results, under its lock; create it where it is missing.

        Args:
            spec: the study; the folder must be empty or hold the same one.

        Raises:
            RequestError: the folder holds another study or other files, or another process works in it.
            WorkError: the folder cannot be written.
        """
        try:
            if self.path.exists():
                self._check(spec)
            self.path.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path / ".lock", timeout=0):
                self._check(spec)
                parts = (self.teachers, self.predictions, self.students)
                for path in (*self._unfinished(), *(path for part in parts for path in temporaries(part))):
                    path.unlink()  # left by killed runs: no other process writes while this one has the lock
                if not self.store.exists():
                    replace_file(self.store, lambda path: Store(path).close())  # the file appears with all its tables
                with Store(self.store) as store:
                    replace_file(self.spec, lambda path: path.write_text(spec.to_yaml(), encoding="utf-8"))
                    yield store
        except Timeout as error:
            raise RequestError(
                f"Another process is at work in {self.path}. Wait until it ends, or choose another folder with --out."
            ) from error
        except OSError as error:
            if not self._concerns(error):
                raise
            raise cannot_write(self.path, error) from error

    def _concerns(self, error: OSError) -> bool:
        """Whether an error comes from writing in the folder, and not from a connection, say."""
        inside = isinstance(error.filename, str | Path) and Path(error.filename).is_relative_to(self.path)
        return inside or error.errno in TO_DO or error.errno is None

    def _check(self, spec: Spec | SearchSpec) -> None:
        """Refuse a folder of another study."""
        if not self.path.is_dir():
            raise RequestError(f"{self.path} is a file. Choose a folder with --out.")
        refuse_earlier(self.store)
        if self.spec.is_file():
            if differences := self.described().differs_from(spec):
                raise RequestError(
                    f"{self.path} holds another study: it differs in {', '.join(differences)}. "
                    "Choose another folder with --out."
                )
        elif not self._only_unfinished():
            raise RequestError(f"{self.path} is not empty and holds no study. Choose another folder with --out.")

    def _only_unfinished(self) -> bool:
        """Whether the folder holds only what a run leaves that was killed before it wrote `study.yaml`."""
        others = set(self.path.iterdir()) - {self.path / ".lock", *self._unfinished()}
        if others != {self.store}:
            return not others
        with Store(self.store, read_only=True) as store:
            return not store.done()

    def _unfinished(self) -> list[Path]:
        """Temporary files of `study.yaml` and `study.db` that a killed run left."""
        return temporaries(self.path, (self.spec.name, self.store.name, f"{self.store.name}-journal"))
