"""`distillab run`: run or resume a study."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distillab.errors import RequestError, not_allowed

if TYPE_CHECKING:
    from distillab.study.executors.local import Executor
    from distillab.study.storage.records import TrialResult
    from distillab.tracking import TrackerName

MOST_TRIALS = 2_000

MOST_BYTES = 2**60
"""No device has as many; a larger number is a slip of the pen."""


@click.command(short_help="Run or resume a study: a preset's name or a YAML file.")
@click.argument("study")
@click.option("--out", type=click.Path(path_type=Path), help="The study's folder.  [default: runs/NAME]")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; a comma makes an axis.")
@click.option("--quick", is_flag=True, help="The study's quick size: to see it work, not to learn from it.")
@click.option("--yes", is_flag=True, help=f"Train more than {MOST_TRIALS:,} students without being asked again.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the data files lie.")
@click.option("--executor", type=click.Choice(["local", "ray"]), default="local", help="Where students train.")
@click.option("--address", help="For ray: the cluster's head, host:port.  [default: auto]")
@click.option("--worker-cpus", type=click.IntRange(1), help="For ray: cores of each cohort.  [default: 1]")
@click.option("--worker-gpus", type=click.IntRange(0), help="For ray: GPUs of each cohort.  [default: 0]")
@click.option("--part", metavar="K/N", help="Only every N-th seed from the K-th: for several places, to be merged.")
@click.option("--devices", type=int, help="Devices to spread students over.  [default: all; on a CPU, its cores]")
@click.option(
    "--log",
    "logs",
    type=click.Choice(["tensorboard", "mlflow"]),
    multiple=True,
    help="Log students and figures for this tool, too; may be given twice.",
)
@click.option("--memory", metavar="SIZE", help="Memory that each device may use, such as 4GiB.  [default: most of it]")
def run(
    study: str,
    out: Path | None,
    overrides: tuple[str, ...],
    quick: bool,
    yes: bool,
    data_dir: Path | None,
    executor: str,
    address: str | None,
    worker_cpus: int | None,
    worker_gpus: int | None,
    part: str | None,
    devices: int | None,
    memory: str | None,
    logs: tuple[TrackerName, ...],
) -> None:
    """Run STUDY, a preset's name or a YAML file, or what is still missing of it.

    The same command again trains what is missing and nothing else. More seeds (--set seeds=20) continue a study.

    \b
    Examples:
      distillab run demo
      distillab run noise --quick --data-dir data
      distillab run alpha --data-dir data --set seeds=3 --set alpha=0,0.5,1
      distillab run noise --executor ray --address 10.0.0.1:6379
    """
    from distillab.study.spec import load_spec, study_file

    limit = None if memory is None else _bytes(memory)
    share = (1, 1) if part is None else _part(part)
    for name, value in (("--address", address), ("--worker-cpus", worker_cpus), ("--worker-gpus", worker_gpus)):
        if executor != "ray" and value is not None:
            raise RequestError(f"{name} is for a cluster. Add --executor ray, or leave it out.")
    spec = load_spec(study, overrides, quick=quick)
    folder = out or Path("runs") / (study_file(study).stem + "-quick" * quick)
    from distillab.cli.bar import Bar
    from distillab.cli.stop import Stop
    from distillab.data.places import cache_folder
    from distillab.engine.devices import keep_compiled, split_host

    split_host(devices)
    keep_compiled(cache_folder() / "compiled")
    from distillab.study.runner import run_study
    from distillab.study.speeds import FILE, Speeds
    from distillab.tracking import open_tracker

    trackers = [open_tracker(name, folder) for name in dict.fromkeys(logs)]

    def log(records: Sequence[TrialResult]) -> None:
        for tracker in trackers:
            tracker.trials(records)

    elsewhere: Executor | None = None
    if executor == "ray":
        from distillab.study.executors.ray import RayExecutor

        elsewhere = RayExecutor(address or "auto", worker_cpus or 1, worker_gpus or 0, memory=limit)
    command = shlex.join(["distillab", *sys.argv[1:]])
    with Bar() as bar, Stop(bar) as progress:
        summary = run_study(
            spec,
            folder,
            data_dir=data_dir,
            devices=devices,
            memory=limit,
            most=None if yes else MOST_TRIALS,
            command=command,
            progress=progress,
            recorded=log,
            executor=elsewhere,
            speeds=Speeds(cache_folder() / FILE),
            part=share,
        )
    from distillab.analysis import analyse, needed_metrics
    from distillab.report.text import short_text
    from distillab.report.view import study_view
    from distillab.study.folder import Folder
    from distillab.study.storage.damage import told_as_damage

    if trackers:
        from distillab.report.results import read_results
        from distillab.report.write import figures_as_png

        found = read_results(Folder(folder))
        log(found.trials)  # those that an earlier run recorded without a log
        figures = figures_as_png(found)
        for tracker in trackers:
            tracker.finish(figures)
    saved, store = Folder(folder).read()
    with store, told_as_damage(store.path):
        rows, teachers = store.trials(metrics=needed_metrics(saved), epochs=False), store.teachers()
    click.echo(short_text(study_view(analyse(saved, rows, teachers))))
    trained = f"{summary.trained} of {summary.trials} students trained in {summary.seconds:.1f} s"
    click.echo(f"{trained}; {folder} holds them all. Next: distillab report {folder}", err=True)


def _part(text: str) -> tuple[int, int]:
    """Read a part such as 1/2."""
    match = re.fullmatch(r"([1-9]\d{0,8})/([1-9]\d{0,8})", text)
    if match is None or int(match[1]) > int(match[2]):
        raise not_allowed("--part", text, "K/N with K from 1 to N, such as 1/2")
    return int(match[1]), int(match[2])


def _bytes(size: str) -> int:
    """Read a size such as 4GiB, 500MB or 1000000."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b)?", size.strip().lower())
    if match is None or not 0 < float(match[1]) < MOST_BYTES:
        raise not_allowed("--memory", size, "a number of bytes, or a size such as 4GiB or 500MB")
    base = 1024 if match[2] and "i" in match[2] else 1000
    power = "kmgt".index(match[2][0]) + 1 if match[2] else 0
    return int(float(match[1]) * base**power)
