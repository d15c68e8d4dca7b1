"""Boosted trees of XGBoost and LightGBM, from their own files and as objects."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from distillab.errors import RequestError, reason
from distillab.models.foreign import Array, ForeignModel, Gives
from distillab.models.frameworks.needed import needed
from distillab.models.frameworks.whole_boosters import is_whole_lightgbm, is_whole_ubjson


def is_booster(source: Any) -> bool:
    """Whether an object is a Booster of XGBoost or of LightGBM.

    Args:
        source: any object.
    """
    kind = type(source)
    return kind.__name__ == "Booster" and kind.__module__.split(".")[0] in ("xgboost", "lightgbm")


def booster_model(booster: Any) -> ForeignModel:
    """Use a Booster.

    Args:
        booster: of XGBoost or of LightGBM.
    """
    of_xgboost = type(booster).__module__.startswith("xgboost")
    contents = bytes(booster.save_raw()) if of_xgboost else booster.model_to_string().encode()
    make = _of_xgboost if of_xgboost else _of_lightgbm
    return make(booster, "Booster", hashlib.sha256(contents).hexdigest())


def xgboost_model(path: Path) -> ForeignModel:
    """Read a model that XGBoost saved as JSON or UBJSON.

    Args:
        path: the file.

    Raises:
        RequestError: XGBoost is missing, or cannot load it.
    """
    xgboost = needed("xgboost", path, "an XGBoost model and needs XGBoost", "boosting")
    booster, contents = xgboost.Booster(), path.read_bytes()
    if contents[1:].lstrip()[:1] != b'"' and not is_whole_ubjson(contents):
        raise RequestError(f"XGBoost cannot load {path}: it is cut short, or damaged. Save the model again.")
    try:
        booster.load_model(bytearray(contents))  # by its contents: of a file, XGBoost goes by the name
    except Exception as error:  # XGBoost raises its own kinds
        raise RequestError(f"XGBoost cannot load {path}: {_first_line(error)}.") from error
    return _of_xgboost(booster, path.name, hashlib.sha256(contents).hexdigest())


def _of_xgboost(booster: Any, name: str, digest: str) -> ForeignModel:
    learner = json.loads(booster.save_config())["learner"]
    objective = learner["objective"]["name"]
    classes = int(learner["learner_model_param"]["num_class"])
    margins = objective.startswith(("multi:", "binary:logi"))  # sums of trees: logits
    gives: Gives = "logits" if margins else "probabilities" if objective.startswith("binary:") else "values"

    def call(batch: Array) -> Array:
        return np.asarray(booster.inplace_predict(batch, predict_type="margin" if margins else "value"))

    return ForeignModel(
        name=name,
        kind="XGBoost model",
        call=call,
        digest=digest,
        shape=(int(booster.num_features()),),
        gives=gives,
        outputs=classes or None,
    )


def lightgbm_model(path: Path) -> ForeignModel:
    """Read a model that LightGBM saved as text.

    Args:
        path: the file.

    Raises:
        RequestError: LightGBM is missing, or cannot load it.
    """
    lightgbm = needed("lightgbm", path, "a LightGBM model and needs LightGBM", "boosting")
    contents = path.read_bytes()
    if not is_whole_lightgbm(contents):
        raise RequestError(f"LightGBM cannot load {path}: it is cut short, or damaged. Save the model again.")
    try:
        booster = lightgbm.Booster(model_str=contents.decode())
    except Exception as error:  # LightGBM raises its own kinds
        raise RequestError(f"LightGBM cannot load {path}: {_first_line(error)}.") from error
    return _of_lightgbm(booster, path.name, hashlib.sha256(contents).hexdigest())


def _of_lightgbm(booster: Any, name: str, digest: str) -> ForeignModel:
    found = re.search(r"^objective=(.*)$", booster.model_to_string(num_iteration=1), re.MULTILINE)
    objective = found[1] if found else ""
    raw = objective.startswith("multiclass ") or objective == "binary sigmoid:1"
    of_classes = objective.startswith(("multiclass", "binary"))
    gives: Gives = "logits" if raw else "probabilities" if of_classes else "values"

    def call(batch: Array) -> Array:
        return np.asarray(booster.predict(np.asarray(batch, np.float64), raw_score=raw))

    return ForeignModel(
        name=name,
        kind="LightGBM model",
        call=call,
        digest=digest,
        shape=(int(booster.num_feature()),),
        gives=gives,
        outputs=int(booster.num_model_per_iteration()) if of_classes else None,
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return reason(ValueError(lines[0])) if lines else type(error).__name__
