"""Models that a user names or gives, opened before the data are read: their outputs help to recognise the task."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from distillab.data.forms import ModelInput
from distillab.errors import RequestError, not_allowed
from distillab.models.ending import as_graph, ending
from distillab.models.files import read_model
from distillab.models.foreign import ForeignModel
from distillab.models.frameworks.kinds import SUFFIXES, is_foreign_file, refuse_foreign_contents
from distillab.models.frameworks.opening import foreign_file, foreign_folder, foreign_object
from distillab.models.frameworks.saved_model import is_saved_model
from distillab.models.functions import names_function, number_of_arguments, user_function
from distillab.models.several import several_outputs
from distillab.study.model_inputs import foreign_inputs, model_inputs
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
        foreign: where it is one of another framework.
        role: "teacher" or "student", for messages.
    """

    name: str
    source: Any
    model: keras.Model | None = None
    foreign: ForeignModel | None = None
    role: str = "teacher"

    @property
    def called(self) -> str:
        """What messages call it."""
        return f"the {self.role} {self.name}"

    @property
    def head(self) -> Head | None:
        """Its outputs; None where they are not known before the data are."""
        if self.model is not None:
            graph = as_graph(self.model)
            several = None if graph is None else several_outputs(graph)
            if several is not None:
                return several.head(self.called)
            shape = None if graph is None else graph.output_shape
            if not isinstance(shape, tuple) or len(shape) < 2 or not isinstance(shape[-1], int):
                return None
            return Head(shape[-1], ending(self.model), len(shape) - 2, self.name)
        if self.foreign is not None:
            return self.foreign.head
        if self.is_predictions:
            return stored_head(self.source)
        return None

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """Its inputs; () where they are not known before the data are."""
        if self.model is not None:
            return model_inputs(self.model)
        return () if self.foreign is None else foreign_inputs(self.foreign)

    @property
    def is_predictions(self) -> bool:
        """Whether it is stored predictions."""
        return self.model is None and self.foreign is None and is_stored(self.source)


def opened(source: Any, options: ModelOptions) -> Opened:
    """Open a student.

    Args:
        source: a keras.Model, a `.keras` file, `module:function` or a name of the zoo.
        options: how models are read.

    Raises:
        RequestError: a file is missing or cannot be loaded, or it is a model of another framework.
    """
    if isinstance(source, Opened):
        return source
    if isinstance(source, keras.Model):
        return Opened(source.name, source, source, role="student")
    if not isinstance(source, (str, os.PathLike)) or is_foreign_file(Path(source)):
        what = source if isinstance(source, (str, os.PathLike)) else type(source).__name__
        allowed = "a keras.Model, a .keras file, module:function, a name such as cnn-16-32, or auto"
        raise not_allowed("student", str(what), allowed, "Models of other frameworks can teach.")
    text, path = os.fspath(source), Path(source).expanduser()
    if not names_function(text) and path.suffix == ".keras":
        model = read_model(path, trust=options.trust, modules=options.modules)
        return Opened(path.name, path, model, role="student")
    return Opened(text, text, role="student")


def opened_teacher(source: Any, options: ModelOptions) -> Opened:
    """Open a teacher.

    Args:
        source: a keras.Model, or a model of another framework (`foreign_object`); a `.keras` file, a file of another
            framework (`SUFFIXES`), a SavedModel folder, `module:function`, or stored predictions (`.npy`, `.jsonl`, or
            a folder of either).
        options: how models are read.

    Raises:
        RequestError: a file is missing or cannot be loaded, or the object is no model.
    """
    if isinstance(source, Opened):
        return source
    if isinstance(source, keras.Model):
        return Opened(source.name, source, source)
    if not isinstance(source, (str, os.PathLike)):
        return _opened_object(source)
    text, path = os.fspath(source), Path(source).expanduser()
    if is_stored(path):
        check_stored(path)  # a damaged file is refused now
        return Opened(path.name, path)
    if is_saved_model(path):
        return Opened(path.name, path, foreign=foreign_folder(path, trust=options.trust))
    if names_function(text):
        return _opened_function(text)
    if is_foreign_file(path):
        return Opened(path.name, path, foreign=foreign_file(path, trust=options.trust))
    if path.suffix == ".keras":
        refuse_foreign_contents(path)
    if path.suffix == ".keras" or path.is_file():
        return Opened(path.name, path, read_model(path, trust=options.trust, modules=options.modules))
    others = ", ".join(suffix for suffix in SUFFIXES if suffix != ".keras")
    raise RequestError(
        f"There is no teacher {text!r}. Give a .keras file, a folder of them, a SavedModel, module:function, stored "
        f"predictions (.npy), or a model's file of another framework ({others})."
    )


def _opened_object(source: Any) -> Opened:
    foreign = foreign_object(source)
    if foreign is None:
        allowed = "a keras.Model, a path, a PyTorch module, a fitted estimator, a Booster, or a function of inputs"
        raise not_allowed("teacher", type(source).__name__, allowed)
    return Opened(foreign.name, source, foreign=foreign)


def _opened_function(text: str) -> Opened:
    """A function of inputs is the teacher itself; one of (input_shape, classes), or of nothing, builds it."""
    function = user_function(text)
    if number_of_arguments(function) != 1:
        return Opened(text, text)
    return Opened(text, text, foreign=ForeignModel(name=text, kind="function", call=function))


def opened_teachers(sources: Sequence[Any], options: ModelOptions) -> list[Opened]:
    """Open teachers; a folder of `.keras` files is several.

    Args:
        sources, options: as in `opened_teacher`.

    Raises:
        RequestError: there is none, or one cannot be opened.
    """
    files = [file for source in sources for file in _files(source)]
    if not files:
        raise RequestError("There is no teacher. Name a .keras file, a folder of them, or stored predictions.")
    return [opened_teacher(file, options) for file in files]


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
