"""The theory's table and figures: whole, the same twice, and honest about what differs."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest

from distillab.report.theory import in_words, write
from distillab.theory import pictures
from distillab.theory.checks import Row

ROOT = Path(__file__).parents[2]
ROWS = (
    Row("two answers", "scalar_risk", "alpha*", 0.25, 0.2502, 0.001),
    Row("a parabola", "risk_coefficients", "risk", 1.0, 1.5, 0.01, True),
    Row("an identity", "descent", "risk", 1.0, 1.0, 0.0),
)


def test_the_table_says_of_each_number_whether_it_agrees() -> None:
    lines = in_words(ROWS, quick=True).splitlines()
    assert lines[1].endswith("agrees")
    assert lines[2].endswith("DIFFERS")
    assert "exact" in lines[3]
    assert lines[-1].startswith("2 of 3 numbers agree within 4 Monte Carlo standard errors")
    assert len({len(line) for line in lines[1:4]}) <= 2  # columns stand under each other


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return write(tmp_path_factory.mktemp("theory") / "out", ROWS, quick=True, seed=0)


def test_table_and_five_figures_are_written(written: tuple[Path, ...]) -> None:
    names = {path.name for path in written}
    figures = {"risk_vs_alpha", "alpha_vs_noise", "phases", "denoising", "gradient_noise"}
    assert names == {"table.csv", *(f"{name}.{form}" for name in figures for form in ("png", "svg"))}
    assert all(path.stat().st_size > 0 for path in written)
    rows = list(csv.DictReader(io.StringIO(written[0].read_text())))
    assert float(rows[0]["simulated"]) == 0.2502
    assert [row["verdict"] for row in rows] == ["agrees", "differs", "agrees"]


@pytest.mark.slow
def test_figures_are_the_same_twice(written: tuple[Path, ...], tmp_path: Path) -> None:
    again = write(tmp_path / "again", ROWS, quick=True, seed=0)
    pairs = zip(again, written, strict=True)
    assert [first.name for first, second in pairs if first.read_bytes() != second.read_bytes()] == []


def test_dots_lie_on_their_lines() -> None:
    """Simulated dots within five of their errors of the closed form at the same place."""
    lines = [
        *pictures.denoising_lines(draws=2000),
        *pictures.gradient_lines(draws=2000),
        *pictures.alpha_against_noise(draws=2000),
    ]
    dotted = [line for line in lines if line.dots_x is not None]
    assert len(dotted) == 9
    for line in dotted:
        steps = line.name.startswith("mean of")  # a staircase is not interpolated, and its edges are left out
        if steps:
            continue
        expected = np.interp(line.dots_x, line.x, line.y)
        assert (np.abs(expected - line.dots_y) < 5 * line.dots_error + 2e-3).all(), line.name


def test_the_phases_are_where_the_best_alpha_is_one_and_nought() -> None:
    data = pictures.phases()
    hurts, alone = data.variances[:, None] < data.helps, data.variances[:, None] > data.alone
    assert (data.alphas[hurts] == 1).all()
    assert (data.alphas[alone] == 0).all()
    between = data.alphas[~hurts & ~alone]
    assert ((between >= 0) & (between <= 1)).all()
    assert hurts.any()
    assert alone.any()
    assert len(between)


def test_every_function_that_the_page_names_is_there() -> None:
    import importlib
    import pkgutil

    import distillab.theory as theory

    page = (ROOT / "docs" / "theory.md").read_text()
    modules = [
        theory,
        *(importlib.import_module(f"{theory.__name__}.{m.name}") for m in pkgutil.iter_modules(theory.__path__)),
    ]
    named = {
        name for name in re.findall(r"`([a-z]+(?:_[a-z]+)*|LinearTeacher)`", page) if len(name) > 3
    }  # shorter ones are symbols
    assert len(named) > 30
    missing = {name for name in named if not any(hasattr(module, name) for module in modules)}
    assert missing <= {"departure"}  # a field of what alpha_from_endpoints returns
    for picture in re.findall(r"\]\((theory/[\w.]+)\)", page):
        assert (ROOT / "docs" / picture).is_file(), picture


def test_every_public_closed_form_is_on_the_page() -> None:
    import distillab.theory as theory

    page = (ROOT / "docs" / "theory.md").read_text()
    functions = {name for name in theory.__all__ if name.islower()}
    aids = {"ridge_weights", "pooled", "label_energy", "least_squares_risk"}
    assert {name for name in functions - aids if f"`{name}`" not in page} == set()
