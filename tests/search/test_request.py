"""A request is checked once, and refused in one line."""

from __future__ import annotations

import math

import pytest

from distillab.distillation.request import LOSSES, Request, seconds
from distillab.errors import RequestError
from distillab.losses import LOSSES as ALL


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"alpha": 1.2}, "alpha=1.2"),
        ({"alpha": "serch"}, "'search' or 'predicted'"),
        ({"alpha": math.nan}, "alpha=nan"),
        ({"alpha": True}, "alpha=True"),
        ({"temperature": 0}, "temperature=0"),
        ({"learning_rate": math.inf}, "learning_rate=inf"),
        ({"seeds": 1}, "at least 2"),
        ({"epochs": 0}, "at least 1"),
        ({"epochs": 2.5}, "whole number"),
        ({"loss": "teacher_free"}, "Known: "),
        ({"metric": "acuracy"}, "Did you mean 'accuracy'"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"search": "random"}, "Known: grid, optuna"),
        ({"budget": -1}, "budget=-1"),
        ({"shift": -1}, "shift=-1"),
    ],
)
def test_what_is_out_of_range_is_refused(given: dict[str, object], told: str):
    with pytest.raises(RequestError, match=told):
        Request(**given)


def test_every_loss_it_allows_listens_to_a_teacher():
    assert set(LOSSES) == set(ALL) - {"teacher_free"}


@pytest.mark.parametrize("text", ["15", "m", "0s", "-3m", "1 day"])
def test_a_time_without_a_unit_is_refused(text: str):
    with pytest.raises(RequestError, match="such as 15m"):
        seconds(text)
