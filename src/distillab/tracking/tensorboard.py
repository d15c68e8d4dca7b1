"""A log for TensorBoard: a run for each student, in the study's folder."""

from __future__ import annotations

import io
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
    """Event files under `tensorboard/` of a study's folder.

    Args:
        folder: the study's.

    Raises:
        RequestError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import tensorboardX
        except ImportError as error:
            raise RequestError(
                "--log tensorboard needs tensorboardX. Install it: pip install 'distillab[tensorboard]'"
            ) from error
        self._library = tensorboardX
        self.path = folder / FOLDER

    def trials(self, records: Sequence[TrialResult]) -> None:
        """Write a run for each student that has none."""
        for record in records:
            place = self.path / name_of(record)
            if not place.exists():
                self._write(place, lambda writer, record=record: self._log(writer, record))  # type: ignore[misc]

    def finish(self, figures: Mapping[str, bytes]) -> None:
        """Write the figures as images."""

        def log(writer: Any) -> None:
            from PIL import Image

            for name, png in figures.items():
                writer.add_image(name, np.asarray(Image.open(io.BytesIO(png)).convert("RGB")), dataformats="HWC")

        self._write(self.path / "figures", log)

    def _log(self, writer: Any, record: TrialResult) -> None:
        for name, value, epoch in scalars_of(record):
            writer.add_scalar(name, value, epoch)
        metrics = {f"{part}/{name}": value for (part, name), value in record.metrics.items()}
        # Of tensorboardX's own `add_hparams` every call makes a run of its own, apart from the student's.
        for summary in self._library.summary.hparams(settings_of(record), metrics):
            writer.file_writer.add_summary(summary)

    def _write(self, place: Path, log: Callable[[Any], None]) -> None:
        """Write a run whole or not at all: elsewhere first, then moved to its place."""
        beside = place.with_name(f".{place.name}")
        try:
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            with self._library.SummaryWriter(str(beside)) as writer:
                log(writer)
            if place.exists():
                shutil.rmtree(place)
            beside.rename(place)
        except OSError as error:
            raise WorkError(
                f"{error.filename or place} cannot be written: {error.strerror or error}. The results are safe in "
                "study.db: the same command again logs what is missing."
            ) from error
