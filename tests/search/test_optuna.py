"""Optuna's search: its own sampler and storage, and a baseline asked as often."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.search.test_grid import Landscape

from distillab.errors import RequestError
from distillab.search import optuna as optuna_search
from distillab.search.optuna import ask_optuna
from distillab.search.space import Space

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def test_it_asks_as_often_for_the_baseline_and_stores_every_answer(tmp_path: Path):
    optuna = pytest.importorskip("optuna", reason="the extra `optuna` is not installed")
    landscape = Landscape()
    space = Space.of(None, None, None)
    found = ask_optuna(space, landscape, epochs=4, trials=20, storage=tmp_path / "optuna.db")
    assert sum(one.taught for one, _ in landscape.asked) == 20
    assert len(landscape.asked) == 40
    study = optuna.load_study(study_name="with a teacher", storage=f"sqlite:///{tmp_path}/optuna.db")
    assert study.best_value == pytest.approx(Landscape.score(found.taught))
    assert set(study.best_params) == {"alpha", "temperature", "learning_rate"}
    again = ask_optuna(space, landscape, epochs=4, trials=20, storage=tmp_path / "optuna.db")
    assert len(landscape.asked) == 40  # all were there already
    assert again.taught == found.taught


def test_what_is_given_is_not_asked_for():
    pytest.importorskip("optuna", reason="the extra `optuna` is not installed")
    landscape = Landscape()
    ask_optuna(Space.of(0.5, 3.0, 0.01), landscape, epochs=4, trials=4)
    assert {(one.alpha, one.temperature) for one, _ in landscape.asked if one.taught} == {(0.5, 3.0)}
    assert {one.learning_rate for one, _ in landscape.asked} == {0.01}


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(optuna_search.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"distillab\[optuna\]"):
        ask_optuna(Space.of(None, None, None), Landscape(), epochs=4, trials=4)


def test_losses_and_architectures_are_chosen_and_the_baseline_has_the_same_architecture():
    pytest.importorskip("optuna", reason="the extra `optuna` is not installed")
    landscape = Landscape()
    space = Space.of(0.5, 3.0, 0.01)._replace(losses=("kl", "dist"), students=3)
    found = ask_optuna(space, landscape, epochs=4, trials=24)
    taught = {(one.loss, one.student) for one, _ in landscape.asked if one.taught}
    assert {loss for loss, _ in taught} == {"kl", "dist"}
    assert {student for _, student in taught} == {0, 1, 2}
    assert {one.student for one, _ in landscape.asked if not one.taught} == {found.taught.student}
