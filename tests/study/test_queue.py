"""A backlog hands out every student once, dear ones first, in cohorts that fit and that shrink towards the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.study.queue import Cohort, Load, Queue, Resources


def taken(backlog: Queue[int]) -> list[Cohort[int]]:
    return list(iter(backlog.take, None))


loads = st.lists(
    st.builds(lambda count, seconds: (count, seconds), st.integers(0, 60), st.floats(0.01, 100, allow_nan=False)),
    max_size=5,
)
teams = st.builds(Resources, st.integers(1, 40), st.integers(1, 4), st.integers(1, 16), st.booleans())


def made(sizes: list[tuple[int, float]]) -> list[Load[int]]:
    start = 0
    found = []
    for number, (count, seconds) in enumerate(sizes):
        found.append(Load(str(number), range(start, start + count), seconds))
        start += count
    return found


@given(loads, teams)
def test_every_student_is_handed_out_once_with_its_own_kind_and_within_capacity(
    sizes: list[tuple[int, float]], team: Resources
) -> None:
    several = made(sizes)
    backlog = Queue(several, team)
    assert backlog.students == sum(count for count, _ in sizes)
    cohorts = taken(backlog)
    assert sorted(student for cohort in cohorts for student in cohort.students) == list(range(sum(n for n, _ in sizes)))
    kind = {student: load.key for load in several for student in load.students}
    for cohort in cohorts:
        assert 1 <= len(cohort.students) <= team.capacity
        assert {kind[student] for student in cohort.students} == {cohort.key}
    assert backlog.students == 0


@given(loads, teams)
def test_dear_students_go_first_and_those_of_a_load_in_their_order(
    sizes: list[tuple[int, float]], team: Resources
) -> None:
    several = made(sizes)
    price = {load.key: load.seconds for load in several}
    cohorts = taken(Queue(several, team))
    prices = [price[cohort.key] for cohort in cohorts]
    assert prices == sorted(prices, reverse=True)
    for load in several:
        order = [student for cohort in cohorts if cohort.key == load.key for student in cohort.students]
        assert order == list(load.students)


def test_a_worker_alone_gets_as_few_cohorts_as_fit_with_as_many_students_on_every_device() -> None:
    sizes = [len(cohort.students) for cohort in taken(Queue([Load("a", range(34))], Resources(1, 2, 8)))]
    assert sizes == [12, 12, 10]  # three cohorts, not two of 16 and one of 2; all but the last even


def test_several_workers_get_cohorts_that_shrink_with_the_work_that_is_left() -> None:
    """An eighth of what is left, for two workers: of 64 students 8, of 56 then 7, of 49 then 6, ..."""
    sizes = [len(cohort.students) for cohort in taken(Queue([Load("a", range(64))], Resources(2, 1, 8)))]
    assert sizes == [8, 7, 6, 5, 4, 4, 3, 3, 3, 2, 2, 2] + 15 * [1]


def test_where_a_small_cohort_costs_as_much_as_a_full_one_none_shrinks() -> None:
    team = Resources(4, 1, 8, shrinks=False)
    assert [len(cohort.students) for cohort in taken(Queue([Load("a", range(32))], team))] == [8, 8, 8, 8]


def test_what_a_cohort_takes_is_its_turns() -> None:
    (cohort,) = taken(Queue([Load("a", range(5), 3.0)], Resources(1, 2, 8)))
    assert cohort.seconds == 9.0  # five students on two devices: three turns


def test_students_given_back_come_next_in_their_place_and_no_more_of_them_at_once() -> None:
    backlog = Queue([Load("a", range(8), 2.0), Load("b", range(8, 12), 1.0)], Resources(1, 1, 8))
    whole = backlog.take()
    assert whole is not None
    backlog.give_back(whole, whole.students[3:], 3)
    rest = taken(backlog)
    assert [list(cohort.students) for cohort in rest] == [[3, 4, 5], [6, 7], [8, 9, 10, 11]]
    assert rest[0].seconds == 6.0


def test_students_given_back_join_the_rest_of_their_load() -> None:
    backlog = Queue([Load("a", range(8))], Resources(1, 1, 4))
    first = backlog.take()
    assert first is not None
    backlog.give_back(first, first.students[2:], 2)
    assert [list(cohort.students) for cohort in taken(backlog)] == [[2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize("workers", [1, 3, 100])
def test_nothing_to_do_is_nothing_to_hand_out(workers: int) -> None:
    assert taken(Queue([Load("a", range(0))], Resources(workers))) == []
