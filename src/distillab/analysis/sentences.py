"""The answer for one setting in three plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distillab.analysis.numerals import alphas_in_words, counted, listed, p_value

if TYPE_CHECKING:
    from distillab.analysis.answer import Finding
    from distillab.analysis.finding import Gain, SettingResult
    from distillab.metrics.metric import Metric


def sentences(answer: Finding, finding: SettingResult) -> list[str]:
    """Say what a setting shows: the verdict, the alpha to choose, the range of alphas that are as good.

    Args:
        answer: of the whole study.
        finding: one of its settings.

    Returns:
        Three sentences; where something is missing they say what.
    """
    return [_verdict(answer, finding), _choice(answer, finding), _range(finding)]


def lacking(finding: SettingResult) -> str:
    """Why there is no comparison with labels alone; empty where there is one."""
    grid = [row.alpha for row in finding.rows]
    if not finding.finished and not finding.diverged:
        return f"none of {counted(finding.students, 'student')} is trained yet"
    if not finding.finished and not finding.missing:
        return f"all {counted(finding.students, 'student')} diverged"
    if 1.0 not in grid:
        return "the study has no alpha = 1, the labels alone, to compare with"
    if not any(0 < alpha < 1 for alpha in grid):
        return "the study has no alpha strictly between 0 and 1"
    if finding.unsound(1.0):
        return "students at alpha = 1, the labels alone, diverged, so there is nothing sound to compare with"
    if all(finding.unsound(alpha) for alpha in grid if 0 < alpha < 1):
        return "at every alpha strictly between 0 and 1 a student diverged"
    if not finding.complete:
        return "no seed has all its alphas yet"
    if finding.complete == 1:
        return "one seed shows no spread, and at least two are needed to compare"
    return ""


def _verdict(answer: Finding, finding: SettingResult) -> str:
    missing, ruling = lacking(finding), finding.verdict
    if missing or ruling is None:
        return f"No verdict: {missing}."
    measure = answer.measure
    n, margin = counted(ruling.n, "seed"), f"{measure.factor * answer.margin:g} {measure.difference_unit}".rstrip()
    if ruling.kind == "supported" and ruling.deciding_alpha is not None:
        best = next(one for one in ruling.evidence if one.alpha == ruling.deciding_alpha)
        row = finding.row(best.alpha)
        gain = row.over_labels if row else None
        interval = f" (95 % interval {_improvement(measure, gain)})" if gain else ""
        told = (
            f"Supported: alpha = {best.alpha:g} beats hard labels alone (alpha = 1) by "
            f"{measure.amount(best.difference)}{interval}, "
            f"p {p_value(best.p_adjusted)} after Holm over {counted(len(ruling.evidence), 'intermediate alpha')}, {n}"
        )
        if all(one.p_no_gain <= ruling.significance for one in ruling.evidence):
            told += f", though every gain is shown to be below the margin of {margin}"
        return f"{told}."
    if ruling.kind == "practically equivalent":
        within = f"within ±{margin} of hard labels alone (alpha = 1)"
        return f"Practically equivalent: every intermediate alpha is {within}, {n}."
    if ruling.kind == "contradicted":
        return f"Contradicted: every intermediate alpha gains less than {margin} on hard labels alone (alpha = 1), {n}."
    return f"Undecided: {n} do not show whether some intermediate alpha beats hard labels alone (alpha = 1)."


def _improvement(measure: Metric, gain: Gain) -> str:
    """The interval of a gain, more being better for every metric."""
    low, high = sorted(measure.sign * end for end in (gain.low, gain.high))
    return measure.span(low, high, signed=True)


def _choice(answer: Finding, finding: SettingResult) -> str:
    best = finding.best
    if best is None:
        return "No alpha can be chosen on the validation data."
    measure = answer.measure
    name, interval = measure.label, measure.span(best.low, best.high)
    within = f" (95 % interval {interval})" if interval != "-" else " (one seed, no interval)"
    if len(finding.rows) == 1:
        return f"The only alpha, {best.alpha:g}, reaches a test {name} of {measure.value(best.test)}{within}."
    reached = f"a test {name} of {measure.value(best.test)}{within}"
    told = f"Chosen on the validation data, alpha = {best.alpha:g} reaches {reached}"
    against = [
        _against(measure, gain, reference)
        for gain, reference in (
            (best.over_labels, "labels alone (alpha = 1)"),
            (best.over_teacher, f"{finding.teacher_alone} (alpha = 0)"),
        )
        if gain is not None
    ]
    if best.alpha in (0.0, 1.0):
        told += ", and is itself " + ("the labels alone" if best.alpha == 1.0 else finding.teacher_alone)
    return f"{told}{': ' if against else ''}{listed(against) if against else ''}."


def _against(measure: Metric, gain: Gain, reference: str) -> str:
    if float(measure.difference(gain.difference)) == 0:
        told = f"level with {reference}"
    else:
        side = "above" if gain.difference > 0 else "below"
        told = f"{measure.amount(gain.difference, short=True)} {side} {reference}"
    interval = measure.span(gain.low, gain.high, signed=True)
    return f"{told} ({interval}, p {p_value(gain.p)})" if interval != "-" else told


def _range(finding: SettingResult) -> str:
    grid = [row.alpha for row in finding.rows]
    if finding.best is None:
        return "Which alphas are as good as the best cannot be told."
    if sum(row.diverged == 0 for row in finding.rows) == 1:
        return "With one alpha to compare there is no range to find."
    if finding.optimal_range is None:
        seeds = counted(finding.complete, "complete seed")
        return f"Which alphas are as good as the best cannot be told from {seeds}: ruling any out takes six."
    names = alphas_in_words(finding.optimal_range, grid)
    if len(finding.optimal_range) == 1:
        return f"The optimal range is alpha = {names} alone: every other alpha is worse than the best at 95 %."
    if len(finding.optimal_range) == sum(row.in_range is not None for row in finding.rows):
        return f"The optimal range is all of alpha = {names}: no alpha is shown to be worse than the best at 95 %."
    return f"The optimal range is alpha = {names}: the others are worse than the best at 95 %."
