"""Optuna's search: its own sampler and storage, and a baseline with the same budget."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.search.test_grid import Landscape

from distillab.errors import RequestError
from distillab.search import optuna as module
from distillab.search.optuna import optuna_search
from distillab.search.space import Space

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def test_it_asks_as_often_for_the_baseline_and_stores_every_answer(tmp_path: Path):
    optuna = pytest.importorskip("optuna", reason="the extra `optuna` is not installed")
    landscape = Landscape()
    space = Space.of(None, None, None)
    result = optuna_search(space, landscape, trials=20, storage=tmp_path / "optuna.db")
    assert sum(candidate.distilled for candidate in landscape.first) == 20
    assert len(landscape.first) == 40
    study = optuna.load_study(study_name="distilled", storage=f"sqlite:///{tmp_path}/optuna.db")
    assert study.best_value == pytest.approx(Landscape.score(result.distilled))
    assert set(study.best_params) == {"alpha", "temperature", "learning_rate"}
    again = optuna_search(space, landscape, trials=20, storage=tmp_path / "optuna.db")
    assert len(landscape.first) == 40  # all were there already
    assert again.distilled == result.distilled


def test_what_is_given_is_not_asked_for():
    pytest.importorskip("optuna", reason="the extra `optuna` is not installed")
    landscape = Landscape()
    optuna_search(Space.of(0.5, 3.0, 0.01), landscape, trials=4)
    assert {(candidate.alpha, candidate.temperature) for candidate in landscape.first if candidate.distilled} == {
        (0.5, 3.0)
    }
    assert {candidate.learning_rate for candidate in landscape.first} == {0.01}


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"distillab\[optuna\]"):
        optuna_search(Space.of(None, None, None), Landscape(), trials=4)


def test_losses_and_architectures_are_chosen_and_the_baseline_has_the_same_architecture():
    pytest.importorskip("optuna", reason="the extra `optuna` is not installed")
    landscape = Landscape()
    space = Space.of(0.5, 3.0, 0.01)._replace(losses=("kl", "dist"), students=3)
    result = optuna_search(space, landscape, trials=24)
    distilled = {(candidate.loss, candidate.student) for candidate in landscape.first if candidate.distilled}
    assert {loss for loss, _ in distilled} == {"kl", "dist"}
    assert {student for _, student in distilled} == {0, 1, 2}
    assert {candidate.student for candidate in landscape.first if not candidate.distilled} == {result.distilled.student}


def test_proposals_without_time_are_failed_and_the_search_ends():
    optuna = pytest.importorskip("optuna", reason="the extra `optuna` is not installed")
    landscape = Landscape(limit=10)
    result = optuna_search(Space.of(None, 3.0, None), landscape, trials=20)
    assert len(landscape.first) == 10
    assert result.distilled in landscape.first
    del optuna
