"""`distillab answer`: the research question, answered from a study's folder."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(short_help="Answer the research question from a finished or half-finished study.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def answer(folder: Path, form: str) -> None:
    """Say what the study in DIR has found: the verdict, the best alpha and what it gains, the optimal range.

    \b
    Example:
      distillab answer runs/demo
    """
    from distillab.analysis import answer as find_answer
    from distillab.analysis import in_words
    from distillab.study.folder import Folder

    place = Folder(folder)
    spec, store = place.read()
    with store:
        found = find_answer(spec, store.trials(), store.teachers())
    if form == "json":
        click.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False, allow_nan=False))
        return
    click.echo(in_words(found))
    figure = place.figures / "accuracy_vs_alpha.png"
    if figure.is_file():
        click.echo(f"\nFigure: {figure}")
