"""Estimators in `.skops` files, which hold no code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from distillab.errors import RequestError
from distillab.models.frameworks.opening import foreign_file

skops_io = pytest.importorskip("skops.io", reason="the extra `sklearn` is not installed")

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
NAMES = np.array(["fox", "cat", "owl"])[X[:, :3].argmax(-1)]


def test_an_estimator_comes_back(tmp_path: Path) -> None:
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, NAMES)
    skops_io.dump(fitted, tmp_path / "m.skops")
    model = foreign_file(tmp_path / "m.skops")
    np.testing.assert_allclose(model.predict(X), fitted.predict_proba(X), atol=1e-6)
    assert (model.class_names, model.name, len(model.digest)) == (("cat", "fox", "owl"), "m.skops", 64)


def test_types_that_skops_does_not_know_need_trust(tmp_path: Path) -> None:
    fitted: Any = make_pipeline(FunctionTransformer(os.path.basename), LogisticRegression())
    skops_io.dump(fitted, tmp_path / "m.skops")
    with pytest.raises(RequestError, match=r"holds types that skops does not know \(posixpath\.basename\).*--trust"):
        foreign_file(tmp_path / "m.skops")
    assert foreign_file(tmp_path / "m.skops", trust=True).kind == "estimator"


def test_anything_else_is_no_estimator(tmp_path: Path) -> None:
    skops_io.dump({"a": 1}, tmp_path / "m.skops")
    with pytest.raises(RequestError, match="holds a dict and no estimator"):
        foreign_file(tmp_path / "m.skops")


def test_a_damaged_file_is_told_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "m.skops"
    skops_io.dump(LogisticRegression().fit(X, NAMES), path)
    content = path.read_bytes().replace(b'"__class__"', b'"__klass__"')
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"m\.skops cannot be loaded as a skops file") as raised:
        foreign_file(path)
    assert "\n" not in str(raised.value)
