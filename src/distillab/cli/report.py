"""`distillab report`: figures and a page."""

from __future__ import annotations

from pathlib import Path

import click

from distillab.errors import RequestError

COMPARISON = "comparison.html"


@click.command(short_help="Write report.html, answer.json and the figures of a study; or compare studies.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help=f"The page's file; of one study, the page alone.  [default: DIR/report.html; of several, {COMPARISON}]",
)
def report(folders: tuple[Path, ...], out: Path | None) -> None:
    """Write DIR/report.html and DIR/figures, accuracy_vs_alpha.png first of all, and print their paths.

    Several folders are set side by side on one page. A folder of 'distillab distill' has a page, too.

    \b
    Examples:
      distillab report runs/demo
      distillab report runs/demo runs/noise --out comparison.html
    """
    for path in _write(folders, out):
        click.echo(path)


def _write(folders: tuple[Path, ...], out: Path | None) -> tuple[Path, ...]:
    from distillab.distillation.page import is_distillation, write_distillation_report
    from distillab.report.write import write_report
    from distillab.study.folder import Folder

    if len(folders) > 1:
        from distillab.report.comparison import write_comparison

        distilled = next((folder for folder in folders if is_distillation(folder)), None)
        if distilled is not None:
            raise RequestError(f"{distilled} holds a distillation, and only studies are compared. Name it alone.")
        return write_comparison([Folder(folder) for folder in folders], out or Path(COMPARISON))
    if is_distillation(folders[0]):
        if out is not None:
            raise RequestError("--out is for studies: the page of a distillation lies in its folder. Leave --out out.")
        return write_distillation_report(folders[0])
    return write_report(Folder(folders[0]), out)
