"""Tables with words or gaps for models: encoded by layers inside a Keras model, or raw for a model that reads such."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from distillab.data import Dataset
from distillab.data.columns import Column, Columns
from distillab.data.labels import Array
from distillab.errors import RequestError
from distillab.models.foreign import ForeignModel

READ_CODES = ("estimator", "XGBoost model", "LightGBM model", "function")
"""The kinds of models that read x as it is, where x and its encoding have equally many features."""


def encoded_by_layers(columns: Columns, x: Any) -> Any:
    """The encoding of `Columns.encoded` in operations of Keras.

    Args:
        columns: of the table.
        x: as read, (B, F), a tensor of Keras.

    Returns:
        (B, F').
    """
    ops = keras.ops
    parts: list[Any] = []
    if columns.values:
        median, mean, spread = columns.statistics
        values = ops.take(x, np.array(columns.values), axis=1)
        parts.append((ops.where(ops.isnan(values), median, values) - mean) / spread)
    if columns.value_gaps:
        parts.append(ops.cast(ops.isnan(ops.take(x, np.array(columns.value_gaps), axis=1)), "float32"))
    if columns.words:
        codes = np.array([code for _, code in columns.words], np.float32)
        words = ops.equal(ops.take(x, np.array([at for at, _ in columns.words]), axis=1), codes)
        parts.append(ops.cast(words, "float32"))
        if columns.word_gaps:
            parts.append(1.0 - ops.matmul(parts[-1], columns.groups))
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate(name="encoded")(parts)


def reading_table(model: keras.Model, columns: Columns) -> keras.Model:
    """A Keras model of encoded inputs as one of x.

    Args:
        model: reads (B, F').
        columns: of the table.
    """
    inputs = keras.Input((len(columns.columns),), name="inputs")
    return keras.Model(inputs, model(encoded_by_layers(columns, inputs)), name=f"{model.name}_of_columns")


def table_teacher(model: ForeignModel, dataset: Dataset) -> ForeignModel:
    """A model of another framework as one of x, (B, F): it is given x itself, raw values by column, or the encoding.

    An estimator that was fitted on named columns gets those, raw, in a DataFrame of pandas. One of F inputs gets x:
    numbers, codes of words, NaN where a value is missing. One of F' inputs gets what students read.

    Args:
        model: as it was opened.
        dataset: of any data; the model comes back unchanged if they are no table with words or gaps.

    Raises:
        RequestError: it reads none of these, a column is missing, or pandas is.
    """
    columns = dataset.columns
    if columns is None:
        return model
    if model.feature_names:
        return _of_raw(model, columns)
    count, width = len(columns.columns), columns.width
    reads = count if model.shape is None or len(model.shape) != 1 else model.shape[0]
    if reads == width and (reads != count or model.kind not in READ_CODES):
        given = f"the {width} encoded features that students read"
        of = _given(model, columns, given, lambda x: model.call(columns.encoded(x)), "encoded")
        every = model.every
        return of if every is None else replace(of, every=lambda x: every(columns.encoded(x)))
    if reads not in (count, None):
        raise RequestError(
            f"The teacher {model.name} reads inputs of shape {model.shape}. The data have {count} columns, encoded as "
            f"{width} features: give it either, or raw columns by name (a scikit-learn pipeline fitted on a DataFrame)."
        )
    given = f"the {count} columns as numbers, words as codes, NaN where a value is missing"
    return _given(model, columns, given, model.call, "codes")


def _of_raw(model: ForeignModel, columns: Columns) -> ForeignModel:
    missing = [name for name in model.feature_names if name not in {column.name for column in columns.columns}]
    if missing:
        names = ", ".join(repr(column.name) for column in columns.columns)
        raise RequestError(
            f"The teacher {model.name} was fitted on the column {missing[0]!r}, and the data have the columns {names}. "
            "Give it the columns that it was trained on, under the same names."
        )
    try:
        import pandas as pd
    except ImportError as error:
        raise RequestError(
            f"The teacher {model.name} was fitted on named columns and needs pandas. Install it: pip install "
            "'distillab[pandas]'."
        ) from error

    _check_categories(model)

    def call(x: Array) -> Any:
        raw = columns.decoded(x)
        if model.categorical:
            raw = {name: _as_categories(values, columns.column(name), pd) for name, values in raw.items()}
        return model.call(pd.DataFrame({name: raw[name] for name in model.feature_names}))

    words = ", words as categories" if model.categorical else ""
    given = f"the raw columns {_listed(model.feature_names)} as a DataFrame{words}"
    return _given(model, columns, given, call, "raw")


def _as_categories(values: Array, column: Column, pandas: Any) -> Any:
    """Words as categories, which a booster matches by name with those that it learned; True and False as numbers."""
    if column.kind == "number":
        return values
    if column.kind == "boolean" and column.categories[1].lower() == "true":
        return values.astype(float)
    return pandas.Categorical(values, categories=sorted(column.categories))


def _check_categories(model: ForeignModel) -> None:
    """Refuse an XGBoost that takes categories by their place: another table's places are others."""
    if not model.categorical or "xgboost" not in sys.modules:
        return
    version = str(sys.modules["xgboost"].__version__)
    if model.name.startswith("XGB") and tuple(map(int, version.split(".")[:2])) < (3, 1):
        raise RequestError(
            f"The teacher {model.name} reads categories by name only from XGBoost 3.1 on, and {version} is installed. "
            "Install a later one, or fit it on codes: read_data(...).x_train."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _given(model: ForeignModel, columns: Columns, given: str, call: Any, how: str) -> ForeignModel:
    digest = hashlib.sha256(f"{model.digest} {how} {columns.to_json()}".encode()).hexdigest() if model.digest else ""
    return replace(model, call=call, digest=digest, shape=(len(columns.columns),), dtype="float32", given=given)
