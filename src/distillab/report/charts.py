"""The page's charts in Vega-Lite, without their data.

Data sets are named and come from the page, as do strings that begin with a dollar sign: titles and the limits of an
axis. Colours are the style sheet's variables, so that a chart follows light, dark and paper as text does.
"""

from __future__ import annotations

from typing import Any

from distillab.report.vega import SCHEMA

Chart = dict[str, Any]

CURVE, LABELS, TEACHER_ALONE, TEACHER, RANGE = (
    "var(--curve)",
    "var(--labels)",
    "var(--teacher-alone)",
    "var(--teacher)",
    "var(--range)",
)
VIRIDIS: Chart = {"name": "viridis", "extent": [0.18, 0.92]}
"""Even and safe for the colour-blind, without the ends that would vanish on black or on white."""

REFERENCES = {
    "labels alone": (LABELS, [2, 2]),
    "teacher alone": (TEACHER_ALONE, [6, 2, 1, 2]),
    "teacher itself": (TEACHER, [6, 3]),
}
CONFIG: Chart = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--soft)",
        "titleColor": "var(--ink)",
        "gridColor": "var(--line)",
        "gridOpacity": 0.6,
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 500,
        "titlePadding": 8,
        "labelFlush": False,
    },
    "legend": {"labelColor": "var(--ink)", "titleColor": "var(--ink)", "labelFontSize": 12, "titleFontSize": 12},
    "text": {"color": "var(--ink)", "fontSize": 11},
    "rule": {"color": "var(--ink)"},
}


def charts() -> dict[str, Chart]:
    """Every chart of a study's page, by name."""
    return {
        "metric": metric(),
        "differences": differences(),
        "surface": surface(),
        "chosen": chosen(),
        "gain": gain(),
        "denoising": denoising(),
        "confusion": confusion(),
        "learning": learning(),
        "reliability": reliability(),
        "agreement": linelayered(),
        "ece": linelayered(),
        "predicted": predicted(),
    }


def metric() -> Chart:
    """A metric against alpha: single students, mean and band, the levels to compare with, the range, the choice."""
    y = _y("value")
    return layered(
        320,
        named("ranges", {"type": "rect", "color": RANGE, "opacity": 0.16}, x=_x("from"), x2={"field": "to"}),
        named("bands", {"type": "area", "color": CURVE, "opacity": 0.22}, x=_x(), y=_y("low"), y2={"field": "high"}),
        named(
            "levels",
            {"type": "rule", "strokeWidth": 1.4},
            y=y,
            color=_by("name", REFERENCES, 0),
            strokeDash=_by("name", REFERENCES, 1),
        ),
        named("dots", {"type": "circle", "color": CURVE, "opacity": 0.3, "size": 14}, x=_x(), y=y),
        named("rows", {"type": "line", "color": CURVE, "strokeWidth": 2.2}, x=_x(), y=y),
        named("rows", {"type": "circle", "color": CURVE, "opacity": 1, "size": 44}, x=_x(), y=y),
        named("choice", {"type": "point", "color": TEACHER, "size": 190, "strokeWidth": 1.8}, x=_x(), y=y),
        named(
            "diverged",
            {"type": "text", "color": LABELS, "dy": -6, "baseline": "bottom"},
            x=_x(),
            y={"value": {"expr": "height"}},
            text={"field": "told"},
        ),
        _touched("rows", "alpha", "n", "mean", "95 % interval", "to labels alone", "p after Holm", "diverged"),
    )


def differences() -> Chart:
    """Paired differences to a reference at each alpha; filled where they are shown after Holm's adjustment."""
    return layered(
        240,
        named("ranges", {"type": "rect", "color": RANGE, "opacity": 0.16}, x=_x("from"), x2={"field": "to"}),
        {"mark": {"type": "rule", "color": "var(--soft)"}, "encoding": {"y": {"datum": 0}}},
        named("rows", {"type": "rule", "color": CURVE, "strokeWidth": 2}, x=_x(), y=_y("low"), y2={"field": "high"}),
        named(
            "rows",
            {"type": "point", "size": 70, "strokeWidth": 2, "opacity": 1, "stroke": CURVE},
            x=_x(),
            y=_y("value"),
            fill={"condition": {"test": "datum.shown", "value": CURVE}, "value": "var(--paper)"},
        ),
        _touched("rows", "alpha", "n", "difference", "95 % interval", "p after Holm"),
    )


def surface() -> Chart:
    """A metric over alpha and another axis; the fuller the colour, the nearer a cell is to the best of its row."""
    x: Chart = {"field": "alpha", "type": "ordinal", "title": "alpha: weight of the labels", "axis": {"labelAngle": 0}}
    y: Chart = {"field": "value", "type": "ordinal", "sort": "$order", "title": "$axis"}
    near = {
        "field": "behind",
        "type": "quantitative",
        "scale": {"domain": "$behind", "range": [0.7, 0.03], "clamp": True},
        "legend": None,
    }
    words = told("$axis", "alpha", "mean")
    return layered(
        "$height",
        named("cells", {"type": "rect", "color": RANGE}, x=x, y=y, opacity=near, tooltip=words),
        named("cells", {"type": "text", "fontSize": 10}, x=x, y=y, text={"field": "short"}),
        named("framed", {"type": "rect", "fill": None, "stroke": "var(--ink)", "strokeWidth": 2.5}, x=x, y=y),
    )


def chosen() -> Chart:
    """The chosen alpha along an axis, the middle of those chosen when seeds are drawn again, and the range."""
    y: Chart = {"field": "value", "type": "ordinal", "sort": "$order", "title": "$axis"}
    x: Chart = {"type": "quantitative", "title": "chosen alpha", "scale": {"domain": [0, 1], "padding": 8}}
    return layered(
        "$height",
        named(
            "within", {"type": "square", "color": RANGE, "opacity": 0.35, "size": 130}, x=x | {"field": "alpha"}, y=y
        ),
        named(
            "points",
            {"type": "rule", "color": CURVE, "strokeWidth": 2.5},
            x=x | {"field": "low"},
            x2={"field": "high"},
            y=y,
        ),
        named("points", {"type": "circle", "color": CURVE, "opacity": 1, "size": 60}, x=x | {"field": "alpha"}, y=y),
    )


def gain() -> Chart:
    """What the chosen alpha gains over labels alone along an axis."""
    y: Chart = {"field": "value", "type": "ordinal", "sort": "$order", "title": "$axis"}
    x: Chart = {"type": "quantitative", "title": "$gain"}
    return layered(
        "$height",
        {"mark": {"type": "rule", "color": "var(--soft)"}, "encoding": {"x": {"datum": 0}}},
        named(
            "points",
            {"type": "rule", "color": LABELS, "strokeWidth": 2.5},
            x=x | {"field": "low"},
            x2={"field": "high"},
            y=y,
        ),
        named("points", {"type": "circle", "color": LABELS, "opacity": 1, "size": 60}, x=x | {"field": "gain"}, y=y),
    )


DENOISED = {
    "put right by students": (CURVE, [1, 0]),
    "repeated by students": (LABELS, [1, 0]),
    "put right by the teacher": (CURVE, [6, 3]),
    "repeated by the teacher": (LABELS, [6, 3]),
}


def denoising() -> Chart:
    """What becomes of wrong labels against alpha."""
    colour, dash = _by("name", DENOISED, 0), _by("name", DENOISED, 1)
    y = _y("value", {"domain": [0, 100]})
    line = {"type": "line", "strokeWidth": 2, "point": {"opacity": 1, "size": 36}}
    words = {"type": "text", "align": "right", "dx": -5, "color": "var(--soft)"}
    return layered(
        260,
        named(
            "rows", {"type": "area", "opacity": 0.2}, x=_x(), y=y | {"field": "low"}, y2={"field": "high"}, color=colour
        ),
        named("levels", {"type": "rule", "strokeWidth": 1.4}, y=y, color=colour, strokeDash=dash),
        named("rows", line, x=_x(), y=y, color=colour, strokeDash=dash),
        named("threshold", {"type": "rule", "strokeDash": [2, 3], "color": "var(--soft)"}, x=_x()),
        named("threshold", words, x=_x(), y={"value": 130}, text={"field": "told"}),
    )


def confusion() -> Chart:
    """Which class is taken for which, at one alpha: shares of each class's test examples."""
    x: Chart = {
        "field": "answer",
        "type": "ordinal",
        "sort": "$classes",
        "title": "answer",
        "axis": {"orient": "top", "labelAngle": -45, "labelLimit": 90},
    }
    y: Chart = {"field": "label", "type": "ordinal", "sort": "$classes", "title": "label", "axis": {"labelLimit": 90}}
    often = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": "$shares", "range": [0.02, 0.85], "clamp": True},
        "legend": None,
    }
    words = told("label", "answer", "% of the class", "answers")
    text = {"field": "short"}
    return layered(
        "$height",
        named("cells", {"type": "rect", "color": LABELS}, x=x, y=y, opacity=often, tooltip=words),
        named("hits", {"type": "rect", "color": "var(--pale)"}, x=x, y=y, tooltip=words),
        named("cells", {"type": "text", "fontSize": 10}, x=x, y=y, text=text),
        named("hits", {"type": "text", "fontSize": 10, "fontWeight": 600}, x=x, y=y, text=text),
    )


def learning() -> Chart:
    """Validation accuracy, or loss, epoch by epoch; a line for each alpha."""
    return layered(
        240,
        {
            "data": {"name": "rows"},
            "mark": {"type": "line", "strokeWidth": 1.8, "clip": True, "point": "$point"},
            "encoding": {
                "x": {
                    "field": "epoch",
                    "type": "quantitative",
                    "title": "epoch",
                    "axis": {"tickMinStep": 1},
                    "scale": {"domain": "$epochs", "nice": False},
                },
                "y": _y("value"),
                "color": {
                    "field": "alpha",
                    "type": "quantitative",
                    "title": "alpha",
                    "scale": {"scheme": VIRIDIS, "domain": [0, 1]},
                    "legend": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".2~f"},
                },
                "detail": {"field": "alpha"},
                "tooltip": told("alpha", "epoch", "mean"),
            },
        },
    )


def reliability() -> Chart:
    """Share of right answers against confidence; on the diagonal answers are as sure as they should be."""
    x: Chart = {"field": "sure", "type": "quantitative", "title": "confidence (%)", "scale": {"domain": [0, 100]}}
    y: Chart = {"field": "right", "type": "quantitative", "title": "right (%)", "scale": {"domain": [0, 100]}}
    colour = {
        "field": "name",
        "type": "nominal",
        "title": None,
        "scale": {"domain": "$names", "range": "$colours"},
        "legend": {"orient": "bottom", "symbolType": "stroke", "columns": 1, "labelLimit": 300},
    }
    return layered(
        260,
        named("diagonal", {"type": "line", "color": "var(--soft)", "strokeDash": [3, 3]}, x=x, y=y),
        named("rows", {"type": "line", "strokeWidth": 1.8}, x=x, y=y, color=colour),
        named(
            "rows",
            {"type": "circle", "opacity": 0.9},
            x=x,
            y=y,
            color=colour,
            size={"field": "count", "type": "quantitative", "legend": None, "scale": {"range": [12, 160]}},
            tooltip=told("alpha", "answers", "confidence", "right"),
        ),
    )


def linelayered() -> Chart:
    """One metric against alpha: mean and band."""
    return layered(
        180,
        named("rows", {"type": "area", "color": CURVE, "opacity": 0.22}, x=_x(), y=_y("low"), y2={"field": "high"}),
        named("rows", {"type": "line", "color": CURVE, "point": {"color": CURVE, "opacity": 1}}, x=_x(), y=_y("value")),
        _touched("rows", "alpha", "n", "mean", "95 % interval"),
    )


def predicted() -> Chart:
    """The squared error that both ends predict, and what it is."""
    return layered(
        240,
        named("line", {"type": "line", "color": LABELS, "strokeWidth": 2}, x=_x(), y=_y("value")),
        named("measured", {"type": "rule", "color": CURVE}, x=_x(), y=_y("low"), y2={"field": "high"}),
        named("measured", {"type": "circle", "color": CURVE, "opacity": 1, "size": 50}, x=_x(), y=_y("value")),
        named("marks", {"type": "rule", "strokeDash": [3, 3], "color": "var(--soft)"}, x=_x()),
        named(
            "marks",
            {"type": "text", "align": "left", "dx": 4, "baseline": "top"},
            x=_x(),
            y={"field": "place", "type": "quantitative", "scale": None},
            text={"field": "told"},
        ),
    )


def layered(height: Any, *layers: Chart) -> Chart:
    """Layers on common axes, as wide as the page; `height` in pixels, or a placeholder."""
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "layer": list(layers),
        "config": CONFIG,
    }


def named(data: str, mark: Chart, **encoding: Chart) -> Chart:
    """A layer of the data set of that name."""
    return {"data": {"name": data}, "mark": mark, "encoding": encoding}


def _x(field: str = "alpha") -> Chart:
    scale = {"domain": "$alphas", "nice": False, "padding": 10}
    return {"field": field, "type": "quantitative", "title": "alpha: weight of the labels", "scale": scale}


def _y(field: str, scale: Chart | None = None) -> Chart:
    limits = scale or {"domain": "$limits", "nice": False}
    return {"field": field, "type": "quantitative", "title": "$y", "scale": limits}


def _by(field: str, styles: dict[str, tuple[Any, Any]], which: int) -> Chart:
    scale = {"domain": list(styles), "range": [style[which] for style in styles.values()]}
    return {"field": field, "type": "nominal", "scale": scale, "legend": None}


def _touched(data: str, *fields: str) -> Chart:
    """Wide, unseen strips that tell of an alpha, easy to hit with a finger."""
    return named(data, {"type": "rule", "strokeWidth": 26, "opacity": 0}, x=_x(), tooltip=told(*fields))


def told(*fields: str) -> Any:
    """Fields that the page has worded under the same name."""
    return [{"field": f"told.{name}" if not name.startswith("$") else "told.axis", "title": name} for name in fields]
