"""Statistics over seeds: intervals, paired tests, many comparisons, the best set, equivalence, power and the verdict.

Arrays in, small named tuples out; randomness comes in as a `numpy.random.Generator`. docs/statistics.md says what each
number licenses. Every function raises `RequestError` for arguments of another shape or outside their stated range, and
for values that are not finite.
"""

from distillab.stats.comparisons import Comparison, compare_to
from distillab.stats.confidence_set import ConfidenceSet, Resampling, model_confidence_set
from distillab.stats.crossed import (
    DIFFERENCES,
    SHARES,
    CrossedMean,
    crossed_bootstrap,
    crossed_interval,
    crossed_mean,
    crossed_test,
)
from distillab.stats.crossed_verdict import CrossedVerdict, crossed_verdict
from distillab.stats.equivalence import Equivalence, tost
from distillab.stats.intervals import (
    FEW_SEEDS,
    Interval,
    bootstrap_interval,
    intervals_over_seeds,
    t_interval,
    t_intervals,
)
from distillab.stats.multiple import holm
from distillab.stats.paired import PairedTest, paired_t, paired_ts, sign_flip, sign_flips
from distillab.stats.planning import SEED_CAP, Decision, SeedPlan, seeds_to_decide
from distillab.stats.power import one_sided_power, paired_power, tost_power
from distillab.stats.replication import Replication, ReplicationVerdict, replication
from distillab.stats.same_examples import SameExamples, mcnemar, paired_bootstrap
from distillab.stats.t_test import TTest, one_sample_t
from distillab.stats.verdict import AlphaEvidence, Verdict, VerdictKind, verdict
from distillab.stats.wrong_labels import WrongLabels, calibrated_brier, smoothed, vote_prior, wrong_labels

__all__ = [
    "DIFFERENCES",
    "FEW_SEEDS",
    "SEED_CAP",
    "SHARES",
    "AlphaEvidence",
    "Comparison",
    "ConfidenceSet",
    "CrossedMean",
    "CrossedVerdict",
    "Decision",
    "Equivalence",
    "Interval",
    "PairedTest",
    "Replication",
    "ReplicationVerdict",
    "Resampling",
    "SameExamples",
    "SeedPlan",
    "TTest",
    "Verdict",
    "VerdictKind",
    "WrongLabels",
    "bootstrap_interval",
    "calibrated_brier",
    "compare_to",
    "crossed_bootstrap",
    "crossed_interval",
    "crossed_mean",
    "crossed_test",
    "crossed_verdict",
    "holm",
    "intervals_over_seeds",
    "mcnemar",
    "model_confidence_set",
    "one_sample_t",
    "one_sided_power",
    "paired_bootstrap",
    "paired_power",
    "paired_t",
    "paired_ts",
    "replication",
    "seeds_to_decide",
    "sign_flip",
    "sign_flips",
    "smoothed",
    "t_interval",
    "t_intervals",
    "tost",
    "tost_power",
    "verdict",
    "vote_prior",
    "wrong_labels",
]
