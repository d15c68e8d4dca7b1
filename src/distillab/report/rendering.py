"""Templates: HTML pages in one file with a strict policy, and Markdown in which no name can act as markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from distillab.report.vega import library

if TYPE_CHECKING:
    from jinja2 import Environment

_MARKUP = re.compile(r"([\\`*_\[\]<>#|~&$])")


def render_page(template: str, *, script: str, data: Mapping[str, Any], **context: Any) -> str:
    """Render a self-contained HTML page.

    Args:
        template: its name, such as "study.html.j2"; it extends "base.html.j2".
        script: the file in `assets` that draws this kind of page, such as "page.js"; it follows "common.js".
        data: plain values for the script.
        context: the template's variables.

    Returns:
        The page. Its policy allows these very scripts by their digests, and no request at all.
    """
    from markupsafe import Markup

    scripts = [library(), asset("common.js"), asset(script)]
    return render_html(
        template,
        policy=policy(scripts),
        style=Markup(asset("page.css")),
        scripts=[Markup(text) for text in scripts],
        data=Markup(inert(data)),
        **context,
    )


def render_html(template: str, **context: Any) -> str:
    """Render HTML; every value is escaped.

    Args:
        template: its name.
        context: its variables.
    """
    return _html().get_template(template).render(context)


def render_markdown(template: str, **context: Any) -> str:
    """Render Markdown; every value is escaped, unless the template marks it with the filter `raw` or `code`.

    Args:
        template: its name.
        context: its variables.
    """
    return _markdown().get_template(template).render(context)


def policy(scripts: Sequence[str]) -> str:
    """A Content-Security-Policy: these scripts, inline styles, images inside the page, and nothing else.

    Args:
        scripts: their texts, as the page holds them.
    """
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def inert(data: Mapping[str, Any]) -> str:
    """Data as JSON in which no markup can begin.

    Args:
        data: plain values, numbers finite.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def asset(name: str) -> str:
    """A file of the page: its style or a script.

    Args:
        name: in the folder `assets`.
    """
    return files("distillab.report").joinpath("assets", name).read_text(encoding="utf-8")


class _Raw(str):
    """Text that is Markdown already."""

    __slots__ = ()


def escape_markdown(text: object) -> str:
    """Text on one line in which no character acts as Markdown or HTML.

    Args:
        text: of any origin, such as a name or a question.

    Example:
        >>> escape_markdown("a|b <i>*c*")
        'a\\\\|b \\\\<i\\\\>\\\\*c\\\\*'
    """
    if isinstance(text, _Raw) or hasattr(text, "__html__"):
        return str(text)
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def code(text: object) -> str:
    """Text as a code span of Markdown.

    Args:
        text: of any origin.

    Example:
        >>> code("a `b`")
        '`` a `b` ``'
    """
    line = " ".join(str(text).split())
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return _Raw(fence + space + line + space + fence)


def fenced(text: object, language: str = "") -> str:
    """Text as a fenced block of Markdown.

    Args:
        text: of any origin, several lines.
        language: of the text, such as "yaml".
    """
    longest = max(map(len, re.findall("`+", str(text))), default=0)
    fence = "`" * max(3, longest + 1)
    return _Raw("\n".join([fence + language, str(text).strip(), fence]))


def _url(name: object) -> str:
    """A file name as the target of a link."""
    return _Raw(quote(str(name)))


def _environment(**options: Any) -> Environment:
    # Jinja takes a while to import, and commands that render nothing should not wait for it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("distillab.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )


@cache
def _html() -> Environment:
    return _environment(autoescape=True)


@cache
def _markdown() -> Environment:
    environment = _environment(autoescape=False, finalize=escape_markdown)
    environment.filters |= {"raw": _Raw, "code": code, "fenced": fenced, "url": _url}
    return environment
