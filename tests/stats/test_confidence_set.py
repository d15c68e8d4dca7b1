"""The model confidence set: a hand number, an independent version, symmetries, ties, coverage by simulation."""

import itertools

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.stats import model_confidence_set, one_sample_t, sign_flip


def rng():
    return np.random.default_rng(51)


def table(seeds=10, candidates=5, step=0.001):
    draw = np.random.default_rng(52)
    shared = draw.normal(0.97, 0.004, size=(seeds, 1))
    return shared + draw.normal(0, 0.002, size=(seeds, candidates)) - step * np.arange(candidates)


def by_definition(scores):
    """T_R over sign patterns, written with loops and SciPy's t statistic, for a few seeds and candidates."""
    left, p, running = list(range(scores.shape[1])), {}, 0.0

    def t(i, j, signs):
        return float(one_sample_t(signs * (scores[:, j] - scores[:, i])).statistic)

    while len(left) > 1:
        pairs = list(itertools.permutations(left, 2))
        seen = {pair: t(*pair, 1.0) for pair in pairs}
        largest = max(seen.values())
        null = [
            max(t(*pair, np.array(signs)) for pair in pairs) for signs in itertools.product([1, -1], repeat=len(scores))
        ]
        running = max(running, np.mean([value >= largest * (1 - 1e-9) for value in null]))
        out = max(seen, key=seen.get)[0]
        p[out] = running
        left.remove(out)
    p[left[0]] = 1.0
    return [p[i] for i in range(scores.shape[1])]


def test_two_candidates_worked_by_hand():
    # Six differences 1 to 6, all on one side: 2 patterns of 64 reach the observed |t|.
    scores = np.column_stack([np.arange(1.0, 7.0), np.zeros(6)])
    result = model_confidence_set(scores, rng=rng())
    assert result.p.tolist() == [1.0, 2 / 64]
    assert result.included.tolist() == [True, False]
    assert (result.order, result.n, result.method) == ((1, 0), 6, "MCS, T_R, sign flip, exact")


def test_two_candidates_are_a_sign_flip_test():
    scores = table(candidates=2)
    result = model_confidence_set(scores, rng=rng())
    assert result.p.min() == sign_flip(scores[:, 0] - scores[:, 1], rng=rng()).p


def test_the_set_agrees_with_the_definition_in_loops():
    scores = table(seeds=6, candidates=4)
    assert model_confidence_set(scores, rng=rng()).p == pytest.approx(by_definition(scores), rel=1e-12)


def test_the_bootstrap_of_two_candidates_has_the_p_its_definition_gives():
    # Differences -1, 2, 2, 2, 2: mean 1.4. The bootstrap mean is -1 + 3 S / 5, S binomial(5, 0.8); its standard
    # deviation cancels from the comparison |mean* - 1.4| >= 1.4, that is mean* <= 0 or >= 2.8: S <= 1, chance 0.2^5 +
    # 5 0.8 0.2^4 = 0.00672.
    scores = np.column_stack([[-1.0, 2, 2, 2, 2], np.zeros(5)])
    result = model_confidence_set(scores, rng=rng(), resampling="bootstrap", resamples=20_000)
    # Four standard errors of a share of 20,000.
    assert result.p.min() == pytest.approx(0.00672, abs=4 * np.sqrt(0.00672 / 20_000))
    assert result.method == "MCS, T_R, bootstrap, 20000 resamples"


RESAMPLINGS = pytest.mark.parametrize(("resampling", "seeds"), [("sign flip", 8), ("sign flip", 14), ("bootstrap", 8)])


@RESAMPLINGS
class TestSymmetries:
    def set_of(self, scores, resampling):
        return model_confidence_set(scores, rng=rng(), resampling=resampling, resamples=500)

    def test_permuting_the_candidates_permutes_the_set(self, resampling, seeds):
        scores, order = table(seeds), np.array([3, 0, 4, 1, 2])
        result, mixed = self.set_of(scores, resampling), self.set_of(scores[:, order], resampling)
        assert mixed.p == pytest.approx(result.p[order], abs=1e-12)
        assert [int(order[i]) for i in mixed.order] == list(result.order)

    def test_permuting_the_seeds_changes_nothing(self, resampling, seeds):
        scores = table(seeds)
        mixed = self.set_of(np.random.default_rng(53).permutation(scores), resampling)
        assert mixed.p == pytest.approx(self.set_of(scores, resampling).p, abs=1e-12)

    def test_a_harder_test_set_for_all_changes_nothing(self, resampling, seeds):
        scores = table(seeds)
        shifted = scores - 0.1 - 0.01 * np.arange(seeds)[:, None]
        assert self.set_of(shifted, resampling).p == pytest.approx(self.set_of(scores, resampling).p, abs=1e-12)

    def test_identical_candidates_share_their_fate(self, resampling, seeds):
        scores = table(seeds)
        doubled = self.set_of(np.column_stack([scores, scores]), resampling)
        assert (doubled.p[:5] == doubled.p[5:]).all()
        assert doubled.p[:5] == pytest.approx(self.set_of(scores, resampling).p, abs=1e-12)

    def test_the_best_mean_always_stays(self, resampling, seeds):
        for seed in range(20):
            scores = np.random.default_rng(seed).normal(size=(seeds, 4)) * [0.01, 1, 3, 0.1] + [1, 0, 1.5, 0.9]
            result = self.set_of(scores, resampling)
            best = int(scores.mean(axis=0).argmax())
            assert result.included[best]
            assert result.p[best] == 1.0
            assert result.order[-1] == best

    def test_all_alike_all_stay(self, resampling, seeds):
        result = self.set_of(np.full((seeds, 3), 0.9), resampling)
        assert result.included.all()
        assert result.p.tolist() == [1.0, 1.0, 1.0]

    def test_a_gap_that_never_varies_is_seen(self, resampling, seeds):
        result = self.set_of(np.tile([0.9, 0.8, 0.9], (seeds, 1)), resampling)
        assert result.included.tolist() == [True, False, True]


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_below_six_seeds_nothing_is_eliminated(seeds):
    scores = np.tile([0.99, 0.1], (seeds, 1))
    assert model_confidence_set(scores, rng=rng()).included.all()


def test_an_unknown_resampling_is_refused():
    with pytest.raises(RequestError, match="resampling='jackknife' is not allowed"):
        model_confidence_set(table(), rng=rng(), resampling="jackknife")


@pytest.mark.parametrize("best", [[0], [0, 1, 2, 3]])
def test_the_set_holds_all_the_best_in_95_of_100_studies(best):
    # The bound was fixed before the run: 95 % less four standard errors of a share of 400.
    studies, seeds, candidates = 400, 8, 4
    draw = np.random.default_rng(54)
    worse = np.where(np.isin(np.arange(candidates), best), 0.0, 0.001)
    held = 0
    for _ in range(studies):
        scores = draw.normal(0, 0.004, (seeds, 1)) + draw.normal(0, 0.002, (seeds, candidates)) - worse
        held += bool(model_confidence_set(scores, rng=draw).included[best].all())
    assert held >= studies * 0.95 - 4 * np.sqrt(studies * 0.95 * 0.05)
