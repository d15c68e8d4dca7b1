"""The page of the literature: every preset has its claims, and runs are judged by what they hold."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.literature import (
    LOPEZ_PAZ,
    PAPERS,
    Run,
    differences,
    judged,
    page,
    published_gain,
    summary,
    together,
)

from distillab.study.spec import presets


def student(seed: int, alpha: float, errors: int, **more: Any) -> dict[str, Any]:
    return {"seed": seed, "alpha": alpha, "errors": errors, "test": 100 - errors / 100, **more}


def run(preset: str, students: list[dict[str, Any]], *, departures: tuple[str, ...] = ()) -> Run:
    return Run(
        preset, students, [{"errors": 67, "test": 99.33}], list(departures), 0, [f"distillab run {preset}"], ["2 cores"]
    )


HINTON = run(
    "literature-hinton",
    [student(seed, 1.0, 146 + seed) for seed in range(3)] + [student(seed, 0.1, 74 - seed) for seed in range(3)],
)


def test_every_preset_of_the_literature_has_claims_and_a_table() -> None:
    claimed = [name for paper in PAPERS for name in paper.claims]
    assert sorted(claimed) == sorted(name for name in presets() if name.startswith("literature-"))
    for paper in PAPERS:
        assert set(paper.tables) == set(paper.claims)


def test_differences_are_paired_by_repetition_and_leave_out_what_has_no_partner() -> None:
    students = [*HINTON.students, student(7, 1.0, 500)]
    assert differences(students, "errors", {"alpha": 1.0}, {"alpha": 0.1}) == [72, 74, 76]


def test_a_published_effect_that_the_seeds_show_is_replicated_and_the_page_says_so() -> None:
    line = next(line for line in page([HINTON]).splitlines() if "soft targets at T = 20 lower" in line)
    assert "146 to 74: 72 fewer" in line
    # mean 74, standard error 2 / sqrt(3), t(0.975; 2) = 4.303: 74 +- 4.97
    assert "+74 errors of 10,000 (+69 to +79; 3 student seeds)" in line
    assert line.endswith("**replicated** |")


@pytest.mark.parametrize(
    ("departures", "verdict"), [((), "not replicated"), (("`epochs` 1 instead of 50",), "cannot be told")]
)
def test_another_protocol_refutes_nothing(departures: tuple[str, ...], verdict: str) -> None:
    same = run(
        "literature-hinton",
        [student(seed, alpha, 100 + seed % 2 * (alpha == 1)) for seed in range(6) for alpha in (0.1, 1.0)],
        departures=departures,
    )
    claim = PAPERS[0].claims["literature-hinton"][0]
    found = judged(claim, same)
    assert found is not None
    assert found.verdict == verdict


def test_what_was_not_run_is_told_as_such() -> None:
    assert summary([]).count("| not run |") == sum(len(claims) for paper in PAPERS for claims in paper.claims.values())


def test_folders_of_one_run_are_read_together() -> None:
    both = together([HINTON, HINTON._replace(departures=["`epochs` 1 instead of 50"])])
    assert len(both.students) == 12
    assert both.departures == ["`epochs` 1 instead of 50"]


def test_the_published_gain_is_the_mean_over_ten_repetitions() -> None:
    assert {len(values) for pair in LOPEZ_PAZ.values() for values in pair} == {10}
    # sums 4.792 and 5.931 over ten repetitions of 300 samples at T = 10
    assert published_gain(300) == pytest.approx(100 * (5.931 - 4.792) / 10)
