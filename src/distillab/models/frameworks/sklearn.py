"""Estimators with scikit-learn's interface: objects, `.skops` files and, where trusted, pickles."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from distillab.errors import RequestError, reason
from distillab.models.foreign import Array, ForeignModel, Gives
from distillab.models.frameworks.needed import needed

METHODS = ("predict_proba", "decision_function", "predict")
"""Of an estimator, in the order in which they are tried."""


def is_estimator(source: Any) -> bool:
    """Whether an object is a fitted estimator, or anything else that predicts as one does.

    Args:
        source: any object, no class.
    """
    return not isinstance(source, type) and callable(getattr(source, "predict", None)) and hasattr(source, "fit")


def estimator_model(estimator: Any, name: str = "", digest: str = "") -> ForeignModel:
    """Use an estimator's `predict_proba`, else its `decision_function`, else its `predict`.

    Args:
        estimator: fitted, from inputs (B, F).
        name: in reports; by default its class's.
        digest: of its file.

    Raises:
        RequestError: it is not fitted.
    """
    name = name or type(estimator).__name__
    method = next((method for method in METHODS if callable(getattr(estimator, method, None))), "predict")
    features = getattr(estimator, "n_features_in_", None)
    if features is None and hasattr(estimator, "steps"):
        features = getattr(estimator.steps[0][1], "n_features_in_", None)
    classes = getattr(estimator, "classes_", None)
    several = classes if isinstance(classes, list) else None
    if several is not None and any(len(one) > 2 for one in several):
        raise RequestError(
            f"The estimator {name} predicts several labels of more than two classes. Give an estimator of one label, "
            "or of labels of yes and no."
        )
    names = () if classes is None or several is not None else tuple(map(_class_name, classes))
    gives: Gives = {"predict_proba": "probabilities", "decision_function": "logits"}.get(method, "")  # type: ignore[assignment]
    if method == "predict":
        gives = "values" if classes is None else "decisions"
    outputs = len(names) or None if several is None else len(several)
    call = _called(estimator, method, None if classes is None else several or np.asarray(classes))
    return ForeignModel(
        name=name,
        kind="estimator",
        call=call,
        digest=digest,
        shape=None if features is None else (int(features),),
        gives=gives,
        outputs=outputs,
        class_names=names,
        layout="flat",
        feature_names=_feature_names(estimator),
        categorical=type(estimator).__module__.split(".")[0] in ("lightgbm", "xgboost"),
        reads_text=_reads_text(estimator),
    )


def _feature_names(estimator: Any) -> tuple[str, ...]:
    names = getattr(estimator, "feature_names_in_", ())
    return tuple(names) if all(isinstance(name, str) for name in names) else ()


def _reads_text(estimator: Any) -> bool:
    """Whether a pipeline begins with a vectorizer of texts, alone or beside others."""
    best = getattr(estimator, "best_estimator_", estimator)
    first = best.steps[0][1] if getattr(best, "steps", None) else best
    parts = [first, *(part[1] for part in getattr(first, "transformer_list", ()))]
    return any(callable(getattr(part, "build_analyzer", None)) for part in parts)


def _class_name(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _called(estimator: Any, method: str, classes: Array | list[Array] | None) -> Callable[[Array], Array]:
    function = getattr(estimator, method)

    def call(batch: Array) -> Array:
        with warnings.catch_warnings():
            # A tree of features with names is given an array without them; their order is the data's.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            outputs = function(batch)
        if isinstance(outputs, list) and isinstance(classes, list):  # of several labels, (B, 2) for each
            return np.stack([_of_yes(np.asarray(one), which) for one, which in zip(outputs, classes, strict=True)], 1)
        if method == "predict" and isinstance(classes, np.ndarray):
            return np.searchsorted(classes, np.asarray(outputs)).astype(np.float32)
        return np.asarray(outputs)

    return call


def _of_yes(probabilities: Array, classes: Array) -> Array:
    """The probability of the larger of two classes; where there was one alone, 1 for yes and 0 for no."""
    return probabilities[:, -1] * (len(classes) == 2 or bool(classes[0]))


def skops_model(path: Path, *, trust: bool = False) -> ForeignModel:
    """Read an estimator from a `.skops` file, which holds no code.

    Args:
        path: the file.
        trust: whether types that skops does not know are allowed.

    Raises:
        RequestError: skops is missing, the file is damaged, or holds types that are not trusted.
    """
    skops_io = needed("skops.io", path, "a skops file and needs skops", "sklearn")
    try:
        unknown = skops_io.get_untrusted_types(file=path)
        if unknown and not trust:
            raise RequestError(
                f"{path} holds types that skops does not know ({', '.join(unknown[:5])}). Pass --trust (trust=True) "
                "only if you know who made it."
            )
        estimator = skops_io.load(path, trusted=unknown)
    except RequestError:
        raise
    except Exception as error:  # skops raises many kinds for a damaged file
        raise RequestError(f"{path} cannot be loaded as a skops file: {reason(error)}.") from error
    return _of_file(estimator, path)


def pickled_model(path: Path, *, trust: bool = False) -> ForeignModel:
    """Read an estimator from a pickle or a joblib file, where the user trusts it.

    Args:
        path: the file.
        trust: whether code in the file may run.

    Raises:
        RequestError: it is not trusted, damaged, or no estimator.
    """
    if not trust:
        raise RequestError(
            f"{path} is a pickle, which can run any code when it is loaded. Save the estimator with skops.io.dump, or "
            "pass --trust (trust=True) only if you know who made it."
        )
    import joblib

    try:
        estimator = joblib.load(path)
    except Exception as error:  # a pickle can raise anything
        raise RequestError(f"{path} cannot be loaded: {reason(error)}.") from error
    return _of_file(estimator, path)


def _of_file(estimator: Any, path: Path) -> ForeignModel:
    if not is_estimator(estimator):
        raise RequestError(f"{path} holds a {type(estimator).__name__} and no estimator.")
    return estimator_model(estimator, path.name, hashlib.sha256(path.read_bytes()).hexdigest())
