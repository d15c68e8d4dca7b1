"""A request is checked once, and refused in one line."""

from __future__ import annotations

import math

import pytest

from distillab.errors import RequestError
from distillab.losses import DISTILLATION_LOSSES
from distillab.search.request import LOSSES, request, seconds


@pytest.mark.parametrize(
    ("given", "message"),
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
        ({"loss": "teacher_free"}, "must be one of 'kl'"),
        ({"metric": "acuracy"}, "Did you mean 'accuracy'"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"search": "random"}, "must be one of 'grid', 'optuna'"),
        ({"budget": -1}, "budget=-1"),
        ({"shift": -1}, "shift=-1"),
    ],
)
def test_what_is_out_of_range_is_refused(given: dict[str, object], message: str):
    with pytest.raises(RequestError, match=message):
        request(**given)


def test_every_loss_it_allows_uses_a_teacher():
    assert set(LOSSES) == set(DISTILLATION_LOSSES) - {"teacher_free"}


@pytest.mark.parametrize("text", ["15", "m", "0s", "-3m", "1 day"])
def test_a_time_without_a_unit_is_refused(text: str):
    with pytest.raises(RequestError, match="such as 15m"):
        seconds(text)
