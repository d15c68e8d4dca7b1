"""What a study will cost: its arithmetic counted by hand, and large ones refused before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

import pytest
from distillab.study.speeds import Speeds

from distillab.data import load
from distillab.engine.devices import mesh
from distillab.errors import RequestError
from distillab.study import estimate as module
from distillab.study.estimate import STUDENT_FACTOR, TEACHER_FACTOR, Costs, Estimate, estimate
from distillab.study.queue import Resources
from distillab.study.run import run_study
from distillab.study.spec import Spec
from distillab.study.trials import Trial, pupils, trials

Make = Callable[..., Spec]


def cost_of(wanted: list[Trial], filed: Collection[str] = (), speeds: Speeds | None = None) -> Estimate:
    """What trials cost on two devices of one worker."""
    costs = Costs(load("synthetic"), mesh(), speeds or Speeds())
    return estimate(pupils(wanted), costs, Resources(1, 2), filed)[0]


def test_the_arithmetic_of_dense_networks_is_counted_by_hand(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """144 inputs, 8 or 4 hidden units, 10 classes: forward 2 (144 h + 10 h), training 3 times less 288 h."""
    monkeypatch.setattr(module, "flops_per_second", lambda grid: 1e6)
    spec = tiny(teacher={"model": "mlp-8", "epochs": 3}, student={"model": "mlp-4"}, epochs=2)
    data = load("synthetic")
    found = cost_of(list(trials(spec, data.digest)))

    def training(hidden: int) -> int:
        return 3 * 2 * (144 * hidden + 10 * hidden) - 2 * 144 * hidden

    rows = 180  # of 200, a tenth held out
    student, teacher = 2 * rows * training(4), 3 * rows * training(8)
    assert (found.students, found.cohorts, found.teachers, found.measured) == (9, 1, 1, False)
    assert found.device_seconds == pytest.approx(9 * STUDENT_FACTOR * student / 0.5e6)  # of one of two devices
    turns = 5  # nine students on two devices
    assert found.seconds == pytest.approx((turns * STUDENT_FACTOR * student / 0.5e6) + TEACHER_FACTOR * teacher / 1e6)


def test_what_earlier_runs_measured_takes_the_place_of_arithmetic(tiny: Make, tmp_path: Path) -> None:
    wanted = list(trials(tiny(), load("synthetic").digest))
    speeds, costs = Speeds(tmp_path / "speeds.json"), Costs(load("synthetic"), mesh(), Speeds())
    one = wanted[0].settings
    speeds.learn({costs.student_key(one): [(9.0, 1), (0.01, 1), (0.03, 1)], costs.teacher_key(one): [(50.0, 100)]})
    found = cost_of(wanted, speeds=Speeds(tmp_path / "speeds.json"))
    assert found.measured
    assert found.device_seconds == pytest.approx(9 * 2 * 180 * 0.02)  # the median without the first, which compiled
    assert found.seconds == pytest.approx(5 * 2 * 180 * 0.02 + 180 * 0.5)


def test_a_run_measures_what_the_next_estimate_uses(tiny: Make, tmp_path: Path) -> None:
    speeds = Speeds(tmp_path / "speeds.json")
    run_study(tiny(teacher={"model": "cnn-4-6", "epochs": 2}), tmp_path / "study", slots=1, speeds=speeds)
    costs = Costs(load("synthetic"), mesh(), Speeds(tmp_path / "speeds.json"))
    settings = tiny().base
    assert costs.student(settings) > 0
    assert costs.teacher(settings) > 0
    assert costs.measured
    assert not Costs(load("synthetic"), mesh(), Speeds()).speeds.of(costs.student_key(settings))


def test_a_student_measured_twice_and_a_teachers_snapshots_cost_one_training(
    tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "flops_per_second", lambda grid: 1e6)
    data = load("synthetic")

    def cost(**keys: object) -> Estimate:
        return cost_of(list(trials(tiny(**keys), data.digest)))

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
    more = cost_of(live).device_seconds / 2 - cost_of(plain).device_seconds / 2
    assert more == pytest.approx(3 * 2 * 180 * training / 3 / 1e6)  # three seeds, two epochs, 180 rows
    filed = cost_of(plain, {plain[0].teacher})
    assert filed.teachers == 0
    less = cost_of(plain).seconds - filed.seconds
    assert less == pytest.approx(TEACHER_FACTOR * 3 * 180 * training / 1e6)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (20, "under a minute on 2 devices"),
        (61, "about 1 minute on 2 devices"),
        (200, "about 3 minutes on 2 devices"),
        (7200, "about 2 hours on 2 devices"),
        (400_000, "about 5 days on 2 devices"),
    ],
)
def test_the_time_is_told_in_fitting_units(seconds: float, told: str) -> None:
    found = Estimate(1000, 63, 1, 9000.0, seconds, devices=2, measured=True)
    assert found.in_words() == f"1,000 students in 63 cohorts and 1 teacher, {told} (2.5 device-hours)"


def test_it_says_when_it_will_be_done_and_when_it_is_a_guess() -> None:
    at = datetime(2026, 5, 4, 23, 30)
    found = Estimate(8, 1, 0, 36.0, 3600.0, devices=1, measured=False)
    told = "8 students in 1 cohort, about 60 minutes on 1 device (0.01 device-hours, a rough guess), until 00:30"
    assert found.in_words(at) == told
    assert found._replace(seconds=40 * 3600.0).in_words(at).endswith(", until 06 May")
    assert found._replace(seconds=5.0).in_words(at).endswith("guess)")


def test_more_trials_than_allowed_are_refused_with_their_cost_before_anything_is_written(
    tiny: Make, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=r"has 9 trials to train, more than 8: 9 students .* Add --yes"):
        run_study(tiny(), tmp_path / "study", most=8)
    assert not (tmp_path / "study").exists()


def test_only_what_is_still_to_train_is_counted(tiny: Make, tmp_path: Path) -> None:
    run_study(tiny(), tmp_path / "study")
    assert run_study(tiny(seeds=5), tmp_path / "study", most=6).trained == 6
