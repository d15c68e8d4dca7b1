"""The answer as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

from distillab.analysis.advice import advice, caveats, circumstances
from distillab.analysis.numerals import NOTHING, bare_p, percent, points, span
from distillab.analysis.sentences import METRIC_NAMES, sentences

if TYPE_CHECKING:
    from distillab.analysis.answer import Answer
    from distillab.analysis.finding import Finding, Row

WIDTH = 100

COLUMNS: dict[str, Callable[[Row], str]] = {
    "alpha": lambda row: f"{row.alpha:g}",
    "n": lambda row: str(row.n),
    "test %": lambda row: percent(row.mean).removesuffix(" %"),
    "95 % interval": lambda row: span(row.low, row.high),
    "to alpha 1": lambda row: points(row.over_labels.difference) if row.over_labels else NOTHING,
    "interval": lambda row: (
        span(row.over_labels.low, row.over_labels.high, signed=True) if row.over_labels else NOTHING
    ),
    "p": lambda row: bare_p(row.over_labels.p_holm) if row.over_labels and row.over_labels.n > 1 else NOTHING,
    "to alpha 0": lambda row: points(row.over_teacher.difference) if row.over_teacher else NOTHING,
    "p ": lambda row: bare_p(row.over_teacher.p_holm) if row.over_teacher and row.over_teacher.n > 1 else NOTHING,
    "valid. %": lambda row: percent(row.validation).removesuffix(" %"),
    "range": lambda row: {True: "yes", False: "no", None: NOTHING}[row.in_range],
}
"""The table's columns: differences in percentage points, p after Holm."""

NOTE = "* chosen on the validation data. Differences in percentage points; p after Holm over the table."

DIVERGED: dict[str, Callable[[Row], str]] = {"diverged": lambda row: str(row.diverged)}


def in_words(answer: Answer) -> str:
    """The whole answer: three sentences, the table, what to do, and the caveats; for each setting in turn.

    Args:
        answer: of a study.

    Returns:
        Lines of at most about a hundred characters, without a line end after the last.
    """
    blocks = [_wrapped(answer.question)]
    for finding in answer.findings:
        told = sentences(answer, finding)
        blocks.append("\n".join([*_heading(answer, finding), *(_wrapped(sentence) for sentence in told)]))
        facts = circumstances(finding)
        if finding.teacher is not None:
            facts += (
                f" The teacher's test {METRIC_NAMES.get(answer.metric, answer.metric)} is {percent(finding.teacher)}."
            )
        blocks.append(_wrapped(facts))
        if finding.finished:
            blocks.append(table(finding))
        todo = advice(answer, finding)
        if todo:
            blocks.append(_items("What to do", todo))
    blocks.append(_items("What this rests on", caveats(answer)))
    return "\n\n".join(blocks)


def three_sentences(answer: Answer) -> str:
    """The answer at its shortest: three sentences for each setting."""
    return "\n".join(
        _wrapped(" ".join([*_heading(answer, finding), *sentences(answer, finding)])) for finding in answer.findings
    )


def table(finding: Finding) -> str:
    """The alphas of a setting, one a line; a star marks the one chosen on the validation data."""
    columns = COLUMNS | DIVERGED if finding.diverged else COLUMNS
    lines = [[name.strip() for name in columns]]
    lines += [[cell(row) for cell in columns.values()] for row in finding.rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    best = finding.best.alpha if finding.best else None
    marks = [" ", *("*" if row.alpha == best else " " for row in finding.rows)]
    drawn = [
        mark + "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for mark, line in zip(marks, lines, strict=True)
    ]
    return "\n".join([*drawn, NOTE])


def _heading(answer: Answer, finding: Finding) -> list[str]:
    return [f"[{finding.label}]"] if len(answer.findings) > 1 else []


def _wrapped(text: str, first: str = "", then: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def _items(title: str, items: list[str]) -> str:
    return "\n".join([f"{title}:", *(_wrapped(item, "- ", "  ") for item in items)])
