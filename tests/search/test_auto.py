"""The student "auto": the zoo's models within a limit."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from distillab.data import Dataset
from distillab.errors import RequestError
from distillab.models import build
from distillab.search import auto
from distillab.search.auto import auto_students
from distillab.search.request import request
from distillab.study.model_options import ModelOptions
from distillab.study.reading_teachers import read_teachers


def test_auto_takes_the_largest_of_each_family_within_the_limit(own: Dataset):
    names = auto_students(own, [], request(size="40KB"))
    sizes = {name: 4 * build(name, (8, 8, 1), 10).count_params() for name in names}
    assert max(sizes.values()) <= 40_000
    assert {name.partition("-")[0] for name in names} == {"cnn", "resnet", "mobilenet"}
    assert names[:2] == ["cnn-16-32", "cnn-32-64"] or sizes["cnn-16-32"] > 0


def test_a_share_is_of_the_teachers_weights(own: Dataset, teacher: keras.Model):
    teachers = read_teachers([teacher], own, ModelOptions())
    with pytest.raises(RequestError, match="No student of the zoo keeps the limits; cnn-4-8 has"):
        auto_students(own, teachers, request(size="10%"))
    names = auto_students(own, teachers, request(size="100%"))
    assert all(build(name, (8, 8, 1), 10).count_params() <= teacher.count_params() for name in names)
    with pytest.raises(RequestError, match="stored predictions have no size"):
        auto_students(own, [replace(teachers[0], model=None)], request(size="10%"))


def test_auto_without_a_limit_or_with_nonsense_is_refused(own: Dataset):
    with pytest.raises(RequestError, match="needs a limit"):
        auto_students(own, [], request())
    with pytest.raises(RequestError, match="a share such as 10%"):
        auto_students(own, [], request(size="small"))
    with pytest.raises(RequestError, match="keeps the limits"):
        auto_students(own, [], request(flops=10))


def test_auto_takes_models_of_token_ids_for_texts(monkeypatch: pytest.MonkeyPatch):
    names = ("bag-of-embeddings-4", "textcnn-4-8", "transformer-encoder-8-2", "transformer-encoder-64-2")
    assert set(names) <= set(auto.TOKENS)
    monkeypatch.setattr(auto, "TOKENS", names)  # the others take long to build
    ids = np.random.default_rng(0).integers(0, 300, (60, 7)).astype(np.int32)
    data = Dataset("ids", ids, np.arange(60) % 2, ids, np.arange(60) % 2, ("a", "b"), 1.0)
    assert auto_students(data, [], request(size="30KB")) == list(names[:3])
