"""`distillab publish`: a study as a page of a repository."""

from __future__ import annotations

from pathlib import Path

import click

from distillab.errors import not_allowed


@click.command(short_help="Write studies as Markdown pages with their figures, and an index.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default=Path("docs/results"),
    show_default=True,
    help="Folder of the pages.",
)
def publish(folders: tuple[Path, ...], to: Path) -> None:
    """Write a Markdown page for each study in DIR, named after its folder, and README.md, the index of all pages there.

    \b
    Example:
      distillab publish runs/demo --to docs/results
    """
    from distillab.report.publish import publish as write
    from distillab.study.folder import Folder

    names = [folder.resolve().name for folder in folders]
    for name in names:
        if names.count(name) > 1:
            raise not_allowed("DIR", name, "given once: pages are named after folders", "Rename a folder.")
    written = dict.fromkeys(path for folder in folders for path in write(Folder(folder), to))
    for path in written:
        click.echo(path)
