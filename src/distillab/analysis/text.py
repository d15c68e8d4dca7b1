"""The answer as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

from distillab.analysis.advice import advice, caveats, circumstances
from distillab.analysis.denoising import in_a_sentence
from distillab.analysis.movement import cells, headings, movement
from distillab.analysis.numerals import bare_p
from distillab.analysis.prediction import in_a_sentence as predicted
from distillab.analysis.sentences import sentences
from distillab.metrics.metric import NOTHING

if TYPE_CHECKING:
    from distillab.analysis.answer import Finding
    from distillab.analysis.finding import Gain, Row, SettingResult

WIDTH = 100


def columns(answer: Finding, finding: SettingResult) -> dict[str, Callable[[Row], str]]:
    """The table's columns by their headings, each with what it writes of a row."""
    measure = answer.measure

    def difference(gain: Gain | None) -> str:
        return measure.difference(gain.difference) if gain else NOTHING

    def interval(gain: Gain | None) -> str:
        return measure.span(gain.low, gain.high, signed=True) if gain else NOTHING

    def p(gain: Gain | None) -> str:
        return bare_p(gain.p_holm) if gain and gain.n > 1 else NOTHING

    told: dict[str, Callable[[Row], str]] = {
        "alpha": lambda row: f"{row.alpha:g}",
        "n": lambda row: str(row.n),
        f"test {measure.unit}": lambda row: measure.bare(row.mean),
        "95 % interval": lambda row: measure.span(row.low, row.high),
        "to alpha 1": lambda row: difference(row.over_labels),
        "interval": lambda row: interval(row.over_labels),
        "p": lambda row: p(row.over_labels),
        "to alpha 0": lambda row: difference(row.over_teacher),
        "p ": lambda row: p(row.over_teacher),
        f"valid. {measure.unit}": lambda row: measure.bare(row.validation),
        "range": lambda row: {True: "yes", False: "no", None: NOTHING}[row.in_range],
    }
    if finding.diverged:
        told["diverged"] = lambda row: str(row.diverged)
    return told


def note(answer: Finding) -> str:
    """What stands below the table."""
    unit = answer.measure.difference_unit
    counted_in = f" in {unit}" if unit else ""
    return f"* chosen on the validation data. Differences{counted_in}; p after Holm over the table."


WRONG_LABELS = (
    "Shares of the training examples whose label is wrong; below the ideal threshold an ideal teacher outvotes every "
    "wrong label"
)
ACROSS_NOTE = (
    "alpha: chosen on the validation data; drawn again: the middle 95 % when seeds are drawn again; range: optimal.\n"
    "test: at the chosen alpha; best: not shown to be worse than the best value, once alpha is tuned."
)
"""What stands below the table of an axis."""


def in_words(answer: Finding) -> str:
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
            facts += f" The teacher's test {answer.measure.label} is {answer.measure.value(finding.teacher)}."
        blocks.append(_wrapped(facts))
        if finding.finished:
            blocks.append(table(answer, finding))
        todo = advice(answer, finding)
        if todo:
            blocks.append(_items("What to do", todo))
    for one in answer.across:
        among = f", {one.among}" if one.among else ""
        lines = [f"[along the {one.name}{among}]", *map(_wrapped, movement(one, answer.measure))]
        blocks += [
            "\n".join(lines),
            _aligned([headings(one, answer.measure), *cells(one, answer.measure)], ACROSS_NOTE),
        ]
    if answer.denoising:
        told = [f"{one.label or 'all settings'}: {in_a_sentence(one)}" for one in answer.denoising]
        blocks.append(_items(f"What becomes of wrong labels. {WRONG_LABELS}", told))
    if answer.predicted:
        told = [f"{one.label or 'all settings'}: {predicted(one, answer.measure)}" for one in answer.predicted]
        blocks.append(_items("Alpha predicted from both ends", told))
    blocks.append(_items("What this rests on", caveats(answer)))
    return "\n\n".join(blocks)


def three_sentences(answer: Finding) -> str:
    """The answer at its shortest: three sentences for each setting."""
    return "\n".join(
        _wrapped(" ".join([*_heading(answer, finding), *sentences(answer, finding)])) for finding in answer.findings
    )


def table(answer: Finding, finding: SettingResult) -> str:
    """The alphas of a setting, one a line; a star marks the one chosen on the validation data."""
    shown = columns(answer, finding)
    lines = [[name.strip() for name in shown]]
    lines += [[cell(row) for cell in shown.values()] for row in finding.rows]
    best = finding.best.alpha if finding.best else None
    marks = [" ", *("*" if row.alpha == best else " " for row in finding.rows)]
    return _aligned(lines, note(answer), marks)


def _aligned(lines: list[list[str]], below: str, marks: list[str] | None = None) -> str:
    """Lines of cells as a table, numbers to the right, each line after its mark."""
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    drawn = [
        mark + "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for mark, line in zip(marks or [""] * len(lines), lines, strict=True)
    ]
    return "\n".join([*drawn, below])


def _heading(answer: Finding, finding: SettingResult) -> list[str]:
    return [f"[{finding.label}]"] if len(answer.findings) > 1 else []


def _wrapped(text: str, first: str = "", then: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def _items(title: str, items: list[str]) -> str:
    return "\n".join([_wrapped(f"{title}:"), *(_wrapped(item, "- ", "  ") for item in items)])
