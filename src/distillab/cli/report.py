"""`distillab report`: figures and a page."""

from __future__ import annotations

from pathlib import Path

import click

COMPARISON = "comparison.html"


@click.command(short_help="Write report.html, answer.json and the figures of a study; or compare studies.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help=f"File of the page; for one study, only the page.  [default: DIR/report.html; for several, {COMPARISON}]",
)
def report(folders: tuple[Path, ...], out: Path | None) -> None:
    """Write DIR/report.html and DIR/figures, accuracy_vs_alpha.png first of all, and print their paths.

    Several folders are compared on one page. A folder of 'distillab distill' has a page, too.

    \b
    Examples:
      distillab report runs/demo
      distillab report runs/demo runs/noise --out comparison.html
    """
    for path in _write(folders, out):
        click.echo(path)


def _write(folders: tuple[Path, ...], out: Path | None) -> tuple[Path, ...]:
    from distillab.study.folder import Folder

    opened = [Folder(folder) for folder in folders]
    if len(folders) > 1:
        from distillab.report.comparison import write_comparison

        return write_comparison(opened, out or Path(COMPARISON))
    if opened[0].is_search():
        from distillab.report.distillation import write_distillation_report
        from distillab.report.results import read_finding

        return write_distillation_report(opened[0], read_finding(opened[0]), out)
    from distillab.report.write import write_report

    return write_report(opened[0], out)
