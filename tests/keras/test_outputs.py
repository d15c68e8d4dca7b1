"""The outputs of a model: values by name or in its own structure, and the outputs that belong together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.keras.outputs import Outputs

SHAPES = ((None, 1), (None, 3))
BY_KEY = Outputs(("age", "income"), {"age": 0, "income": 1}, SHAPES)
LIST = Outputs(("age", "income"), [0, 1], SHAPES)
ONE = Outputs(("dense",), 0, ((None, 3),))


@pytest.mark.parametrize(
    ("outputs", "values"),
    [
        (BY_KEY, {"income": 2, "age": 1}),
        (LIST, {"income": 2, "age": 1}),
        (LIST, [1, 2]),
        (LIST, (1, 2)),
    ],
)
def test_values_are_listed_by_name_or_by_place_and_packed_again(outputs: Outputs, values: Any) -> None:
    assert outputs.listed(values, "y") == [1, 2]
    assert outputs.packed([1, 2]) == ({"age": 1, "income": 2} if outputs.by_key else [1, 2])
    assert outputs.listed(None, "y") == [None, None]


@pytest.mark.parametrize("values", [7, [7], {"dense": 7}])
def test_the_only_output_needs_no_structure(values: Any) -> None:
    assert ONE.listed(values, "y") == [7]
    assert ONE.packed([7]) == 7


def test_columns_side_by_side_are_split_in_the_order_of_the_outputs() -> None:
    rows = np.arange(8).reshape(2, 4)
    age, income = LIST.listed_logits(rows)
    np.testing.assert_array_equal(age, rows[:, :1])
    np.testing.assert_array_equal(income, rows[:, 1:])


def test_outputs_belong_together_by_name_and_those_of_lists_with_other_names_by_place() -> None:
    turned = Outputs(("income", "age"), {"income": 0, "age": 1}, SHAPES)
    unnamed = Outputs(("dense", "dense_1"), [0, 1], SHAPES)
    assert BY_KEY.order_in(turned, "A", "B") == LIST.order_in(turned, "A", "B") == [1, 0]
    assert LIST.order_in(unnamed, "A", "B") == [0, 1]
    with pytest.raises(RequestError, match=r"A has the outputs 'age', 'income' and B has 'dense'.*Give both as dict"):
        BY_KEY.order_in(unnamed, "A", "B")
    with pytest.raises(RequestError, match="lists in two orders"):
        LIST.order_in(Outputs(("income", "age"), [0, 1], SHAPES), "A", "B")


def test_a_setting_is_for_all_outputs_or_by_output() -> None:
    assert BY_KEY.by_output(3, "alpha") == [3, 3]
    assert BY_KEY.by_output({"income": 2}, "alpha", default=1) == [1, 2]
    with pytest.raises(RequestError, match=r"no output of the student for alpha 'agee'. Did you mean 'age'"):
        BY_KEY.by_output({"agee": 2}, "alpha")
