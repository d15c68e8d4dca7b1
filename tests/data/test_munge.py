"""Rows between rows and their neighbours: hand-worked values, an independent search, and symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from distillab.data.column_fitting import fitted
from distillab.data.columns import Column
from distillab.data.dataset import Dataset
from distillab.data.munge import munge, nearest_others
from distillab.data.resampling import with_resampled_rows
from distillab.errors import RequestError

NAN = np.nan
WORDS = [False, True, False]


def mixed(rows: int, seed: int = 0) -> np.ndarray:
    """Numbers, words and numbers with gaps."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=rows), rng.integers(0, 4, rows), rng.normal(50, 9, rows)]).astype(np.float32)
    x[rng.random(rows) < 0.2, 1] = NAN
    x[rng.random(rows) < 0.2, 2] = NAN
    return x


def test_every_value_is_the_rows_own_or_the_neighbours_where_nothing_is_drawn():
    # Ranges 10 and 2, the middle of the last column is 2: rows 0 and 1 are 0.1^2 + 1 + 0.5^2 + 1 = 2.26 apart, rows 0
    # and 2 are 1 + 1 + 1 = 3, rows 1 and 2 are 0.9^2 + 1 + 0.5^2 + 1 = 3.06.
    x = np.float32([[0, 0, 1], [1, 1, NAN], [10, 2, 3]])
    neighbour = {0: 1, 1: 0, 2: 0}
    assert nearest_others(x, np.arange(3), words=WORDS).tolist() == [1, 0, 0]
    for seed in range(20):
        made = munge(x, 3, words=WORDS, rng=np.random.default_rng(seed), p=1.0, s=1e12)
        order = np.random.default_rng(seed).permutation(3)
        np.testing.assert_allclose(made, x[[neighbour[row] for row in order]], atol=1e-5)


def test_numbers_lie_around_the_neighbours_with_the_spread_of_their_distance():
    x = np.float32([[0, 5], [4, 5]])
    made = munge(x, 40_000, words=[False, False], rng=np.random.default_rng(1), p=0.5, s=2.0)
    np.testing.assert_array_equal(made[:, 1], 5)  # equal numbers have no spread
    # Half of all are 0 or 4 themselves, half are N(4, 2) or N(0, 2): of each of the four kinds a quarter.
    drawn = made[(made[:, 0] != 0) & (made[:, 0] != 4), 0]
    assert len(drawn) / len(made) == pytest.approx(0.5, abs=0.01)  # three standard errors are 0.0075
    assert drawn.mean() == pytest.approx(2, abs=0.06)  # its standard error is 0.02
    assert drawn.var() == pytest.approx(2**2 + 2**2, abs=0.3)  # of the numbers, and between their means


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_are_those_of_a_plain_search(seed: int):
    x = mixed(60, seed)
    low, high = np.nanmin(x, 0), np.nanmax(x, 0)
    total = np.zeros((60, 60))
    for at, words in enumerate(WORDS):
        for row in range(60):
            for other in range(60):
                a, b = float(x[row, at]), float(x[other, at])
                gaps = int(np.isnan(a)) + int(np.isnan(b))
                if words:
                    total[row, other] += (0 if a == b else 1) if not gaps else 2 - gaps
                else:
                    middle = (float(low[at]) + float(high[at])) / 2
                    a, b = (middle if np.isnan(one) else one for one in (a, b))
                    total[row, other] += ((a - b) / float(high[at] - low[at])) ** 2 + (gaps == 1)
    np.fill_diagonal(total, np.inf)
    found = nearest_others(x, np.arange(60), words=WORDS)
    np.testing.assert_allclose(total[np.arange(60), found], total.min(1), atol=1e-6)


def test_neighbours_of_numbers_are_those_of_scipy_in_any_pieces(monkeypatch: pytest.MonkeyPatch):
    x = np.random.default_rng(0).random((300, 5))
    scaled = x / (x.max(0) - x.min(0))
    distances = cdist(scaled, scaled)
    np.fill_diagonal(distances, np.inf)
    whole = nearest_others(x, np.arange(300), words=[False] * 5)
    np.testing.assert_array_equal(whole, distances.argmin(1))
    monkeypatch.setattr("distillab.data.munge.PAIRS", 1_000)
    np.testing.assert_array_equal(nearest_others(x, np.arange(300), words=[False] * 5), whole)


def test_words_stay_in_their_set_and_numbers_near_the_data():
    x = mixed(200)
    made = munge(x, 5_000, words=WORDS, rng=np.random.default_rng(0))
    assert made.shape == (5_000, 3)
    assert made.dtype == x.dtype
    assert set(made[~np.isnan(made[:, 1]), 1]) <= {0, 1, 2, 3}
    assert 0.1 < np.isnan(made[:, 1]).mean() < 0.3
    assert abs(np.nanmean(made[:, 2]) - np.nanmean(x[:, 2])) < 1


def test_units_and_the_numbering_of_words_change_nothing():
    x = mixed(80)
    other = x.copy()
    other[:, 0] = 1000 * x[:, 0] - 7  # another unit
    other[:, 1] = 3 - x[:, 1]
    made, changed = (munge(one, 300, words=WORDS, rng=np.random.default_rng(5)) for one in (x, other))
    np.testing.assert_allclose(changed[:, 0], 1000 * made[:, 0] - 7, rtol=1e-4, atol=1e-2)
    np.testing.assert_array_equal(changed[:, 1], 3 - made[:, 1])


def test_the_generator_decides_and_rows_are_used_equally_often():
    x = mixed(50)
    first, again = (munge(x, 125, words=WORDS, rng=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    same = munge(x, 125, words=WORDS, rng=np.random.default_rng(3), p=0.0)
    counts = [int((same[:, 0] == value).sum()) for value in x[:, 0]]
    assert sorted(set(counts)) == [2, 3]
    assert len(munge(x, 0, words=WORDS, rng=np.random.default_rng(3))) == 0


def test_bytes_stay_bytes():
    x = np.random.default_rng(0).integers(0, 256, (40, 3)).astype(np.uint8)
    made = munge(x, 500, words=[False] * 3, rng=np.random.default_rng(0))
    assert made.dtype == np.uint8


def test_only_training_rows_make_new_ones():
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 2)).astype(np.float32), np.arange(60) % 2
    x[:, 1] = np.arange(60) // 30  # a word: 0 for the first half, which is for training
    kinds = [Column(name="a", kind="number"), Column(name="b", kind="category", categories=("p", "q"))]
    columns = fitted(kinds, x[:30] + np.float32([[0, 0]]))
    data = Dataset("t", x, y, x, y, ("n", "y"), 1.0, validation=np.arange(30, 60), columns=columns)
    more = with_resampled_rows(data, 400)
    assert len(more.unlabelled) == 400
    assert set(more.unlabelled[:, 1]) == {0.0}
    assert more.digest != data.digest
    assert list(more.example_ids.of("unlabelled"))[:2] == [("resampled/0",), ("resampled/1",)]
    assert more.notes[-1].startswith("400 unlabelled rows were made from the 30 training rows")
    assert with_resampled_rows(data, 0) is data
    np.testing.assert_array_equal(with_resampled_rows(data, 400).unlabelled, more.unlabelled)


def test_images_are_not_resampled():
    x, y = np.zeros((6, 4, 4, 1), np.uint8), np.arange(6) % 2
    with pytest.raises(RequestError, match="resample=5 is for tables of features, and the data are images"):
        with_resampled_rows(Dataset("t", x, y, x, y, ("n", "y"), 1.0), 5)
