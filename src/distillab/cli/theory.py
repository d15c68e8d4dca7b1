"""`distillab theory`: closed forms beside their simulations, as a table and as figures."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Closed forms for alpha beside simulations: a table and five figures.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/theory"), show_default=True, help="Where figures go."
)
@click.option("--quick", is_flag=True, help="A tenth of the draws.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the simulations.")
def theory(out: Path, quick: bool, seed: int) -> int:
    """Compute every closed form of docs/theory.md, simulate it, and say whether the two agree.

    Writes table.csv and five figures as PNG and SVG. Ends with 1 where a number does not agree.

    \b
    Example:
      distillab theory --quick --out runs/theory
    """
    from distillab.report.theory import in_words, write
    from distillab.report.write import check_folder
    from distillab.theory.checks import table

    check_folder(out, "--out")
    rows = table(quick=quick, seed=seed)
    written = write(out, rows, quick=quick, seed=seed)
    click.echo(in_words(rows, quick=quick))
    for path in written:
        click.echo(path)
    return 0 if all(row.agrees for row in rows) else 1
