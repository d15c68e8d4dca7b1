"""Inputs prepared for models of other frameworks: each step against NumPy, and the layouts that fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.preparation import IMAGENET, Preparation, parse_normalisation, possible_layouts

COLOUR = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3)).astype(np.uint8)
GREY = COLOUR[..., :1]


def test_scale_then_normalisation_then_layout() -> None:
    made = Preparation(1 / 255, IMAGENET, layout="nchw")(COLOUR)
    expected = np.empty((5, 3, 4, 6))
    for channel, (mean, spread) in enumerate(zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)):
        expected[:, channel] = (COLOUR[..., channel] / 255 - mean) / spread
    assert made.dtype == np.float32
    assert made.flags["C_CONTIGUOUS"]
    np.testing.assert_allclose(made, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("layout", "shape", "order"),
    [("nhwc", (5, 4, 6, 1), "row"), ("nchw", (5, 1, 4, 6), "row"), ("nhw", (5, 4, 6), "row"), ("flat", (5, 24), "row")],
)
def test_grey_images_in_each_layout(layout: Any, shape: tuple[int, ...], order: str) -> None:
    made = Preparation(1.0, layout=layout)(GREY)
    assert made.shape == shape
    np.testing.assert_array_equal(made.ravel(), GREY.ravel())  # of one channel, all have the same order


def test_a_flat_colour_image_has_its_channels_last() -> None:
    np.testing.assert_array_equal(
        Preparation(1.0, layout="flat")(COLOUR)[0, :4], [*COLOUR[0, 0, 0], COLOUR[0, 0, 1, 0]]
    )


def test_grey_is_repeated_before_it_is_normalised_for_each_channel() -> None:
    made = Preparation(1.0, ((0.0, 1.0, 2.0), (1.0, 2.0, 4.0)), channels=3)(GREY)
    grey = GREY[..., 0].astype(float)
    np.testing.assert_allclose(made, np.stack([grey, (grey - 1) / 2, (grey - 2) / 4], -1))


def test_whole_numbers_are_rounded_not_cut() -> None:
    made = Preparation(1.0, dtype="uint8")(np.array([[0.49, 0.51, 254.6]]))
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, [[0, 1, 255]])
    assert Preparation(1.0, dtype="float64")(np.array([[0.1]])).dtype == np.float64
    np.testing.assert_array_equal(Preparation(255.0, dtype="int64")(np.array([[0.2]], np.float32)), [[51]])


def test_the_same_size_is_left_as_it_is_and_another_is_interpolated() -> None:
    np.testing.assert_array_equal(Preparation(1.0, size=(4, 6))(COLOUR), COLOUR)
    ramp = np.arange(4, dtype=np.float32).reshape(1, 1, 4, 1).repeat(2, 1)
    made = Preparation(1.0, size=(2, 8))(ramp)
    # half-pixel centres: output k lies at (k + 0.5) / 2 - 0.5, and the edges are repeated
    np.testing.assert_allclose(made[0, 0, :, 0], np.clip((np.arange(8) + 0.5) / 2 - 0.5, 0, 3), atol=1e-6)


def test_the_data_are_not_changed() -> None:
    x = np.ones((2, 3), np.float32)
    Preparation(1.0, ((0.5,), (0.5,)))(x)
    np.testing.assert_array_equal(x, 1)


def test_it_says_what_it_does() -> None:
    told = Preparation(1 / 255, ((0.5,), (0.25,)), (8, 9), 3, "nchw").described()
    assert told == ("float32, (channels, height, width), resized to 8x9, times 1/255, less 0.5, divided by 0.25")
    assert Preparation(1.0, dtype="uint8").described() == "uint8, as stored"


@pytest.mark.parametrize(
    ("reads", "shape", "first", "expected"),
    [
        (None, (8, 8, 3), False, ["nhwc", "nchw", "flat"]),
        (None, (8, 8, 3), True, ["nchw", "nhwc", "flat"]),
        ((8, 8, 3), (8, 8, 3), True, ["nhwc"]),
        ((3, 8, 8), (8, 8, 3), False, ["nchw"]),
        ((None, None, 3), (8, 8, 3), True, ["nhwc"]),
        ((3, 3, 3), (3, 3, 3), False, ["nhwc", "nchw"]),
        ((3, 3, 3), (3, 3, 3), True, ["nchw", "nhwc"]),
        ((None, None, None), (8, 8, 3), False, ["nhwc", "nchw"]),
        ((8, 8), (8, 8, 1), False, ["nhw"]),
        ((8, 8), (8, 8, 3), False, []),
        ((192,), (8, 8, 3), False, ["flat"]),
        ((None,), (8, 8, 3), False, ["flat"]),
        ((64,), (8, 8, 3), False, []),
        ((3, 9, 9), (8, 8, 3), False, []),
        ((1, 3, 8, 8), (8, 8, 3), False, []),
    ],
)
def test_the_layouts_that_fit_a_stated_shape(reads: Any, shape: Any, first: bool, expected: list[str]) -> None:
    assert possible_layouts(reads, shape, first) == expected


def test_a_normalisation_is_a_name_or_numbers() -> None:
    assert parse_normalisation("imagenet") == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert parse_normalisation("0.5/0.25") == ((0.5,), (0.25,))
    assert parse_normalisation("-1, 0,1e2/1,2 ,3") == ((-1, 0, 100), (1, 2, 3))


@pytest.mark.parametrize(
    "text", ["", "cifar", "0.5", "0.5/0", "0.5/-1", "0.5/nan", "inf/1", "1,2/1", "1/2/3", "1,/1,1", "0.5/inf", "/"]
)
def test_any_other_normalisation_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(
        RequestError, match=r"teacher_normalise=.* must be imagenet, or .* such as 0\.5,0\.5,0\.5/0\.25"
    ):
        parse_normalisation(text)
