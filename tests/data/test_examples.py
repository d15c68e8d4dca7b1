"""The examples in the docstrings are run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import distillab.data

MODULES = sorted(module.name for module in pkgutil.iter_modules(distillab.data.__path__))


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_give_what_they_say(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"distillab.data.{module}")).failed == 0
