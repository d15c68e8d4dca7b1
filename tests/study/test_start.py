"""Where a student's weights start, counted and checked."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from distillab.data import Dataset
from distillab.engine.functional import Functional
from distillab.errors import RequestError
from distillab.study.model_options import ModelOptions
from distillab.study.start import Start, start_of
from distillab.study.student_models import student_model

layers = keras.layers


def frozen(*last: keras.layers.Layer) -> keras.Sequential:
    """A student on a frozen layer of 64 x 2 + 2 = 130 numbers."""
    return keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2, trainable=False, name="frozen"), *last], name="s"
    )


def test_kept_and_drawn_weights_are_counted_without_random_generators() -> None:
    functional = Functional(frozen(layers.Dropout(0.5), layers.BatchNormalization(), layers.Dense(10)))
    assert start_of(functional, warm=False) == Start(warm=False, kept=2, numbers=130, drawn=6)


def test_a_student_without_trainable_weights_is_refused(own: Dataset) -> None:
    with pytest.raises(RequestError, match=r"The student s has no trainable weights \(4 weights, all frozen\).*Dense"):
        student_model(frozen(layers.Dense(10, trainable=False)), own, ModelOptions())


def test_frozen_weights_that_are_not_finite_are_refused_and_others_only_with_a_warm_start(own: Dataset) -> None:
    model = frozen(layers.Dense(10, name="last"))
    model.get_layer("last").bias.assign(np.full(10, np.inf))
    assert student_model(model, own, ModelOptions()).start.kept == 2
    with pytest.raises(RequestError, match=r"s starts from \(warm_start\) weights that are not finite: s/last/bias"):
        student_model(model, own, ModelOptions(warm_start=True))
    model.get_layer("frozen").bias.assign([1, np.nan])
    with pytest.raises(RequestError, match=r"The student s keeps weights that are not finite: s/frozen/bias"):
        student_model(model, own, ModelOptions())
