"""An SVG file's drawing, made fit to stand in a page."""

from __future__ import annotations

import html
import re


def inline_svg(svg: str, *, prefix: str, label: str) -> str:
    """Take the drawing out of an SVG file.

    Args:
        svg: the file's text.
        prefix: put before every identity in it, so that two drawings on one page do not share any.
        label: what the drawing shows, for those who cannot see it.

    Returns:
        The `svg` element, without declarations, metadata and style sheet, which would reach beyond it.
    """
    drawing = svg[svg.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>\s*", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'<style type="text/css">.*?</style>', "", drawing, flags=re.DOTALL)
    drawing = re.sub(r"<defs>\s*</defs>\s*", "", drawing)
    drawing = re.sub(r'\bid="', f'id="{prefix}-', drawing)
    drawing = re.sub(r'href="#', f'href="#{prefix}-', drawing)
    drawing = re.sub(r"url\(#", f"url(#{prefix}-", drawing)
    named = f'<svg role="img" aria-label="{html.escape(label)}" stroke-linejoin="round" stroke-linecap="butt"'
    return drawing.replace("<svg", named, 1).strip()
