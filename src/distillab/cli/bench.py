"""`distillab bench`: this engine beside Keras's own ways, on this machine."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Time this engine beside keras.distillation and plain fit, on this machine.")
@click.option("--quick", is_flag=True, help="Fewer examples and no scaling: a minute or two instead of ten.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Also write the record as JSON here.")
def bench(quick: bool, out: Path | None) -> None:
    """Train the same student in every way that is installed, and say what each takes for an epoch of 60,000 images.

    Each way runs in a process of its own, one after another; leave the machine alone meanwhile. TensorFlow and PyTorch
    are measured where they are installed.
    """
    from distillab.bench import measure, table
    from distillab.report.write import check_folder, write_files

    if out is not None:  # told now, not after ten minutes
        check_folder(out.parent, "--out")
    record = measure(quick=quick, tell=lambda name: click.echo(f"measuring: {name}", err=True))
    click.echo(table(record))
    if out is not None:
        write_files({out: record.to_json().encode()})
        click.echo(f"{out}", err=True)
