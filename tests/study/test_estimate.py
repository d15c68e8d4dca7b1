"""The time of a run: arithmetic counted by hand, measured paces, and large runs refused before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from distillab.data import load
from distillab.engine.devices import mesh
from distillab.engine.functional import Functional
from distillab.errors import RequestError
from distillab.study import estimate as module
from distillab.study.estimate import (
    OUTPUT_FLOPS,
    PARAMETER_FLOPS,
    PRODUCT_FLOPS,
    STEP_FLOPS,
    TEACHER_FACTOR,
    Costs,
    RunEstimate,
    estimate,
)
from distillab.study.queue import Resources
from distillab.study.run import run_study
from distillab.study.settings import Settings
from distillab.study.spec import Spec
from distillab.study.student_models import zoo_student
from distillab.study.trials import Group

Make = Callable[..., Spec]


def costs(file: Path | None = None, resources: Resources | None = None) -> Costs:
    """Costs on two devices of one worker."""
    return Costs((12, 12, 1), 10, mesh(), resources or Resources(1, 2), file)


def student(settings: Settings) -> Functional:
    """The architecture of a study's students."""
    return zoo_student(settings.student.model, settings.student.precision, load("synthetic")).functional


@pytest.fixture
def _megaflops(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of a million operations a second."""
    monkeypatch.setattr(module, "flops_per_second", lambda grid: 1e6)


def training_flops(hidden: int) -> int:
    """144 inputs, 10 classes: forward 2 (144 h + 10 h), training 3 times less 288 h."""
    return 3 * 2 * (144 * hidden + 10 * hidden) - 2 * 144 * hidden


@pytest.mark.usefixtures("_megaflops")
def test_the_arithmetic_of_dense_networks_is_counted_by_hand(tiny: Make) -> None:
    settings = tiny(teacher={"model": "mlp-8", "epochs": 3}, student={"model": "mlp-4"}, epochs=2).base
    guess = costs()
    parameters = 144 * 4 + 4 + 4 * 10 + 10
    outputs = 2 * 16  # layers of 4 and 10 outputs, each as costly as one of 16
    update = PARAMETER_FLOPS * parameters + STEP_FLOPS
    operations = PRODUCT_FLOPS * training_flops(4) + OUTPUT_FLOPS * outputs + update / settings.batch_size
    assert guess.training(settings, 180, student=student(settings)) == pytest.approx(
        2 * 180 * operations / 0.5e6
    )  # on one of two devices
    assert guess.teacher(settings, 180) == pytest.approx(3 * 180 * TEACHER_FACTOR * training_flops(8) / 1e6)
    assert not guess.measured


@pytest.mark.usefixtures("_megaflops")
def test_a_teacher_that_predicts_live_costs_a_forward_pass_an_epoch(tiny: Make) -> None:
    teacher = {"model": "mlp-8", "epochs": 3}
    assert costs().live_teachers(tiny(teacher=teacher).base, 180) == 0
    live = costs().live_teachers(tiny(teacher=teacher, augmentation={"shift": 1}).base, 180)
    assert live == pytest.approx(2 * 180 * training_flops(8) / 3 / 1e6)


def test_measured_paces_replace_arithmetic_and_are_kept_for_the_next_run(tiny: Make, tmp_path: Path) -> None:
    settings, file = tiny().base, tmp_path / "cache" / "speeds.json"
    first = costs(file)
    for pace in (0.01, 0.03, None, 0.02):
        first.add(settings, pace)
    first.add_teacher(settings, 100, [9.0, 50.0, 40.0])  # the first epoch compiles
    first.save()
    for known in (first, costs(file)):
        assert known.training(settings, 180, student=student(settings)) == pytest.approx(2 * 180 * 0.02)
        assert known.teacher(settings, 180) == pytest.approx(180 * 0.45)
        assert known.measured
    other = costs(file)
    other.training(settings.model_copy(update={"batch_size": 7}), 180, student=student(settings))
    assert not other.measured


def test_newer_paces_replace_older_ones_and_others_stay(tiny: Make, tmp_path: Path) -> None:
    settings, file = tiny().base, tmp_path / "speeds.json"
    for kind, pace in ((settings, 1.0), (settings.model_copy(update={"batch_size": 7}), 3.0), (settings, 2.0)):
        run = costs(file)
        run.add(kind, pace)
        run.save()
    model, smaller = student(settings), settings.model_copy(update={"batch_size": 7})
    assert costs(file).training(settings, 1, student=model) == pytest.approx(2 * 2.0)
    assert costs(file).training(smaller, 1, student=model) == pytest.approx(2 * 3.0)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "fast"}', '{"a": -1}', '{"a": NaN}', '{"a": 1e999}', "\xff"])
def test_a_file_with_anything_else_counts_as_no_file(tiny: Make, tmp_path: Path, text: str) -> None:
    file = tmp_path / "speeds.json"
    file.write_text(text, encoding="latin-1")
    known = costs(file)
    assert known.training(tiny().base, 180, student=student(tiny().base)) > 0
    assert not known.measured


def test_a_first_long_epoch_counts_although_it_compiles(tiny: Make) -> None:
    known = costs()
    known.add_teacher(tiny().base, 100, [90.0])
    assert known.teacher(tiny().base, 100) == pytest.approx(90.0)


def test_trainings_are_spread_over_all_devices(tiny: Make) -> None:
    known = costs(resources=Resources(3, 2))
    settings = tiny().base
    known.add(settings, 0.01)
    assert known.seconds(6, 4, 100, settings, student=student(settings)) == pytest.approx(4.0)
    assert known.seconds(7, 4, 100, settings, student=student(settings)) == pytest.approx(8.0)


def test_a_run_adds_its_teachers_and_the_cohorts_of_every_worker() -> None:
    groups = [Group("a", range(9), 3.0), Group("b", range(2), 1.0)]
    expected = RunEstimate(11, 2, 2, 29.0, 5 * 3.0 + 1.0 + 7.0, devices=2, measured=True)
    assert estimate(groups, [5.0, 2.0], costs()) == expected
    assert estimate(groups, [], costs(resources=Resources(9, 2, 1))).seconds == pytest.approx(3.0)


def test_a_run_measures_paces_for_the_next_estimate(tiny: Make, tmp_path: Path) -> None:
    spec = tiny(teacher={"model": "cnn-4-6", "epochs": 2})
    run_study(spec, tmp_path / "study", speeds=tmp_path / "speeds.json")
    data = load("synthetic")
    known = Costs(data.input_shape, data.classes, mesh(), Resources(1, 2), tmp_path / "speeds.json")
    assert known.training(spec.base, 180, student=student(spec.base)) > 0
    assert known.teacher(spec.base, 180) > 0
    assert known.measured


def test_a_student_measured_twice_and_a_teachers_snapshots_cost_one_training(tiny: Make, tmp_path: Path) -> None:
    def refused(**keys: object) -> str:
        with pytest.raises(RequestError, match="trials to train") as caught:
            run_study(tiny(**keys), tmp_path / "study", most=1)
        return str(caught.value)

    assert "9 students in 1 cohort and 1 teacher" in refused(snapshot=[1, 2])
    teacher = {"model": "cnn-4-6", "epochs": 2}
    assert "and 1 teacher," in refused(teacher=teacher | {"snapshot": [1, 2]})


@pytest.mark.parametrize(
    ("seconds", "duration"),
    [
        (20, "under a minute on 2 devices"),
        (61, "about 1 minute on 2 devices"),
        (200, "about 3 minutes on 2 devices"),
        (7200, "about 2 hours on 2 devices"),
        (400_000, "about 5 days on 2 devices"),
    ],
)
def test_the_time_has_a_fitting_unit(seconds: float, duration: str) -> None:
    planned = RunEstimate(1000, 63, 1, 9000.0, seconds, devices=2, measured=True)
    assert planned.in_words() == f"1,000 students in 63 cohorts and 1 teacher, {duration} (2.5 device-hours)"


def test_it_says_when_it_will_be_done_and_when_it_is_a_guess() -> None:
    at = datetime(2026, 5, 4, 23, 30)
    planned = RunEstimate(8, 1, 0, 36.0, 3600.0, devices=1, measured=False)
    text = "8 students in 1 cohort, about 60 minutes on 1 device (0.01 device-hours, a rough guess), until 00:30"
    assert planned.in_words(at) == text
    assert planned._replace(seconds=40 * 3600.0).in_words(at).endswith(", until 06 May")
    assert planned._replace(seconds=5.0).in_words(at).endswith("guess)")


def test_more_trials_than_allowed_are_refused_with_their_cost_before_anything_is_written(
    tiny: Make, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=r"has 9 trials to train, more than 8: 9 students .* Add --yes"):
        run_study(tiny(), tmp_path / "study", most=8)
    assert not (tmp_path / "study").exists()


def test_only_what_is_still_to_train_is_counted(tiny: Make, tmp_path: Path) -> None:
    run_study(tiny(), tmp_path / "study")
    assert run_study(tiny(seeds=5), tmp_path / "study", most=6).trained == 6
