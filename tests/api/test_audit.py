"""An audit of labels: wrong ones are found by teachers that have not seen them, and written with their pictures."""

from __future__ import annotations

import csv
from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.api.audit import Training, audit_labels, write_audit
from distillab.errors import RequestError
from distillab.report.audit import COLUMNS, audit_text

RNG = np.random.default_rng(0)
Y = np.arange(300) % 3
X = np.eye(3)[Y].repeat(12, axis=1) * 160 + RNG.integers(0, 90, (300, 36))  # three kinds of bright stripes
IMAGES = X.astype(np.uint8).reshape(300, 6, 6)
QUICK = Training(folds=3, epochs=6, learning_rate=0.01)


@pytest.fixture(scope="module")
def audit():
    return audit_labels((IMAGES, Y), "linear", training=QUICK, noise=("shift", 0.2))


def test_labels_made_wrong_are_found(audit):
    found = audit.detected["distillab"]
    assert found.wrong == 60
    assert found.precision > 0.9
    assert found.recall > 0.9
    assert found.average_precision > 0.95
    assert audit.share.low < 0.2 < audit.share.high


@pytest.mark.parametrize("rate", [0.2, 0.4])
def test_the_share_of_wrong_labels_is_the_mean_doubt_also_where_teachers_learned_the_noise(rate):
    audit = audit_labels((IMAGES, Y), "linear", training=QUICK, noise=("shift", rate))
    assert audit.share.estimate == pytest.approx(audit.doubt.mean(), abs=1e-12)  # sums of 300 float64 terms


def test_every_example_is_judged_also_those_that_a_search_would_keep_for_the_test(audit):
    assert sorted(map(int, (name.removeprefix("train/") for name in audit.ids))) == list(range(300))


def test_the_likeliest_class_of_a_wrong_label_is_the_right_one(audit):
    clean = np.array([Y[int(name.removeprefix("train/"))] for name in audit.ids])
    flagged = audit.doubt > 0.5
    assert (audit.likeliest[flagged] == clean[flagged]).mean() > 0.9


def test_the_table_and_the_page_are_written(audit, tmp_path: Path):
    table, page = write_audit(audit, tmp_path / "out")
    with table.open() as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == COLUMNS
    doubts = [float(row[-1]) for row in rows[1:]]
    assert len(doubts) == 300
    assert doubts == sorted(doubts, reverse=True)
    text = page.read_text()
    assert text.count("<img") == 60
    assert "<script" not in text
    assert "of 300 labels look wrong" in text


def test_features_are_listed_and_right_labels_leave_nothing_flagged():
    audit = audit_labels((X / 250, Y), "linear", training=QUICK)
    assert audit.flagged == 0
    assert audit.detected == {}
    assert "labels look wrong" in audit_text(audit)


def test_a_trained_teacher_judges_as_it_is_and_the_caveat_says_so(tmp_path: Path):
    model = keras.Sequential([keras.Input((36,)), keras.layers.Dense(3)])
    model.layers[-1].set_weights([np.eye(3).repeat(12, axis=0) * 2.0, np.zeros(3)])
    model.save(tmp_path / "teacher.keras")
    wrong = np.where(np.arange(300) < 30, (Y + 1) % 3, Y)
    audit = audit_labels((X / 250, wrong), str(tmp_path / "teacher.keras"))
    order = [int(audit.ids[row].removeprefix("train/")) for row in audit.order[:30]]
    assert sorted(order) == list(range(30))
    assert "may have learned these very labels" in audit_text(audit)


def test_a_teacher_at_chance_is_said_to_be_and_one_that_learned_is_not(audit):
    assert audit.agreement == pytest.approx(0.8, abs=0.03)  # one label in five was made wrong
    assert "at chance" not in audit_text(audit)
    guessing = audit_labels((RNG.normal(size=(300, 4)), Y), "linear", training=QUICK, noise=("shift", 0.0))
    assert guessing.commonest == pytest.approx(1 / 3)
    assert "The teacher is at chance (always saying the commonest label agrees with 33.3 %)" in audit_text(guessing)
    assert f"No label was made wrong; distillab flagged {guessing.flagged}." in audit_text(guessing)


def test_cleanlab_is_beside_it_where_it_is_installed():
    pytest.importorskip("cleanlab", reason="the extra 'audit'")
    found = audit_labels((IMAGES, Y), "linear", training=QUICK, noise=("shift", 0.2)).detected
    assert list(found) == ["distillab", "cleanlab"]
    assert found["cleanlab"].wrong == 60
    assert found["cleanlab"].average_precision > 0.9


def test_noise_by_margin_is_made_with_a_teacher_of_the_labels_as_they_were():
    audit = audit_labels((IMAGES, Y), "linear", training=QUICK, noise=("margin", 0.1))
    assert audit.detected["distillab"].wrong == 30


@pytest.mark.parametrize(
    ("data", "training", "message"),
    [
        ((X, X[:, 0] / 7.3), QUICK, "needs classes, one an example, and the data have task=regression"),
        ((X, Y), Training(folds=500), "folds=500 is not allowed: it must be from 2 to 100"),
        ((X, Y), Training(folds=2, batch_size=200), "batch_size=200 is not allowed: it must be at most 150"),
    ],
)
def test_what_cannot_be_audited_is_refused(data, training, message):
    with pytest.raises(RequestError, match=message):
        audit_labels(data, "linear", training=training)
