"""`distillab data`: list, check and locate data sets; check studies and export their tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from distillab.errors import in_one_line

if TYPE_CHECKING:
    from distillab.data import Entry

_data_dir = click.option("--data-dir", type=click.Path(path_type=Path), help="The folder to look in first.")


@click.group(short_help="List, check or locate data sets; check or export a study.")
def data() -> None:
    """List, check or locate data sets; check or export a study."""


@data.command("list", short_help="All named data sets, one line each.")
@_data_dir
def list_all(data_dir: Path | None) -> None:
    """Check every named data set by its contents; nothing is downloaded."""
    from distillab.data import inventory

    for entry in inventory(data_dir):
        click.echo(_line(entry))


@data.command(short_help="Check one data set, or a study's folder, by its contents.")
@click.argument("name")
@_data_dir
def check(name: str, data_dir: Path | None) -> None:
    """Check the data set NAME, an .npz file, or a study's folder, by its contents; exit 1 if it is not sound."""
    if (Path(name) / "study.db").exists():
        _check_study(Path(name))
        return
    from distillab.data import check as check_data

    entry = check_data(name, data_dir)
    click.echo(_line(entry))
    if entry.status in ("missing", "damaged"):
        raise SystemExit(1)


@data.command(short_help="Write a study's students as a table, .csv or .parquet.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--to", type=click.Path(path_type=Path), required=True, help="The file to write: NAME.csv or NAME.parquet."
)
@click.option("--epochs", is_flag=True, help="Write a row for each epoch, not for each student.")
def export(folder: Path, to: Path, epochs: bool) -> None:
    """Write a row for each student of the study in DIR: its values on the axes, its state, and every metric."""
    from distillab.report.table import write_table

    click.echo(write_table(folder, to, epochs=epochs))


@data.command(short_help="Print the path of a data set's file.")
@click.argument("name")
@_data_dir
def path(name: str, data_dir: Path | None) -> None:
    """Print the path of the file of the data set NAME; exit 1 if it has none."""
    from distillab.data import find

    file = find(name, data_dir)
    if file is None:
        raise SystemExit(1)
    click.echo(file)


def _check_study(folder: Path) -> None:
    from distillab.study.folder import Folder
    from distillab.study.storage.check import check

    condition = check(Folder(folder))
    for fault in condition.faults:
        click.echo(fault)
    if condition.faults:
        raise SystemExit(1)
    counts = f"{condition.trials:,} students, teachers: {condition.teachers}, runs: {condition.runs}"
    click.echo(f"{folder}: sound; {counts}.")


def _line(entry: Entry) -> str:
    where = f"  {entry.path}" if entry.path else ""
    advice = f"  {entry.do}" if entry.do else ""
    return in_one_line(f"{entry.name:<19} {entry.task:<11} {entry.status:<9}{where}{advice}")
