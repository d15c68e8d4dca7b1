"""The examples in the docstrings of the whole package give what they show."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from importlib.util import find_spec
from types import ModuleType

import pytest

import distillab

ABSENT = () if find_spec("torch") else ("distillab.bench.torch_loop", "distillab.bench.torch_students")
"""Modules that are PyTorch code through and through, where it is not installed."""

MODULES = [
    "distillab",
    *sorted(
        module.name
        for module in pkgutil.walk_packages(distillab.__path__, "distillab.")
        # Importing `__main__` runs the command line.
        if not module.name.endswith("__main__") and module.name not in ABSENT
    ),
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_show(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed == 0


def test_there_are_examples_in_the_rooms_that_promise_them() -> None:
    """A finder that finds nothing would be content with everything."""
    finder = doctest.DocTestFinder()
    with_examples = {
        name for name in MODULES if any(test.examples for test in finder.find(importlib.import_module(name)))
    }
    assert {
        "distillab.losses.divergences",
        "distillab.metrics.classification",
        "distillab.engine.lowering",
        "distillab.study.spec",
    } <= with_examples
    assert len({name for name in with_examples if name.startswith("distillab.stats.")}) > 1
    assert len({name for name in with_examples if name.startswith("distillab.data.")}) > 1


@pytest.mark.parametrize("name", MODULES)
def test_a_module_and_its_public_names_say_what_they_are_for(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, name
    for label, member in vars(module).items():
        own = getattr(member, "__module__", None) == name
        if own and not label.startswith("_") and (inspect.isfunction(member) or inspect.isclass(member)):
            assert member.__doc__, f"{name}.{label}"


def _without_args(module: ModuleType) -> list[str]:
    """Public functions and methods of a module that take arguments and do not document them."""
    members = [(name, member) for name, member in vars(module).items() if not name.startswith("_")]
    members += [
        (f"{name}.{attribute}", getattr(value, "__func__", value))
        for name, member in members
        if inspect.isclass(member) and member.__module__ == module.__name__
        for attribute, value in vars(member).items()
        if not attribute.startswith("_")
    ]
    return [
        f"{module.__name__}.{name}"
        for name, member in members
        if inspect.isfunction(member)
        and not member.__name__.startswith("_")
        and member.__module__ == module.__name__
        and set(inspect.signature(member).parameters) - {"self", "cls"}
        and "Args:" not in (member.__doc__ or "")
    ]


@pytest.mark.parametrize("name", MODULES)
def test_a_public_function_documents_its_arguments(name: str) -> None:
    assert _without_args(importlib.import_module(name)) == []
