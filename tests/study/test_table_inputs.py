"""Tables for models: layers that encode as NumPy does, and teachers that read codes, encoded features or raw values."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tests.tables import read_jobs, write_jobs

from distillab.data import Dataset
from distillab.data.columns import Column, Columns
from distillab.errors import RequestError
from distillab.models import build
from distillab.models.foreign import ForeignModel
from distillab.models.frameworks.sklearn import estimator_model
from distillab.study.foreign_teachers import foreign_teacher
from distillab.study.keras_teachers import keras_teacher
from distillab.study.model_options import ModelOptions
from distillab.study.student_models import shipped_model, student_model
from distillab.study.table_inputs import encoded_by_layers

NUMBER = Column(name="n", kind="number", median=3.0, mean=2.0, spread=0.7)
BOOLEAN = Column(name="b", kind="boolean", categories=("no", "yes"), spread=0.5, median=1.0)
WORD = Column(name="w", kind="category", categories=("p", "q", "r"), unseen=("q",))
X = np.float32([[1.5, 0, 0], [np.nan, np.nan, np.nan], [-1e6, 1, 1], [4, 1, 2]])


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return read_jobs(write_jobs(tmp_path_factory.mktemp("jobs") / "jobs.csv"))


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("kinds", [(NUMBER, BOOLEAN, WORD), (NUMBER,), (BOOLEAN,), (WORD,), (WORD, NUMBER)])
def test_layers_encode_as_numpy_does(kinds: tuple[Column, ...], gaps: bool):
    columns = Columns(tuple(replace(kind, gaps=gaps) for kind in kinds))
    x = X[:, [(NUMBER, BOOLEAN, WORD).index(kind) for kind in kinds]]
    inputs = keras.Input((len(kinds),))
    encoded = keras.Model(inputs, encoded_by_layers(columns, inputs))
    assert encoded.output_shape == (None, columns.width)
    np.testing.assert_allclose(encoded.predict(x, verbose=0), columns.encoded(x), rtol=1e-6)


def test_a_shipped_student_encodes_inside_and_loads_without_the_package(jobs: Dataset, tmp_path: Path):
    student = student_model("mlp-8", jobs, ModelOptions())
    assert student.functional.model.input_shape == (None, jobs.student_shape[0])
    variables = student.initial(1)
    model = shipped_model(student, variables, jobs)
    model.save(tmp_path / "student.keras")
    loaded = keras.saving.load_model(tmp_path / "student.keras", safe_mode=True)
    assert "distillab" not in loaded.to_json()
    answers = loaded.predict(jobs.x_test, verbose=0)
    bare = build("mlp-8", jobs.student_shape, 2)
    bare.set_weights(model.get_weights())
    expected = bare.predict(jobs.prepared(jobs.x_test), verbose=0)
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def pipeline(jobs: Dataset, columns: list[str]) -> Any:
    """A pipeline that was fitted on raw columns by name."""
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    assert jobs.columns is not None
    raw = pd.DataFrame(jobs.columns.decoded(jobs.x_train))[columns]
    words = [name for name in columns if name in ("job", "owner")]
    encode = make_column_transformer((OneHotEncoder(sparse_output=False), words), remainder="passthrough")
    names = np.array(jobs.class_names)[jobs.y_train]
    return make_pipeline(encode, HistGradientBoostingClassifier(max_iter=5)).fit(raw, names)


def test_a_pipeline_of_named_columns_gets_raw_values_in_its_order(jobs: Dataset):
    pd = pytest.importorskip("pandas")
    fitted = pipeline(jobs, ["job", "hours", "owner"])
    teacher = foreign_teacher(estimator_model(fitted), jobs, ModelOptions())
    assert jobs.columns is not None
    raw = pd.DataFrame(jobs.columns.decoded(jobs.x_test))[["job", "hours", "owner"]]
    np.testing.assert_allclose(teacher.predict(jobs.x_test), np.log(fitted.predict_proba(raw)), rtol=1e-5)
    assert "is given the raw columns job, hours, owner as a DataFrame; it gives probabilities" in teacher.reads


def test_a_pipeline_of_other_columns_is_refused_by_name(jobs: Dataset):
    pytest.importorskip("pandas")
    model = replace(estimator_model(pipeline(jobs, ["job", "hours"])), feature_names=("job", "salary"))
    with pytest.raises(RequestError, match="fitted on the column 'salary', and the data have the columns 'age', 'job'"):
        foreign_teacher(model, jobs, ModelOptions())


def test_a_pipeline_without_pandas_says_what_to_install(jobs: Dataset, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("pandas")
    model = estimator_model(pipeline(jobs, ["job", "hours"]))
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(RequestError, match=r"needs pandas. Install it: pip install 'distillab\[pandas\]'"):
        foreign_teacher(model, jobs, ModelOptions())


def foreign(features: int | None, kind: str, seen: list[tuple[int, ...]]) -> ForeignModel:
    def call(x: np.ndarray) -> np.ndarray:
        seen.append(x.shape[1:])
        return np.stack([np.nan_to_num(x[:, 0]), np.ones(len(x))], 1)

    shape = None if features is None else (features,)
    return ForeignModel(name="mine", kind=kind, call=call, gives="logits", shape=shape, digest="d")


@pytest.mark.parametrize(
    ("features", "kind", "encoded"),
    [(4, "estimator", False), (None, "function", False), (4, "XGBoost model", False), (4, "ONNX model", False),
     (0, "ONNX model", True), (0, "TorchScript model", True), (0, "estimator", True)],
)  # fmt: skip
def test_models_of_numbers_get_codes_or_encoded_features(jobs: Dataset, features, kind: str, encoded: bool):
    assert jobs.columns is not None
    seen: list[tuple[int, ...]] = []
    width = jobs.columns.width
    teacher = foreign_teacher(foreign(width if features == 0 else features, kind, seen), jobs, ModelOptions())
    found = teacher.predict(jobs.x_test)[:, 0]
    assert set(seen) == {(width,) if encoded else (4,)}
    inputs = jobs.columns.encoded(jobs.x_test) if encoded else jobs.x_test
    np.testing.assert_array_equal(found, np.nan_to_num(inputs[:, 0]))
    told = f"is given the {width} encoded features" if encoded else "words as codes, NaN where a value is missing"
    assert told in teacher.reads
    assert teacher.alternatives == {}


def test_a_model_of_other_inputs_is_refused_with_both_numbers(jobs: Dataset):
    with pytest.raises(RequestError, match=r"reads inputs of shape \(7,\). The data have 4 columns, encoded as"):
        foreign_teacher(foreign(7, "ONNX model", []), jobs, ModelOptions())
    with pytest.raises(RequestError, match=r"teacher_normalise.* left out: the data have words or gaps"):
        foreign_teacher(foreign(4, "function", []), jobs, ModelOptions(teacher_normalise=((0.5,), (0.5,))))


def test_keras_teachers_read_encoded_features_or_codes(jobs: Dataset):
    assert jobs.columns is not None
    of_encoded = build("linear", jobs.student_shape, 2)
    teacher = keras_teacher(of_encoded, "mine", jobs, ModelOptions())
    logits = of_encoded.predict(jobs.columns.encoded(jobs.x_test), verbose=0)
    logits = logits - np.logaddexp(logits[:, :1], logits[:, 1:])
    found = teacher.predict(jobs.x_test)
    np.testing.assert_allclose(found - np.logaddexp(found[:, :1], found[:, 1:]), logits, atol=1e-4)
    assert "encoded features that students read" in teacher.reads
    student = student_model("mlp-8", jobs, ModelOptions())
    shipped = shipped_model(student, student.initial(0), jobs)
    again = keras_teacher(shipped, "student.keras", jobs, ModelOptions())
    assert "words as codes" in again.reads
    assert np.isfinite(again.predict(jobs.x_test)).all()


@pytest.mark.parametrize("package", ["lightgbm", "xgboost"])
def test_boosters_match_words_by_name_whatever_their_order(jobs: Dataset, package: str):
    pd = pytest.importorskip("pandas")
    module = pytest.importorskip(package)
    more: dict[str, Any] = {"verbose": -1} if package == "lightgbm" else {"enable_categorical": True}
    estimator = module.LGBMClassifier if package == "lightgbm" else module.XGBClassifier
    assert jobs.columns is not None

    def frame(x: np.ndarray) -> Any:
        raw = pd.DataFrame(jobs.columns.decoded(x))
        raw["job"] = pd.Categorical(raw.job, categories=["nurse", "head, of state", "cook", "baker"])
        raw["owner"] = pd.Categorical(raw.owner, categories=["yes", "no"])
        return raw

    fitted = estimator(n_estimators=5, **more).fit(frame(jobs.x_train), jobs.y_train)
    teacher = foreign_teacher(estimator_model(fitted), jobs, ModelOptions())
    expected = np.log(fitted.predict_proba(frame(jobs.x_test)))
    np.testing.assert_allclose(teacher.predict(jobs.x_test), expected, atol=1e-5)
    assert "as a DataFrame, words as categories" in teacher.reads


def test_an_xgboost_that_takes_categories_by_their_place_is_refused(jobs: Dataset, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("pandas")
    monkeypatch.setitem(sys.modules, "xgboost", type("Old", (), {"__version__": "3.0.2"}))
    model = replace(estimator_model(pipeline(jobs, ["job"])), name="XGBClassifier", categorical=True)
    with pytest.raises(RequestError, match=r"only from XGBoost 3\.1 on, and 3\.0\.2 is installed"):
        foreign_teacher(model, jobs, ModelOptions())
