"""A study killed at any moment, and started again by the same command, ends as if nothing had happened.

A hundred kills, and where they fell, are in benchmarks/kills.py: minutes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.kills import TINY, campaign

KILLS = 10


def test_ten_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    assert campaign(tmp_path, TINY, KILLS, seed=20150309, tell=told.append) == []
    assert told[-1].startswith(f"{KILLS} kills")


def test_a_campaign_finds_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would say nothing that it says nothing."""
    monkeypatch.setattr("benchmarks.kills.results", lambda out: {"trials": [out]})
    found = campaign(tmp_path, TINY | {"seeds": 1, "alpha": 0.5}, 0, seed=1, tell=lambda text: None)
    assert found == ["disturbed-0: the finished study differs from the undisturbed one"]
