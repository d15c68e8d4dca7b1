"""`distillab answer`: the research question, answered from a study's folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click


@click.command(short_help="Answer the research question from a finished or half-finished study.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Output format.")
@click.option(
    "--metric", metavar="NAME", help="Compare alphas by another metric, such as f1_macro.  [default: the study's]"
)
def answer(folder: Path, form: str, metric: str | None) -> None:
    """Print the result of the study in DIR: the verdict, the best alpha and its gain, the optimal range.

    \b
    Example:
      distillab answer runs/demo
      distillab answer runs/demo --metric f1_macro
    """
    # Read when NumPy is imported. The matrix products here are small: while other processes use the same cores, such as
    # a running study, a second thread costs many times the time it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from distillab.analysis import analyse, needed_metrics, with_metric
    from distillab.report.text import study_text
    from distillab.report.view import finding_json, study_view
    from distillab.study.folder import Folder

    place = Folder(folder)
    spec, store = place.read()
    with store:
        wanted = needed_metrics(spec) if metric is None else None
        trials, teachers = store.trials(metrics=wanted, epochs=False), store.teachers()
        classes, predictions = store.classes(), store.validation_predictions()
    if metric is not None:
        spec = with_metric(spec, metric, trials)
    finding = analyse(spec, trials, teachers, classes=classes, predictions=predictions)
    if form == "json":
        click.echo(json.dumps(finding_json(finding), indent=2, ensure_ascii=False, allow_nan=False))
        return
    click.echo(study_text(study_view(finding)))
    figure = place.figures / "accuracy_vs_alpha.png"
    if figure.is_file() and metric is None:
        click.echo(f"\nFigure: {figure}")
