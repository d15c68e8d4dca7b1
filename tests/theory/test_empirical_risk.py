"""The wavering of a training loss: counted out on a population small enough to list."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.theory import alpha_star
from distillab.theory.empirical_risk import Cells, cells, estimation_error, risk_variance

RNG = np.random.default_rng(0)


def population() -> Cells:
    return cells(
        [0.5, 0.3, 0.2], RNG.dirichlet(np.ones(2), 3), RNG.dirichlet(np.ones(2), 3), RNG.standard_normal((3, 2))
    )


def test_every_sample_of_two_examples_counted() -> None:
    people, many = population(), 2
    pairs = list(itertools.product(range(3), range(2)))
    true = people.chances @ np.sum(people.posterior * people.losses, axis=1)
    teacher_losses = np.sum(people.teacher * people.losses, axis=1)
    risk = estimation_error(people, many)
    for alpha in (-0.5, 0.0, 0.4, 1.0):
        error = 0.0
        for sample in itertools.product(pairs, repeat=many):
            chance = np.prod([people.chances[x] * people.posterior[x, y] for x, y in sample])
            loss = np.mean([alpha * people.losses[x, y] + (1 - alpha) * teacher_losses[x] for x, y in sample])
            error += chance * (loss - true) ** 2
        assert float(risk.at(alpha)) == pytest.approx(error, abs=1e-12)


def test_a_bayes_teacher_spares_the_variance_within_inputs() -> None:
    people = population()
    people = people._replace(teacher=people.posterior)
    parts = risk_variance(people)
    risk = estimation_error(people, 50)
    assert parts.bias == pytest.approx(0, abs=1e-15)
    assert alpha_star(risk).free == pytest.approx(0, abs=1e-12)
    assert float(risk.at(1) - risk.at(0)) == pytest.approx(parts.within / 50)


def test_a_biased_teacher_counts_for_nothing_in_the_end() -> None:
    people = population()
    along = [alpha_star(estimation_error(people, n)).free for n in (10, 1000, 10**9)]
    assert (np.diff(along) > 0).all()
    assert along[-1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chances": [0.5, 0.4]}, "sums of chances"),
        ({"posterior": [[0.5, 0.6], [0.5, 0.5]]}, "sums of posterior"),
        ({"teacher": [[0.5, 0.5]]}, "teacher.shape"),
        ({"losses": [[np.inf, 0.0], [0.0, 0.0]]}, "losses"),
    ],
)
def test_what_is_no_population_is_refused(change: dict, message: str) -> None:
    sound = {"chances": [0.5, 0.5], "posterior": np.full((2, 2), 0.5), "teacher": np.full((2, 2), 0.5)}
    with pytest.raises(RequestError, match=message):
        cells(**({**sound, "losses": np.zeros((2, 2))} | change))
