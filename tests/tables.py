"""A small table with words, booleans and gaps, as a file and as data: for the tests that read one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from distillab.data import Dataset, ReadOptions, read_data

JOBS = ("baker", "cook", "head, of state", "nurse")


def write_jobs(path: Path, rows: int = 300) -> Path:
    """Write a table of age (gaps), job (words, "?" for missing), owner (yes, no), hours and income, the label.

    Args:
        path: the CSV.
        rows: of it.
    """
    rng = np.random.default_rng(4)
    lines = []
    for _ in range(rows):
        age, job, owner, hours = rng.integers(18, 80), rng.integers(4), rng.random() < 0.3, rng.normal(40, 10)
        score = 0.05 * (age - 45) + (-1, 0, 1.5, 0.3)[job] * (1 if owner else -0.5) + 0.03 * (hours - 40)
        cells = ["" if rng.random() < 0.1 else str(age), "?" if rng.random() < 0.1 else f'"{JOBS[job]}"']
        cells += ["yes" if owner else "no", f"{hours:.1f}", ">50K" if score + rng.normal(0, 0.3) > 0 else "<=50K"]
        lines.append(",".join(cells))
    path.write_text("\n".join(["age,job,owner,hours,income", *lines]) + "\n", encoding="utf-8")
    return path


def read_jobs(path: Path, **options: object) -> Dataset:
    """Read what `write_jobs` wrote.

    Args:
        path: the CSV.
        options: of reading.
    """
    return read_data(path, ReadOptions(label="income", **options))  # type: ignore[arg-type]
