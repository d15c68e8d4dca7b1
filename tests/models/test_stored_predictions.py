"""Stored predictions are used exactly when they are the ones that were written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from distillab.errors import WorkError
from distillab.models.predictions import stored_predictions

SHAPE = (6, 3)


class Computation:
    """A stand-in for a teacher that counts how often it is asked."""

    def __init__(self, logits: np.ndarray | None = None) -> None:
        self.logits = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32) if logits is None else logits
        self.calls = 0

    def __call__(self) -> np.ndarray:
        self.calls += 1
        return self.logits


def test_a_second_call_reads_what_the_first_one_stored(tmp_path: Path) -> None:
    compute = Computation()
    first = stored_predictions(tmp_path / "logits", "d", SHAPE, compute)
    second = stored_predictions(tmp_path / "logits", "d", SHAPE, compute)
    assert compute.calls == 1
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_array_equal(first, compute.logits)
    np.testing.assert_array_equal(second, first)


def test_another_digest_is_computed_anew(tmp_path: Path) -> None:
    compute = Computation()
    for digest in ("d", "e", "d", "e"):
        stored_predictions(tmp_path, digest, SHAPE, compute)
    assert compute.calls == 2
    assert {path.name for path in tmp_path.iterdir()} == {"d.npy", "d.json", "e.npy", "e.json"}


@pytest.mark.parametrize("missing", ["d.npy", "d.json"])
def test_half_of_a_stored_prediction_is_none_and_is_computed_anew(tmp_path: Path, missing: str) -> None:
    """As after a crash between the two files."""
    compute = Computation()
    stored_predictions(tmp_path, "d", SHAPE, compute)
    (tmp_path / missing).unlink()
    stored_predictions(tmp_path, "d", SHAPE, compute)
    assert compute.calls == 2
    stored_predictions(tmp_path, "d", SHAPE, compute)
    assert compute.calls == 2


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def other_numbers(path: Path) -> None:
    np.save(path, np.zeros(SHAPE, np.float32))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def pickled(path: Path) -> None:
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def read_as_whole_numbers(path: Path) -> None:
    np.save(path, np.load(path).view(np.int32))


@pytest.mark.parametrize("damage", [flip_a_bit, other_numbers, cut_short, emptied, pickled, read_as_whole_numbers])
def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path, damage) -> None:
    compute = Computation()
    stored_predictions(tmp_path, "d", SHAPE, compute)
    damage(tmp_path / "d.npy")
    with pytest.raises(WorkError, match=r"d\.npy is not the file that was written .*Delete it"):
        stored_predictions(tmp_path, "d", SHAPE, compute)
    (tmp_path / "d.npy").unlink()
    np.testing.assert_array_equal(stored_predictions(tmp_path, "d", SHAPE, compute), compute.logits)


@pytest.mark.parametrize("seal", ["", "not json", "{}", "[]", "null", json.dumps({"array_sha256": "0" * 64})])
def test_a_damaged_seal_is_refused(tmp_path: Path, seal: str) -> None:
    stored_predictions(tmp_path, "d", SHAPE, Computation())
    (tmp_path / "d.json").write_text(seal)
    with pytest.raises(WorkError, match="is not the file that was written"):
        stored_predictions(tmp_path, "d", SHAPE, Computation())


def test_logits_of_another_shape_are_refused(tmp_path: Path) -> None:
    stored_predictions(tmp_path, "d", SHAPE, Computation())
    with pytest.raises(WorkError, match=r"shape \(6, 3\), expected \(6, 4\)"):
        stored_predictions(tmp_path, "d", (6, 4), Computation())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_teacher_that_diverged_is_refused_and_nothing_is_stored(tmp_path: Path, bad: float) -> None:
    logits = np.zeros(SHAPE, np.float32)
    logits[4, 1] = bad
    with pytest.raises(WorkError, match="not finite, first at training example 4"):
        stored_predictions(tmp_path, "d", SHAPE, Computation(logits))
    assert not list(tmp_path.iterdir())
