"""The choice of alpha where validation labels are wrong: by the likely clean labels, and in what words."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import softmax
from tests.rows import Rows

from distillab.analysis import analyse
from distillab.report.view import study_view
from distillab.study.settings import Settings
from distillab.study.storage.records import ValidationExamples, ValidationPredictions, ValidationResults

C, V, ALPHAS = 5, 200, [0, 0.25, 0.5, 0.75, 1]
CLEAN = np.random.default_rng(0).integers(0, C, V)
ROWS = Settings(dataset="").validation_rows


def sure(classes, rng, doubt=0.1):
    """Probabilities of a model that decides for these classes, not quite sure of it."""
    return softmax(6 * ((1 - doubt) * np.eye(C)[classes] + doubt * rng.random((len(classes), C))), axis=1)


def students(spec, wrong, *, memorise):
    """Students that repeat wrong labels, as of near duplicates, the more the larger alpha; alpha = 0.25 is best."""
    predictions, scores = {}, {}
    rng = np.random.default_rng(1)
    given = {seed: np.where(rng.random(V) < wrong, (CLEAN - 1) % C, CLEAN) for seed in range(spec.objective.seeds)}
    plain = Rows.trials(spec, lambda alpha, seed: 0.5)
    for trial in plain:
        off = rng.random(V) < 0.04 + 0.8 * max(0.25 - trial.alpha, 0)
        learned = (given[trial.seed] != CLEAN) & (rng.random(V) < memorise * trial.alpha)
        decided = np.where(learned, (CLEAN - 1) % C, np.where(off, rng.integers(0, C, V), CLEAN))
        predictions[trial.id] = ValidationPredictions(
            sure(decided, rng).astype(np.float16), given[trial.seed].astype(np.int16)
        )
        scores[trial.alpha, trial.seed] = (decided == given[trial.seed]).mean(), (decided == CLEAN).mean()
    trials = Rows.trials(spec, lambda alpha, seed: scores[alpha, seed][1], lambda alpha, seed: scores[alpha, seed][0])
    teacher = ValidationExamples(sure(CLEAN, rng).astype(np.float16), np.zeros(V, bool))
    return trials, ValidationResults(predictions, {(trials[0].teacher, ROWS): teacher})


def study(**changes):
    return Rows.spec(seeds=4, alpha=ALPHAS, **changes)


def found(spec, wrong, memorise=0.0, validation=None):
    trials, recorded = students(spec, wrong, memorise=memorise)
    return analyse(spec, trials, {}, validation=recorded if validation is None else validation(recorded))


def test_wrong_labels_make_the_metric_choose_memorisers_and_the_clean_ones_do_not():
    by_metric = found(study(), 0.4, memorise=0.35).settings[0]
    robust = found(study(choose="robust"), 0.4, memorise=0.35).settings[0]
    assert (by_metric.score, by_metric.best.alpha) == ("metric", 1.0)
    assert robust.score == "robust"
    assert robust.best.alpha in (0.25, 0.5)  # the best, or its neighbour with which it shares votes
    assert robust.best.mean > by_metric.best.mean + 0.03
    assert by_metric.robust == robust.best.alpha  # said whatever chose
    assert by_metric.wrong_labels.low < 0.4 < by_metric.wrong_labels.high


def test_right_labels_leave_the_choice_to_the_metric():
    first, second = (found(study(choose=choose), 0.0).settings[0] for choose in ("metric", "robust"))
    assert first.best == second.best
    assert second.score == "metric"
    assert not second.labels_look_wrong


@pytest.mark.parametrize("what", ["predictions", "examples"])
def test_without_the_records_of_an_older_study_the_metric_chooses(what):
    setting = found(study(choose="robust"), 0.4, validation=lambda of: of._replace(**{what: {}})).settings[0]
    assert (setting.score, setting.robust, setting.wrong_labels) == ("metric", None, None)


def test_a_study_recorded_in_part_by_an_older_version_is_chosen_by_the_metric():
    def without_one(of):
        return of._replace(predictions=dict(list(of.predictions.items())[1:]))

    assert found(study(choose="robust"), 0.4, validation=without_one).settings[0].score == "metric"


def test_a_teacher_at_chance_tells_nothing_of_the_labels():
    def at_chance(of):
        (key,) = of.examples
        same = np.full((V, C), 0.1, np.float16) + np.eye(C, dtype=np.float16)[0] / 2
        return of._replace(examples={key: of.examples[key]._replace(probabilities=same)})

    setting = found(study(choose="robust"), 0.4, validation=at_chance).settings[0]
    assert (setting.score, setting.wrong_labels) == ("metric", None)


def test_the_words_say_what_chose_and_how_many_labels_look_wrong():
    findings = {choose: found(study(choose=choose), 0.4, memorise=0.35) for choose in ("metric", "robust")}
    text = {choose: " ".join(study_view(of).settings[0].sentences) for choose, of in findings.items()}
    alpha = findings["robust"].settings[0].best.alpha
    assert f"by the likely clean labels, alpha = {alpha:g}" in text["robust"]
    assert "of the validation labels look wrong" in text["robust"]
    assert f"(choose: robust) would choose alpha = {alpha:g}" in text["metric"]
    clean = " ".join(study_view(found(study(), 0.0)).settings[0].sentences)
    assert "look wrong" not in clean


def test_the_finding_holds_the_choice_as_plain_json():
    tree = json.loads(json.dumps(found(study(choose="robust"), 0.4, memorise=0.35).to_json()))["settings"][0]
    assert tree["score"] == "robust"
    assert tree["wrong_labels"]["low"] < 0.4 < tree["wrong_labels"]["high"]


@pytest.mark.parametrize("choose", ["metric", "robust"])
def test_the_measured_errors_are_to_the_labels_that_the_parabola_is_of(choose):
    trials, recorded = students(study(choose=choose), 0.4, memorise=0.35)
    for trial in trials:  # as a study records it: to the labels as given
        of = recorded.predictions[trial.id]
        errors = np.square(of.probabilities.astype(float) - np.eye(C)[of.labels]).sum(axis=1)
        trial.metrics["validation", "brier"] = errors.mean()
    (prediction,) = analyse(study(choose=choose), trials, {}, validation=recorded).predictions
    first, last = prediction.measured[0], prediction.measured[-1]
    at_zero, cross, square = prediction.risk
    assert first.mean == pytest.approx(at_zero)
    assert last.mean == pytest.approx(at_zero + 2 * cross + square)
