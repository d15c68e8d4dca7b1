"""Latency of a model's predictions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

WARM = 5
LEAST, MOST, SECONDS = 30, 2_000, 1.0
"""Number of timed calls, at least and at most, and the time they take together, about."""


class Latency(NamedTuple):
    """Times of single calls, in seconds."""

    p50: float
    p99: float
    calls: int


def latency(call: Callable[[], object]) -> Latency:
    """Time a call repeatedly, after some calls to warm up.

    Args:
        call: makes the call, and waits for its end.
    """
    for _ in range(WARM):
        call()
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(times) < LEAST or (len(times) < MOST and time.perf_counter() < end):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    p50, p99 = np.percentile(times, (50, 99))
    return Latency(float(p50), float(p99), len(times))
