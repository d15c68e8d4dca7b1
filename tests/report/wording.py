"""A finding in words, for tests."""

from __future__ import annotations

from distillab.analysis import Finding
from distillab.report.text import study_text
from distillab.report.view import study_view


def words(finding: Finding) -> str:
    """The whole text of a finding, as a terminal shows it."""
    return study_text(study_view(finding))
