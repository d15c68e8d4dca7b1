"""Whatever befalls a crew, every student is trained once; and it does not take longer than it must."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.errors import WorkError
from distillab.study.executors.dispatch import Finished, dispatch
from distillab.study.executors.simulation import SimulatedPool, Weather, makespan
from distillab.study.queue import Cohort, Load, Queue, Resources

weathers = st.builds(
    Weather,
    spread=st.floats(0, 1),
    slow=st.floats(0, 1),
    failures=st.sampled_from([0.0, 1.0, 100.0]),
    away=st.floats(0.1, 100),
    overhead=st.floats(0, 1),
    seed=st.integers(0, 99),
)


@given(st.integers(0, 200), st.integers(1, 30), st.integers(1, 8), weathers)
def test_every_student_is_trained_once_whatever_the_weather(
    students: int, workers: int, seats: int, weather: Weather
) -> None:
    crew = SimulatedPool(workers, weather)
    backlog = Queue(
        [Load("a", range(students), 5.0), Load("b", range(students, 2 * students), 1.0)], Resources(workers)
    )
    found = [student for several in dispatch(backlog, crew) for student in several]
    assert sorted(found) == list(range(2 * students))


@given(st.integers(1, 300), st.integers(1, 50))
def test_without_weather_it_takes_at_most_a_cohort_longer_than_it_must(students: int, workers: int) -> None:
    """Graham's bound for any list of jobs: the even share, and at most the longest job on top."""
    seconds, _ = makespan(Queue([Load("a", range(students), 2.0)], Resources(workers)), SimulatedPool(workers))
    assert seconds <= 2.0 * students / workers + 8 * 2.0
    assert seconds >= 2.0 * max(1.0, students / workers) - 1e-9


def test_one_worker_takes_exactly_the_sum() -> None:
    crew = SimulatedPool(1)
    assert makespan(Queue([Load("a", range(20), 3.0)], Resources(1, 2, 8)), crew) == (30.0, 2)  # 10 turns, 16 seats


def test_a_worker_that_hangs_at_the_end_does_not_keep_the_others_waiting() -> None:
    """Of two workers one takes 100 times longer: the other does the last cohort of the slow one again."""
    crew = SimulatedPool(2, Weather(slow=0.5, slowness=100.0))
    seconds, _ = makespan(Queue([Load("a", range(100), 1.0)], Resources(2)), crew)
    assert crew.copies == 1
    assert seconds < 150  # not 800, which eight students take on the slow one


def test_lost_cohorts_are_tried_again() -> None:
    crew = SimulatedPool(4, Weather(failures=200.0, away=5.0))
    found = [
        student for several in dispatch(Queue([Load("a", range(100), 1.0)], Resources(4)), crew) for student in several
    ]
    assert crew.lost > 0
    assert sorted(found) == list(range(100))


class Small:
    """A worker that trains the first three of a cohort, or none where there are more."""

    def __init__(self, *, all_or_none: bool = False) -> None:
        self.workers, self.given, self.fails = 1, 0, all_or_none
        self.waiting: list[tuple[int, Cohort[int]]] = []
        self.sizes: list[int] = []

    def submit(self, cohort: Cohort[int]) -> int:
        self.given += 1
        self.waiting.append((self.given, cohort))
        return self.given

    def wait(self, report: Callable[[Hashable, float], None]) -> Sequence[Finished[list[int]]]:
        ticket, cohort = self.waiting.pop(0)
        self.sizes.append(len(cohort.students))
        report(ticket, 0.5)
        report("a stranger", 0.5)
        if self.fails and len(cohort.students) > 3:
            return [Finished(ticket, None, 0)]
        return [Finished(ticket, list(cohort.students[:3]), min(3, len(cohort.students)))]

    def cancel(self, ticket: Hashable) -> None:
        raise AssertionError("a crew of one has nobody who is faster")

    def clock(self) -> float:
        return float(self.given)


@pytest.mark.parametrize(("fails", "sizes"), [(False, [8, 8, 3, 3, 2, 2]), (True, [8, 8, 4, 4] + 8 * [2])])
def test_what_memory_does_not_hold_is_handed_out_again_in_smaller_cohorts(fails: bool, sizes: list[int]) -> None:
    crew = Small(all_or_none=fails)
    found = [student for several in dispatch(Queue([Load("a", range(16))], Resources(1)), crew) for student in several]
    assert sorted(found) == list(range(16))
    assert crew.sizes == sizes


def test_it_tells_how_many_are_trained_those_at_work_in_part() -> None:
    told: list[tuple[float, int, int]] = []
    list(dispatch(Queue([Load("a", range(4))], Resources(1, 1, 2)), Small(), lambda *words: told.append(words)))
    assert told == [(1.0, 4, 2), (2, 4, 0), (3.0, 4, 2), (4, 4, 0)]


def test_where_there_is_no_worker_just_now_it_waits_for_one() -> None:
    class Away(Small):
        waited = 0

        def wait(self, report: Callable[[Hashable, float], None]) -> Sequence[Finished[list[int]]]:
            if self.waiting:
                self.workers = 0  # it leaves with its last cohort
                return super().wait(report)
            self.waited += 1
            self.workers = int(self.waited % 3 == 0)
            return []

    crew = Away()
    found = [student for several in dispatch(Queue([Load("a", range(20))], Resources(1)), crew) for student in several]
    assert sorted(found) == list(range(20))
    assert crew.waited > 3


def test_an_error_of_the_crew_ends_it() -> None:
    class Broken(Small):
        def wait(self, report: Callable[[Hashable, float], None]) -> Sequence[Finished[list[int]]]:
            raise WorkError("The cluster has no node left.")

    with pytest.raises(WorkError, match="no node left"):
        list(dispatch(Queue([Load("a", range(4))], Resources(1)), Broken()))
