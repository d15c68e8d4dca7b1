"""`distillab merge`: merge studies that ran in several places."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Add the students of other folders to a study.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.argument("others", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="OTHER...")
def merge(folder: Path, others: tuple[Path, ...]) -> None:
    """Add the students of the folders OTHER, which stay unchanged, to the same study in DIR.

    Students in both folders must have the same results. Different studies are refused.

    \b
    Example:
      distillab merge runs/noise from-the-cluster/noise
    """
    from distillab.study.folder import Folder
    from distillab.study.storage.merge import merge as merge_folders

    for other in others:
        merged = merge_folders(Folder(folder), Folder(other))
        click.echo(f"{other}: {merged.added:,} students added, {merged.known:,} were there already.")
