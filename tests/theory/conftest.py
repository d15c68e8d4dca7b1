"""Problems that the tests of the theory share."""

from __future__ import annotations

import pytest

from distillab.theory.problems import Problem, regression


@pytest.fixture(scope="session")
def problem() -> Problem:
    """An ordinary one: forty examples, seven features, weak directions, a truth that is not quite linear."""
    return regression(examples=40, features=7, seed=3, decay=1.2, alignment=0.5, misfit=0.1)


@pytest.fixture(scope="session")
def linear() -> Problem:
    """One whose truth is linear in its features."""
    return regression(examples=40, features=7, seed=4, decay=1.2, alignment=0.5)
