"""What one subject of the bench repeats: training a number of batches of random data, and how many make one timing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CLASSES = 10
BATCH, TEACHER_BATCH = 32, 64
TEMPERATURE, ALPHA, LEARNING_RATE = 3.0, 0.5, 1e-3
SCALE = 1 / 255

FEWEST, MOST = 4, 1_000
"""Batches of one timing."""

Run = Callable[[], float]
"""Trains the same batches once more, and returns the seconds."""


@dataclass(frozen=True)
class Work:
    """A subject, ready to be timed.

    Args:
        make: prepares a number of batches. The first run of each number may compile.
        threads: of the processor that it uses.
        students: how many are trained at once.
        flops: operations of the matrix products in one step of one student, where they are known.
    """

    make: Callable[[int], Run]
    threads: int
    students: int = 1
    flops: int | None = None


def calibrate(work: Work, target: float, batches: int | None = None) -> tuple[Run, int, float]:
    """Choose how many batches make one timing.

    Args:
        work: the subject.
        target: seconds of a timing; the timing takes from half of it, within the limits `FEWEST` and `MOST`.
        batches: their number, where it is not to be chosen.

    Returns:
        The run, its number of batches, and the seconds of the first short run, compilation included.
    """
    count = batches or FEWEST
    run = work.make(count)
    first = run()
    while batches is None and (taken := run()) < target / 2 and count < MOST:
        # A call's fixed costs weigh most in the shortest runs, so the first guess falls short, and is made again.
        count = min(MOST, max(2 * count, int(count * target / taken)))
        run = work.make(count)
        run()
    return run, count, first


def random_data(shape: tuple[int, ...], examples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw images, labels and a teacher's logits. Speed does not depend on their values.

    Args:
        shape: (H, W, C).
        examples: their number N.

    Returns:
        Images (N, H, W, C) uint8, labels (N,) int32, logits (N, classes) float32.
    """
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (examples, *shape), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, examples, dtype=np.int32)
    return images, labels, rng.normal(size=(examples, CLASSES)).astype(np.float32)


def seconds(work: Callable[[], object]) -> float:
    """Measure the time of a call.

    Args:
        work: the function to call.
    """
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
