"""The view: a finding in words and rows, made once for text, pages, Markdown and notebooks."""

from distillab.report.view.setting import SettingView
from distillab.report.view.study import StudyView, finding_json, study_view
from distillab.report.view.table import KeyFigure, Table

__all__ = ["KeyFigure", "SettingView", "StudyView", "Table", "finding_json", "study_view"]
