"""The theory's table in words and as a file, and its figures beside it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from distillab.report.charts import theory as charts
from distillab.report.charts.render import FORMS, render
from distillab.report.write import write_files
from distillab.theory import pictures
from distillab.theory.checks import DRAWS, ERRORS, QUICK_DRAWS, SHARE, Row

HEAD = ("subject", "quantity", "function", "predicted", "simulated", "difference", "s.e.", "in s.e.", "verdict")


def in_words(rows: Sequence[Row], *, quick: bool) -> str:
    """The table, fit for a terminal, and what it comes to.

    Args:
        rows: of the checks.
        quick: whether they had a tenth of the draws.
    """
    cells = [HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = [*3 * "<", *(len(HEAD) - 3) * ">"]  # columns of words stand left, numbers right
    lines = [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True)).rstrip()
        for line in cells
    ]
    off = sum(not row.agrees for row in rows)
    draws = QUICK_DRAWS if quick else DRAWS
    summary = (
        f"{len(rows) - off} of {len(rows)} numbers agree within {ERRORS:g} Monte Carlo standard errors, risks within "
        f"{100 * SHARE:g} % too; {draws:,} draws or more each."
    )
    return "\n".join([*lines, "", summary])


def write(out: str | os.PathLike[str], rows: Sequence[Row], *, quick: bool, seed: int) -> tuple[Path, ...]:
    """Write table and figures, and return their paths.

    Args:
        out: the folder.
        rows: of the checks.
        quick: a tenth of the draws for the dots, too.
        seed: of the dots.

    Raises:
        WorkError: a file cannot be written.
    """
    out = Path(out)
    draws = {"draws": QUICK_DRAWS if quick else DRAWS, "seed": seed}
    figures = {
        "risk_vs_alpha": charts.risk_chart(pictures.risk_panels(**draws)),
        "alpha_vs_noise": charts.noise_chart(pictures.alpha_against_noise(**draws)),
        "phases": charts.phases_chart(pictures.phases()),
        "denoising": charts.targets_chart(pictures.denoising_lines(**draws)),
        "gradient_noise": charts.gradients_chart(pictures.gradient_lines(**draws)),
    }
    files = {out / "table.csv": _csv(rows)}
    files |= {out / f"{name}.{form}": render(figure, form) for name, figure in figures.items() for form in FORMS}
    write_files(files)
    return tuple(files)


def _cells(row: Row) -> tuple[str, ...]:
    certain = row.error == 0
    return (
        row.subject,
        row.quantity,
        row.function,
        f"{row.predicted:.5f}",
        f"{row.simulated:.5f}",
        f"{row.simulated - row.predicted:+.5f}",
        "exact" if certain else f"{row.error:.5f}",
        "-" if certain else f"{row.deviation:.1f}",
        "agrees" if row.agrees else "DIFFERS",
    )


def _csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for row in rows:
        numbers = (row.predicted, row.simulated, row.simulated - row.predicted, row.error, row.deviation)
        writer.writerow(
            [row.subject, row.quantity, row.function, *map(repr, numbers), "agrees" if row.agrees else "differs"]
        )
    return text.getvalue().encode()
