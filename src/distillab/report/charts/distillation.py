"""A distillation's charts: both trainings of each seed, and the candidates of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

import distillab.report.formatting as fmt
from distillab.metrics.metric import Metric
from distillab.report.charts.layers import ALPHA, Rows, Tables, frame, layer, limits, tips, value_axis
from distillab.report.charts.theme import CURVE, INK, LABELS, SOFT, TEACHER, VIRIDIS

BASELINE, STUDENT = "without a teacher", "student"


def seeds_data(metric: Metric, student: Sequence[float], baseline: Sequence[float], teacher: float) -> Tables:
    """Tables "seeds" (a training each), "means", "level" (the teacher, where it is near) and "frame".

    Args:
        metric: on the test examples; proportions are drawn in per cent.
        student: of the distilled students by seed, as stored.
        baseline: of the students without a teacher by seed.
        teacher: the teacher's.
    """
    factor = metric.factor
    sides = ((BASELINE, baseline), (STUDENT, student))
    seeds: Rows = [
        {"who": who, "seed": seed, "value": factor * value, "test result": fmt.value(metric, value)}
        for who, values in sides
        for seed, value in enumerate(values)
    ]
    least = 1.0 if metric.unit == "%" else 1e-9
    low, high = limits([row["value"] for row in seeds], least)
    near = low - (high - low) < factor * teacher < high + (high - low)
    if near:
        low, high = limits([*(row["value"] for row in seeds), factor * teacher], least)
    return {
        "seeds": seeds,
        "means": [{"who": who, "value": factor * sum(values) / len(values)} for who, values in sides],
        "level": [{"value": factor * teacher}] if near else [],
        "frame": [{"who": BASELINE, "value": low}, {"who": STUDENT, "value": high}],
    }


def seeds_chart(tables: Tables | None = None, *, y: str = "$y") -> alt.LayerChart:
    """Draw a line for each seed from the training without a teacher to the distilled one, and their means.

    Args:
        tables: as `seeds_data` gives them; None where the page supplies them.
        y: the title of the y axis.
    """
    x, value = alt.X("who:N").sort(None).title(None).axis(labelAngle=0), value_axis("value", y)
    seeds = layer(tables, "seeds")
    return alt.layer(
        layer(tables, "frame").mark_point(opacity=0, tooltip=None).encode(x=x, y=value),
        layer(tables, "level").mark_rule(strokeDash=[6, 3], color=TEACHER).encode(y=value),
        seeds.mark_line(color=SOFT, opacity=0.5).encode(x=x, y=value, detail="seed:N"),
        seeds.mark_circle(opacity=0.8, size=60, color=CURVE).encode(x=x, y=value, tooltip=tips("seed", "test result")),
        layer(tables, "means").mark_tick(color=CURVE, thickness=3, size=50).encode(x=x, y=value),
    ).properties(height=240)


def search_data(search: Mapping[str, Any]) -> Tables:
    """Tables "candidates" (without the worst quarter, such as far too low learning rates), "chosen", "level", "frame".

    Args:
        search: "distilled" (candidates: alpha, temperature, learning_rate, loss, score, trainings), "alone" (the best
            score without a teacher, or None), "chosen" (the three settings chosen), "factor" and "sign" of the metric.
    """
    factor, sign, chosen = search["factor"], search.get("sign", 1), search["chosen"]
    rows: Rows = [
        {
            **{name: candidate[name] for name in ("alpha", "temperature", "loss", "trainings")},
            "learning rate": candidate["learning_rate"],
            "value": factor * candidate["score"],
            "score": f"{factor * candidate['score']:.{2 if factor == 100 else 4}f}",
        }
        for candidate in search["distilled"]
    ]
    level = [] if search["alone"] is None else [{"value": factor * search["alone"]}]
    values = sorted((row["value"] for row in (*rows, *level)), key=lambda value: sign * value)
    kept = values[len(values) // 4 :]
    low, high = limits(kept, 0.005 * factor)
    keys = {"alpha": "alpha", "temperature": "temperature", "learning rate": "learning_rate"}
    return {
        "candidates": [row for row in rows if sign * row["value"] >= sign * kept[0]],
        "chosen": [
            {"alpha": row["alpha"], "value": row["value"]}
            for row in rows
            if low <= row["value"] <= high and all(row[key] == chosen[name] for key, name in keys.items())
        ],
        "level": level,
        "frame": [{"alpha": 0.0, "value": low}, {"alpha": 1.0, "value": high}],
    }


def search_chart(tables: Tables | None = None, *, y: str = "$y", colour: str = "temperature") -> alt.LayerChart:
    """Draw every candidate's validation score against alpha, the chosen one, and the best without a teacher.

    Args:
        tables: as `search_data` gives them; None where the page supplies them.
        y: the title of the y axis.
        colour: the number that colours the candidates, "temperature" or "learning rate".
    """
    x = alt.X("alpha:Q").title(ALPHA).scale(domain=[0, 1], padding=10).axis(format="~g")
    value, points = value_axis("value", y), layer(tables, "candidates")
    shown = tips("alpha", *dict.fromkeys((colour, "learning rate")), "loss", "score", "trainings")
    legend = alt.Legend(orient="bottom", gradientLength=160, tickCount=3)
    shade = alt.Color(f"{colour}:Q").title(colour).scale(scheme=dict(VIRIDIS), type="log").legend(legend)
    return alt.layer(
        frame(tables, x, value),
        layer(tables, "level").mark_rule(strokeDash=[2, 2], strokeWidth=1.5, color=LABELS, clip=True).encode(y=value),
        points.mark_circle(opacity=0.85, size=60, stroke=INK, strokeWidth=0.6).encode(
            x=x, y=value, color=shade, tooltip=shown
        ),
        layer(tables, "chosen").mark_point(color=TEACHER, size=200, strokeWidth=1.8, opacity=1).encode(x=x, y=value),
    ).properties(height=260)
