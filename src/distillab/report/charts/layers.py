"""The parts that charts are made of: layers over named tables, axes, panels, and the page's templates."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
from altair.utils.schemapi import debug_mode

from distillab.report.charts.theme import SOFT, config, with_variables

Rows = list[dict[str, Any]]
Tables = Mapping[str, Rows]
"""A chart's data: by name, rows that have the same fields."""

ALPHA = "alpha: weight of the labels"
WIDTH, HEIGHT = 330, 230
"""Of a panel, in pixels."""

MOST_PANELS = 24


def layer(tables: Tables | None, name: str) -> alt.Chart:
    """A layer over one table of a chart.

    Args:
        tables: the chart's data; None where the page supplies it.
        name: of the table.
    """
    if tables is None:
        return alt.Chart(alt.NamedData(name=name))
    with debug_mode(False):  # the rows are plain: checking each against the schema takes a second for 5,000
        data = alt.InlineData(values=tables.get(name, []))
    return alt.Chart(data)


def alpha_axis(field: str = "alpha") -> alt.X:
    """Alpha along the x axis, as far as the chart's data reach.

    Args:
        field: of the table.
    """
    scale = alt.Scale(zero=False, nice=False, padding=10)
    return alt.X(field, type="quantitative", title=ALPHA, scale=scale, axis=alt.Axis(format="~g"))


def value_axis(field: str, title: str, *, domain: Sequence[float] | None = None, **axis: Any) -> alt.Y:
    """A value along the y axis.

    Args:
        field: of the table.
        title: of the axis.
        domain: its ends; as far as the chart's data reach where left out.
        **axis: more of Vega-Lite's `Axis`.
    """
    scale = alt.Scale(domain=list(domain), nice=False) if domain else alt.Scale(zero=False, nice=False)
    return alt.Y(field, type="quantitative", title=title, scale=scale, axis=alt.Axis(**axis))


def frame(tables: Tables | None, x: alt.X, y: alt.Y) -> alt.Chart:
    """An invisible layer over the table "frame", whose rows are corners of the drawing: it sets how far axes reach.

    Args:
        tables: of the chart; None where the page supplies them.
        x: the chart's x axis.
        y: its y axis.
    """
    return layer(tables, "frame").mark_point(opacity=0, tooltip=None).encode(x=x, y=y)


def message(tables: Tables | None) -> alt.Chart:
    """A layer over the table "message": the text of a panel that has nothing to draw, in its middle.

    Args:
        tables: of the chart; None where the page supplies them.
    """
    return layer(tables, "message").mark_text(color=SOFT, fontSize=12).encode(text="text:N")


def tips(*fields: str) -> list[alt.Tooltip]:
    """A tooltip of fields as they are written.

    Args:
        fields: of the table, in order.
    """
    return [alt.Tooltip(field, type="nominal", title=field) for field in fields]


def limits(
    values: Iterable[float | None], least: float, *, below: float = 0.08, above: float = 0.08
) -> tuple[float, float]:
    """How far an axis reaches: low and high, or 0 and 1 where there are no values.

    Args:
        values: of all that it shows; those that are not finite or None do not count.
        least: the least height, where all values are nearly the same.
        below: room below the values, as a share of the height.
        above: the same above.
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    height, middle = max(high - low, least), (low + high) / 2
    return middle - (0.5 + below) * height, middle + (0.5 + above) * height


def corners(alphas: Sequence[float] | np.ndarray, low: float, high: float) -> Rows:
    """The table "frame" of a chart over alpha.

    Args:
        alphas: of the study, ascending.
        low: end of the y axis.
        high: its other end.
    """
    return [{"alpha": float(alphas[0]), "value": low}, {"alpha": float(alphas[-1]), "value": high}]


def finite(value: float | None) -> float | None:
    """A number, or None where it is not finite.

    Args:
        value: a number, or None.
    """
    return float(value) if value is not None and math.isfinite(value) else None


def panels(
    charts: Sequence[alt.LayerChart], titles: Sequence[str], caption: str, *, width: int = WIDTH, beside: int = 90
) -> alt.ConcatChart:
    """Lay charts out in a grid with a caption below them.

    Args:
        charts: one for each setting.
        titles: what they are called; may be empty.
        caption: of the figure.
        width: of a panel in pixels.
        beside: pixels beside a panel, for axes and labels.
    """
    columns = min(len(charts), 2 if len(charts) <= 4 else 3)
    width, height = (width + 90, HEIGHT + 50) if columns == 1 else (width, HEIGHT)
    drawn = [chart.properties(width=width, height=height) for chart in charts]
    for chart, title in zip(drawn, titles, strict=True):
        chart.title = _lines(title, width) if title else alt.Undefined
    return captioned(alt.concat(*drawn, columns=columns, spacing=26), caption, columns * (width + beside))


def captioned(chart: Any, caption: str, width: int) -> Any:
    """Put a caption below a chart, and give it the colours and fonts of files.

    Args:
        chart: any Altair chart without a title of its own.
        caption: as text.
        width: of the chart in pixels.
    """
    text = {"fontSize": 11, "fontWeight": "normal", "color": SOFT, "lineHeight": 15}
    title = alt.TitleParams(_lines(caption, width), orient="bottom", anchor="start", frame="bounds", offset=16, **text)
    whole = chart.properties(title=title, padding=12)
    whole.config = config()
    return whole


def template(chart: Any) -> dict[str, Any]:
    """A chart without data as the page embeds it: as wide as its place, in the style sheet's colours.

    Args:
        chart: any Altair chart over named tables.
    """
    if isinstance(chart, alt.LayerChart):
        chart = chart.properties(width="container", autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
    spec = chart.to_dict(validate=False)
    if isinstance(spec.get("height"), dict):  # pixels a row do not go with a width that fits the page
        spec["height"] = "$height"
    spec["config"] = config(font="system-ui, sans-serif", background=None)
    return with_variables(spec)


def _lines(text: str, width: int) -> list[str]:
    """Text in lines that fit so many pixels, at about 5.6 pixels a letter."""
    return [line for part in text.split("\n") for line in textwrap.wrap(part, max(20, int(width / 5.6)))]
