"""Storing predictions: in half the size, batch by batch, or the top k; damage is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.predictions import Predictions, as_logits
from distillab.models.storing import store_predictions
from distillab.models.top_k import dense_rows, top_k_rows
from distillab.tasks import TASKS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Z = RNG.normal(scale=3, size=(40, 9)).astype(np.float32)
P = np.exp(Z) / np.exp(Z).sum(-1, keepdims=True)


def stored(path: Path, *arrays: object, **options: object) -> Predictions:
    store_predictions(path, *arrays, **options)  # type: ignore[arg-type]
    return Predictions.read(path)


def test_float16_halves_the_file_and_keeps_three_digits(tmp_path: Path):
    half, full = stored(tmp_path / "h.npy", X, Z, dtype="float16"), stored(tmp_path / "f.npy", X, Z)
    np.testing.assert_allclose(half.of(X), Z, rtol=2**-11, atol=2**-11)  # float16 has 11 bits
    np.testing.assert_array_equal(full.of(X), Z)
    sizes = [(tmp_path / name).stat().st_size - 128 for name in ("h.npy", "f.npy")]
    assert sizes == [2 * Z.size, 4 * Z.size]
    assert half.of(X).dtype == np.float32


def test_probabilities_of_float16_are_read_as_probabilities(tmp_path: Path):
    half = stored(tmp_path / "h.npy", X, P, dtype="float16")
    np.testing.assert_allclose(np.exp(half.of(X)), P, rtol=2e-3, atol=1e-6)


def test_a_number_beyond_float16_is_refused(tmp_path: Path):
    with pytest.raises(RequestError, match="too large for float16, above 65504"):
        store_predictions(tmp_path / "h.npy", X, Z * 1e6, dtype="float16")
    with pytest.raises(RequestError, match="dtype='float64' is not allowed"):
        store_predictions(tmp_path / "h.npy", X, Z, dtype="float64")


def test_files_are_mapped_and_only_the_rows_in_use_are_read(tmp_path: Path):
    predictions = stored(tmp_path / "p.npy", X, P)
    assert isinstance(predictions.stored, np.memmap)
    np.testing.assert_array_equal(predictions.of(X[[7, 3]]), as_logits(P)[[7, 3]])
    assert all(isinstance(part, np.memmap) for part in stored(tmp_path / "k.npy", X, P, top_k=2).stored)


@pytest.mark.parametrize("options", [{}, {"dtype": "float16"}, {"top_k": 4}], ids=str)
def test_batches_are_stored_as_all_at_once(tmp_path: Path, options: dict[str, object]):
    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, 40, 16):
            yield X[start : start + 16], P[start : start + 16]

    store_predictions(tmp_path / "b.npy", batches(), **options)  # type: ignore[arg-type]
    store_predictions(tmp_path / "w.npy", X, P, **options)  # type: ignore[arg-type]
    for file in tmp_path.glob("w.*"):
        assert file.read_bytes() == file.with_name(file.name.replace("w.", "b.", 1)).read_bytes()


def test_a_batch_that_fails_leaves_the_old_files(tmp_path: Path):
    store_predictions(tmp_path / "p.npy", X, P)
    before = (tmp_path / "p.npy").read_bytes()
    with pytest.raises(RequestError, match="shape of a batch"):
        store_predictions(tmp_path / "p.npy", [(X, Z), (X, Z[:, :4])])
    with pytest.raises(RequestError, match="There are no predictions to store"):
        store_predictions(tmp_path / "p.npy", [])
    assert (tmp_path / "p.npy").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["p.npy", "p.rows.npy"]


def test_the_top_k_of_stored_predictions_is_that_of_the_logits(tmp_path: Path):
    predictions = stored(tmp_path / "k.npy", X, P, top_k=4)
    order = RNG.permutation(40)
    expected = dense_rows(top_k_rows(as_logits(P), 4), 9)
    np.testing.assert_allclose(predictions.of(X[order]), expected[order], rtol=2**-11, atol=1e-6)
    assert predictions.shape == (40, 9)
    assert predictions.top_k_of(X[:5]).values.dtype == np.float16
    assert np.load(tmp_path / "k.classes.npy").dtype == np.uint16


def test_probabilities_and_logits_have_the_same_top_k(tmp_path: Path):
    of_logits, of_probabilities = stored(tmp_path / "z.npy", X, Z, top_k=3), stored(tmp_path / "p.npy", X, P, top_k=3)
    np.testing.assert_allclose(of_logits.of(X), of_probabilities.of(X), rtol=2**-10, atol=1e-5)


def test_the_top_k_of_maps_is_stored(tmp_path: Path):
    images, maps = RNG.integers(0, 256, (5, 4, 4), dtype=np.uint8), RNG.normal(size=(5, 4, 4, 6)).astype(np.float32)
    predictions = stored(tmp_path / "m.npy", images, maps, top_k=2)
    assert predictions.of(images).shape == (5, 4, 4, 6)
    np.testing.assert_array_equal(predictions.of(images).argmax(-1), maps.argmax(-1))


def test_more_than_65536_classes_have_larger_numbers(tmp_path: Path):
    store_predictions(tmp_path / "k.npy", X[:1], np.eye(1, 70_000, 69_999) * 9, top_k=1)
    assert np.load(tmp_path / "k.classes.npy").tolist() == [[69_999]]


@pytest.mark.parametrize("top_k", [0, 9, True, -1])
def test_a_top_k_is_less_than_the_classes(tmp_path: Path, top_k: int):
    with pytest.raises(RequestError, match="it must be from 1 to 8, less than the number of classes"):
        store_predictions(tmp_path / "k.npy", X, Z, top_k=top_k)


def test_batches_of_logits_and_probabilities_do_not_mix(tmp_path: Path):
    with pytest.raises(RequestError, match="some batches are probabilities and others logits"):
        store_predictions(tmp_path / "k.npy", [(X, P), (X, Z)], top_k=2)


def test_all_predictions_replace_a_top_k(tmp_path: Path):
    store_predictions(tmp_path / "p.npy", X, P, top_k=2)
    assert len(list(tmp_path.iterdir())) == 5
    np.testing.assert_array_equal(stored(tmp_path / "p.npy", X, Z).of(X), Z)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_top_k_is_of_one_of_several_classes(tmp_path: Path):
    store_predictions(tmp_path / "p.npy", X, P, top_k=2)
    with pytest.raises(RequestError, match="holds the top classes of a teacher, and the task is multilabel"):
        Predictions.read(tmp_path / "p.npy", TASKS["multilabel"])


def test_the_digest_follows_contents_and_not_their_order(tmp_path: Path):
    for options in ({}, {"top_k": 3}):
        whole = stored(tmp_path / "a.npy", X, P, **options)
        assert stored(tmp_path / "b.npy", X[::-1], P[::-1], **options).digest() == whole.digest()
        changed = P[:, ::-1]
        assert stored(tmp_path / "c.npy", X, changed, **options).digest() != whole.digest()


def _saved(part: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        file = path.with_suffix(part)
        array = change(np.load(file).copy())
        file.unlink()
        np.save(file, array)

    return damage


def _at(row: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[row] = value
        return array

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.with_suffix(".rest.npy").unlink(), r"and k.rest.npy is missing"),
        (lambda path: path.with_suffix(".classes.npy").unlink(), r"and k.classes.npy is missing"),
        (lambda path: path.with_suffix(".top_k.json").unlink(), r"and k.top_k.json is missing"),
        (lambda path: path.with_suffix(".rows.npy").unlink(), r"needs k.rows.npy next to it"),
        (lambda path: path.with_suffix(".rest.npy").write_bytes(b"no array"), "k.rest.npy cannot be read"),
        (lambda path: path.with_suffix(".classes.npy").write_bytes(b""), "k.classes.npy cannot be read"),
        (lambda path: path.with_suffix(".top_k.json").write_text("{}"), "does not hold the number of classes"),
        (lambda path: path.with_suffix(".top_k.json").write_text('{"classes": 2}'), "stores 3 classes .* there are 2"),
        (lambda path: path.with_suffix(".top_k.json").write_text('{"classes": 5}'), "a class number is out of range"),
        (_saved(".classes.npy", _at(7, 5)), "a class is repeated in row 7"),
        (_saved(".rest.npy", _at(4, np.nan)), "the remaining mass is not finite in row 4"),
        (_saved(".rest.npy", _at(6, 0.1)), "the probabilities sum to more than 1 in row 6"),
        (_saved(".rest.npy", lambda rest: rest[:-1]), r"expected \(N, k\), \(N, k\) and \(N,\)"),
        (_saved(".npy", _at(2, np.inf)), "a log-probability is not finite in row 2"),
        (_saved(".classes.npy", lambda classes: classes.astype(np.float32)), "are not log-probabilities and class"),
        (_saved(".rows.npy", lambda keys: keys[1:]), "do not belong together"),
    ],
)
def test_damage_of_a_top_k_is_named(tmp_path: Path, damage: Callable[[Path], None], message: str):
    store_predictions(tmp_path / "k.npy", X, P, top_k=3)
    assert json.loads((tmp_path / "k.top_k.json").read_text()) == {"classes": 9}
    damage(tmp_path / "k.npy")
    with pytest.raises(RequestError, match=message):
        Predictions.read(tmp_path / "k.npy")
