"""Estimators give what scikit-learn gives, and no file of theirs runs code unasked."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsRegressor, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from distillab.errors import RequestError
from distillab.models.frameworks.opening import foreign_file, foreign_object
from distillab.models.frameworks.sklearn import estimator_model

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = X[:, :3].argmax(-1)
NAMES = np.array(["fox", "cat", "owl"])[Y]  # sorted: cat, fox, owl


def test_probabilities_are_preferred() -> None:
    fitted = LogisticRegression().fit(X, NAMES)
    model = estimator_model(fitted)
    np.testing.assert_allclose(model.predict(X), fitted.predict_proba(X), atol=1e-6)
    assert (model.gives, model.class_names, model.outputs) == ("probabilities", ("cat", "fox", "owl"), 3)
    assert (model.shape, model.name) == ((4,), "LogisticRegression")


@pytest.mark.parametrize("labels", [Y, Y == 0], ids=["three classes", "two"])
def test_decision_values_are_logits(labels: np.ndarray) -> None:
    fitted = LinearSVC().fit(X, labels)
    model = estimator_model(fitted)
    expected = fitted.decision_function(X)
    np.testing.assert_allclose(model.predict(X), expected.reshape(len(X), -1), rtol=1e-5)
    assert model.gives == "logits"


def test_predictions_alone_are_class_numbers_or_real_numbers() -> None:
    fitted = NearestCentroid().fit(X, NAMES)
    only = Only(fitted)
    model = estimator_model(only)
    np.testing.assert_array_equal(model.predict(X)[:, 0], np.searchsorted(["cat", "fox", "owl"], fitted.predict(X)))
    assert model.gives == "decisions"
    line = LinearRegression().fit(X, X[:, :2])
    model = estimator_model(line)
    np.testing.assert_allclose(model.predict(X), X[:, :2], atol=1e-5)
    assert (model.gives, model.outputs) == ("values", None)


class Only:
    """An estimator that predicts and nothing else, as those of one's own do."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.classes_ = inner, inner.classes_

    def fit(self, x: Any, y: Any) -> None:
        raise AssertionError("it is fitted already")

    def predict(self, x: Any) -> Any:
        return self._inner.predict(x)


def test_numbers_for_classes_keep_their_names() -> None:
    assert estimator_model(LogisticRegression().fit(X, Y)).class_names == ("0", "1", "2")
    assert estimator_model(LogisticRegression().fit(X, Y * 1.0)).class_names == ("0", "1", "2")
    assert estimator_model(LogisticRegression().fit(X, Y == 0)).class_names == ("False", "True")


def test_a_pipeline_knows_its_features_and_classes() -> None:
    fitted = make_pipeline(StandardScaler(), RidgeClassifier()).fit(X, NAMES)
    model = estimator_model(fitted)
    np.testing.assert_allclose(model.predict(X), fitted.decision_function(X), atol=1e-6)
    assert (model.shape, model.class_names, model.gives) == ((4,), ("cat", "fox", "owl"), "logits")


@pytest.mark.parametrize("inner", [LogisticRegression(), RandomForestClassifier(5, random_state=0)])
def test_several_labels_are_the_probabilities_of_one(inner: Any) -> None:
    labels = (X[:, :3] > 0).astype(int)
    fitted = MultiOutputClassifier(inner).fit(X, labels)
    model = estimator_model(fitted)
    expected = np.stack([one[:, 1] for one in fitted.predict_proba(X)], 1)
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-6)
    assert (model.outputs, model.gives, model.class_names) == (3, "probabilities", ())


def test_several_labels_of_three_classes_are_refused() -> None:
    fitted = RandomForestClassifier(5, random_state=0).fit(X, np.stack([Y, Y], 1))
    with pytest.raises(RequestError, match="predicts several labels of more than two classes"):
        estimator_model(fitted)


def test_a_label_that_was_never_or_always_there_has_its_probability() -> None:
    labels = np.stack([X[:, 0] > 0, np.zeros(60), np.ones(60)], 1).astype(int)
    fitted = RandomForestClassifier(5, random_state=0).fit(X, labels)
    model = estimator_model(fitted)
    given = model.predict(X)
    np.testing.assert_allclose(given[:, 0], fitted.predict_proba(X)[0][:, 1], atol=1e-6)
    np.testing.assert_array_equal(given[:, 1], 0)
    np.testing.assert_array_equal(given[:, 2], 1)


@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearSVC(), KNeighborsRegressor()])
def test_one_that_is_not_fitted_is_refused(estimator: Any) -> None:
    with pytest.raises(RequestError, match=f"{type(estimator).__name__}.* (is )?not fitted"):
        estimator_model(estimator).predict(X)


def test_features_with_names_need_no_names(recwarn: pytest.WarningsRecorder) -> None:
    fitted = LogisticRegression().fit(X, Y)
    fitted.feature_names_in_ = np.array(list("abcd"), dtype=object)
    np.testing.assert_allclose(estimator_model(fitted).predict(X), fitted.predict_proba(X), atol=1e-6)


def test_a_class_is_no_estimator() -> None:
    assert foreign_object(LogisticRegression) is None


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".joblib"])
def test_a_pickle_runs_nothing_without_trust(suffix: str, tmp_path: Path) -> None:
    path, marker = tmp_path / f"m{suffix}", tmp_path / "marker"
    path.write_bytes(pickle.dumps(Trap(marker)))
    with pytest.raises(RequestError, match=r"is a pickle, which can run any code .*skops\.io\.dump.*--trust"):
        foreign_file(path)
    assert not marker.exists()
    with pytest.raises(RequestError, match="holds a NoneType and no estimator"):
        foreign_file(path, trust=True)
    assert marker.exists()  # the trap does work


def test_a_trusted_pickle_is_the_estimator(tmp_path: Path) -> None:
    fitted = LogisticRegression().fit(X, Y)
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(fitted))
    model = foreign_file(path, trust=True)
    np.testing.assert_allclose(model.predict(X), fitted.predict_proba(X), atol=1e-6)
    assert (model.name, len(model.digest)) == ("m.pkl", 64)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RequestError, match=r"m\.pkl cannot be loaded"):
        foreign_file(path, trust=True)


def test_constant_and_single_class_estimators_still_answer() -> None:
    model = estimator_model(DummyClassifier(strategy="prior").fit(X, Y))
    np.testing.assert_allclose(model.predict(X[:1])[0], np.bincount(Y) / 60, atol=1e-6)
