"""`distillab data`: list, check, locate and audit data sets; check studies and export their tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from distillab.errors import in_one_line, not_allowed

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


@data.command(short_help="Rank training examples by how probably their label is wrong.")
@click.argument("source", metavar="DATA")
@click.option("--teacher", required=True, help="An architecture of the zoo, trained on each fold; or a trained model.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option("--folds", type=int, help="Parts; each is judged by a teacher of the others.  [default: 5]")
@click.option("--epochs", type=int, help="Passes over the data, of each training.  [default: 20]")
@click.option("--batch-size", type=int, help="Examples a step.  [default: 32]")
@click.option("--learning-rate", type=float, help="The peak learning rate.  [default: 0.003]")
@click.option("--seed", type=int, help="Of folds, weights and noise.  [default: 0]")
@click.option(
    "--perturb", metavar="KIND:RATE", help="Make labels wrong first, such as shift:0.1, and say what was found."
)
@click.option("--label", multiple=True, help="Label column of a table.")
@click.option("--trust", is_flag=True, help="Let code in a model's file run: only if you know who made it.")
@_data_dir
def labels(
    source: str, teacher: str, out: Path, perturb: str | None, label: tuple[str, ...], trust: bool,
    data_dir: Path | None, **training: int | float | None,
) -> None:  # fmt: skip
    """Judge each label of DATA by a teacher that has not seen it, and write the most suspicious first.

    DATA is a named data set, an .npz, a folder of images, a table or texts, as in distillab distill.

    \b
    Examples:
      distillab data labels digits --teacher cnn-16-32 --out audit
      distillab data labels reviews.csv --teacher textcnn-32-64 --out audit
    """
    from distillab.report.write import check_folder

    check_folder(out, "--out")
    noise = None if perturb is None else _noise(perturb)
    from distillab.api.audit import Training, audit_labels
    from distillab.cli.bar import Bar
    from distillab.cli.stop import Stop
    from distillab.data.read_options import ReadOptions
    from distillab.report.audit import audit_text, write_audit
    from distillab.study.model_options import ModelOptions

    given = Training(**{name: value for name, value in training.items() if value is not None})  # type: ignore[arg-type]
    read, options = ReadOptions(data_dir=data_dir, label=label or None), ModelOptions(trust=trust)
    with Bar() as bar, Stop(bar) as progress:
        audit = audit_labels(
            source, teacher, training=given, noise=noise, read=read, options=options, progress=progress
        )
    write_audit(audit, out)
    click.echo(audit_text(audit))
    click.echo(f"{out} holds labels.csv and labels.html.", err=True)
    if audit.detected and "cleanlab" not in audit.detected:
        click.echo("For cleanlab beside it: pip install 'distillab[audit]'", err=True)


def _noise(text: str) -> tuple[str, float]:
    kind, colon, rate = text.partition(":")
    try:
        number = float(rate)
    except ValueError:
        number = -1.0
    if not (kind and colon and 0 <= number <= 1):
        raise not_allowed("--perturb", text, "a kind of label noise and its rate, such as shift:0.1")
    return kind, number


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
