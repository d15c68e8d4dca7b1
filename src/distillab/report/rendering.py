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

from distillab.report.charts.render import VERSION

if TYPE_CHECKING:
    from jinja2 import Environment

_MARKUP = re.compile(r"([\\`*_\[\]<>#|~&$])")


def render_page(template: str, *, script: str, data: Mapping[str, Any], **context: Any) -> str:
    """Render a self-contained HTML page, whose policy allows its very scripts by their digests, and no request at all.

    Args:
        template: its name, such as "study.html.j2"; it extends "base.html.j2".
        script: the file in `assets` that draws this kind of page, such as "page.js"; it follows "common.js".
        data: plain values for the script.
        context: the template's variables.
    """
    from markupsafe import Markup

    scripts = [_library(), _asset("common.js"), _asset(script)]
    shown = {"scripts": [Markup(text) for text in scripts], "data": Markup(_inert(data))}
    return render_html(template, policy=_policy(scripts), style=Markup(_asset("page.css")), **shown, **context)


def render_still_page(template: str, **context: Any) -> str:
    """Render a self-contained HTML page without any script.

    Args:
        template: as in `render_page`.
        context: the template's variables.
    """
    from markupsafe import Markup

    return render_html(template, policy=_policy([]), style=Markup(_asset("page.css")), scripts=[], **context)


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


@cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script; it sets `vegaEmbed`."""
    import vl_convert

    # The default also sets names that no page of ours uses; the less there is, the less can clash.
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VERSION)
    return script.replace("</script", "<\\/script")


def _policy(scripts: Sequence[str]) -> str:
    """A Content-Security-Policy: these scripts, inline styles, images inside the page, and nothing else."""
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _inert(data: Mapping[str, Any]) -> str:
    """Data as JSON in which no markup can begin."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _asset(name: str) -> str:
    """A file of the page: its style or a script."""
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


def _code(text: object) -> str:
    """Text as a code span of Markdown."""
    line = " ".join(str(text).split())
    fence, space = _fence(line, 1), " " if "`" in line else ""
    return _Raw(fence + space + line + space + fence)


def _fenced(text: object, language: str = "") -> str:
    """Text as a fenced block of Markdown."""
    fence = _fence(str(text), 3)
    return _Raw(f"{fence}{language}\n{str(text).strip()}\n{fence}")


def _fence(text: str, least: int) -> str:
    """More backticks in a row than the text has."""
    return "`" * max(least, 1 + max(map(len, re.findall("`+", text)), default=0))


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
    environment.filters |= {"raw": _Raw, "code": _code, "fenced": _fenced, "url": _url}
    return environment
