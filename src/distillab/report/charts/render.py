"""Charts as the bytes of files."""

from __future__ import annotations

import io
import re
from typing import Any, Literal

VERSION = "6.4"
"""Of Vega-Lite, among those that vl-convert carries."""

Form = Literal["png", "svg"]
FORMS: tuple[Form, ...] = ("png", "svg")
COUNTED = re.compile(r"\b(clip|gradient_|pattern_)\d+")
"""Identities in an SVG: Vega counts them through all charts of a process."""

SCALE = 2.5
"""Pixels of a PNG for each of the chart's: about 240 dpi on paper."""


def render(chart: Any, form: Form) -> bytes:
    """Draw a chart on white, as the content of a file: the same chart gives the same bytes.

    Args:
        chart: any Altair chart that holds its data.
        form: "png" or "svg".
    """
    import vl_convert

    spec = chart.to_dict(validate=False)  # the tests validate every kind of chart; that takes longer than to draw
    if form == "svg":
        svg: str = vl_convert.vegalite_to_svg(spec, vl_version=VERSION)
        numbers: dict[str, str] = {}
        return COUNTED.sub(lambda name: numbers.setdefault(name[0], f"{name[1]}{len(numbers)}"), svg).encode()
    from PIL import Image

    drawn = Image.open(io.BytesIO(vl_convert.vegalite_to_png(spec, vl_version=VERSION, scale=SCALE)))
    smaller = io.BytesIO()  # by three quarters, and nothing is lost: a chart is opaque
    drawn.convert("RGB").save(smaller, "png", dpi=(96 * SCALE, 96 * SCALE))
    return smaller.getvalue()
