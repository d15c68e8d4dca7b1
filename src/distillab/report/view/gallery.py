"""Why an example is in the gallery."""

from __future__ import annotations

import distillab.report.formatting as fmt
from distillab.analysis.gallery import Exhibit, Gallery


def exhibit_reason(kind: str, exhibit: Exhibit, gallery: Gallery) -> str:
    """Why an example is in the gallery.

    Args:
        kind: "informative", "recovered" or "wrong".
        exhibit: the example.
        gallery: of the setting.
    """
    students = f"{exhibit.matching} of {fmt.counted(exhibit.among, 'student')}"
    if kind == "informative":
        return f"the teacher's prediction at T = {gallery.temperature:g} spreads over {exhibit.spread:.1f} classes"
    if kind == "recovered":
        return f"corrected by {students} trained on a wrong label, at alpha = {gallery.chosen:g}"
    return f"predicted wrongly by {students} at alpha = {gallery.chosen:g}"
