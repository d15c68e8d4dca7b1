"""Analysis: from a study's trial results to findings, as plain data.

Pure: nothing is read or written here, and nothing is worded; neither Keras nor JAX is needed.
"""

from distillab.analysis.curves import AlphaCurve, Divergence, Learning, alpha_curves
from distillab.analysis.finding import Finding, analyse, needed_metrics, with_metric
from distillab.analysis.setting import AlphaResult, Gain, SettingResult, compare_alphas
from distillab.analysis.trend import AxisTrend

__all__ = [
    "AlphaCurve",
    "AlphaResult",
    "AxisTrend",
    "Divergence",
    "Finding",
    "Gain",
    "Learning",
    "SettingResult",
    "alpha_curves",
    "analyse",
    "compare_alphas",
    "needed_metrics",
    "with_metric",
]
