"""A queue hands out every training once, longest first, in cohorts that fit and that shrink towards the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.study.queue import Cohort, Group, Queue, Resources


def taken(queue: Queue[int]) -> list[Cohort[int]]:
    return list(iter(queue.take, None))


group_sizes = st.lists(
    st.builds(lambda count, seconds: (count, seconds), st.integers(0, 60), st.floats(0.01, 100, allow_nan=False)),
    max_size=5,
)
resource_sets = st.builds(Resources, st.integers(1, 40), st.integers(1, 4), st.integers(1, 16), st.booleans())


def made(sizes: list[tuple[int, float]]) -> list[Group[int]]:
    start = 0
    groups = []
    for number, (count, seconds) in enumerate(sizes):
        groups.append(Group(str(number), range(start, start + count), seconds))
        start += count
    return groups


@given(group_sizes, resource_sets)
def test_every_training_is_handed_out_once_with_its_own_kind_and_within_capacity(
    sizes: list[tuple[int, float]], resources: Resources
) -> None:
    groups = made(sizes)
    queue = Queue(groups, resources)
    assert queue.trainings == sum(count for count, _ in sizes)
    cohorts = taken(queue)
    handed_out = sorted(student for cohort in cohorts for student in cohort.trainings)
    assert handed_out == list(range(sum(count for count, _ in sizes)))
    kind = {student: group.key for group in groups for student in group.trainings}
    for cohort in cohorts:
        assert 1 <= len(cohort.trainings) <= resources.capacity
        assert {kind[student] for student in cohort.trainings} == {cohort.key}
    assert queue.trainings == 0


@given(group_sizes, resource_sets)
def test_longest_trainings_go_first_and_those_of_a_group_in_their_order(
    sizes: list[tuple[int, float]], resources: Resources
) -> None:
    groups = made(sizes)
    seconds = {group.key: group.seconds for group in groups}
    cohorts = taken(Queue(groups, resources))
    lengths = [seconds[cohort.key] for cohort in cohorts]
    assert lengths == sorted(lengths, reverse=True)
    for group in groups:
        order = [student for cohort in cohorts if cohort.key == group.key for student in cohort.trainings]
        assert order == list(group.trainings)


def test_a_worker_alone_gets_as_few_cohorts_as_fit_with_as_many_students_on_every_device() -> None:
    sizes = [len(cohort.trainings) for cohort in taken(Queue([Group("a", range(34))], Resources(1, 2, 8)))]
    assert sizes == [12, 12, 10]  # three cohorts, not two of 16 and one of 2; all but the last even


def test_several_workers_get_cohorts_that_shrink_with_the_work_that_remains() -> None:
    """An eighth of the rest, for two workers: of 64 students 8, of 56 then 7, of 49 then 6, ..."""
    sizes = [len(cohort.trainings) for cohort in taken(Queue([Group("a", range(64))], Resources(2, 1, 8)))]
    assert sizes == [8, 7, 6, 5, 4, 4, 3, 3, 3, 2, 2, 2] + 15 * [1]


def test_where_a_small_cohort_costs_as_much_as_a_full_one_none_shrinks() -> None:
    resources = Resources(4, 1, 8, shrinks=False)
    assert [len(cohort.trainings) for cohort in taken(Queue([Group("a", range(32))], resources))] == [8, 8, 8, 8]


def test_what_a_cohort_takes_is_its_rounds() -> None:
    (cohort,) = taken(Queue([Group("a", range(5), 3.0)], Resources(1, 2, 8)))
    assert cohort.seconds == 9.0  # five students on two devices: three rounds


def test_trainings_put_back_come_next_in_their_place_and_no_more_of_them_at_once() -> None:
    queue = Queue([Group("a", range(8), 2.0), Group("b", range(8, 12), 1.0)], Resources(1, 1, 8))
    whole = queue.take()
    assert whole is not None
    queue.put_back(whole, whole.trainings[3:], 3)
    rest = taken(queue)
    assert [list(cohort.trainings) for cohort in rest] == [[3, 4, 5], [6, 7], [8, 9, 10, 11]]
    assert rest[0].seconds == 6.0


def test_trainings_put_back_join_the_rest_of_their_group() -> None:
    queue = Queue([Group("a", range(8))], Resources(1, 1, 4))
    first = queue.take()
    assert first is not None
    queue.put_back(first, first.trainings[2:], 2)
    assert [list(cohort.trainings) for cohort in taken(queue)] == [[2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize("workers", [1, 3, 100])
def test_nothing_to_do_is_nothing_to_hand_out(workers: int) -> None:
    assert taken(Queue([Group("a", range(0))], Resources(workers))) == []
