"""A few of the cases that `benchmarks/fuzz.py` tries by the thousand; the same ones every time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests import fuzz

LEAST, MOST = 10, 40


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own is read, nor anything written where it lies."""
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("DISTILLAB_DATA", raising=False)


@pytest.mark.parametrize("name", fuzz.KINDS)
def test_random_input_ends_in_success_or_one_line(name: str) -> None:
    kind = fuzz.KINDS[name]
    cases = kind.cases()

    @settings(
        max_examples=min(MOST, max(LEAST, kind.share // 4)),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def one(case: Any) -> None:
        fuzz.check(kind.read, case)

    one()


SOUND = {
    "npz": fuzz.npz,
    "tables": fuzz.table,
    "image archives": fuzz.images,
    "study.db": fuzz.study,
    "models": fuzz.model,
    "predictions": fuzz.predictions,
    "study files": lambda: fuzz.STUDY,
}


@pytest.mark.parametrize("name", SOUND)
def test_what_is_damaged_was_sound(name: str) -> None:
    assert fuzz.check(fuzz.KINDS[name].read, SOUND[name]())


def test_a_fault_a_hang_and_an_error_of_two_lines_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(case: object) -> None:
        raise KeyError(case)

    def endless(case: object) -> None:
        while True:
            pass

    with pytest.raises(KeyError):
        fuzz.check(broken, 1)
    monkeypatch.setattr(fuzz, "SECONDS", 0.05)
    with pytest.raises(AssertionError, match=r"more than 0\.05 s"):
        fuzz.check(endless, 1)
    monkeypatch.setattr("distillab.study.spec.presets", lambda: 1 / 0)
    with pytest.raises(AssertionError, match="bug in distillab"):
        fuzz.give(["studies"])


def test_the_kinds_share_all_cases() -> None:
    assert sum(cases for _, cases in fuzz.shares(10_000)) == 10_000
