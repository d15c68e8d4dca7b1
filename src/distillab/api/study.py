"""A study in Python: run, read, answered, reported and exported, as the commands do."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import distillab.report.formatting as fmt
from distillab.analysis import analyse, needed_metrics, with_metric
from distillab.analysis.curves import AlphaCurve, alpha_curves
from distillab.analysis.finding import Finding
from distillab.backend import need_jax
from distillab.errors import unknown
from distillab.report.rendering import render_html
from distillab.report.results import Results, finding_of, read_results
from distillab.report.table import epoch_columns, student_columns, to_frame, write_table
from distillab.report.text import short_text, study_text
from distillab.report.view import finding_json, study_view
from distillab.study.folder import Folder
from distillab.study.spec import Spec, load_spec, read_spec
from distillab.study.storage.records import TrialResult

if TYPE_CHECKING:
    import pandas

    from distillab.study.progress import Progress
    from distillab.study.run import RunOptions, Summary
    from distillab.tracking import TrackerName


class Study:
    """A study's folder. Notebooks display its results and key figure.

    Args:
        folder: made by `distillab run`; finished or not.

    Raises:
        RequestError: the folder holds no study.

    Example:
        >>> study = Study.load("runs/demo")  # doctest: +SKIP
        >>> print(study.text())  # doctest: +SKIP
        >>> study.to_pandas().groupby("alpha")["test_accuracy"].mean()  # doctest: +SKIP
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Folder(Path(folder))
        self.spec, store = self.folder.read()
        store.close()

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Study:
        """Read a study.

        Args:
            folder: made by `distillab run`.

        Raises:
            RequestError: the folder holds no study.
        """
        return cls(folder)

    @classmethod
    def run(
        cls,
        study: Spec | Mapping[str, Any] | str | os.PathLike[str],
        out: str | os.PathLike[str],
        options: RunOptions | None = None,
        *,
        progress: Progress | None = None,
        logs: Sequence[TrackerName] = (),
    ) -> tuple[Study, Summary]:
        """Run a study, or what is missing of it.

        Args:
            study: a checked study, its keys and values, or the name of a preset or a YAML file.
            out: its folder.
            options: devices, memory, executor.
            progress: is notified of everything.
            logs: "tensorboard", "mlflow": also log students and figures for these tools.

        Returns:
            The study, and what was trained.

        Raises:
            RequestError: the study does not fit; nothing has been written.
            WorkError: the work failed; what was recorded stays.

        Example:
            >>> study, summary = Study.run({"dataset": "digits", "alpha": [0, 0.5, 1]}, "runs/mine")  # doctest: +SKIP
        """
        need_jax("A study")
        from distillab.report.write import figures_as_png
        from distillab.study.run import run_study
        from distillab.tracking import open_tracker

        if isinstance(study, str | os.PathLike):
            study = load_spec(study)
        spec = study if isinstance(study, Spec) else read_spec(study)
        trackers = [open_tracker(name, Path(out)) for name in dict.fromkeys(logs)]

        def log(results: Sequence[TrialResult]) -> None:
            for tracker in trackers:
                tracker.trials(results)

        summary = run_study(spec, Path(out), options, progress=progress, on_results=log)
        done = cls(out)
        for tracker in trackers:
            tracker.trials(done.results.trials)  # those that an earlier run recorded without a log
            tracker.finish(figures_as_png(done.results))
        return done, summary

    @cached_property
    def results(self) -> Results:
        """Everything that the folder holds, read once."""
        return read_results(self.folder)

    @property
    def question(self) -> str:
        """The study's question."""
        return self.spec.objective.question

    @cached_property
    def curves(self) -> tuple[AlphaCurve, ...]:
        """The students of each setting over alpha."""
        return alpha_curves(self.spec, self.results.trials, self.results.teachers)

    def answer(self, metric: str | None = None) -> Finding:
        """What the study shows, as plain data; only what this needs is read.

        Args:
            metric: compare by another metric than the study's, such as "f1_macro".

        Raises:
            RequestError: an unknown metric, or one that was not recorded.
        """
        if "results" in self.__dict__ and metric is None:
            return finding_of(self.results, self.curves)
        spec, store = self.folder.read()
        with store:
            trials = store.trials(metrics=needed_metrics(spec) if metric is None else None, epochs=False)
            teachers, classes = store.teachers(), store.classes()
            validation, correct = store.validation(), store.test_correct()
        if metric is not None:
            spec = with_metric(spec, metric, trials)
        return analyse(spec, trials, teachers, classes=classes, validation=validation, correct=correct)

    def text(self, metric: str | None = None) -> str:
        """The answer as text, as `distillab answer` prints it.

        Args:
            metric: as in `answer`.
        """
        return study_text(study_view(self.answer(metric)))

    def summary(self) -> str:
        """The answer at its shortest, as `distillab run` prints it: three sentences for each setting."""
        return short_text(study_view(self.answer()))

    def json(self, metric: str | None = None) -> dict[str, Any]:
        """The content of `answer.json`.

        Args:
            metric: as in `answer`.
        """
        return finding_json(self.answer(metric))

    def report(self, out: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
        """Write figures, `answer.json` and page into the folder, or the page alone elsewhere.

        Args:
            out: the page's file instead.

        Returns:
            The files.

        Raises:
            WorkError: a file cannot be written.
        """
        from distillab.report.write import write_report

        return write_report(self.folder, None if out is None else Path(out))

    def export(self, to: str | os.PathLike[str], *, epochs: bool = False) -> Path:
        """Write the students as a table.

        Args:
            to: NAME.csv or NAME.parquet.
            epochs: a row for each epoch instead of each student.

        Returns:
            The file.

        Raises:
            RequestError: another ending, or a library is missing.
            WorkError: the file cannot be written.
        """
        return write_table(self.folder.path, Path(to), epochs=epochs)

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the study's figures."""
        from distillab.report.figures import figure_names

        return figure_names(self.answer())

    @cached_property
    def _charts(self) -> dict[str, Any]:
        from distillab.report.figures import study_charts

        return study_charts(self.curves, self.answer())

    def figure(self, name: str = "accuracy_vs_alpha") -> Any:
        """One of the figures that `distillab report` writes.

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
        finding = self.answer()
        recorded = f"{finding.students - finding.missing:,} of {fmt.counted(finding.students, 'student')}"
        return f"<Study {self.question!r}: {fmt.counted(len(finding.settings), 'setting')}, {recorded}>"

    def _repr_html_(self) -> str:
        from distillab.report.charts.render import render

        picture = base64.b64encode(render(self.figure(), "png")).decode()
        return render_html("notebook.html.j2", view=study_view(self.answer()), picture=picture)
