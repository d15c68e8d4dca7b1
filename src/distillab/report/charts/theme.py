"""Colours and fonts of all charts: light in files and notebooks, the style sheet's variables on the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "ink": "#1b1f24",
        "soft": "#57606a",
        "paper": "#ffffff",
        "line": "#d0d7de",
        "pale": "#f3f5f7",
        "curve": "#0072b2",
        "labels": "#c24e00",
        "teacher-alone": "#8e4585",
        "teacher": "#222222",
        "range": "#009e73",
        "good": "#00684c",
        "bad": "#b3261e",
    }
)
"""By the name of the style sheet's variable. Okabe and Ito's colours, distinct in all common kinds of colour blindness;
orange and purple are darkened so that text in them is readable."""

INK, SOFT, PAPER, LINE, PALE = (COLOURS[name] for name in ("ink", "soft", "paper", "line", "pale"))
CURVE, LABELS, TEACHER_ALONE, TEACHER = (COLOURS[name] for name in ("curve", "labels", "teacher-alone", "teacher"))
RANGE, GOOD, BAD = (COLOURS[name] for name in ("range", "good", "bad"))

SERIES = (CURVE, LABELS, RANGE, "#cc79a7", "#e69f00", "#56b4e9", INK)
"""Colours of lines that have no role of their own."""

VIRIDIS: Mapping[str, Any] = MappingProxyType({"name": "viridis", "extent": [0.18, 0.92]})
"""Without the ends that are invisible on black or on white."""

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The first is part of vl-convert: files look the same on every machine."""


def config(*, font: str = FONT, background: str | None = PAPER) -> dict[str, Any]:
    """The `config` of a Vega-Lite specification.

    Args:
        font: a list of families, as in CSS.
        background: a colour, or None for a transparent one.
    """
    text = {"labelFontSize": 11, "titleFontSize": 11.5}
    return {
        "background": background,
        "font": font,
        "view": {"stroke": None},
        "axis": {
            **text,
            "labelColor": SOFT,
            "titleColor": INK,
            "titleFontWeight": 500,
            "titlePadding": 8,
            "gridColor": LINE,
            "gridOpacity": 0.6,
            "domainColor": SOFT,
            "tickColor": SOFT,
            "labelFlush": False,
        },
        "legend": {**text, "labelColor": INK, "titleColor": INK, "titleFontWeight": 500, "labelLimit": 320},
        "title": {
            "color": INK,
            "subtitleColor": INK,
            "anchor": "start",
            "frame": "group",
            "fontSize": 12.5,
            "offset": 10,
        },
        "text": {"color": INK, "fontSize": 11},
        "rule": {"color": INK},
    }


def with_variables(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Replace every colour of `COLOURS` in a specification by the style sheet's variable.

    Args:
        spec: a Vega-Lite specification.
    """
    text = json.dumps(spec)
    for name, colour in COLOURS.items():
        text = text.replace(f'"{colour}"', f'"var(--{name})"')
    replaced: dict[str, Any] = json.loads(text)
    return replaced
