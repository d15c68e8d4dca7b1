"""A finished or half-finished study in a notebook: its answer, its figures, its rows."""

from __future__ import annotations

import base64
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distillab.analysis import AlphaCurve, Finding, alpha_curves, answer
from distillab.analysis.numerals import counted
from distillab.analysis.sentences import sentences
from distillab.errors import unknown
from distillab.report.charts.render import render
from distillab.report.figures import figure_names, study_charts
from distillab.report.frames import epochs_frame, students_frame
from distillab.report.page import OVERVIEW, overview_row
from distillab.report.results import Results, read_results
from distillab.study.folder import Folder

if TYPE_CHECKING:
    import pandas


class Study:
    """A study's folder, read once.

    Args:
        results: what the folder holds; see `Study.load`.

    Example:
        >>> study = Study.load("runs/demo")  # doctest: +SKIP
        >>> study.to_pandas().groupby("alpha")["test_accuracy"].mean()  # doctest: +SKIP
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self.spec = results.spec

    @classmethod
    def load(cls, folder: str | Path) -> Study:
        """Read a study.

        Args:
            folder: as `distillab run` made it.

        Raises:
            RequestError: the folder holds no study.
        """
        return cls(read_results(Folder(Path(folder))))

    @property
    def question(self) -> str:
        """What the study asks."""
        return self.spec.objective.question

    @cached_property
    def curves(self) -> tuple[AlphaCurve, ...]:
        """The students of each setting over alpha."""
        return alpha_curves(self.spec, self.results.trials, self.results.teachers)

    @cached_property
    def answer(self) -> Finding:
        """What the study says."""
        return answer(
            self.spec,
            self.results.trials,
            self.results.teachers,
            classes=self.results.classes,
            answers=self.results.answers,
            curves=self.curves,
        )

    @property
    def figures(self) -> tuple[str, ...]:
        """The names that `figure` knows."""
        return figure_names(self.answer)

    @cached_property
    def _charts(self) -> dict[str, Any]:
        return study_charts(self.curves, self.answer)

    def figure(self, name: str = "accuracy_vs_alpha") -> Any:
        """A figure, the one that `distillab report` writes.

        Args:
            name: one of `figures`.

        Returns:
            An Altair chart, which notebooks display.

        Raises:
            RequestError: the study has no figure of that name.
        """
        if name not in self.figures:
            raise unknown("figure", name, self.figures)
        return self._charts[name]

    def to_pandas(self) -> pandas.DataFrame:
        """The students, a row each.

        Returns:
            Columns `id`, `seed`, `alpha`, a column for every other axis (as in `noise.rate`), `state`, `diverged_epoch`
            (from 1), `teacher`, and every metric by its part of the data, such as `test_accuracy`; NaN where there is
            none.

        Raises:
            RequestError: pandas is not installed.
        """
        return students_frame(self.spec, self.results.trials)

    def epochs_to_pandas(self) -> pandas.DataFrame:
        """The students' epochs, a row each.

        Returns:
            Columns `id`, `seed`, `alpha`, a column for every other axis, `epoch` (from 1), `loss`, `hard`, `soft` and
            `validation_accuracy`.

        Raises:
            RequestError: pandas is not installed.
        """
        return epochs_frame(self.spec, self.results.trials)

    def __repr__(self) -> str:
        found = self.answer
        there = f"{found.students - found.missing:,} of {counted(found.students, 'student')}"
        return f"<Study {self.question!r}: {counted(len(found.findings), 'setting')}, {there}>"

    def _repr_html_(self) -> str:
        found = self.answer
        head = "".join(f'<th style="text-align:left">{escape(name)}</th>' for name in OVERVIEW)
        rows = "".join(
            "<tr>"
            + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in overview_row(found, one))
            + "</tr>"
            for one in found.findings
        )
        alone = found.findings[0] if len(found.findings) == 1 else None
        told = "".join(f"<p>{escape(sentence)}</p>" for sentence in (sentences(found, alone) if alone else ()))
        missing = (
            f"<p>{found.missing:,} of {counted(found.students, 'student')} are missing.</p>" if found.missing else ""
        )
        return (
            f"<div><p><strong>{escape(found.question)}</strong></p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table>{told}{missing}{self._picture()}</div>"
        )

    def _picture(self) -> str:
        data = base64.b64encode(render(self.figure(), "png")).decode()
        shown = f"The students' test {self.answer.measure.label} against alpha"
        return f'<img alt="{escape(shown)}" style="background:#fff;max-width:100%" src="data:image/png;base64,{data}">'
