"""A study's folder: where its files lie, whose it is, and who may write in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from distillab.errors import TO_DO, RequestError, cannot_write
from distillab.io import replace_file, temporaries
from distillab.study.spec import Spec, load_spec
from distillab.study.storage.store import Store


@dataclass(frozen=True)
class Folder:
    """The places in a study's folder.

    Args:
        path: the folder itself.
    """

    path: Path

    @property
    def spec(self) -> Path:
        return self.path / "study.yaml"

    @property
    def store(self) -> Path:
        return self.path / "study.db"

    @property
    def teachers(self) -> Path:
        return self.path / "teachers"

    @property
    def logits(self) -> Path:
        return self.path / "logits"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def answer(self) -> Path:
        return self.path / "answer.json"

    def read(self) -> tuple[Spec, Store]:
        """Open a study for reading.

        Raises:
            RequestError: where the folder holds no study.
        """
        if not self.path.is_dir():
            raise RequestError(f"There is no folder {str(self.path)!r}. 'distillab run STUDY --out DIR' makes one.")
        if not self.spec.is_file():
            raise RequestError(f"{self.path} holds no study: {self.spec.name} is missing. Run 'distillab run' first.")
        return load_spec(str(self.spec)), Store(self.store, read_only=True)

    def recorded(self) -> dict[str, int]:
        """The trials on record here, each with its seed; none where there is no study."""
        if not (self.spec.is_file() and self.store.exists()):
            return {}
        with Store(self.store, read_only=True) as store:
            return store.seeds()

    @contextmanager
    def write(self, spec: Spec) -> Iterator[Store]:
        """Open the folder for a study's results, alone.

        Raises:
            RequestError: where the folder holds another study or something else, or another process works in it.
            WorkError: where it cannot be written.
        """
        try:
            if self.path.exists():
                self._check(spec)
            self.path.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path / ".lock", timeout=0):
                self._check(spec)
                for left in (*self._begun(), *temporaries(self.teachers), *temporaries(self.logits)):
                    left.unlink()  # of killed runs: under the lock, no living one writes these
                if not self.store.exists():
                    replace_file(self.store, lambda path: Store(path).close())  # whole from the first moment on
                with Store(self.store) as store:
                    replace_file(self.spec, lambda path: path.write_text(spec.to_yaml(), encoding="utf-8"))
                    yield store
        except Timeout as error:
            raise RequestError(
                f"Another process is at work in {self.path}. Wait until it ends, or choose another folder with --out."
            ) from error
        except OSError as error:
            if not self._is_of(error):
                raise
            raise cannot_write(self.path, error) from error

    def _is_of(self, error: OSError) -> bool:
        """Whether an error of whoever works in the folder is one of writing in it, and not of a connection, say."""
        inside = isinstance(error.filename, str | Path) and Path(error.filename).is_relative_to(self.path)
        return inside or error.errno in TO_DO or error.errno is None

    def _check(self, spec: Spec) -> None:
        """Refuse a folder that is not this study's."""
        if not self.path.is_dir():
            raise RequestError(f"{self.path} is a file. Choose a folder with --out.")
        if self.spec.is_file():
            differences = load_spec(str(self.spec)).differs_from(spec)
            if differences:
                raise RequestError(
                    f"{self.path} holds another study: it differs in {', '.join(differences)}. "
                    "Choose another folder with --out."
                )
        elif not self._only_begun():
            raise RequestError(f"{self.path} is not empty and holds no study. Choose another folder with --out.")

    def _only_begun(self) -> bool:
        """Whether here lies no more than a run leaves that was killed before it had written `study.yaml`."""
        others = set(self.path.iterdir()) - {self.path / ".lock", *self._begun()}
        if others != {self.store}:
            return not others
        with Store(self.store, read_only=True) as store:
            return not store.done()

    def _begun(self) -> list[Path]:
        """Of its own two files, those that a killed run had begun to write."""
        return temporaries(self.path, (self.spec.name, self.store.name, f"{self.store.name}-journal"))
