"""The chart library: Vega-Lite, in one piece, to stand inside a page."""

from __future__ import annotations

from functools import lru_cache

VERSION = "6.4"
"""Of Vega-Lite, among those that vl-convert carries."""

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""The name of the language; nothing fetches it."""


@lru_cache(maxsize=1)
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script; it sets `vegaEmbed`."""
    import vl_convert

    # The default also sets names that no page of ours uses; the less there is, the less can clash.
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VERSION)
    return script.replace("</script", "<\\/script")
