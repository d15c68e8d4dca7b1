"""The examples in the docstrings give what they show."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import distillab.stats

MODULES = [module.name for module in pkgutil.iter_modules(distillab.stats.__path__, "distillab.stats.")]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_hold(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_public_name_says_what_it_is_for():
    for name in distillab.stats.__all__:
        member = getattr(distillab.stats, name)
        if inspect.isclass(member) or inspect.isfunction(member):
            assert member.__doc__, name
