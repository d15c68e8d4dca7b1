"""`distillab answer`: the research question, answered from a study's folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click


@click.command(short_help="Answer the research question from a finished or half-finished study.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@click.option("--metric", metavar="NAME", help="Ask by another metric, such as f1_macro.  [default: the study's]")
def answer(folder: Path, form: str, metric: str | None) -> None:
    """Say what the study in DIR has found: the verdict, the best alpha and what it gains, the optimal range.

    \b
    Example:
      distillab answer runs/demo
      distillab answer runs/demo --metric f1_macro
    """
    # Read when NumPy is imported. The products here are small: where others are at work on the same cores, as a study
    # that still runs, a second thread costs many times what it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from distillab.analysis import answer as find_answer
    from distillab.analysis import asked_by, in_words, needed_metrics
    from distillab.study.folder import Folder

    place = Folder(folder)
    spec, store = place.read()
    with store:
        wanted = needed_metrics(spec) if metric is None else None
        trials, teachers = store.trials(metrics=wanted, epochs=False), store.teachers()
        classes, answers = store.classes(), store.validation_predictions()
    if metric is not None:
        spec = asked_by(spec, metric, trials)
    found = find_answer(spec, trials, teachers, classes=classes, answers=answers)
    if form == "json":
        click.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False, allow_nan=False))
        return
    click.echo(in_words(found))
    figure = place.figures / "accuracy_vs_alpha.png"
    if figure.is_file() and metric is None:
        click.echo(f"\nFigure: {figure}")
