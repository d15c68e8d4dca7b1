"""`distillab merge`: studies that were run in two places, in one folder."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Add the students of other folders to a study.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.argument("others", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="OTHER...")
def merge(folder: Path, others: tuple[Path, ...]) -> None:
    """Add to the study in DIR what the folders OTHER hold of the same study; these stay as they are.

    Students that both have must have the same results. Other studies are refused.

    \b
    Example:
      distillab merge runs/noise from-the-cluster/noise
    """
    from distillab.study.folder import Folder
    from distillab.study.storage.merge import merge as bring_together

    for other in others:
        found = bring_together(Folder(folder), Folder(other))
        click.echo(f"{other}: {found.added:,} students added, {found.known:,} were there already.")
