"""Teachers that read texts get the raw ones; all others get token ids of their own vocabulary and length."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline

from distillab.data import Dataset, ReadOptions, read_data
from distillab.errors import RequestError
from distillab.models import build
from distillab.models.frameworks.opening import foreign_object
from distillab.study.foreign_teachers import foreign_teacher
from distillab.study.keras_teachers import keras_teacher
from distillab.study.model_options import ModelOptions
from distillab.study.teacher_models import TeacherModel

pytest.importorskip("tokenizers")

RNG = np.random.default_rng(0)
WORDS = {0: ["cat", "purr", "meow", "milk"], 1: ["dog", "bark", "bone", "leash"]}
Y = np.arange(120) % 2
TEXTS = [" ".join(RNG.choice([*WORDS[label], "the", "of", "A"], RNG.integers(4, 9))) for label in Y]
DATA = read_data((TEXTS, Y))


def teacher(source: Any, data: Dataset = DATA) -> TeacherModel:
    model = foreign_object(source)
    assert model is not None
    return foreign_teacher(model, data, ModelOptions())


def raw(data: Dataset = DATA) -> list[str]:
    assert data.text is not None
    return list(data.text.test)


def pipelines() -> dict[str, Any]:
    last = LogisticRegression()
    both = FeatureUnion([("words", TfidfVectorizer()), ("pairs", CountVectorizer(ngram_range=(2, 2)))])
    return {
        "a vectorizer first": make_pipeline(TfidfVectorizer(), last),
        "several vectorizers": make_pipeline(both, last),
        "a search over a pipeline": GridSearchCV(
            make_pipeline(TfidfVectorizer(), LogisticRegression()), {"logisticregression__C": [1, 10]}, cv=2
        ),
    }


@pytest.mark.parametrize("kind", pipelines())
def test_a_pipeline_that_begins_with_a_vectorizer_is_given_the_raw_texts(kind: str) -> None:
    fitted = pipelines()[kind].fit(TEXTS, Y)
    made = teacher(fitted)
    np.testing.assert_allclose(made.predict(DATA.x_test), np.log(fitted.predict_proba(raw())), rtol=1e-5, atol=1e-6)
    assert "is given the raw texts; it gives probabilities." in made.reads


def test_a_function_is_given_texts_if_it_predicts_them_and_token_ids_otherwise() -> None:
    seen: list[Any] = []

    def of_texts(texts: Any) -> Any:
        seen.append(texts)
        return np.array([[text.count("cat"), text.count("dog")] for text in texts], float)

    def of_ids(ids: Any) -> Any:
        return np.stack([(ids % 2).sum(1), (ids % 3).sum(1)], axis=1)

    texts, ids = teacher(of_texts), teacher(of_ids)
    np.testing.assert_array_equal(texts.predict(DATA.x_test), of_texts(raw()))
    assert seen[-2][0] == raw()[0]
    assert isinstance(seen[-2], list)
    assert "given the raw texts" in texts.reads
    np.testing.assert_array_equal(ids.predict(DATA.x_test), of_ids(DATA.x_test))
    assert "given int32" in ids.reads


def test_a_function_that_reads_neither_is_refused_with_both_reasons() -> None:
    with pytest.raises(RequestError, match=r"For texts: 'list' object .*For token ids: 'numpy.ndarray' object"):
        teacher(lambda inputs: inputs.nothing)
    with pytest.raises(RequestError, match=r"For texts: it gives float64 of shape \(\) for 2"):
        teacher(lambda inputs: 1.0)


def test_a_reader_of_texts_needs_data_of_texts() -> None:
    x = np.zeros((40, 3), np.float32)
    plain = Dataset("plain", x, np.arange(40) % 2, x, np.arange(40) % 2, ("a", "b"), 1.0)
    with pytest.raises(RequestError, match="The estimator Pipeline reads texts, and the data are no texts"):
        teacher(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, Y), plain)


def test_texts_with_the_same_ids_get_one_prediction_and_are_counted() -> None:
    data = read_data((TEXTS, Y), ReadOptions(length=2))
    fitted = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, Y)
    made = teacher(fitted, data)
    assert data.text is not None
    assert data.text.shared > 10
    assert f"the raw texts ({data.text.shared} have the token ids of an earlier text" in made.reads
    ids, first = np.unique(data.x_test, axis=0, return_inverse=True)
    predicted = made.predict(data.x_test)
    for group in range(len(ids)):
        assert len(np.unique(predicted[first.ravel() == group], axis=0)) == 1


def test_a_filed_teacher_of_texts_is_another_one_for_other_texts() -> None:
    def stored(texts: Any) -> Any:
        return np.zeros((len(texts), 2))

    from dataclasses import replace

    model = foreign_object(stored)
    assert model is not None
    model = replace(model, digest="file")
    cut = ReadOptions(length=2)
    first = foreign_teacher(model, read_data((TEXTS, Y), cut), ModelOptions())
    second = foreign_teacher(model, read_data(([f"{text} end" for text in TEXTS], Y), cut), ModelOptions())
    assert first.digest != second.digest


def of_ids(length: int, vocabulary: int) -> keras.Model:
    return build("bag-of-embeddings-4", (length,), 2, vocabulary=vocabulary)


def test_a_keras_teacher_is_given_token_ids() -> None:
    assert DATA.vocabulary is not None
    model = of_ids(DATA.input_shape[0], DATA.vocabulary)
    made = keras_teacher(model, "mine", DATA, ModelOptions())
    np.testing.assert_allclose(
        made.predict(DATA.x_test), np.asarray(model(DATA.x_test)), rtol=1e-5, atol=1e-6
    )  # float32 sums of 4 terms


def test_a_keras_teacher_of_a_smaller_vocabulary_or_another_length_is_refused() -> None:
    length = DATA.input_shape[0]
    with pytest.raises(RequestError, match=r"The teacher mine knows the token ids from 0 to 99, and the example '"):
        keras_teacher(of_ids(length, 100), "mine", DATA, ModelOptions())
    with pytest.raises(RequestError, match=rf"The teacher mine reads inputs of shape \(5,\), and the data .*{length},"):
        keras_teacher(of_ids(5, 9999), "mine", DATA, ModelOptions())
