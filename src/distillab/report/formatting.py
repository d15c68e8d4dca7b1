"""Numbers as text: values and differences of a metric, percentages, p values, durations, counts and lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from distillab.metrics.metric import Metric
from distillab.stats import FEW_SEEDS

NOTHING = "-"
"""Stands for a number that is not known."""


def value(metric: Metric, number: float, *, unit: bool = True) -> str:
    """A value of a metric.

    Args:
        metric: sets factor, digits and unit.
        number: as stored, proportions from 0 to 1.
        unit: whether the unit follows.

    Example:
        >>> from distillab.metrics.metric import METRICS
        >>> value(METRICS["accuracy"], 0.98304), value(METRICS["nll"], 0.04536, unit=False)
        ('98.30 %', '0.0454')
    """
    if not math.isfinite(number):
        return NOTHING
    return f"{metric.factor * number:.{_digits(metric)}f} {metric.unit if unit else ''}".rstrip()


def difference(metric: Metric, number: float, *, unit: bool = False) -> str:
    """A signed difference of two values of a metric.

    Args:
        metric: sets factor, digits and unit.
        number: the difference, of proportions as stored.
        unit: whether the unit follows, such as "percentage points".

    Example:
        >>> from distillab.metrics.metric import METRICS
        >>> difference(METRICS["accuracy"], 0.027), difference(METRICS["accuracy"], -0.00001)
        ('+2.70', '0.00')
    """
    if not math.isfinite(number):
        return NOTHING
    text = f"{metric.factor * number:+.{_digits(metric)}f}"
    text = text[1:] if float(text) == 0 else text
    return f"{text} {metric.difference_unit}".rstrip() if unit else text


def amount(metric: Metric, number: float, *, short: bool = False) -> str:
    """The size of a difference with its unit, without a sign.

    Args:
        metric: sets factor, digits and unit.
        number: the difference, of proportions as stored.
        short: whether to write "points" for "percentage points".

    Example:
        >>> from distillab.metrics.metric import METRICS
        >>> amount(METRICS["accuracy"], -0.0115), amount(METRICS["nll"], 0.01)
        ('1.15 percentage points', '0.0100 nats')
    """
    unit = "points" if short and metric.unit == "%" else metric.difference_unit
    return f"{metric.factor * abs(number):.{_digits(metric)}f} {unit}".rstrip()


def interval(metric: Metric, low: float, high: float, *, signed: bool = False) -> str:
    """An interval of values, or of differences, without its unit.

    Args:
        metric: sets factor and digits.
        low: the lower end, as stored.
        high: the upper end.
        signed: whether these are differences.

    Example:
        >>> from distillab.metrics.metric import METRICS
        >>> accuracy = METRICS["accuracy"]
        >>> interval(accuracy, 0.981, 0.985), interval(accuracy, -0.01, 0.02, signed=True)
        ('98.10 to 98.50', '-1.00 to +2.00')
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return NOTHING
    return " to ".join(difference(metric, end) if signed else value(metric, end, unit=False) for end in (low, high))


def spread(metric: Metric, low: float, high: float, seeds: int, *, signed: bool = False) -> str:
    """What `stats.intervals_over_seeds` gave, named: an interval, or the range of seeds too few for one.

    Args:
        metric: sets factor and digits.
        low: the lower end, as stored.
        high: the upper end.
        seeds: how many there are.
        signed: whether these are differences.

    Example:
        >>> from distillab.metrics.metric import METRICS
        >>> spread(METRICS["accuracy"], 0.981, 0.985, 10), spread(METRICS["accuracy"], 0.981, 0.985, 2)
        ('95 % interval 98.10 to 98.50', '98.10 to 98.50 seen; 2 seeds cannot tell more')
    """
    ends = interval(metric, low, high, signed=signed)
    if ends == NOTHING:
        return "one seed, no interval"
    return f"{ends} seen; {counted(seeds, 'seed')} cannot tell more" if seeds <= FEW_SEEDS else f"95 % interval {ends}"


def spread_cell(metric: Metric, low: float, high: float, seeds: int, *, signed: bool = False) -> str:
    """`spread` for a column of a table.

    Args:
        metric, low, high, seeds, signed: as in `spread`.

    Example:
        >>> from distillab.metrics.metric import METRICS
        >>> spread_cell(METRICS["accuracy"], -0.01, 0.02, 2, signed=True)
        'seen -1.00 to +2.00'
    """
    ends = interval(metric, low, high, signed=signed)
    return f"seen {ends}" if ends != NOTHING and seeds <= FEW_SEEDS else ends


def percent(share: float, digits: int = 2) -> str:
    """A proportion as a percentage.

    Args:
        share: from 0 to 1.
        digits: decimals.

    Example:
        >>> percent(0.98304)
        '98.30 %'
    """
    return f"{100 * share:.{digits}f} %" if math.isfinite(share) else NOTHING


def p_value(p: float) -> str:
    """A p value with its relation, to follow "p".

    Args:
        p: from 0 to 1.

    Example:
        >>> p_value(0.034), p_value(1e-9)
        ('= 0.034', '< 0.0001')
    """
    return "< 0.0001" if p < 0.0001 else f"= {p:.2g}"


def p_cell(p: float | None) -> str:
    """A p value for a column of a table.

    Args:
        p: from 0 to 1; None or nan where it is not known.
    """
    return NOTHING if p is None or math.isnan(p) else p_value(p).removeprefix("= ").replace("< ", "<")


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun.

    Args:
        count: how many.
        noun: in the singular.
        plural: empty for the noun with an s.

    Example:
        >>> counted(1, "seed"), counted(1100, "student"), counted(2, "study", "studies")
        ('1 seed', '1,100 students', '2 studies')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours.

    Args:
        seconds: at least 0.

    Example:
        >>> duration(12), duration(600)
        ('12.0 s', '10.0 min')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def alphas(chosen: Sequence[float], grid: Sequence[float]) -> str:
    """Some alphas of a grid, runs of more than two neighbours as "from to".

    Args:
        chosen: the alphas to name.
        grid: every alpha of the study, ascending.

    Example:
        >>> alphas([0.1, 0.2, 0.3, 0.9], [0.0, 0.1, 0.2, 0.3, 0.5, 0.9, 1.0])
        '0.1 to 0.3 and 0.9'
    """
    parts: list[str] = []
    for is_chosen, neighbours in groupby(grid, key=lambda alpha: alpha in chosen):
        run = list(neighbours) if is_chosen else []
        parts += [f"{run[0]:g} to {run[-1]:g}"] if len(run) > 2 else [f"{alpha:g}" for alpha in run]
    return listed(parts)


def listed(parts: Sequence[str]) -> str:
    """Join words as in a sentence.

    Args:
        parts: in order.

    Example:
        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else list(parts))


def _digits(metric: Metric) -> int:
    return 2 if metric.unit == "%" else 4
