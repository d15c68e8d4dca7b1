"""A log for TensorBoard: a run for each student, in the study's folder."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distillab.errors import RequestError, WorkError
from distillab.study.storage.records import TrialResult
from distillab.tracking import name_of, scalars_of, settings_of

FOLDER = "tensorboard"


class TensorBoard:
    """Event files in the folder `tensorboard` of a study's folder.

    Args:
        folder: the study's folder.

    Raises:
        RequestError: tensorboardX is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            import tensorboardX
        except ImportError as error:
            raise RequestError(
                "--log tensorboard needs tensorboardX. Install it: pip install 'distillab[tensorboard]'"
            ) from error
        self._library = tensorboardX
        self.path = Path(folder) / FOLDER

    def trials(self, results: Sequence[TrialResult]) -> None:
        """Write a run for each student that has none.

        Args:
            results: the students' results.
        """
        for result in results:
            run = self.path / name_of(result)
            if not run.exists():
                self._write(run, lambda writer, result=result: self._log(writer, result))  # type: ignore[misc]

    def finish(self, figures: Mapping[str, bytes]) -> None:
        """Write the figures as images.

        Args:
            figures: PNG files by name.
        """

        def log(writer: Any) -> None:
            from PIL import Image

            for name, png in figures.items():
                writer.add_image(name, np.asarray(Image.open(io.BytesIO(png)).convert("RGB")), dataformats="HWC")

        self._write(self.path / "figures", log)

    def _log(self, writer: Any, result: TrialResult) -> None:
        for name, value, epoch in scalars_of(result):
            writer.add_scalar(name, value, epoch)
        metrics = {f"{part}/{name}": value for (part, name), value in result.metrics.items()}
        # tensorboardX's `add_hparams` would create another run for each call.
        for summary in self._library.summary.hparams(settings_of(result), metrics):
            writer.file_writer.add_summary(summary)

    def _write(self, run: Path, log: Callable[[Any], None]) -> None:
        """Write a run whole or not at all: to a temporary folder, then moved."""
        temporary = run.with_name(f".{run.name}")
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            with self._library.SummaryWriter(str(temporary)) as writer:
                log(writer)
            if run.exists():
                shutil.rmtree(run)
            temporary.rename(run)
        except OSError as error:
            raise WorkError(
                f"{error.filename or run} cannot be written: {error.strerror or error}. The results are safe in "
                "study.db: the same command again logs what is missing."
            ) from error
