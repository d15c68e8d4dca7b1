"""Power and planning: published numbers, statsmodels, quadrature of another kind, simulation."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from statsmodels.stats.power import TTestPower

from distillab.errors import RequestError
from distillab.stats import SEED_CAP, one_sample_t, one_sided_power, paired_power, seeds_to_decide, tost_power


def test_a_medium_effect_needs_34_pairs():
    # The textbook figure for d = 0.5, two-sided 0.05, power 0.8 (G*Power's one-sample t: 34, actual power 0.808).
    assert paired_power(0.5, 1.0, 33) < 0.8 <= paired_power(0.5, 1.0, 34)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 40])
@pytest.mark.parametrize("effect", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("significance", [0.05, 0.05 / 9])
def test_paired_power_agrees_with_statsmodels(n, effect, significance):
    theirs = TTestPower().power(effect, n, significance, alternative="two-sided")
    # Two series for the noncentral t.
    assert float(paired_power(effect, 1.0, n, significance)) == pytest.approx(theirs, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("effect", [-0.3, 0.2, 0.9])
def test_one_sided_power_agrees_with_statsmodels(effect):
    theirs = TTestPower().power(effect, 12, 0.05, alternative="larger")
    assert float(one_sided_power(effect, 1.0, 12)) == pytest.approx(theirs, rel=1e-6)


def test_without_an_effect_the_power_is_the_significance():
    assert float(paired_power(0.0, 1.0, 7, 0.03)) == pytest.approx(0.03, rel=1e-9)
    assert float(one_sided_power(0.0, 1.0, 7, 0.03)) == pytest.approx(0.03, rel=1e-9)


def test_power_knows_no_sign_and_no_unit():
    assert paired_power(-0.5, 1.0, 20) == paired_power(0.5, 1.0, 20)
    assert float(paired_power(0.005, 0.01, 20)) == pytest.approx(float(paired_power(0.5, 1.0, 20)), rel=1e-12)


def test_power_grows_with_the_seeds_to_one():
    n = np.arange(2, 400)
    power = paired_power(0.5, 1.0, n)
    assert (np.diff(power) >= -1e-12).all()
    assert power[-1] == pytest.approx(1.0)


def test_an_effect_beyond_all_bounds_is_found_for_certain():
    assert paired_power(1e6, 1.0, [2, 10, 500]) == pytest.approx([1.0, 1.0, 1.0], abs=1e-3)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 40, 200])
@pytest.mark.parametrize("effect", [0.0, 0.4])
def test_tost_power_agrees_with_adaptive_quadrature(n, effect):
    margin, df, root = 0.8, n - 1, np.sqrt(n)
    critical = scipy.stats.t.ppf(0.95, df)

    def joint(s):
        room = margin - critical * s / root
        inside = scipy.stats.norm.cdf((room - effect) * root) - scipy.stats.norm.cdf((-room - effect) * root)
        return inside * scipy.stats.chi.pdf(s * np.sqrt(df), df) * np.sqrt(df)

    end = margin * root / critical
    theirs = scipy.integrate.quad(joint, 0, end, points=[min(1.0, end / 2)], epsabs=1e-11, limit=400)[0]
    # 128 nodes on an analytic integrand; the tails left out are below 1e-10.
    assert float(tost_power(effect, 1.0, n, margin=margin)) == pytest.approx(theirs, abs=1e-8)


def test_tost_power_is_symmetric_and_small_on_the_margin():
    assert tost_power(0.3, 1.0, 30, margin=1.0) == tost_power(-0.3, 1.0, 30, margin=1.0)
    # On the margin itself the test is at its level; the other side costs nothing at 400 seeds.
    assert float(tost_power(1.0, 1.0, 400, margin=1.0)) == pytest.approx(0.05, abs=1e-6)


def test_without_spread_the_sign_test_decides():
    # 2^(1-n) <= 0.05 from n = 6, 2^-n from n = 5.
    assert paired_power(0.01, 0.0, [5, 6]).tolist() == [0.0, 1.0]
    assert one_sided_power(0.01, 0.0, [4, 5]).tolist() == [0.0, 1.0]
    assert tost_power(0.0, 0.0, [4, 5], margin=0.001).tolist() == [0.0, 1.0]
    assert paired_power(0.0, 0.0, 50) == 0.0


def test_one_seed_has_no_power():
    assert paired_power(1.0, 1.0, 1) == one_sided_power(1.0, 1.0, 1) == tost_power(0.0, 1.0, 1, margin=9.0) == 0.0


@pytest.mark.parametrize("n", [5, 12])
def test_simulated_studies_reject_as_often_as_stated(n):
    studies = 4000
    sample = np.random.default_rng(41).normal(0.7, 1.0, size=(n, studies))
    for share, stated in [
        (np.mean(one_sample_t(sample).p <= 0.05), paired_power(0.7, 1.0, n)),
        (np.mean(one_sample_t(sample).p_greater <= 0.05), one_sided_power(0.7, 1.0, n)),
        (
            np.mean(
                np.maximum(one_sample_t(sample, null=-2.0).p_greater, one_sample_t(sample, null=2.0).p_less) <= 0.05
            ),
            tost_power(0.7, 1.0, n, margin=2.0),
        ),
    ]:
        # Four standard errors of a share of 4000.
        assert share == pytest.approx(float(stated), abs=4 * np.sqrt(float(stated) * (1 - float(stated)) / studies))


def test_one_promising_alpha_needs_34_seeds():
    assert seeds_to_decide([0.005], [0.01], margin=0.001)[:2] == (34, "supported")


def test_more_comparisons_need_more_seeds():
    assert seeds_to_decide([0.005, -0.005], [0.01, 0.01], margin=0.001).seeds > 34


@pytest.mark.parametrize(
    ("means", "sds", "towards"),
    [
        ([0.004, 0.0], [0.004, 0.004], "supported"),
        ([0.0001, -0.0001], [0.001, 0.001], "practically equivalent"),
        ([-0.004, -0.003], [0.005, 0.004], "contradicted"),
    ],
)
def test_the_number_named_is_the_smallest_that_reaches_the_power(means, sds, towards):
    plan = seeds_to_decide(means, sds, margin=0.001)
    assert plan.towards == towards

    def reached(n):
        if towards == "supported":
            return paired_power(means, sds, n, 0.025).max() >= 0.8
        if towards == "practically equivalent":
            return tost_power(means, sds, n, margin=0.001).min() >= 0.9
        return one_sided_power(0.001 - np.array(means), sds, n).min() >= 0.9

    assert reached(plan.seeds)
    assert not reached(plan.seeds - 1)


def test_the_order_of_the_comparisons_changes_nothing():
    means, sds = np.array([0.003, -0.002, 0.0005]), np.array([0.004, 0.006, 0.002])
    assert seeds_to_decide(means, sds, margin=0.001) == seeds_to_decide(means[::-1], sds[::-1], margin=0.001)


def test_beyond_the_cap_no_number_is_named():
    # A gain that is the margin itself, buried in noise: neither equivalence nor its absence is ever shown.
    plan = seeds_to_decide([0.001], [0.5], margin=0.001)
    assert (plan.seeds, plan.towards, plan.cap) == (None, None, SEED_CAP)


def test_a_negative_spread_is_refused():
    with pytest.raises(RequestError, match=r"sd=-1\.0 is not allowed: it must be a finite number >= 0"):
        paired_power(0.5, -1.0, 10)


def scanned_power(effect: float, sd: float, n: int, significance: float) -> float:
    """The two-sided power by trapezoids over s / sd, independent of any noncentral t."""
    df = n - 1
    critical, centre = scipy.stats.t.ppf(1 - significance / 2, df), abs(effect) * np.sqrt(n) / sd
    ratio = np.linspace(0, 1 + 12 / np.sqrt(2 * df), 40001)
    density = scipy.stats.chi.pdf(ratio * np.sqrt(df), df) * np.sqrt(df)
    rejects = scipy.stats.norm.cdf(centre - critical * ratio) + scipy.stats.norm.cdf(-centre - critical * ratio)
    return float(np.trapezoid(density * rejects, ratio))


def test_the_power_is_a_number_for_every_size_of_effect():
    # SciPy's noncentral t is nan at scattered noncentralities of 35 to 60, where the power is 1.
    effects = np.concatenate([np.linspace(0.01, 60, 2500), np.logspace(2, 9, 60)])
    for n in (2, 3, 5, 25, 100):
        for power in (
            paired_power(effects, 1.0, n),
            one_sided_power(effects, 1.0, n),
            tost_power(0.0, 1 / effects, n, margin=1),
        ):
            assert np.isfinite(power).all()
            assert (np.diff(power) >= -1e-12).all()
    assert paired_power(1e9, 1.0, 5) == one_sided_power(1e9, 1.0, 5) == tost_power(0.0, 1e-9, 5, margin=1.0) == 1.0


def test_the_number_of_seeds_equals_that_of_a_plain_scan():
    rng = np.random.default_rng(8)
    for effect, sd in zip(rng.uniform(0.2, 3, 12), np.exp(rng.uniform(-4, 1, 12)), strict=True):
        plan = seeds_to_decide([effect], [sd], margin=effect / 2, power=0.8, cap=200)
        scanned = next((n for n in range(2, 201) if scanned_power(effect, sd, n, 0.05) >= 0.8), None)
        assert (plan.seeds, plan.towards) == (scanned, "supported" if scanned else None)


@pytest.mark.parametrize("significance", [1e-6, 0.05])
@pytest.mark.parametrize("n", [2, 4, 30])
def test_the_power_holds_where_the_critical_value_is_large(n, significance):
    critical = scipy.stats.t.ppf(1 - significance / 2, n - 1)
    effect = critical / np.sqrt(n)
    # 40,001 trapezoids resolve a step of width 1 / critical as long as that is several of theirs.
    if critical < 1000:
        expected = scanned_power(effect, 1.0, n, significance)
        assert float(paired_power(effect, 1.0, n, significance)) == pytest.approx(expected, abs=1e-7)
    else:
        # Far out the test compares s / sd with nc / critical = 1 alone.
        expected = scipy.stats.chi2.cdf(n - 1, n - 1)
        assert float(paired_power(effect, 1.0, n, significance)) == pytest.approx(expected, abs=1e-3)
