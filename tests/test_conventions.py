"""Translations between tools keep the loss: computed as each tool's code computes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from distillab.conventions import CONVENTIONS, Translation, translate
from distillab.errors import RequestError

RNG = np.random.default_rng(0)
STUDENT, TEACHER = 2 * RNG.standard_normal((2, 8, 5))
LABELS = RNG.integers(0, 5, 8)


def cross_entropy() -> float:
    return float(-log_softmax(STUDENT, axis=-1)[np.arange(8), LABELS].mean())


def batchmean_kl(T: float) -> float:
    """PyTorch's kl_div(log_softmax(s / T), softmax(t / T), "batchmean")."""
    log_q, p = log_softmax(STUDENT / T, axis=-1), softmax(TEACHER / T, axis=-1)
    return float(np.sum(p * (np.log(p) - log_q)) / len(STUDENT))


def torchdistill(v: dict[str, float]) -> float:
    soft = batchmean_kl(v["temperature"])
    if v["alpha"] == 0:
        return soft
    return v["alpha"] * cross_entropy() + v["beta"] * v["temperature"] ** 2 * soft


def mixed(hard: float, soft: float, T: float, square: bool = True) -> float:
    return hard * cross_entropy() + soft * (T**2 if square else 1) * batchmean_kl(T)


# Each tool's loss, as its code has it.
LOSSES: dict[str, Callable[[dict[str, float]], float]] = {
    "distillab": lambda v: mixed(v["alpha"], 1 - v["alpha"], v["temperature"]),
    "hinton": lambda v: mixed(v["hard_weight"], v["soft_weight"], v["temperature"]),
    "keras_example": lambda v: mixed(v["alpha"], 1 - v["alpha"], v["temperature"]),
    "keras_example_2020": lambda v: mixed(v["alpha"], 1 - v["alpha"], v["temperature"], square=False),
    "keras_distillation": lambda v: mixed(v["student_loss_weight"], 1 - v["student_loss_weight"], v["temperature"]),
    "torchdistill": torchdistill,
    "mdistiller": lambda v: mixed(v["CE_WEIGHT"], v["KD_WEIGHT"], v["TEMPERATURE"]),
    "rep_distiller": lambda v: mixed(v["gamma"], v["alpha"], v["kd_T"]),
    "kd_lib": lambda v: mixed(1 - v["distil_weight"], v["distil_weight"], v["temp"]),
    "hugging_face": lambda v: mixed(v["lambda_param"], 1 - v["lambda_param"], v["temperature"]),
    "distilbert": lambda v: mixed(v["alpha_mlm"], v["alpha_ce"], v["temperature"]),
}


def test_every_convention_has_its_loss_here() -> None:
    assert set(LOSSES) == set(CONVENTIONS)


@given(
    source=st.sampled_from(sorted(CONVENTIONS)),
    target=st.sampled_from(sorted(CONVENTIONS)),
    weights=st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda w: w == (0, 1) or min(w) > 1e-3),
    T=st.floats(0.5, 20),
)
def test_a_translation_keeps_the_loss_but_for_the_factor_it_names(
    source: str, target: str, weights: tuple[float, float], T: float
) -> None:
    numbers = iter(weights)
    names = CONVENTIONS[source].defaults
    values = {name: T if name.lower() in ("temperature", "kd_t", "temp") else next(numbers) for name in names}
    translated = translate(values, source=source, target=target)
    theirs = dict(translated.values)
    assert list(theirs) == list(CONVENTIONS[target].defaults)
    assert LOSSES[source](values) == pytest.approx(translated.scale * LOSSES[target](theirs), rel=1e-9)


EIGHT_TENTHS = ({"lambda_param": 0.8, "temperature": 2.0}, 0.625)


@pytest.mark.parametrize(
    ("values", "source", "target", "expected"),
    [
        ({"alpha": 0.3, "temperature": 4}, "keras_example", "distillab", ({"alpha": 0.3, "temperature": 4.0}, 1.0)),
        ({}, "keras_distillation", "distillab", ({"alpha": 0.5, "temperature": 3.0}, 1.0)),
        # gamma 1 and alpha 3: a quarter of the weight is the labels', and the loss is 4 times ours.
        ({"alpha": 3}, "rep_distiller", "distillab", ({"alpha": 0.25, "temperature": 4.0}, 4.0)),
        ({"distil_weight": 0.9}, "kd_lib", "distillab", ({"alpha": 0.1, "temperature": 20.0}, 1.0)),
        # hard 0.5, soft 0.5 / 4: alpha = 0.5 / 0.625 = 0.8
        (
            {"alpha": 0.5, "temperature": 2},
            "keras_example_2020",
            "distillab",
            ({"alpha": 0.8, "temperature": 2.0}, 0.625),
        ),
        # at alpha 0 torchdistill leaves out T^2, which is then 9 times less than ours
        (
            {"alpha": 0, "temperature": 3},
            "distillab",
            "torchdistill",
            ({"alpha": 0.0, "beta": 1.0, "temperature": 3.0}, 9.0),
        ),
    ],
)
def test_translations_worked_by_hand(values: Any, source: str, target: str, expected: Any) -> None:
    assert translate(values, source=source, target=target) == Translation(*expected)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ({}, {"source": "kerass"}, r"There is no convention 'kerass'. Did you mean 'keras_"),
        ({"alhpa": 1}, {"source": "distillab"}, "no parameter of distillab 'alhpa'. Did you mean 'alpha'"),
        ({"alpha": 0.5}, {"source": "torchdistill"}, "torchdistill has no default for beta, temperature. Give a value"),
        ({"alpha": "x"}, {"source": "distillab"}, "alpha='x' is not allowed: it must be a number"),
        ({"alpha": 1.5}, {"source": "distillab"}, "weights the labels by 1.5 and the teacher by -0.5"),
        (
            {"temperature": 0},
            {"source": "distillab"},
            "T = 0.0: the weights must be >= 0, .*and T > 0",
        ),
        ({"gamma": 0, "alpha": 0}, {"source": "rep_distiller"}, "one of them above 0"),
    ],
)
def test_what_cannot_be_translated_is_refused(values: Any, options: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        translate(values, **options)


def test_the_documented_table_has_a_row_for_every_convention() -> None:
    from pathlib import Path

    text = (Path(__file__).parents[1] / "docs" / "conventions.md").read_text()
    for name, convention in CONVENTIONS.items():
        assert f"`{name}`" in text, name
        for parameter, default in convention.defaults.items():
            row = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
            assert parameter in row, (name, parameter)
            if not math.isnan(default):
                assert f"{default:g}" in row, (name, parameter, default)
