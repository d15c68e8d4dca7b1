"""Boosted trees give what XGBoost and LightGBM give, from files and as objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.foreign import ForeignModel, as_raw_outputs
from distillab.models.frameworks.opening import foreign_file, foreign_object
from distillab.models.frameworks.whole_boosters import is_whole_lightgbm, is_whole_ubjson
from distillab.tasks import TASKS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype(np.float32)
LABELS = {"classes": X[:, :3].argmax(-1), "binary": (X[:, 0] > 0.3).astype(int), "numbers": X[:, 0] + 10}
TASK = {"classes": "categorical", "binary": "binary", "numbers": "regression"}


def opened(source: Any) -> ForeignModel:
    model = foreign_object(source)
    assert model is not None
    return model


def as_predicted(model: ForeignModel, kind: str) -> np.ndarray:
    """Probabilities of the classes, (N, C) or of the second one, or numbers."""
    raw = as_raw_outputs(model.predict(X), model.gives, TASKS[TASK[kind]], 3)
    if kind == "numbers":
        return raw[:, 0]
    if kind == "binary":
        return 1 / (1 + np.exp(-raw[:, 0].astype(float)))
    powers = np.exp(raw - raw.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.fixture(params=list(LABELS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def xgboost_estimator(kind: str, **options: Any) -> Any:
    xgboost = pytest.importorskip("xgboost", reason="the extra `boosting` is not installed")
    of = xgboost.XGBRegressor if kind == "numbers" else xgboost.XGBClassifier
    return of(n_estimators=5, max_depth=3, n_jobs=1, **options).fit(X, LABELS[kind])


def lightgbm_estimator(kind: str, **options: Any) -> Any:
    lightgbm = pytest.importorskip("lightgbm", reason="the extra `boosting` is not installed")
    of = lightgbm.LGBMRegressor if kind == "numbers" else lightgbm.LGBMClassifier
    return of(n_estimators=5, n_jobs=1, verbose=-1, **options).fit(X, LABELS[kind])


def expected(estimator: Any, kind: str) -> np.ndarray:
    given = estimator.predict(X) if kind == "numbers" else estimator.predict_proba(X)
    return np.asarray(given[:, 1] if kind == "binary" else given)


@pytest.mark.parametrize("suffix", [".json", ".ubj", ".xgb"])
def test_files_of_xgboost(kind: str, suffix: str, tmp_path: Path) -> None:
    fitted, path = xgboost_estimator(kind), tmp_path / f"m{suffix}"
    written = tmp_path / "m.ubj" if suffix == ".xgb" else path
    fitted.save_model(written)
    written.rename(path)
    model = foreign_file(path)
    np.testing.assert_allclose(as_predicted(model, kind), expected(fitted, kind), atol=1e-5)
    assert (model.shape, model.name, model.kind) == ((4,), path.name, "XGBoost model")
    assert model.outputs == (3 if kind == "classes" else None)


@pytest.mark.parametrize("names", [(".json", ".ubj"), (".ubj", ".json")])
def test_either_format_of_xgboost_under_either_name(names: tuple[str, str], tmp_path: Path) -> None:
    fitted = xgboost_estimator("classes")
    fitted.save_model(tmp_path / f"m{names[0]}")
    (tmp_path / f"m{names[0]}").rename(tmp_path / f"other{names[1]}")
    model = foreign_file(tmp_path / f"other{names[1]}")
    np.testing.assert_allclose(as_predicted(model, "classes"), expected(fitted, "classes"), atol=1e-5)


@pytest.mark.parametrize("make", [xgboost_estimator, lightgbm_estimator])
def test_estimators_and_boosters_as_objects(kind: str, make: Any) -> None:
    fitted = make(kind)
    booster = fitted.get_booster() if hasattr(fitted, "get_booster") else fitted.booster_
    for source in (fitted, booster):
        np.testing.assert_allclose(as_predicted(opened(source), kind), expected(fitted, kind), atol=1e-5)
    assert opened(fitted).class_names == {"classes": ("0", "1", "2"), "binary": ("0", "1"), "numbers": ()}[kind]
    assert opened(booster).digest == opened(booster).digest != ""


@pytest.mark.parametrize("objective", ["binary:logitraw", "multi:softmax", "multi:softprob", "binary:hinge"])
def test_objectives_of_xgboost(objective: str) -> None:
    kind = "classes" if objective.startswith("multi") else "binary"
    xgboost = pytest.importorskip("xgboost", reason="the extra `boosting` is not installed")
    options = {"objective": objective, "max_depth": 3} | ({"num_class": 3} if kind == "classes" else {})
    booster = xgboost.train(options, xgboost.DMatrix(X, LABELS[kind]), 5)
    given = as_predicted(opened(booster), kind)
    margin = booster.predict(xgboost.DMatrix(X), output_margin=True)
    if kind == "classes":
        np.testing.assert_array_equal(given.argmax(-1), margin.argmax(-1))
    else:
        np.testing.assert_array_equal(given > 0.5, margin > 0)


@pytest.mark.parametrize("suffix", [".txt", ".lgb"])
def test_files_of_lightgbm(kind: str, suffix: str, tmp_path: Path) -> None:
    fitted, path = lightgbm_estimator(kind), tmp_path / f"m{suffix}"
    fitted.booster_.save_model(path)
    model = foreign_file(path)
    np.testing.assert_allclose(as_predicted(model, kind), expected(fitted, kind), atol=1e-5)
    assert (model.shape, model.kind) == ((4,), "LightGBM model")


def test_one_against_all_of_lightgbm_has_probabilities() -> None:
    fitted = lightgbm_estimator("classes", objective="multiclassova")
    given = opened(fitted.booster_).predict(X)
    np.testing.assert_allclose(given, fitted.booster_.predict(X), atol=1e-5)
    scaled = lightgbm_estimator("binary", sigmoid=2.0)
    np.testing.assert_allclose(as_predicted(opened(scaled.booster_), "binary"), expected(scaled, "binary"), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "suffix"), [(xgboost_estimator, ".json"), (xgboost_estimator, ".ubj"), (lightgbm_estimator, ".txt")]
)
def test_damaged_files_are_told_in_a_line(make: Any, suffix: str, tmp_path: Path) -> None:
    fitted, path = make("classes"), tmp_path / f"m{suffix}"
    fitted.save_model(path) if hasattr(fitted, "save_model") else fitted.booster_.save_model(path)
    content = path.read_bytes()
    for share in (0.3, 0.6):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(RequestError, match=rf"(XGBoost|LightGBM) cannot load .*m\{suffix}") as raised:
            foreign_file(path)
        assert "\n" not in str(raised.value)


def test_what_is_cut_anywhere_is_found_before_xgboost_fills_the_memory() -> None:
    whole = bytes(xgboost_estimator("classes").get_booster().save_raw("ubj"))
    assert is_whole_ubjson(whole)
    assert not any(is_whole_ubjson(whole[:end]) for end in range(0, len(whole), 97))
    assert not is_whole_ubjson(whole + b"}")
    assert not is_whole_ubjson(b"{U\x01a" + b"[" * 100_000)
    assert not is_whole_ubjson(b"{U\x01a[$d#L" + b"\x7f" * 8)


def test_a_tree_of_another_length_is_found_before_lightgbm_ends_python() -> None:
    whole = lightgbm_estimator("classes").booster_.model_to_string().encode()
    assert is_whole_lightgbm(whole)
    trees = whole.index(b"end of trees")
    assert not any(is_whole_lightgbm(whole[:end]) for end in range(0, trees, 97))
    assert not is_whole_lightgbm(whole.replace(b"Tree=1", b"Tree=01"))
