"""A study's folder: where its files lie, whose it is, and who may write in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from distillab.errors import RequestError, WorkError
from distillab.files import replace_file
from distillab.study.spec import Spec, load_spec
from distillab.study.store import Store


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
        if not self.store.is_file():
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
            fresh = not self.path.exists()
            if not fresh:
                self._check(spec)
            self.path.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path / ".lock", timeout=0):
                if self.spec.is_file():
                    self._check(spec)
                with Store(self.store) as store:
                    replace_file(self.spec, lambda path: path.write_text(spec.to_yaml(), encoding="utf-8"))
                    yield store
        except Timeout as error:
            raise RequestError(
                f"Another process is at work in {self.path}. Wait until it ends, or choose another folder with --out."
            ) from error
        except OSError as error:
            raise WorkError(f"{error.filename or self.path} cannot be written: {error.strerror or error}.") from error

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
        elif any(item.name != ".lock" for item in self.path.iterdir()):
            raise RequestError(f"{self.path} is not empty and holds no study. Choose another folder with --out.")
