"""A finished or half-finished study in Python: its finding, its figures, its tables."""

from __future__ import annotations

import base64
import io
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import distillab.report.formatting as fmt
from distillab.analysis.curves import AlphaCurve, alpha_curves
from distillab.analysis.finding import Finding
from distillab.errors import unknown
from distillab.report.drawings import drawings
from distillab.report.figures import house_style
from distillab.report.rendering import render_html
from distillab.report.results import Results, finding_of, read_results
from distillab.report.table import epoch_columns, student_columns, to_frame
from distillab.report.text import study_text
from distillab.report.view import study_view
from distillab.study.folder import Folder

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

DPI = 96
"""Of the figure in a notebook; the files of `distillab report` have 200."""


class Study:
    """A study's folder, read once. Notebooks display its results and key figure.

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
            folder: made by `distillab run`.

        Raises:
            RequestError: the folder holds no study.
        """
        return cls(read_results(Folder(Path(folder))))

    @property
    def question(self) -> str:
        """The study's question."""
        return self.spec.objective.question

    @cached_property
    def curves(self) -> tuple[AlphaCurve, ...]:
        """The students of each setting over alpha."""
        return alpha_curves(self.spec, self.results.trials, self.results.teachers)

    @cached_property
    def answer(self) -> Finding:
        """What the study shows, as plain data."""
        return finding_of(self.results, self.curves)

    def text(self) -> str:
        """The answer as text, as `distillab answer` prints it."""
        return study_text(study_view(self.answer))

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the study's figures."""
        return tuple(drawings(self.curves, self.answer))

    def figure(self, name: str = "accuracy_vs_alpha") -> Figure:
        """Draw one of the figures that `distillab report` writes.

        Args:
            name: one of `figures`.

        Returns:
            A matplotlib figure, which notebooks display.

        Raises:
            RequestError: the study has no figure of that name.
        """
        known = drawings(self.curves, self.answer)
        if name not in known:
            raise unknown("figure", name, known)
        with house_style():
            return known[name]()

    def to_pandas(self) -> pandas.DataFrame:
        """One row for each student.

        Returns:
            Columns `id`, `seed`, `alpha`, a column for every other axis (as in `noise.rate`), `state`, `diverged_epoch`
            (from 1), `teacher`, and every metric by its part of the data, such as `test_accuracy`; NaN where there is
            none.

        Raises:
            RequestError: pandas is not installed.
        """
        return to_frame(student_columns(self.spec, self.results.trials))

    def epochs_to_pandas(self) -> pandas.DataFrame:
        """One row for each student and epoch.

        Returns:
            Columns `id`, `seed`, `alpha`, a column for every other axis, `epoch` (from 1), `loss`, `label_loss`,
            `distillation_loss` and `validation_accuracy`.

        Raises:
            RequestError: pandas is not installed.
        """
        return to_frame(epoch_columns(self.spec, self.results.trials))

    def __repr__(self) -> str:
        finding = self.answer
        recorded = f"{finding.students - finding.missing:,} of {fmt.counted(finding.students, 'student')}"
        return f"<Study {self.question!r}: {fmt.counted(len(finding.settings), 'setting')}, {recorded}>"

    def _repr_html_(self) -> str:
        return render_html("notebook.html.j2", view=study_view(self.answer), picture=self._picture())

    def _picture(self) -> str:
        """The key figure as PNG, in base 64."""
        buffer = io.BytesIO()
        with house_style():
            self.figure().savefig(buffer, format="png", dpi=DPI, facecolor="white")
        return base64.b64encode(buffer.getvalue()).decode()
