"""`distillab bench`: this engine compared with Keras and PyTorch, on this machine."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Compare the speed of this engine with Keras and PyTorch.")
@click.option(
    "--students",
    metavar="NAME,...",
    help="Students to measure, such as mobilenet-16-32-64.  "
    "[default: cnn-16-32,cnn-64-128,resnet-16-32-64,vit-32-2,gru-32]",
)
@click.option("--repeats", type=click.IntRange(1, 100), help="Timings of each subject.  [default: 5; 2 with --quick]")
@click.option("--quick", is_flag=True, help="Two students at one size, and shorter timings.")
@click.option(
    "--device", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True, help="Where everything runs."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Also write the results to this file, as JSON."
)
def bench(students: str | None, repeats: int | None, quick: bool, device: str, out: Path | None) -> None:
    """Train the same students with this engine, with Keras on every installed backend, and with a PyTorch loop.

    Subjects are timed in turn, several times, and the table shows the median and the range: run nothing else
    meanwhile. TensorFlow and PyTorch are measured if they are installed.

    \b
    Example:
      distillab bench --quick --students mobilenet-16-32-64
    """
    from distillab.bench import measure, table
    from distillab.report.write import check_folder, write_files

    if out is not None:  # fail now, not after many minutes
        check_folder(out.parent, "--out")
    results = measure(
        students=[] if students is None else [name.strip() for name in students.split(",")],
        repeats=repeats,
        quick=quick,
        device=device,
        report=lambda what: click.echo(what, err=True),
    )
    click.echo(table(results))
    if out is not None:
        write_files({out: results.to_json().encode()})
        click.echo(f"{out}", err=True)
