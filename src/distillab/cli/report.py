"""`distillab report`: figures and a page."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Write report.html, answer.json and the figures of a study.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def report(folder: Path) -> None:
    """Write DIR/report.html and DIR/figures, accuracy_vs_alpha.png first of all, and print their paths.

    \b
    Example:
      distillab report runs/demo
    """
    from distillab.distillation.page import is_distillation, write_distillation_report

    if is_distillation(folder):
        for path in write_distillation_report(folder):
            click.echo(path)
        return
    from distillab.report import write_report
    from distillab.study.folder import Folder

    for path in write_report(Folder(folder)):
        click.echo(path)
