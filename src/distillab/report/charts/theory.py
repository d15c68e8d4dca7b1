"""The theory's charts: closed forms as lines, simulations as dots with two standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np

from distillab.report.charts.layers import ALPHA, Rows, Tables, captioned, layer, panels
from distillab.report.charts.theme import CURVE, INK, LABELS, PALE, RANGE, SERIES
from distillab.theory.pictures import Line, Phases, RiskPanel

PARTS = {"risk": CURVE, "squared bias": LABELS, "variance": RANGE}
DOTS = "Lines: closed forms; dots: simulations, with two Monte Carlo standard errors where they are wide enough to see."
WHITE, BLACK = "#fefefe", "#010101"
"""Of marks on a coloured surface."""

OVERLAP = 1.02
"""By which cells reach under the next, so that no seam shows."""


def _risk_data(panel: RiskPanel) -> Tables:
    """Tables "lines", "dots" and "best": risk, bias and variance along alpha for one teacher."""
    simulated, split = panel.simulated, panel.split
    parts = {
        "risk": (split.risk, simulated.risk, 2 * simulated.risk_error),
        "squared bias": (split.bias, simulated.bias, np.zeros(len(simulated.alphas))),
        "variance": (split.variance, simulated.variance, np.zeros(len(simulated.alphas))),
    }
    best, known = panel.best.clipped, bool(np.isfinite(panel.best.clipped))
    return {
        "lines": [row for name, part in parts.items() for row in _line(name, panel.alphas, part[0].at(panel.alphas))],
        "dots": [row for name, part in parts.items() for row in _dots(name, simulated.alphas, *part[1:])],
        "best": [{"x": float(best), "y": float(split.risk.at(best))}] if known else [],
    }


def _lines_data(lines: Sequence[Line], scale: float = 1.0) -> Tables:
    """Tables "lines" and "dots"."""
    rows: Rows = []
    for line in lines:
        if line.dots_x is not None and line.dots_y is not None and line.dots_error is not None:
            rows += _dots(line.name, line.dots_x, scale * line.dots_y, 2 * scale * line.dots_error)
    return {"lines": [row for line in lines for row in _line(line.name, line.x, scale * line.y)], "dots": rows}


def _phases_data(phases: Phases) -> Tables:
    """Tables "cells" (a column's stretches of equal alpha, rounded to 0.01), and "borders" and "names" of phases."""
    x, y = _edges(phases.penalties), _edges(phases.variances)
    cells: Rows = []
    for column, values in enumerate(np.round(phases.alphas, 2).T):
        breaks = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
        for start, end in pairwise(breaks):
            edges = {"x": x[column], "x2": x[column + 1] * OVERLAP, "y": y[start], "y2": y[end] * OVERLAP}
            rounded = {name: float(f"{value:.5g}") for name, value in edges.items()}
            cells.append(rounded | {"alpha": float(values[start])})
    borders = [
        row | {"y": min(max(row["y"], y[0]), y[-1])}
        for name in ("helps", "alone")
        for row in _line(name, phases.penalties, getattr(phases, name))
    ]
    middle, right, top = len(phases.penalties) // 4, int(len(phases.penalties) * 0.82), float(phases.variances[-1])
    helps, alone = phases.helps.tolist(), phases.alone.tolist()
    names = (
        ("distillation hurts", middle, (float(phases.variances[0]) * helps[middle]) ** 0.5, BLACK),
        ("the teacher alone is best", middle, (top * alone[middle]) ** 0.5, WHITE),
        ("a mixture helps", right, (helps[right] * min(alone[right], top)) ** 0.5, WHITE),
    )
    words = [
        {"x": float(phases.penalties[column]), "y": height, "text": text, "colour": colour}
        for text, column, height, colour in names
    ]
    return {"cells": cells, "borders": borders, "names": words}


def risk_chart(teachers: Sequence[RiskPanel]) -> Any:
    """Draw risk, bias and variance against alpha, a panel for each teacher.

    Args:
        teachers: predicted and simulated.
    """
    charts, titles = [], []
    for panel in teachers:
        tables = _risk_data(panel)
        y = alt.Y("y:Q").title("mean squared error").scale(zero=True)
        best = layer(tables, "best").mark_point(color=INK, size=170, strokeWidth=1.6, opacity=1).encode(x=_x(), y=y)
        charts.append(alt.layer(*_curves(tables, _x(), y, list(PARTS), list(PARTS.values())), best))
        best_alpha = f"alpha* = {panel.best.free:.2f}" if tables["best"] else "alpha has no effect"
        titles.append(f"teacher: {panel.title}\n{best_alpha}")
    return panels(charts, titles, f"{DOTS} Ring: the best alpha from 0 to 1.")


def noise_chart(lines: Sequence[Line]) -> Any:
    """Draw the best alpha against the noise of the labels.

    Args:
        lines: one for each teacher.
    """
    tables, names = _lines_data(lines), [line.name for line in lines]
    title = "variance of the label noise (the signal's mean square is 1)"
    x = alt.X("x:Q").title(title).scale(type="log", nice=False).axis(values=[0.1, 0.3, 1, 3, 10, 30], format="~g")
    y = alt.Y("y:Q").title("alpha*, free").scale(domain=[-0.8, 2.1], nice=False)
    ends = alt.InlineData(values=[{"low": 0, "high": 1}])
    shade = alt.Chart(ends).mark_rect(color=PALE).encode(y=alt.Y("low:Q").title("alpha*, free"), y2="high:Q")
    chart = alt.layer(shade, *_curves(tables, x, y, names)).properties(width=440, height=300)
    caption = f"{DOTS} Grey: alphas from 0 to 1; beyond, the nearer end is best."
    return _alone(chart, "The best alpha falls with the noise; the teacher decides by how much", caption)


def phases_chart(phases: Phases) -> Any:
    """Draw where self-distillation hurts, helps, and needs no labels.

    Args:
        phases: on a grid.
    """
    tables, penalties, variances = _phases_data(phases), phases.penalties[[0, -1]], phases.variances[[0, -1]]
    x = alt.X("x:Q").title("the teacher's ridge penalty").scale(type="log", nice=False, domain=penalties.tolist())
    x = x.axis(format="~g", values=[0.1, 1, 10, 100, 1000], grid=False)
    y = alt.Y("y:Q").title("variance of the label noise").scale(type="log", nice=False, domain=variances.tolist())
    y = y.axis(format="~g", values=[0.1, 0.3, 1, 3, 10, 30], grid=False)
    legend = alt.Legend(gradientLength=300, format=".1f", values=[0, 0.2, 0.4, 0.6, 0.8, 1])
    colour = alt.Color("alpha:Q").title("best alpha").scale(scheme="viridis", domain=[0, 1]).legend(legend)
    cells = layer(tables, "cells").mark_rect(clip=True).encode(x=x, x2="x2", y=y, y2="y2", color=colour)
    borders = layer(tables, "borders").mark_line(color=WHITE, strokeWidth=2).encode(x=x, y=y, detail="name:N")
    words = layer(tables, "names").mark_text(fontSize=12)
    words = words.encode(x=x, y=y, text="text:N", color=alt.Color("colour:N", scale=None))
    chart = alt.layer(cells, borders, words).resolve_scale(color="independent").properties(width=460, height=330)
    caption = (
        "Student: ridge 3; the teacher learned the same labels. Lines: the noise at which alpha* is 1 and 0. Colour: "
        "the best alpha from 0 to 1."
    )
    return _alone(chart, "Self-distillation: what noise and the teacher's ridge decide", caption)


def targets_chart(lines: Sequence[Line]) -> Any:
    """Draw the share of targets that point at the clean class.

    Args:
        lines: one for each teacher.
    """
    y = alt.Y("y:Q").title("targets that point at the clean class (%)").scale(zero=False)
    caption = f"Two classes, 30 % of the labels wrong, the student's own label among the votes. {DOTS}"
    return _shares(lines, y, "What the teacher outvotes", caption)


def gradients_chart(lines: Sequence[Line]) -> Any:
    """Draw the label noise that remains in the targets, and so in gradients.

    Args:
        lines: one for each teacher.
    """
    y = alt.Y("y:Q").title("label noise left in the gradients (%)").scale(domain=[-3, 106], nice=False)
    caption = f"Mean over the examples, as a share of the noise at alpha = 1. {DOTS}"
    return _shares(lines, y, "What the teacher takes out of the gradients", caption)


def _shares(lines: Sequence[Line], y: alt.Y, title: str, caption: str) -> Any:
    """Shares in per cent against alpha."""
    curves = _curves(_lines_data(lines, 100), _x(), y, [line.name for line in lines])
    return _alone(alt.layer(*curves).properties(width=420, height=280), title, caption)


def _alone(chart: alt.LayerChart, title: str, caption: str) -> Any:
    """A chart with its title and a caption below it."""
    return captioned(alt.vconcat(chart.properties(title=title)), caption, 640)


def _x() -> alt.X:
    return alt.X("x:Q").title(ALPHA).scale(domain=[0, 1], padding=8, nice=False).axis(format="~g")


def _curves(
    tables: Tables, x: alt.X, y: alt.Y, names: Sequence[str], colours: Sequence[str] = SERIES
) -> tuple[alt.Chart, ...]:
    """Lines, dots and their errors, coloured by name."""
    symbols = {"symbolType": "stroke", "symbolStrokeWidth": 2.5, "symbolOpacity": 1}
    scale = alt.Scale(domain=list(names), range=list(colours[: len(names)]))
    colour = alt.Color("name:N").scale(scale).legend(title=None, **symbols)
    dots, low = layer(tables, "dots"), y.copy()
    low.shorthand = "low:Q"
    return (
        layer(tables, "lines").mark_line(strokeWidth=2, clip=True).encode(x=x, y=y, color=colour),
        dots.mark_rule(strokeWidth=1.4, clip=True).encode(x=x, y=low, y2="high", color=colour),
        dots.mark_circle(size=42, opacity=1, clip=True).encode(x=x, y=y, color=colour),
    )


def _line(name: str, x: Any, y: Any) -> Rows:
    return [{"name": name, "x": float(a), "y": float(b)} for a, b in zip(x, y, strict=True) if np.isfinite(b)]


def _dots(name: str, x: Any, y: Any, error: Any) -> Rows:
    return [
        {"name": name, "x": float(a), "y": float(b), "low": float(b - e), "high": float(b + e)}
        for a, b, e in zip(x, y, error, strict=True)
        if np.isfinite(b)
    ]


def _edges(middles: Any) -> list[float]:
    """The edges of cells on a logarithmic axis, the outer ones at the first and last middle."""
    between = np.sqrt(middles[1:] * middles[:-1])
    edges: list[float] = np.concatenate([middles[:1], between, middles[-1:]]).tolist()
    return edges
