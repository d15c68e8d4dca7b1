"""Models that a user names, opened before the data are read: their outputs help to recognise the task."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from distillab.errors import RequestError
from distillab.models.ending import as_graph, ending
from distillab.models.files import read_model
from distillab.models.functions import names_function
from distillab.models.saved_model import is_saved_model
from distillab.study.model_options import ModelOptions
from distillab.study.stored_teachers import check_stored, is_stored, stored_head
from distillab.tasks import Head


@dataclass(frozen=True)
class Opened:
    """A model that a user names.

    Args:
        name: in reports.
        source: as the user names it.
        model: where it is one of Keras; None for what is called or built once the data are known.
    """

    name: str
    source: Any
    model: keras.Model | None = None

    @property
    def head(self) -> Head | None:
        """Its outputs; None where they are not known before the data are."""
        if self.model is not None:
            graph = as_graph(self.model)
            shape = None if graph is None else graph.output_shape
            if not isinstance(shape, tuple) or len(shape) < 2 or not isinstance(shape[-1], int):
                return None
            return Head(shape[-1], ending(self.model), len(shape) - 2, self.name)
        if self.is_predictions:
            return stored_head(self.source)
        return None

    @property
    def is_predictions(self) -> bool:
        """Whether it is stored predictions."""
        return self.model is None and is_stored(self.source)


def opened(source: Any, options: ModelOptions) -> Opened:
    """Open a teacher or a student.

    Args:
        source: a keras.Model, a `.keras` file, a SavedModel folder, `module:function`, stored predictions (`.npy`,
            `.jsonl`, or a folder of either) or a name of the zoo.
        options: how models are read.

    Raises:
        RequestError: a file is missing or cannot be loaded.
    """
    if isinstance(source, Opened):
        return source
    if isinstance(source, keras.Model):
        return Opened(source.name, source, source)
    text = os.fspath(source) if isinstance(source, os.PathLike) else str(source)
    path = Path(text).expanduser()
    if is_stored(path):
        check_stored(path)  # a damaged file is refused now
        return Opened(path.name, path)
    if is_saved_model(path):
        return Opened(path.name, path)
    if names_function(text):
        return Opened(text, text)
    if path.suffix == ".keras":
        return Opened(path.name, path, read_model(path, trust=options.trust, modules=options.modules))
    return Opened(text, text)


def opened_teachers(sources: Sequence[Any], options: ModelOptions) -> list[Opened]:
    """Open teachers; a folder of `.keras` files is several.

    Args:
        sources, options: as in `opened`.

    Raises:
        RequestError: there is none, or one cannot be opened.
    """
    files = [file for source in sources for file in _files(source)]
    if not files:
        raise RequestError("There is no teacher. Name a .keras file, a folder of them, or stored predictions.")
    teachers = [opened(file, options) for file in files]
    for teacher in teachers:
        if isinstance(teacher.source, str) and not names_function(teacher.source):
            read_model(Path(teacher.source).expanduser())  # raises: it is no model file, or there is none
    return teachers


def _files(source: Any) -> list[Any]:
    """The `.keras` files of a folder; otherwise the source itself."""
    if not isinstance(source, str | os.PathLike):
        return [source]
    path = Path(source).expanduser()
    if path.is_dir() and not is_saved_model(path) and not is_stored(path):
        files = sorted(path.glob("*.keras"))
        if not files:
            raise RequestError(f"{path} holds neither .keras files nor a SavedModel.")
        return list(files)
    return [source]
