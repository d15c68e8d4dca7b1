"""Teachers that read texts: they are given the raw texts behind the data's token ids.

Everything that uses a teacher hands it stored inputs, which are token ids, and files its predictions by them. So a text
is found by its token ids; texts with the same ids are one input for every student, and get one prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from distillab.data import Dataset
from distillab.data.labels import Array
from distillab.data.text import Text
from distillab.errors import RequestError, reason
from distillab.models.foreign import ForeignModel

TRIED = 2
"""Texts on which a function is tried."""


def given_texts(model: ForeignModel, dataset: Dataset) -> ForeignModel:
    """The model, given raw texts where it reads them.

    A pipeline of scikit-learn reads texts if it begins with a vectorizer. A function is tried on two texts, and reads
    texts if it gives numbers for each; otherwise it is given token ids.

    Args:
        model: of a user.
        dataset: the data.

    Raises:
        RequestError: it reads texts and the data are none, or a function fails for both.
    """
    text = dataset.text
    if text is None:
        if model.reads_text:
            raise RequestError(
                f"The {model.kind} {model.name} reads texts, and the data are no texts. Give a table with a column of "
                "texts (--text COLUMN), a folder of .txt files, or an estimator without its vectorizer."
            )
        return model
    if not model.reads_text and (model.kind != "function" or not _takes_texts(model, text, dataset)):
        return model

    def call(ids: Array) -> Any:
        try:
            return model.call(text.of(ids))
        except RequestError:
            raise
        except Exception as error:  # a user's function can raise anything
            raise RequestError(f"The {model.kind} {model.name} fails for texts: {reason(error)}.") from error

    digest = f"{model.digest} {text.digest}" if model.digest else ""
    return replace(model, call=call, digest=digest, shape=dataset.input_shape, dtype="int32", reads_text=True)


def described_texts(dataset: Dataset) -> str:
    """What a teacher that reads texts is given, in words.

    Args:
        dataset: of texts.
    """
    shared = 0 if dataset.text is None else dataset.text.shared
    if not shared:
        return "the raw texts"
    return f"the raw texts ({shared:,} have the token ids of an earlier text and get its prediction)"


def _takes_texts(model: ForeignModel, text: Text, dataset: Dataset) -> bool:
    failure = _failure(model.call, list(text.train[:TRIED]))
    if not failure:
        return True
    other = _failure(model.call, dataset.x_train[:TRIED])
    if other:
        raise RequestError(
            f"The function {model.name} must give a row of numbers for each text or row of token ids. For texts: "
            f"{failure}. For token ids: {other}."
        )
    return False


def _failure(call: Callable[[Any], Any], inputs: Sequence[Any] | Array) -> str:
    """Why a function cannot predict inputs; "" where it can."""
    try:
        outputs = np.asarray(call(inputs))
    except Exception as error:  # a user's function can raise anything
        return reason(error)
    if outputs.dtype.kind in "fiub" and outputs.shape[:1] == (len(inputs),):
        return ""
    return f"it gives {outputs.dtype} of shape {outputs.shape} for {len(inputs)}"
