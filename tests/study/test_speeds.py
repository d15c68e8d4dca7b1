"""What runs measure is kept from one to the next, and a file that is none is as good as no file."""

from __future__ import annotations

from pathlib import Path

import pytest

from distillab.study.speeds import Speeds


def test_what_is_learned_is_there_the_next_time_without_what_was_compiled(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "speeds.json"
    Speeds(path).learn({"a": [(90.0, 10), (5.0, 5), (9.0, 3), (8.0, 4)], "b": [(2.0, 1)], "c": []})
    found = Speeds(path)
    assert (found.of("a"), found.of("b"), found.of("c")) == (
        2.5,
        None,
        None,
    )  # the median of 9, 1, 3 and 2: 90 s are mostly training


def test_newer_measurements_take_the_place_of_older_ones_and_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "speeds.json"
    first, second = Speeds(path), Speeds(path)
    first.learn({"a": [(40.0, 10)], "b": [(40.0, 20)]})
    second.learn({"a": [(40.0, 80)]})
    assert (Speeds(path).of("a"), Speeds(path).of("b")) == (0.5, 2.0)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "fast"}', '{"a": -1}', '{"a": NaN}', '{"a": 1e999}', "\xff"])
def test_a_file_that_holds_something_else_is_no_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "speeds.json"
    path.write_text(text, encoding="latin-1")
    assert Speeds(path).of("a") is None


def test_without_a_file_nothing_is_kept() -> None:
    speeds = Speeds()
    speeds.learn({"a": [(1.0, 1), (2.0, 1)]})
    assert speeds.of("a") == 2.0
    assert Speeds().of("a") is None
