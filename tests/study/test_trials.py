"""Trials, their identities, and the cohorts they train in."""

from __future__ import annotations

import hashlib
import json

from distillab.study.settings import Settings
from distillab.study.spec import Spec, read_spec
from distillab.study.trials import (
    NUMERICS,
    group_key,
    groups,
    members,
    study_trials,
    teacher_identity,
    training_identity,
)


def study(**keys: object) -> Spec:
    return read_spec({"dataset": "digits", "alpha": [0, 0.5, 1], "seeds": 4} | keys)


def ids(spec: Spec, data: str = "d") -> list[str]:
    return [trial.id for trial in study_trials(spec, data)]


def test_every_cell_meets_every_seed_once() -> None:
    order = [(trial.seed, trial.settings.alpha) for trial in study_trials(study(), "d")]
    assert order == [(seed, alpha) for seed in range(4) for alpha in (0.0, 0.5, 1.0)]


def test_an_identity_depends_on_everything_that_decides_the_result() -> None:
    base = set(ids(study()))
    assert len(base) == 12
    changed = [
        {"epochs": 11},
        {"temperature": 4},
        {"noise": {"rate": 0.1}},
        {"teacher": {"epochs": 4}},
        {"student": {"model": "cnn-8-8"}},
        {"validation": {"share": 0.2}},
        {"learning_rate": 0.002},
        {"weight_decay": 0.1},
        {"draw": 1},
        {"transfer": {"size": 100}},
        {"transfer": {"withheld": 3}},
        {"student": {"resolution": 4}},
        {"teacher": {"dropout": 0.5}},
        {"teacher": {"input_dropout": 0.2}},
        {"teacher": {"label_smoothing": 0.1}},
        {"teacher": {"weight_decay": 0.1}},
        {"teacher": {"max_norm": 3}},
    ]
    for keys in changed:
        assert base.isdisjoint(ids(study(**keys))), keys
    assert base.isdisjoint(ids(study(), data="other contents"))


def test_an_identity_does_not_depend_on_the_grid_around_it_or_on_the_question() -> None:
    wider = study(alpha=[0, 0.25, 0.5, 0.75, 1], seeds=9, question="Another?", margin=0.01)
    assert set(ids(study())) <= set(ids(wider))
    assert ids(study(dataset="a/path/to/the/same.npz")) == ids(study())


def test_identities_are_the_same_in_every_version() -> None:
    """A changed identity would train recorded students again: raise NUMERICS only when numbers change."""
    assert NUMERICS == 6
    assert ids(study())[0] == "e208548ddfa567e7"


def test_a_setting_at_its_default_is_no_part_of_an_identity_so_defaults_change_with_the_numerics() -> None:
    assert ids(study(optimiser="adam", snapshot=None)) == ids(study())
    defaults = json.dumps(Settings(dataset="").model_dump(), sort_keys=True)
    assert (NUMERICS, hashlib.sha256(defaults.encode()).hexdigest()[:16]) == (6, "42100e4ff3b2f817")


def test_allowing_alphas_beyond_0_and_1_changes_no_identity() -> None:
    squared = {"loss": "logit_mse", "label_loss": "squared"}
    assert ids(study(**squared)) == ids(study(**squared, extend=True))


def test_where_no_label_is_wrong_a_teacher_of_noisy_labels_is_the_teacher_of_clean_ones() -> None:
    names = {teacher_identity(study(teacher={"labels": which}).base, "d") for which in ("clean", "noisy", "own")}
    assert len(names) == 1
    loud = {
        teacher_identity(study(teacher={"labels": which}, noise={"rate": 0.1}).base, "d")
        for which in ("clean", "noisy", "own")
    }
    assert len(loud) == 3


def test_teachers_that_answer_together_are_told_apart_by_their_members() -> None:
    def names(**teacher: object) -> list[str]:
        return [training_identity(member, "d") for member in members(study(teacher=teacher).base)]

    assert len(set(names(model="cnn-2-3+mlp-4", members=2))) == 4
    assert names(model="mlp-4", members=2) == [*names(model="mlp-4"), *names(model="mlp-4", seed=1)]
    assert teacher_identity(study(teacher={"model": "mlp-4"}).base, "d") == names(model="mlp-4")[0]


def test_trials_that_differ_in_their_snapshot_alone_are_one_student_of_one_cohort() -> None:
    wanted = list(study_trials(study(snapshot=[1, 2, 3], alpha=[0, 1], seeds=2), "d"))
    (group,) = groups(wanted)
    assert [len(training) for training in group.trainings] == [3] * 4


def test_trials_that_differ_in_the_correction_alone_are_one_student_too() -> None:
    transfer = {"withheld": 3, "correction": ["none", "prior", "test"]}
    wanted = list(study_trials(study(transfer=transfer, alpha=[0, 1], seeds=2), "d"))
    (group,) = groups(wanted)
    assert [len(training) for training in group.trainings] == [3] * 4
    assert len({trial.id for trial in wanted}) == 12


def test_students_of_other_rows_are_another_cohort_with_the_same_teacher_unless_the_draw_differs() -> None:
    base, less, without, drawn = (
        study(**keys).base for keys in ({}, {"transfer": {"size": 99}}, {"transfer": {"withheld": 3}}, {"draw": 1})
    )
    assert len({group_key(settings) for settings in (base, less, without, drawn)}) == 4
    assert len({teacher_identity(settings, "d") for settings in (base, less, without)}) == 1
    assert teacher_identity(drawn, "d") != teacher_identity(base, "d")


def test_every_setting_of_a_teachers_training_makes_another_teacher() -> None:
    options = {"dropout": 0.5, "input_dropout": 0.2, "label_smoothing": 0.1, "weight_decay": 0.1, "max_norm": 3}
    names = [teacher_identity(study(teacher={key: value}).base, "d") for key, value in options.items()]
    assert len({*names, teacher_identity(study().base, "d")}) == 6


def test_teachers_differ_by_labels_only_where_they_see_them() -> None:
    def teacher(**keys: object) -> str:
        return teacher_identity(study(**keys).base, "d")

    quiet, loud = {"noise": {"rate": 0.1}}, {"noise": {"rate": 0.2}}
    assert teacher(**quiet) == teacher(**loud)
    noisy = {"teacher": {"labels": "noisy"}}
    assert teacher(**quiet, **noisy) != teacher(**loud, **noisy)
    assert teacher(alpha=0.1) == teacher(alpha=0.9)


def test_students_are_gathered_by_the_program_that_can_train_them() -> None:
    wanted = list(study_trials(study(epochs=[1, 2]), "d"))
    grouped = groups(wanted)
    assert [len(group.trainings) for group in grouped] == [12, 12]
    for group in grouped:
        assert {group_key(trial.settings) for training in group.trainings for trial in training} == {group.key}
    assert sorted(trial.id for group in grouped for (trial,) in group.trainings) == sorted(t.id for t in wanted)


def test_what_is_a_number_shares_a_cohort_and_what_is_a_shape_does_not() -> None:
    def key(**keys: object) -> str:
        return group_key(study(**keys).base)

    alike = [{}, {"alpha": 1}, {"temperature": 9}, {"learning_rate": 1}, {"noise": {"rate": 0.3}}]
    assert len({key(**keys) for keys in alike}) == 1
    other = [{}, {"epochs": 3}, {"batch_size": 8}, {"student": {"model": "mlp-4"}}, {"loss": "cross_entropy"}]
    other += [{"weight_decay": 0.1}, {"student": {"resolution": 4}}]
    assert len({key(**keys) for keys in other}) == len(other)


def test_the_label_loss_decides_students_teacher_and_cohort() -> None:
    entropy, squared = (study(loss="logit_mse", label_loss=name) for name in ("cross_entropy", "squared"))
    assert not set(ids(entropy)) & set(ids(squared))
    assert teacher_identity(entropy.base, "d") != teacher_identity(squared.base, "d")
    assert group_key(entropy.base) != group_key(squared.base)
