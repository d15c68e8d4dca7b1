"""The charts of the pages that compare studies and that report a distillation."""

from __future__ import annotations

from distillab.report.charts import CURVE, LABELS, TEACHER, VIRIDIS, Chart, layered, named, told


def comparison_chart() -> Chart:
    """A line with its band for each setting, without its data."""
    x = {
        "field": "alpha",
        "type": "quantitative",
        "title": "alpha: weight of the labels",
        "scale": {"domain": [0, 1], "padding": 10},
    }
    y = {"type": "quantitative", "title": "$y", "scale": {"domain": "$limits", "nice": False}}
    legend = {
        "orient": "bottom",
        "columns": 1,
        "labelLimit": 480,
        "symbolType": "stroke",
        "symbolStrokeWidth": 3,
        "symbolOpacity": 1,
    }
    colour = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "title": None,
        "scale": {"domain": "$names", "scheme": "tableau10"},
        "legend": legend,
    }
    words = told("study", "alpha", "n", "shown", "95 % interval", "p after Holm")
    return layered(
        360,
        named("zero", {"type": "rule", "color": "var(--soft)"}, y=y | {"field": "value"}),
        named(
            "rows", {"type": "area", "opacity": 0.14}, x=x, y=y | {"field": "low"}, y2={"field": "high"}, color=colour
        ),
        named("rows", {"type": "line", "strokeWidth": 2}, x=x, y=y | {"field": "value"}, color=colour),
        named(
            "rows",
            {"type": "circle", "opacity": 1, "size": 60},
            x=x,
            y=y | {"field": "value"},
            color=colour,
            tooltip=words,
        ),
    )


def distillation_charts() -> dict[str, Chart]:
    """The charts of a distillation's page, without their data."""
    who = {"field": "who", "type": "nominal", "sort": None, "title": None, "axis": {"labelAngle": 0}}
    scale = {"domain": "$limits", "nice": False}
    y = {"field": "value", "type": "quantitative", "title": "test accuracy (%)", "scale": scale}
    seeds = layered(
        240,
        named("level", {"type": "rule", "strokeDash": [6, 3], "color": TEACHER}, y=y),
        named("seeds", {"type": "line", "color": "var(--soft)", "opacity": 0.5}, x=who, y=y, detail={"field": "seed"}),
        named("seeds", {"type": "circle", "opacity": 0.8, "size": 60}, x=who, y=y, tooltip=told("seed", "accuracy")),
        named("means", {"type": "tick", "color": CURVE, "thickness": 3, "size": 50}, x=who, y=y),
    )
    x = {
        "field": "alpha",
        "type": "quantitative",
        "title": "alpha: weight of the labels",
        "scale": {"domain": [0, 1], "padding": 10},
    }
    score = {"field": "value", "type": "quantitative", "title": "$score", "scale": scale}
    colour = {
        "field": "temperature",
        "type": "quantitative",
        "title": "temperature",
        "scale": {"scheme": VIRIDIS, "type": "log"},
        "legend": {"orient": "bottom", "gradientLength": 160, "tickCount": 3},
    }
    search = layered(
        260,
        named("level", {"type": "rule", "strokeDash": [2, 2], "strokeWidth": 1.5, "color": LABELS}, y=score),
        named(
            "candidates",
            {"type": "circle", "opacity": 0.85, "size": 60, "stroke": "var(--ink)", "strokeWidth": 0.6},
            x=x,
            y=score,
            color=colour,
            tooltip=told("alpha", "temperature", "learning rate", "loss", "score", "trainings"),
        ),
        named("chosen", {"type": "point", "color": TEACHER, "size": 200, "strokeWidth": 1.8}, x=x, y=score),
    )
    return {"seeds": seeds, "search": search}
