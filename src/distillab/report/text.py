"""A finding as text for a terminal: lines of about a hundred characters, without a line end after the last."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from distillab.report.view.distillation import DistillationView
from distillab.report.view.setting import SettingView
from distillab.report.view.study import WRONG_LABELS, StudyView
from distillab.report.view.table import Table

WIDTH = 100


def study_text(view: StudyView) -> str:
    """The whole finding: for each setting three sentences, the table and what to do; then trends and caveats.

    Args:
        view: of a study.
    """
    blocks = [_wrapped(view.question)]
    for setting in view.settings:
        blocks.append("\n".join([*_heading(view, setting), *map(_wrapped, setting.sentences)]))
        blocks.append(_wrapped(setting.circumstances))
        if setting.finished:
            blocks.append(f"{_aligned(setting.alphas)}\n{view.note}")
        if setting.advice:
            blocks.append(_items("What to do", setting.advice))
    for trend in view.trends:
        blocks.append("\n".join([f"[along the {trend.title}]", *map(_wrapped, trend.sentences)]))
        blocks.append(f"{_aligned(trend.table)}\n{_wrapped(trend.table.caption)}")
    if view.denoising:
        blocks.append(_items(f"Wrong labels. {WRONG_LABELS}", view.denoising))
    if view.predictions:
        blocks.append(_items("Alpha predicted from both ends", view.predictions))
    blocks.append(_items("Caveats", view.caveats))
    return "\n\n".join(blocks)


def short_text(view: StudyView) -> str:
    """The finding at its shortest: three sentences for each setting.

    Args:
        view: of a study.
    """
    return "\n".join(_wrapped(" ".join([*_heading(view, each), *each.sentences])) for each in view.settings)


def distillation_text(view: DistillationView) -> str:
    """The finding of a distillation: verdict, quality, how it was trained, caveats.

    Args:
        view: of the distillation.
    """
    blocks = [_wrapped(f"{view.title}. {view.lead}"), distillation_summary(view)]
    blocks.append(f"{_aligned(view.quality)}\n{_wrapped(view.quality.caption)}")
    blocks.append(_items("Training", [view.method, *view.training]))
    blocks.append(_items("Caveats", [*view.caveats, view.against_teacher]))
    return "\n\n".join(blocks)


def distillation_summary(view: DistillationView) -> str:
    """The verdict, what makes it doubtful, and what a time budget cut.

    Args:
        view: of the distillation.
    """
    return "\n".join(_wrapped(text) for text in (view.verdict, view.caveat, view.cuts) if text)


def _aligned(table: Table) -> str:
    """A table with numbers to the right; a star marks the chosen row."""
    lines = [table.head, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.head))]
    marks = ["" if table.words else " "] * len(lines)  # a table of words has no chosen row
    if not table.words and table.chosen is not None:
        marks[1 + table.chosen] = "*"
    return "\n".join(
        mark + "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for mark, line in zip(marks, lines, strict=True)
    )


def _heading(view: StudyView, setting: SettingView) -> list[str]:
    return [f"[{setting.label}]"] if len(view.settings) > 1 else []


def _wrapped(text: str, first: str = "", then: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def _items(title: str, items: Iterable[str]) -> str:
    return "\n".join([_wrapped(f"{title}:"), *(_wrapped(item, "- ", "  ") for item in items)])
