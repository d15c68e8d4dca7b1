"""`distillab data`: which data sets are there, what is missing, and how to get it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from distillab.data import Entry

_data_dir = click.option("--data-dir", type=click.Path(path_type=Path), help="The folder to look in first.")


@click.group(short_help="List or check data sets, or say where they lie.")
def data() -> None:
    """List or check data sets, or say where they lie."""


@data.command("list", short_help="All named data sets, one line each.")
@_data_dir
def list_all(data_dir: Path | None) -> None:
    """Check every named data set by its contents; nothing is downloaded."""
    from distillab.data import inventory

    for entry in inventory(data_dir):
        click.echo(_line(entry))


@data.command(short_help="Check one data set by its contents.")
@click.argument("name")
@_data_dir
def check(name: str, data_dir: Path | None) -> None:
    """Check the data set NAME, or an .npz file, by its contents; exit 1 where it cannot be used."""
    from distillab.data import check as check_data

    entry = check_data(name, data_dir)
    click.echo(_line(entry))
    if entry.status in ("missing", "damaged"):
        raise SystemExit(1)


@data.command(short_help="Print the path of a data set's file.")
@click.argument("name")
@_data_dir
def path(name: str, data_dir: Path | None) -> None:
    """Print where the file of the data set NAME lies; exit 1 where it has none."""
    from distillab.data import find

    found = find(name, data_dir)
    if found is None:
        raise SystemExit(1)
    click.echo(found)


def _line(entry: Entry) -> str:
    where = f"  {entry.path}" if entry.path else ""
    advice = f"  {entry.do}" if entry.do else ""
    return f"{entry.name:<14} {entry.status:<9}{where}{advice}"
