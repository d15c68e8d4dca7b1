"""Models from a user's own Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from distillab.errors import RequestError
from distillab.models.functions import model_from_function

MODULE = """
import keras
def tiny(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(classes)])
def fixed():
    return tiny((4,), 3)
def broken(input_shape, classes):
    raise KeyError("width")
def words(input_shape, classes):
    return "no model"
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MODULE)
    return tmp_path / "mine.py"


def test_a_function_is_called_with_shape_and_classes_or_nothing(module: Path):
    assert model_from_function(f"{module}:tiny", (8, 8, 1), 5).output_shape == (None, 5)
    assert model_from_function(f"{module}:fixed", (4,), 3).input_shape == (None, 4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tinny", "no function .*Did you mean 'tiny'"),
        ("broken", "KeyError: 'width'"),
        ("words", "returns a str, and must return a keras.Model"),
    ],
)
def test_a_function_that_gives_no_model_is_refused(module: Path, name: str, message: str):
    with pytest.raises(RequestError, match=message):
        model_from_function(f"{module}:{name}", (4,), 3)


def test_a_module_that_is_not_there_or_fails_is_refused(tmp_path: Path):
    with pytest.raises(RequestError, match="There is no file"):
        model_from_function(f"{tmp_path}/none.py:tiny", (4,), 3)
    with pytest.raises(RequestError, match="cannot be imported: ModuleNotFoundError"):
        model_from_function("no_such_module_here:tiny", (4,), 3)
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(RequestError, match="ZeroDivisionError"):
        model_from_function(f"{tmp_path}/bad.py:tiny", (4,), 3)
