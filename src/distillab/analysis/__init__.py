"""Analysis: from the rows of a study's store to what can be said, in numbers and in words.

Pure: nothing is read and nothing is written here, and neither Keras nor JAX is needed.
"""

from distillab.analysis.answer import Finding, answer, asked_by, needed_metrics
from distillab.analysis.curves import AlphaCurve, Divergence, Learning, alpha_curves
from distillab.analysis.finding import Choice, Gain, Row, SettingResult, find
from distillab.analysis.text import in_words, three_sentences

__all__ = [
    "AlphaCurve",
    "Choice",
    "Divergence",
    "Finding",
    "Gain",
    "Learning",
    "Row",
    "SettingResult",
    "alpha_curves",
    "answer",
    "asked_by",
    "find",
    "in_words",
    "needed_metrics",
    "three_sentences",
]
