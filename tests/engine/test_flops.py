"""The arithmetic of a training step, against counts by hand."""

from __future__ import annotations

import pytest

from distillab.engine.flops import forward_flops, training_flops
from distillab.engine.functional import Functional
from distillab.models import build


def test_the_studys_student_needs_what_is_counted_by_hand() -> None:
    model = Functional(build("cnn-16-32", (28, 28, 1), 10))
    # places x filters x (window x channels) x 2, for one image; the dense layer 1568 x 10 x 2
    first, second, dense = 14 * 14 * 16 * 9 * 2, 7 * 7 * 32 * 9 * 16 * 2, 7 * 7 * 32 * 10 * 2
    assert forward_flops(model, 1) == [first, second, dense]
    assert training_flops(model, 1) == 2 * first + 3 * (second + dense)
    assert training_flops(model, 32) == 32 * training_flops(model, 1)


def test_a_recurrent_layer_counts_every_turn() -> None:
    model = Functional(build("gru-5", (8, 8, 1), 4))
    # 8 rows: inputs 8 to 3 gates of 5, the state 5 to 3 gates of 5, two operations each; then 5 to 4 classes
    assert sum(forward_flops(model, 1)) == 8 * 2 * (8 * 15 + 5 * 15) + 2 * 5 * 4


@pytest.mark.parametrize("name", ["mobilenet-4-6", "resnet-4-6", "vit-8-1", "mlp-6"])
def test_training_needs_nearly_three_times_a_forward_pass(name: str) -> None:
    model = Functional(build(name, (8, 8, 1), 4))
    once = sum(forward_flops(model, 2))
    assert 2 * once <= training_flops(model, 2) < 3 * once
