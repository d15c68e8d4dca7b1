"""How long a model takes to answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

WARM = 5
LEAST, MOST, SECONDS = 30, 2_000, 1.0
"""Calls that are timed: at least, at most, and for about how long."""


class Latency(NamedTuple):
    """Times of single calls, in seconds."""

    p50: float
    p99: float
    calls: int


def latency(answer: Callable[[], object]) -> Latency:
    """Time a call that has been made before, again and again.

    Args:
        answer: makes the call, and waits for its end.

    Returns:
        Median and 99th percentile.
    """
    for _ in range(WARM):
        answer()
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(times) < LEAST or (len(times) < MOST and time.perf_counter() < end):
        start = time.perf_counter()
        answer()
        times.append(time.perf_counter() - start)
    p50, p99 = np.percentile(times, (50, 99))
    return Latency(float(p50), float(p99), len(times))
