"""Which models scale their inputs themselves."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers

from distillab.models.scaling import reads_raw


@pytest.mark.parametrize(
    ("inner", "raw"),
    [
        ([layers.Rescaling(1 / 255), layers.Dense(2)], True),
        ([layers.Normalization(mean=0.0, variance=1.0), layers.Dense(2)], True),
        ([layers.Dropout(0.1), layers.Rescaling(1 / 255), layers.Dense(2)], True),
        ([keras.Sequential([keras.Input((4,)), layers.Rescaling(1 / 255)]), layers.Dense(2)], True),
        ([layers.Dense(2)], False),
        ([layers.Dense(1), layers.Rescaling(77.0, 150.0)], False),  # real outputs in the labels' unit
        ([keras.Sequential([keras.Input((4,)), layers.Dense(1)]), layers.Rescaling(77.0, 150.0)], False),
    ],
)
def test_only_a_scaling_before_the_first_weights_scales_inputs(inner: list[Any], raw: bool) -> None:
    assert reads_raw(keras.Sequential([keras.Input((4,)), *inner])) is raw
