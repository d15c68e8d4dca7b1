"""An HTML page in one file: head, policy, style, data and scripts, with nothing fetched from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from distillab.report.vega import library

Section = tuple[str, str, str]
"""Identity, title and body; a section with an empty body is left out."""


def document(
    title: str, lead: str, sections: Iterable[Section], footer: str, data: Mapping[str, Any], *, script: str
) -> str:
    """Put a page together.

    Args:
        title: as text.
        lead: what stands below it, as HTML.
        sections: from top to bottom.
        footer: as HTML.
        data: what the script reads, as plain values.
        script: the file in `assets` that draws this kind of page, such as "page.js"; it follows "common.js".

    Returns:
        The page. Its policy allows these very scripts by their digests, and no request at all.
    """
    shown = [section for section in sections if section[2]]
    scripts = [library(), asset("common.js"), asset(script)]
    links = "".join(f'<li><a href="#{name}">{escape(heading)}</a></li>' for name, heading, _ in shown)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy(scripts)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>\n{asset('page.css')}</style>",
            "</head>",
            "<body>",
            '<a class="skip" href="#content">Skip to the content</a>',
            f"<header><h1>{escape(title)}</h1>{lead}",
            f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>',
            '<main id="content">',
            "<noscript><p>Charts need JavaScript. The tables below hold the same numbers, and the study's folder has "
            "the figures as files.</p></noscript>",
            *(
                f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(heading)}</h2>\n{body}\n</section>'
                for name, heading, body in shown
            ),
            "</main>",
            f"<footer>{footer}</footer>",
            f'<script type="application/json" id="data">{inert(data)}</script>',
            *(f"<script>{text}</script>" for text in scripts),
            "</body>",
            "</html>\n",
        ]
    )


def policy(scripts: Sequence[str]) -> str:
    """The page's Content-Security-Policy: these scripts, styles of its own, images inside it, and nothing else."""
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def inert(data: Mapping[str, Any]) -> str:
    """Data as JSON in which no markup can begin."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def asset(name: str) -> str:
    """A file that belongs to the page."""
    return files("distillab.report").joinpath("assets", name).read_text(encoding="utf-8")


def paragraph(text: str, kind: str = "") -> str:
    """Text as a paragraph."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def items(texts: Sequence[str]) -> str:
    """Texts as a list."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def chart(name: str, label: str, caption: str = "") -> str:
    """The place of a chart.

    Args:
        name: as the script knows it.
        label: what it shows, for those who cannot see it.
        caption: what stands below it.
    """
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure><div class="chart" id="chart-{name}" role="img" aria-label="{escape(label)}"></div>{below}</figure>'
    )


def select(identity: str, label: str, options: Sequence[tuple[str, str]] = ()) -> str:
    """A control; the script fills it where no options are given."""
    told = "".join(f'<option value="{value}">{escape(text)}</option>' for value, text in options)
    return f'<label>{escape(label)} <select id="{identity}" autocomplete="off">{told}</select></label>'


def controls(*controls: str, identity: str = "") -> str:
    """Controls in a row."""
    named = f' id="{identity}"' if identity else ""
    return f'<div class="controls"{named}>{"".join(controls)}</div>'


def table(title: str, caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """A table that scrolls by itself where the screen is narrow.

    Args:
        title: what it is called.
        caption: what stands above it.
        head: names of the columns.
        rows: cells as text, the first of each its name.
        words: how many columns from the left hold words.
    """

    def cell(tag: str, place: int, text: str, more: str = "") -> str:
        kind = ' class="words"' if place < words else ""
        return f"<{tag}{more}{kind}>{escape(text)}</{tag}>"

    heads = "".join(cell("th", place, name, ' scope="col"') for place, name in enumerate(head))
    lines = "\n".join(
        "<tr>"
        + "".join(
            cell("td" if place else "th", place, text, "" if place else ' scope="row"')
            for place, text in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table: {escape(title)}"><table>'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody></table></div>"
    )


def key_figures(figures: Iterable[tuple[str, str, str, str]], kind: str = "") -> str:
    """A row of large figures.

    Args:
        figures: name, figure, what stands below, class of the figure.
        kind: the verdict's, for its colour.
    """
    told = "".join(
        f'<div><dt>{escape(name)}</dt><dd class="figure {mark}">{escape(figure)}</dd>'
        f'<dd class="more">{escape(more)}</dd></div>'
        for name, figure, more, mark in figures
    )
    return f'<dl class="keys {kind}">{told}</dl>'
