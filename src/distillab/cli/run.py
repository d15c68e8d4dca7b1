"""`distillab run`: run or resume a study."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distillab.cli.options import execution_options, run_options
from distillab.errors import not_allowed

if TYPE_CHECKING:
    from distillab.tracking import TrackerName

MOST_TRIALS = 2_000


@click.command(short_help="Run or resume a study: a preset's name or a YAML file.")
@click.argument("study")
@click.option("--out", type=click.Path(path_type=Path), help="The study's folder.  [default: runs/NAME]")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; a comma makes an axis.")
@click.option("--quick", is_flag=True, help="Run the study's quick size, to check that it works.")
@click.option("--yes", is_flag=True, help=f"Train more than {MOST_TRIALS:,} students without confirmation.")
@click.option("--part", metavar="K/N", help="Only every N-th seed from the K-th: for several machines, to be merged.")
@click.option(
    "--log",
    "logs",
    type=click.Choice(["tensorboard", "mlflow"]),
    multiple=True,
    help="Also log students and figures for this tool; may be given twice.",
)
@execution_options
def run(
    study: str,
    out: Path | None,
    overrides: tuple[str, ...],
    quick: bool,
    yes: bool,
    part: str | None,
    logs: tuple[TrackerName, ...],
    execution: dict[str, Any],
) -> None:
    """Run STUDY, a preset's name or a YAML file, or what is missing of it.

    The same command again trains what is missing and nothing else. More seeds (--set seeds=20) continue a study.

    \b
    Examples:
      distillab run demo
      distillab run noise --quick --data-dir data
      distillab run alpha --data-dir data --set seeds=3 --set alpha=0,0.5,1
      distillab run noise --executor ray --address 10.0.0.1:6379
    """
    from distillab.study.spec import load_spec, study_file

    share = (1, 1) if part is None else _part(part)
    spec = load_spec(study, overrides, quick=quick)
    folder = out or Path("runs") / (study_file(study).stem + "-quick" * quick)
    from distillab.cli.bar import Bar
    from distillab.cli.stop import Stop

    options = run_options(execution, most=None if yes else MOST_TRIALS, part=share)
    from distillab.api.study import Study

    with Bar() as bar, Stop(bar) as progress:
        done, summary = Study.run(spec, folder, options, progress=progress, logs=logs)
    click.echo(done.summary())
    trained = f"{summary.trained} of {summary.trials} students trained in {summary.seconds:.1f} s"
    click.echo(f"{trained}; results in {folder}. Next: distillab report {folder}", err=True)


def _part(text: str) -> tuple[int, int]:
    """Read a part such as 1/2."""
    match = re.fullmatch(r"([1-9]\d{0,8})/([1-9]\d{0,8})", text)
    if match is None or int(match[1]) > int(match[2]):
        raise not_allowed("--part", text, "K/N with K from 1 to N, such as 1/2")
    return int(match[1]), int(match[2])
