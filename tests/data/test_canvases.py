"""Canvases of several digits: labels that say what is drawn, no overlap, and the same bytes for ever."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.data import canvases, load
from distillab.data.canvases import Layout
from distillab.data.dataset import Dataset
from distillab.data.digits import digits

PINNED = {
    "digits-multilabel": "c21eb6cf3db2e0fae2f6c42a39b821e5132206335b2d8c21e2016edabd8a08e9",
    "digits-segmentation": "dec27c5ec1332bd3a6e739865d6cb9283f06193049d246764e292d37246b9164",
}


@pytest.mark.parametrize("name", PINNED)
def test_the_embedded_canvases_are_the_same_bytes_for_ever(name: str) -> None:
    data = load(name)
    assert data.digest == PINNED[name]
    assert data.x_train.shape == (3_000, 16, 24, 1)
    assert len(data.x_test) == 1_000
    assert (data.x_train.dtype, data.scale) == (np.uint8, 1 / 16)


def test_tags_and_pixels_describe_the_same_canvases() -> None:
    """The tags of a canvas are the classes of its pixels: no digit is so faint that it has no ink."""
    tags, maps = load("digits-multilabel"), load("digits-segmentation")
    np.testing.assert_array_equal(tags.x_train, maps.x_train)
    found = np.stack([(maps.y_train == 1 + k).any(axis=(1, 2)) for k in range(10)], axis=1)
    np.testing.assert_array_equal(tags.y_train, found)
    assert (maps.output_shape, maps.class_names[:2]) == ((16, 24, 11), ("background", "0"))
    np.testing.assert_array_equal(maps.y_train > 0, maps.x_train[..., 0] >= 4)  # a quarter of 16


def numbered(count: int, first: int) -> Dataset:
    """Digits of 2 x 2 pixels that can be told apart: digit k of an image is k + first, twice, and 255 on top."""
    labels = np.arange(count) % 10
    x = np.zeros((count, 2, 2, 1), np.uint8)
    x[:, 0], x[:, 1] = 255, (labels + first)[:, None, None]
    return Dataset("numbered", x, labels, x + np.uint8(100) * (x < 255), labels, tuple("0123456789"), 1 / 255)


def test_digits_do_not_overlap_and_test_canvases_show_test_digits_only() -> None:
    layout = Layout((4, 6), 3, 300, 200, 0)
    source = numbered(10, 1)
    data = canvases.multilabel(source, layout, "small")
    assert (data.name, data.y_train.shape, data.y_test.shape) == ("small", (300, 10), (200, 10))
    for x, y, low in ((data.x_train, data.y_train, 1), (data.x_test, data.y_test, 101)):
        tops = (x == 255).sum(axis=(1, 2, 3))
        bottoms = ((x > 0) & (x < 255)).sum(axis=(1, 2, 3))
        np.testing.assert_array_equal(tops, bottoms)  # a digit over another would hide some of its four pixels
        assert set(tops.tolist()) == {0, 2, 4, 6}
        shown = [set(np.unique(canvas).tolist()) - {0, 255} for canvas in x]
        assert shown == [{low + k for k in np.flatnonzero(row)} for row in y]


def test_canvases_of_mnist_hold_up_to_two_digits(data_dir) -> None:
    data = load("mnist-multilabel", data_dir=data_dir)
    assert data.digest == "ed605336d5121c8b7061864d403289f479759dad2c03d199cff2c94c186f9c37"
    assert (data.x_train.shape, len(data.x_test), data.scale) == ((10_000, 32, 72, 1), 2_000, 1 / 255)
    assert set(data.y_train.sum(axis=1).tolist()) == {0, 1, 2}


def test_the_digits_themselves_are_read_once_each_way() -> None:
    train = {image.tobytes() for image in digits().x_train}
    assert not train & {image.tobytes() for image in digits().x_test}
