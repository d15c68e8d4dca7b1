"""How many batches make one timing."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.bench.work import FEWEST, MOST, Run, Work, calibrate, random_data


class Clockwork:
    """A subject with a fixed cost of a call and of a batch, and a first run of each number that takes a second more."""

    def __init__(self, call: float, batch: float) -> None:
        self.call, self.batch = call, batch
        self.made: list[int] = []

    def make(self, batches: int) -> Run:
        self.made.append(batches)
        compilation = [1.0]
        return lambda: self.call + self.batch * batches + (compilation.pop() if compilation else 0.0)


def test_a_timing_takes_from_half_the_target_and_hides_a_calls_fixed_cost() -> None:
    subject = Clockwork(call=0.05, batch=0.004)
    run, batches, first = calibrate(Work(subject.make, 1), target=1.0)
    assert batches * subject.batch > 0.4
    assert 0.5 <= run() <= 1.5
    assert first == pytest.approx(0.05 + 4 * 0.004 + 1.0)


def test_a_slow_subject_is_prepared_once() -> None:
    subject = Clockwork(call=0.0, batch=2.0)
    _, batches, _ = calibrate(Work(subject.make, 1), target=1.0)
    assert batches == FEWEST
    assert subject.made == [FEWEST]


def test_a_quick_subject_stops_at_the_most_batches() -> None:
    assert calibrate(Work(Clockwork(0.0, 1e-9).make, 1), target=1.0)[1] == MOST


def test_a_given_number_of_batches_is_kept() -> None:
    subject = Clockwork(0.0, 1e-3)
    assert calibrate(Work(subject.make, 1), target=1.0, batches=7)[1] == 7
    assert subject.made == [7]


def test_all_subjects_get_the_same_data() -> None:
    for one, other in zip(random_data((4, 4, 3), 5), random_data((4, 4, 3), 5), strict=True):
        np.testing.assert_array_equal(one, other)
