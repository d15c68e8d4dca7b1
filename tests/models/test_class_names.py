"""A teacher's classes matched to the data's by name, and its logits put into the data's order."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.class_names import ABSENT_LOG_PROBABILITY, columns_by_name, mapped_logits


def test_classes_match_by_name_in_any_order():
    assert columns_by_name(["dog", "cat", "owl"], ["cat", "dog", "owl"]).tolist() == [1, 0, 2]


def test_case_spaces_and_underscores_do_not_matter():
    assert columns_by_name(["Red  Fox", "GREAT_white_shark"], ["great white shark", "redfox"]).tolist() == [1, 0]


def test_an_equal_name_comes_before_a_similar_one():
    assert columns_by_name(["cat", "Cat", "CAT"], ["Cat", "cat"]).tolist() == [1, 0]
    assert columns_by_name(["cat", "dog"], ["Cat", "cat", "dog"]).tolist() == [-1, 0, 1]


def test_a_class_that_the_teacher_lacks_has_no_column():
    assert columns_by_name(["a", "b"], ["b", "c", "a"]).tolist() == [1, -1, 0]


def test_fewer_than_two_matches_are_refused_with_both_sides():
    with pytest.raises(
        RequestError, match=r"1 of the 3 classes .* Without a match: 'b', 'c'. The teacher's classes: 'a', 'x'"
    ):
        columns_by_name(["a", "x"], ["a", "b", "c"])
    with pytest.raises(RequestError, match="and 990 more"):
        columns_by_name([f"n{i}" for i in range(1000)], ["a", "b"])


def test_a_name_that_matches_several_columns_is_refused():
    with pytest.raises(RequestError, match=r"'crane' .* matches 2 of the teacher's classes, \['crane', 'crane'\]"):
        columns_by_name(["crane", "crane", "owl"], ["crane", "owl"])
    with pytest.raises(RequestError, match=r"matches 2 .*\['A b', 'a_b'\]"):
        columns_by_name(["A b", "a_b", "owl"], ["AB", "owl"])


def test_more_classes_are_dropped_and_the_others_keep_their_logits():
    logits = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.float32)
    mapped = mapped_logits(logits, np.array([2, 0]))
    np.testing.assert_array_equal(mapped, [[3, 1], [6, 4]])
    assert mapped.dtype == np.float32


def test_a_missing_class_gets_its_log_probability_by_hand():
    # The teacher knows a, b, x with 0.2, 0.6, 0.2; the data have b, c, a: x is dropped, so b 0.75, a 0.25, c 1e-7.
    mapped = mapped_logits(np.log([[0.2, 0.6, 0.2]]) + 7, np.array([1, -1, 0]))
    np.testing.assert_allclose(mapped, np.log([[0.75, 1e-7, 0.25]]), rtol=1e-6)


def test_positions_and_keras_give_the_same():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    for columns in (np.array([3, 1]), np.array([-1, 3, -1, 0])):
        of_keras = mapped_logits(keras.ops.convert_to_tensor(logits), columns, xp=keras.ops)
        of_numpy = mapped_logits(logits, columns)
        assert of_numpy.shape == (2, 3, len(columns))
        assert of_numpy.dtype == np.float32
        np.testing.assert_allclose(np.asarray(of_keras), of_numpy, rtol=1e-6)
    assert np.float32(ABSENT_LOG_PROBABILITY) == of_numpy[0, 0, 0]
