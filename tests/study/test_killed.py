"""A study killed at any moment, and started again by the same command, ends as if nothing had happened.

A hundred kills, and where they fell, are in benchmarks/kills.py: minutes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.kills import ANY, TINY, State, campaign, wrong

KILLS = 10


def test_ten_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    lines: list[str] = []
    assert campaign(tmp_path, TINY | {"seeds": 16, "epochs": 4}, KILLS, seed=20150309, tell=lines.append) == []
    assert lines[-1].startswith(f"{KILLS} kills")


def test_whatever_a_kill_could_spoil_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.kills.results", lambda out: {"trials": ["a", "b"]})
    now = State(True, {tmp_path / ".1.study.yaml": 1}, {"a"}, ["Student a has 1 of 2 epochs."])
    sound = State(True, {}, {"a"})
    assert list(wrong(tmp_path, ANY, sound, {"a"}, {})) == []
    assert list(wrong(tmp_path, ANY, sound, {"a", "b"}, {})) == ["1 students that were recorded are gone"]
    assert list(wrong(tmp_path, ANY, now, {"a"}, {})) == ["Student a has 1 of 2 epochs."]
    assert list(wrong(tmp_path, "", sound, {"a"}, {"trials": ["a", "b"]})) == []
    assert list(wrong(tmp_path, "", now, {"a"}, {"trials": ["a"]})) == [
        "Student a has 1 of 2 epochs.",
        "left over: .1.study.yaml",
        "the finished study differs from the undisturbed one",
    ]
