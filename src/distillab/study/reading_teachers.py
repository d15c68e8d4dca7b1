"""The teachers that a user names, ready to teach: opened, and fitted to the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from distillab.data import Dataset
from distillab.errors import RequestError
from distillab.models.frameworks.opening import foreign_object
from distillab.models.functions import built_by_function
from distillab.study.foreign_teachers import foreign_teacher
from distillab.study.keras_teachers import keras_teacher
from distillab.study.model_options import ModelOptions
from distillab.study.opening import Opened, opened_teachers
from distillab.study.stored_teachers import stored_teacher
from distillab.study.teacher_models import TeacherModel


def read_teachers(sources: Sequence[Any], dataset: Dataset, options: ModelOptions) -> list[TeacherModel]:
    """Read the teachers that a user names.

    Args:
        sources: as in `opened_teachers`, or what it made of them.
        dataset: the data.
        options: how models are read.

    Raises:
        RequestError: one is missing, cannot be loaded, or does not fit the data.
    """
    return [_teacher(source, dataset, options) for source in opened_teachers(sources, options)]


def _teacher(opened: Opened, dataset: Dataset, options: ModelOptions) -> TeacherModel:
    if opened.model is not None:
        return keras_teacher(opened.model, opened.name, dataset, options)
    if opened.foreign is not None:
        return foreign_teacher(opened.foreign, dataset, options)
    if opened.is_predictions:
        stored = stored_teacher(opened.source, dataset)
        named = opened.source.suffix != ".npy"
        return TeacherModel(stored.name, stored.digest, stored.predict, top_k=stored.top_k, named_classes=named)
    return _built(opened, dataset, options)


def _built(opened: Opened, dataset: Dataset, options: ModelOptions) -> TeacherModel:
    """What a user's function builds."""
    built = built_by_function(opened.source, dataset.model_shape, dataset.outputs)
    if isinstance(built, keras.Model):
        return keras_teacher(built, opened.name, dataset, options)
    foreign = foreign_object(built)
    if foreign is None:
        raise RequestError(
            f"{opened.name} returns a {type(built).__name__}, and must return a model: of Keras, PyTorch, "
            "scikit-learn, XGBoost or LightGBM, or a function of inputs."
        )
    return foreign_teacher(foreign, dataset, options)
