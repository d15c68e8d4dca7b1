"""`distillab answer`: the finding of a study or a distillation."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from distillab.errors import RequestError


@click.command(short_help="Print what a study or a distillation has found.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Output format.")
@click.option("--metric", metavar="NAME", help="Compare by another metric, such as f1_macro.  [default: the study's]")
def answer(folder: Path, form: str, metric: str | None) -> None:
    """Print the finding in DIR: the verdict, the best alpha and its gain, the optimal range.

    \b
    Example:
      distillab answer runs/demo
      distillab answer runs/demo --metric f1_macro
    """
    # Read when NumPy is imported. The matrix products here are small: while other processes use the same cores, such as
    # a running study, a second thread costs many times the time it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from distillab.study.folder import Folder

    if Folder(folder).is_search():
        from distillab.report.results import read_finding
        from distillab.report.text import distillation_text
        from distillab.report.view.distillation import distillation_view

        if metric is not None:
            raise RequestError("--metric is for studies; a distillation is compared by several. Leave it out.")
        finding = read_finding(Folder(folder))
        click.echo(
            json.dumps(finding, indent=2, ensure_ascii=False)
            if form == "json"
            else distillation_text(distillation_view(finding))
        )
        return
    from distillab.api.study import Study

    study = Study.load(folder)
    if form == "json":
        click.echo(json.dumps(study.json(metric), indent=2, ensure_ascii=False, allow_nan=False))
        return
    click.echo(study.text(metric))
    figure = study.folder.figures / "accuracy_vs_alpha.png"
    if figure.is_file() and metric is None:
        click.echo(f"\nFigure: {figure}")
