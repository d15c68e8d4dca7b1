"""Opening a trained model of any framework: from a file, or an object of Python."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from distillab.errors import not_allowed
from distillab.models.foreign import ForeignModel, Gives
from distillab.models.frameworks.boosting import booster_model, is_booster, lightgbm_model, xgboost_model
from distillab.models.frameworks.kinds import SUFFIXES, checked_kind, is_foreign_file
from distillab.models.frameworks.onnx import onnx_model
from distillab.models.frameworks.saved_model import is_saved_model, saved_model
from distillab.models.frameworks.sklearn import estimator_model, is_estimator, pickled_model, skops_model
from distillab.models.frameworks.torch import exported_program, is_module, torch_module, torchscript_model
from distillab.models.preparation import LAYOUTS, Layout


def foreign_file(path: Path, *, trust: bool = False) -> ForeignModel:
    """Open a model's file of another framework than Keras.

    Args:
        path: with a suffix in `kinds.SUFFIXES`.
        trust: whether code in the file may run.

    Raises:
        RequestError: it is missing, damaged, of another framework, unsafe, or its framework is not installed.
    """
    match checked_kind(path):
        case "ONNX model":
            return onnx_model(path)
        case "TorchScript model":
            return torchscript_model(path)
        case "torch.export model":
            return exported_program(path, trust=trust)
        case "skops file":
            return skops_model(path, trust=trust)
        case "pickle":
            return pickled_model(path, trust=trust)
        case "XGBoost model":
            return xgboost_model(path)
        case _:
            return lightgbm_model(path)


def foreign_object(source: Any) -> ForeignModel | None:
    """Use an object as a trained model: a PyTorch module, an estimator, a Booster, or a function.

    Args:
        source: any object.

    Returns:
        None where it is none of these.
    """
    if isinstance(source, ForeignModel):
        return source
    if is_module(source):
        return torch_module(source)
    if is_booster(source):
        return booster_model(source)
    if is_estimator(source):
        return estimator_model(source)
    if callable(source) and not isinstance(source, type):
        name = getattr(source, "__name__", type(source).__name__)
        return ForeignModel(name="function" if name == "<lambda>" else name, kind="function", call=source)
    return None


def open_teacher(
    source: Any,
    *,
    gives: Gives = "",
    layout: Layout | None = None,
    class_names: Sequence[str] = (),
    trust: bool = False,
) -> ForeignModel:
    """Open a trained model of another framework, to state what it does not say itself.

    Args:
        source: a file, a SavedModel folder, a PyTorch module, a fitted estimator, a Booster, or a function from a batch
            of inputs (B, ...) to outputs (B, ..., C).
        gives: what its outputs are: "probabilities", "logits", "decisions" (class numbers) or "values"; "": their
            values show it.
        layout: of images: "nchw", "nhwc", "nhw" or "flat"; None: as its own shape shows.
        class_names: of its outputs, in their order.
        trust: whether code in a file may run.

    Returns:
        A teacher for `Distiller`, `with_teacher_logits` and `distill`.

    Raises:
        RequestError: it cannot be opened, or is no model.

    Example:
        >>> import numpy as np
        >>> open_teacher(lambda x: np.stack([x[:, 0], -x[:, 0]], 1), gives="logits").predict(np.ones((1, 2))).tolist()
        [[1.0, -1.0]]
    """
    if gives not in get_args(Gives):
        raise not_allowed("gives", gives, f"one of {', '.join(map(repr, get_args(Gives)))}")
    if layout is not None and layout not in LAYOUTS:
        raise not_allowed("layout", layout, f"one of {', '.join(map(repr, LAYOUTS))}")
    if isinstance(source, (str, os.PathLike)):
        path = Path(source).expanduser()
        if is_saved_model(path):
            opened: ForeignModel | None = foreign_folder(path, trust=trust)
        elif is_foreign_file(path):
            opened = foreign_file(path, trust=trust)
        else:
            others = ", ".join(suffix for suffix in SUFFIXES if suffix != ".keras")
            raise not_allowed("teacher", str(path), f"a SavedModel folder, or a file that ends in {others}")
    else:
        opened = foreign_object(source)
    if opened is None:
        allowed = "a path, a PyTorch module, a fitted estimator, a Booster, or a function of inputs"
        raise not_allowed("teacher", type(source).__name__, allowed)
    names = tuple(class_names) or opened.class_names
    return replace(opened, gives=gives or opened.gives, layout=layout or opened.layout, class_names=names)


def foreign_folder(path: Path, *, trust: bool = False) -> ForeignModel:
    """Open a SavedModel.

    Args:
        path: its folder.
        trust: as in `saved_model`.

    Raises:
        RequestError: whatever `saved_model` refuses.
    """
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    call = saved_model(path, trust=trust)
    return ForeignModel(name=path.name, kind="SavedModel", call=call, digest=digest.hexdigest())
