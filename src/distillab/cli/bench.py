"""`distillab bench`: this engine compared with Keras and PyTorch, on this machine."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Compare the speed of this engine with keras.distillation and plain fit.")
@click.option("--quick", is_flag=True, help="Fewer examples and no scaling: a minute or two instead of ten.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Also write the results to this file, as JSON."
)
def bench(quick: bool, out: Path | None) -> None:
    """Train the same student with every installed backend, and print the time of an epoch of 60,000 images.

    Each measurement runs in a separate process, one after another; run nothing else meanwhile. TensorFlow and PyTorch
    are measured if they are installed.
    """
    from distillab.bench import measure, table
    from distillab.report.write import check_folder, write_files

    if out is not None:  # fail now, not after ten minutes
        check_folder(out.parent, "--out")
    results = measure(quick=quick, report=lambda name: click.echo(f"measuring: {name}", err=True))
    click.echo(table(results))
    if out is not None:
        write_files({out: results.to_json().encode()})
        click.echo(f"{out}", err=True)
