"""An audit of labels as a table and a page."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import numpy as np

import distillab.report.formatting as fmt
from distillab.analysis.audit import Detection, LabelAudit
from distillab.report.picture import pictures
from distillab.report.rendering import render_still_page
from distillab.report.view.setting import wrong_share
from distillab.report.view.table import KeyFigure, Table
from distillab.report.write import check_folder, write_files
from distillab.study.storage.records import GalleryExamples

SHOWN = 60
"""Examples on the page."""

MOST_CLASSES = 20
"""Classes of the matrix on the page."""

COLUMNS = ("rank", "id", "given", "likeliest", "probability_wrong")


def write_audit(audit: LabelAudit, out: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write `labels.csv` and `labels.html`.

    Args:
        audit: of some labels.
        out: the folder.

    Raises:
        RequestError: `out` is a file.
        WorkError: a file cannot be written.
    """
    folder = Path(out)
    check_folder(folder, "--out")
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / "labels.csv": audit_csv(audit).encode(), folder / "labels.html": audit_page(audit).encode()}
    write_files(files)
    return tuple(files)


def audit_csv(audit: LabelAudit) -> str:
    """Every example, the most suspicious first.

    Args:
        audit: of some labels.
    """
    text, names = io.StringIO(), audit.dataset.class_names
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for rank, row in enumerate(audit.order.tolist(), start=1):
        given, likeliest = names[audit.dataset.y_train[row]], names[audit.likeliest[row]]
        writer.writerow((rank, audit.ids[row], given, likeliest, f"{audit.doubt[row]:.4f}"))
    return text.getvalue()


def audit_text(audit: LabelAudit) -> str:
    """What was found, in sentences.

    Args:
        audit: of some labels.
    """
    count = len(audit.doubt)
    sentences = [
        f"About {wrong_share(audit.share)} of {count:,} labels look wrong; {audit.flagged:,} are more probably wrong "
        "than right.",
        f"{audit.method} It agrees with {fmt.percent(audit.agreement, 1)} of the labels.",
        _chance(audit),
        audit.caveat,
        *(_found(name, of) for name, of in audit.detected.items()),
    ]
    return "\n".join(filter(None, sentences))


def _chance(audit: LabelAudit) -> str:
    if not audit.at_chance:
        return ""
    return (
        f"The teacher is at chance (always saying the commonest label agrees with {fmt.percent(audit.commonest, 1)}): "
        "these doubts say little. Train it longer with --epochs, or name another."
    )


def _found(name: str, of: Detection) -> str:
    if not of.wrong:
        return f"No label was made wrong; {name} flagged {of.flagged:,}."
    return (
        f"Of {of.wrong:,} labels made wrong, {name} flagged {fmt.percent(of.recall, 1)} ({of.flagged:,} flagged, "
        f"{fmt.percent(of.precision, 1)} of them wrong); average precision of the ranking "
        f"{fmt.percent(of.average_precision, 1)}."
    )


def audit_page(audit: LabelAudit) -> str:
    """The page: figures, the most suspicious examples with their pictures, and the noise.

    Args:
        audit: of some labels.
    """
    dataset, shown = audit.dataset, audit.order[: min(SHOWN, len(audit.doubt))]
    names = dataset.class_names
    drawn = None
    if isinstance(dataset.scale, float):
        examples = GalleryExamples(dataset.x_train[shown], dataset.y_train[shown].astype(np.int16), dataset.scale)
        drawn = pictures(examples, list(range(len(shown))))
    cards: list[dict[str, Any]] = [
        {
            "picture": None if drawn is None else drawn[place],
            "id": audit.ids[row],
            "given": names[dataset.y_train[row]],
            "likeliest": names[audit.likeliest[row]],
            "doubt": f"{100 * audit.doubt[row]:.0f} %",
        }
        for place, row in enumerate(shown.tolist())
    ]
    return render_still_page(
        "audit.html.j2",
        title=f"Labels of {dataset.name}",
        figures=_figures(audit),
        sentences=audit_text(audit).splitlines(),
        cards=cards,
        pictured=drawn is not None,
        listing=_listing(cards),
        matrix=_matrix(audit),
        detected=_detected(audit),
        count=len(audit.doubt),
    )


def _figures(audit: LabelAudit) -> tuple[KeyFigure, ...]:
    low, high = (f"{100 * end:.1f} %" for end in (audit.share.low, audit.share.high))
    return (
        KeyFigure("wrong labels", f"{100 * audit.share.estimate:.1f} %", f"95 % interval {low} to {high}"),
        KeyFigure("flagged", f"{audit.flagged:,}", f"of {len(audit.doubt):,}: more probably wrong than right"),
    )


def _listing(cards: list[dict[str, Any]]) -> Table:
    rows = tuple((card["id"], card["given"], card["likeliest"], card["doubt"]) for card in cards)
    caption = "The most suspicious examples; labels.csv has all."
    return Table("the most suspicious examples", caption, ("id", "given", "likeliest", "probably wrong"), rows, words=3)


def _matrix(audit: LabelAudit) -> Table | None:
    names = audit.dataset.class_names
    if len(names) > MOST_CLASSES:
        return None
    rows = tuple(
        (name, *(f"{100 * value:.1f}" for value in of)) for name, of in zip(names, audit.found.matrix, strict=True)
    )
    caption = "Of the examples of a clean class (row), the estimated per cent that are given each class (column)."
    return Table("the noise of the labels", caption, ("", *names), rows)


def _detected(audit: LabelAudit) -> Table | None:
    if not audit.detected:
        return None
    rows = tuple(
        (name, *(fmt.percent(value, 1) for value in (of.precision, of.recall, of.average_precision)))
        for name, of in audit.detected.items()
    )
    caption = "Labels were made wrong first: which of them were found."
    return Table("found", caption, ("", "precision", "recall", "average precision"), rows)
