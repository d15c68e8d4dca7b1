"""The report: figures (data first, then drawn) and one self-contained page.

matplotlib is imported when something is drawn, not before.
"""

from distillab.report.accuracy_vs_alpha import accuracy_vs_alpha_data, draw_accuracy_vs_alpha
from distillab.report.figures import accuracy_figure, learning_figure, render
from distillab.report.learning_curves import draw_learning_curves, learning_curves_data
from distillab.report.page import study_page
from distillab.report.write import write_report

__all__ = [
    "accuracy_figure",
    "accuracy_vs_alpha_data",
    "draw_accuracy_vs_alpha",
    "draw_learning_curves",
    "learning_curves_data",
    "learning_figure",
    "render",
    "study_page",
    "write_report",
]
