"""Whether a published effect is found again: one rule, with an interval."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.stats.intervals import Interval, t_interval

ReplicationVerdict = Literal["replicated", "not replicated", "cannot be told"]


class Replication(NamedTuple):
    """What a repetition says of a published claim."""

    verdict: ReplicationVerdict
    interval: Interval
    """Of the repetition's mean."""


def replication(
    values: ArrayLike,
    published: float,
    *,
    direction: int | None = None,
    within: float | None = None,
    same_protocol: bool = True,
    confidence: float = 0.95,
) -> Replication:
    """Judge a published effect by its repetitions.

    Of an effect d, read in its own direction, with the interval [low, high] of the mean of the repetitions:
    `not replicated` where high < |d| / 2, so that even half of the published effect is ruled out; else `replicated`
    where low > 0, so that the effect has its published sign; else `cannot be told`. Of a claim that there is no effect
    beyond +-within: `replicated` where the interval lies within, `not replicated` where it lies outside.

    Under another protocol than the published one, a failure says nothing of the claim: `not replicated` then becomes
    `cannot be told`. An interval of no width shows no spread, and tells nothing either.

    Args:
        values: the effect in each independent repetition, shape (R,), in the unit of `published`.
        published: d; 0 where only a direction was published, which `direction` then gives. Not read with `within`.
        direction: +1 or -1: the published direction; by default the sign of d.
        within: the largest effect, of either sign, that the claim allows; None: the claim is an effect.
        same_protocol: whether training, data and models are the published ones.
        confidence: strictly between 0 and 1.

    Returns:
        `Replication`. One repetition has no interval, and cannot tell.

    Raises:
        RequestError: no direction, or one that is neither +1 nor -1.

    Example:
        >>> replication([70.0, 75.0, 68.0], 72.0).verdict, replication([2.0, -1.0, 1.0], 72.0).verdict
        ('replicated', 'not replicated')

    Source: the half of the effect in the place of the effect that the first study had a third of a chance to detect:
    Simonsohn, "Small Telescopes: Detectability and the Evaluation of Replication Results", Psychological Science 2015.
    Published single runs do not say what they could detect.
    """
    interval = t_interval(values, confidence=confidence)
    if direction is None:
        direction = 0 if published == 0 else int(math.copysign(1, published))
    if within is None and direction not in (1, -1):
        raise not_allowed("direction", direction, "+1 or -1 where no effect was published")
    verdict = _verdict(interval, published, direction, within)
    return Replication("cannot be told" if verdict == "not replicated" and not same_protocol else verdict, interval)


def _verdict(interval: Interval, published: float, direction: int, within: float | None) -> ReplicationVerdict:
    if not interval.low < interval.high:  # nan with one repetition
        return "cannot be told"
    if within is not None:
        if -within <= interval.low and interval.high <= within:
            return "replicated"
        outside = interval.low > within or interval.high < -within
        return "not replicated" if outside else "cannot be told"
    low, high = sorted((direction * interval.low, direction * interval.high))
    if high < abs(published) / 2:
        return "not replicated"
    return "replicated" if low > 0 else "cannot be told"
