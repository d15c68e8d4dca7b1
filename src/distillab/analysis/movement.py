"""How the answer moves along an axis, in sentences that the numbers support, and as a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from distillab.analysis.numerals import alphas_in_words, bare_p, counted, listed, p_value
from distillab.metrics.metric import NOTHING

if TYPE_CHECKING:
    from distillab.analysis.across import AxisTrend, Change, Point
    from distillab.metrics.metric import Metric

SIGNIFICANCE = 0.05


def movement(across: AxisTrend, measure: Metric) -> list[str]:
    """Say how verdict, best alpha and gain move along an axis.

    Args:
        across: the settings along the axis.
        measure: the study's metric.

    Returns:
        Up to three sentences; fewer where the study is too young to tell.
    """
    return [told for told in (_verdicts(across), _alpha(across), _gain(across, measure)) if told]


def in_brief(across: AxisTrend, measure: Metric) -> str:
    """Say the same in one line: the verdicts, and what alpha and gain are at the ends of the axis.

    Args:
        across: the settings along the axis.
        measure: the study's metric.

    Returns:
        One or two short sentences; for values that are no numbers, which of them is best.
    """
    return " ".join(told for told in (_verdicts(across), _ends(across, measure)) if told)


def headings(across: AxisTrend, measure: Metric) -> list[str]:
    """The heads of the table's columns."""
    test = f"test {measure.unit}".rstrip()
    columns = [across.name, f"teacher {measure.unit}".rstrip(), "verdict", "alpha", "drawn again", "range", test]
    return [*columns, "to alpha 1", "interval", "p", "best"]


def cells(across: AxisTrend, measure: Metric) -> list[list[str]]:
    """The table's rows: a value of the axis, and what holds there."""
    return [_cells(across, point, measure) for point in across.points]


def _cells(across: AxisTrend, point: Point, measure: Metric) -> list[str]:
    finding, gain = point.finding, point.gain
    grid = across.alphas.tolist()
    within = finding.optimal_range
    return [
        point.value,
        NOTHING if finding.teacher is None else measure.bare(finding.teacher),
        finding.kind,
        NOTHING if point.alpha is None else f"{point.alpha:g}",
        NOTHING if math.isnan(point.alpha_low) else f"{point.alpha_low:g} to {point.alpha_high:g}",
        NOTHING if within is None else alphas_in_words(within, grid),
        measure.bare(point.tuned),
        NOTHING if gain is None else measure.difference(gain.difference),
        NOTHING if gain is None else measure.span(gain.low, gain.high, signed=True),
        NOTHING if gain is None or gain.n < 2 else bare_p(gain.p),
        {True: "yes", False: "no", None: NOTHING}[point.as_good_as_the_best],
    ]


def _verdicts(across: AxisTrend) -> str:
    known = [point for point in across.points if point.finding.verdict is not None]
    if not known:
        return ""
    supported = [point.value for point in known if point.finding.kind == "supported"]
    if len(supported) == len(across.points):
        return f"Some intermediate alpha beats labels alone at every {across.name}."
    kinds: dict[str, list[str]] = {}
    for point in known:
        if point.finding.kind != "supported":
            kinds.setdefault(point.finding.kind, []).append(point.value)
    rest = "; ".join(f"{kind} at {listed(values)}" for kind, values in kinds.items())
    if not supported:
        gains = "shown to beat labels alone by more than the margin"
        return f"At no {across.name} is an intermediate alpha {gains}: {rest}."
    return (
        f"Some intermediate alpha beats labels alone at {len(supported)} of {len(across.points)} values of the "
        f"{across.name} ({listed(supported)}); {rest}."
    )


def _ends(across: AxisTrend, measure: Metric) -> str:
    first, last = across.points[0], across.points[-1]
    if not across.ordered:
        return _best_of(across, measure)
    if not across.changes or math.isnan(across.changes[-1].alpha_low):
        return ""
    change = across.changes[-1]
    moves, gains = (
        "shown to move" if shown else "not shown to move between these"
        for shown in (_alpha_moves(change), _gain_moves(change))
    )
    return (
        f"The chosen alpha is {first.alpha:g} at {first.value} and {last.alpha:g} at {last.value} ({moves}); what it "
        f"gains is {measure.difference(_gained(first, measure))} and {measure.difference(_gained(last, measure))} "
        f"{measure.difference_unit}".rstrip()
        + f" ({gains})."
    )


def _alpha_moves(change: Change) -> bool:
    return change.alpha_low > 0 or change.alpha_high < 0


def _gain_moves(change: Change) -> bool:
    return change.p <= SIGNIFICANCE


def _alpha(across: AxisTrend) -> str:
    points = across.points
    if any(point.alpha is None for point in points):
        return ""
    alphas = [f"{point.alpha:g}" for point in points]
    if len(set(alphas)) == 1:
        return f"The chosen alpha is {alphas[0]} at every {across.name}."
    told = listed([f"{alpha} at {point.value}" for alpha, point in zip(alphas, points, strict=True)])
    if not across.ordered or not across.changes:
        return f"The chosen alpha is {told}."
    change = across.changes[-1]
    if math.isnan(change.alpha_low):
        return f"The chosen alpha is {told}."
    if _alpha_moves(change):
        moves = f"moves with the {across.name}"
    else:
        moves = f"is not shown to move from the first {across.name} to the last"
    return (
        f"The chosen alpha {moves}: it is {told} "
        f"({change.alpha:+g} from {points[0].value} to {points[-1].value}; with the seeds drawn again "
        f"{change.alpha_low:+g} to {change.alpha_high:+g})."
    )


def _gain(across: AxisTrend, measure: Metric) -> str:
    points = across.points
    if not across.ordered:
        return _best_of(across, measure)
    if not across.changes:
        return ""
    change = across.changes[-1]
    first, last = (_gained(point, measure) for point in (points[0], points[-1]))
    if _gain_moves(change):
        changes = f"changes with the {across.name}"
    else:
        changes = f"is not shown to change from the first {across.name} to the last"
    low, high = sorted(measure.sign * end for end in (change.gain_low, change.gain_high))
    return (
        f"What the chosen alpha gains on labels alone {changes}: from {measure.difference(first)} at "
        f"{points[0].value} to {measure.difference(last)} at {points[-1].value}, a difference of "
        f"{measure.amount(change.gain)} ({measure.span(low, high, signed=True)}, p {p_value(change.p)} after Holm over "
        f"{counted(len(across.changes), 'value')})."
    )


def _best_of(across: AxisTrend, measure: Metric) -> str:
    """Of values that are no numbers: which is best once alpha is tuned."""
    known = [point for point in across.points if math.isfinite(point.tuned)]
    if len(known) < 2:
        return ""
    best = max(known, key=lambda point: measure.sign * point.tuned)
    worst = min(known, key=lambda point: measure.sign * point.tuned)
    told = (
        f"Once alpha is tuned, {best.value} is best with {measure.value(best.tuned)}, and {worst.value} last with "
        f"{measure.value(worst.tuned)}"
    )
    if best.as_good_as_the_best is None:
        return f"{told}."
    good = [point.value for point in known if point.as_good_as_the_best and point is not best]
    if len(good) == len(known) - 1:
        return f"{told}; none is shown to be worse than the best at 95 %."
    if not good:
        return f"{told}; every other is shown to be worse than the best at 95 %."
    return f"{told}; not shown to be worse than the best at 95 %: {listed(good)}."


def _gained(point: Point, measure: Metric) -> float:
    """By how much the chosen alpha is better than labels alone, more being better for every metric."""
    return 0.0 if point.gain is None else measure.sign * point.gain.difference
