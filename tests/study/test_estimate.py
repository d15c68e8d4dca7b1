"""What a study will cost: its arithmetic counted by hand, and large ones refused before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from distillab.data import load
from distillab.engine.devices import mesh
from distillab.errors import RequestError
from distillab.study import estimate as module
from distillab.study.estimate import STUDENT_FACTOR, TEACHER_FACTOR, Estimate, estimate
from distillab.study.plan import Trial, trials
from distillab.study.runner import run_study
from distillab.study.spec import Spec

Make = Callable[..., Spec]


def test_the_arithmetic_of_dense_networks_is_counted_by_hand(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """144 inputs, 8 or 4 hidden units, 10 classes: forward 2 (144 h + 10 h), training 3 times less 288 h."""
    monkeypatch.setattr(module, "flops_per_second", lambda grid: 1e6)
    spec = tiny(teacher={"model": "mlp-8", "epochs": 3}, student={"model": "mlp-4"}, epochs=2)
    data = load("synthetic")
    found = estimate(list(trials(spec, data.digest)), data, mesh())

    def training(hidden: int) -> int:
        return 3 * 2 * (144 * hidden + 10 * hidden) - 2 * 144 * hidden

    rows = 180  # of 200, a tenth held out
    students, teacher = 9 * 2 * rows * training(4), 3 * rows * training(8)
    assert (found.students, found.teachers) == (9, 1)
    assert found.seconds == pytest.approx((STUDENT_FACTOR * students + TEACHER_FACTOR * teacher) / 1e6)


def test_a_student_measured_twice_and_a_teachers_snapshots_cost_one_training(
    tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "flops_per_second", lambda grid: 1e6)
    data = load("synthetic")

    def cost(**keys: object) -> Estimate:
        return estimate(list(trials(tiny(**keys), data.digest)), data, mesh())

    assert cost(snapshot=[1, 2]) == cost()
    teacher = {"model": "cnn-4-6", "epochs": 2}
    assert cost(teacher=teacher | {"snapshot": [1, 2]}).teachers == 1


def test_a_teacher_that_answers_live_costs_a_forward_pass_an_epoch_and_a_filed_one_no_training(
    tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "flops_per_second", lambda grid: 1e6)
    data = load("synthetic")

    def wanted(**keys: object) -> list[Trial]:
        return list(trials(tiny(teacher={"model": "mlp-8", "epochs": 3}, **keys), data.digest))

    plain, live = wanted(), wanted(augmentation={"shift": 1})
    training = 3 * 2 * (144 * 8 + 10 * 8) - 2 * 144 * 8
    more = estimate(live, data, mesh()).seconds - estimate(plain, data, mesh()).seconds
    assert more == pytest.approx(3 * 2 * 180 * training / 3 / 1e6)  # three seeds, two epochs, 180 rows
    filed = estimate(plain, data, mesh(), {plain[0].teacher})
    assert filed.teachers == 0
    less = estimate(plain, data, mesh()).seconds - filed.seconds
    assert less == pytest.approx(TEACHER_FACTOR * 3 * 180 * training / 1e6)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (20, "under a minute"),
        (200, "about 3 minutes"),
        (7200, "about 2 hours"),
        (400_000, "about 5 days"),
    ],
)
def test_the_time_is_told_in_fitting_units(seconds: float, told: str) -> None:
    assert Estimate(1000, 1, seconds).in_words() == f"1,000 students and 1 teacher, {told} on this machine"


def test_more_trials_than_allowed_are_refused_with_their_cost_before_anything_is_written(
    tiny: Make, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=r"has 9 trials to train, more than 8: 9 students .* Add --yes"):
        run_study(tiny(), tmp_path / "study", most=8)
    assert not (tmp_path / "study").exists()


def test_only_what_is_still_to_train_is_counted(tiny: Make, tmp_path: Path) -> None:
    run_study(tiny(), tmp_path / "study")
    assert run_study(tiny(seeds=5), tmp_path / "study", most=6).trained == 6
