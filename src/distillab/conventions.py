"""How other tools write the same loss: their names for its weights, and translations between them.

Every convention here is `hard * CE(labels) + soft * T^2 * KL(teacher || student)`, each term a mean over the batch,
with its own names for the two weights. `docs/conventions.md` tells where they differ in more than names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from distillab.errors import RequestError, not_allowed, unknown

Values = Mapping[str, Any]


class Weights(NamedTuple):
    """What every convention comes down to."""

    hard: float  # factor of the cross-entropy with the labels
    soft: float  # factor of T^2 KL
    temperature: float


class Convention(NamedTuple):
    """A tool's way to write the loss.

    Args:
        defaults: its parameters, each with its value where the user gives none; NaN where there is none.
        to_weights: from its parameters to the weights.
        from_weights: from the weights to its parameters; what it cannot say is a common factor.
        source: where it is defined.
    """

    defaults: Values
    to_weights: Callable[[Values], Weights]
    from_weights: Callable[[Weights], Values]
    source: str


class Translation(NamedTuple):
    """A loss in another convention.

    Args:
        values: the parameters there.
        scale: the original loss is `scale` times the translated one. Where it is not 1, the learning rate (or, with
            Adam, nothing but the weight decay) has to make up for it.
    """

    values: Values
    scale: float


def translate(values: Values, *, source: str, target: str = "distillab") -> Translation:
    """Say a loss of one convention in another one.

    Args:
        values: parameters by the source's names; what is left out has the source's default.
        source: a name in `CONVENTIONS`.
        target: a name in `CONVENTIONS`.

    Returns:
        The parameters by the target's names, and the factor between the two losses.

    Raises:
        RequestError: an unknown convention or parameter, a missing parameter, or a loss the target cannot express.

    Example:
        >>> translate({"CE_WEIGHT": 0.1, "KD_WEIGHT": 0.9, "TEMPERATURE": 4}, source="mdistiller")
        Translation(values={'alpha': 0.1, 'temperature': 4.0}, scale=1.0)
        >>> translate({"alpha": 0.25, "temperature": 3}, source="distillab", target="kd_lib").values
        {'distil_weight': 0.75, 'temp': 3.0}
    """
    for name in (source, target):
        if name not in CONVENTIONS:
            raise unknown("convention", name, CONVENTIONS)
    origin, destination = CONVENTIONS[source], CONVENTIONS[target]
    strangers = [key for key in values if key not in origin.defaults]
    if strangers:
        raise unknown(f"parameter of {source}", strangers[0], origin.defaults)
    given = {key: _number(key, value) for key, value in {**origin.defaults, **values}.items()}
    missing = [key for key, value in given.items() if math.isnan(value)]
    if missing:
        raise RequestError(f"{source} has no default for {', '.join(missing)}. Give a value.")
    weights = origin.to_weights(given)
    if weights.temperature <= 0 or min(weights.hard, weights.soft) < 0 or weights.hard + weights.soft <= 0:
        raise RequestError(
            f"{source} with {dict(given)} weighs the labels by {weights.hard} and the teacher by {weights.soft} at "
            f"T = {weights.temperature}: the weights must be >= 0, one of them above 0, and T > 0."
        )
    translated = destination.from_weights(weights)
    back = destination.to_weights(translated)
    total, theirs = weights.hard + weights.soft, back.hard + back.soft
    return Translation({key: _tidy(value) for key, value in translated.items()}, _tidy(total / theirs))


def _number(key: str, value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise not_allowed(key, value, "a number")
    return float(value)


def _tidy(number: float) -> float:
    """Without the last bits that a detour leaves: 0.1 and not 0.09999999999999998."""
    return float(f"{number:.12g}")


def _share(weights: Weights) -> float:
    """The labels' share of the two weights: distillab's alpha."""
    return weights.hard / (weights.hard + weights.soft)


def _one_weight(hard: str, temperature: str, *, alpha: float, T: float, source: str) -> Convention:
    """A convention whose only weight is the labels', in [0, 1]."""
    return Convention(
        MappingProxyType({hard: alpha, temperature: T}),
        lambda v: Weights(v[hard], 1 - v[hard], v[temperature]),
        lambda w: {hard: _share(w), temperature: w.temperature},
        source,
    )


def _soft_weight(soft: str, temperature: str, *, alpha: float, T: float, source: str) -> Convention:
    """A convention whose only weight is the teacher's, in [0, 1]."""
    return Convention(
        MappingProxyType({soft: alpha, temperature: T}),
        lambda v: Weights(1 - v[soft], v[soft], v[temperature]),
        lambda w: {soft: 1 - _share(w), temperature: w.temperature},
        source,
    )


def _two_weights(hard: str, soft: str, temperature: str, values: tuple[float, float, float], source: str) -> Convention:
    """A convention of two free weights."""
    return Convention(
        MappingProxyType(dict(zip((hard, soft, temperature), values, strict=True))),
        lambda v: Weights(v[hard], v[soft], v[temperature]),
        lambda w: {hard: w.hard, soft: w.soft, temperature: w.temperature},
        source,
    )


def _torchdistill_weights(v: Values) -> Weights:
    # At alpha = 0 (or None) the code returns KL alone: neither beta nor T^2.
    soft = 1 / v["temperature"] ** 2 if v["alpha"] == 0 else v["beta"]
    return Weights(v["alpha"], soft, v["temperature"])


NONE = math.nan
CONVENTIONS: Mapping[str, Convention] = MappingProxyType(
    {
        "distillab": _one_weight("alpha", "temperature", alpha=0.1, T=3, source="distillab.losses.objective"),
        "hinton": _two_weights(
            "hard_weight",
            "soft_weight",
            "temperature",
            (NONE, NONE, NONE),
            "Hinton, Vinyals and Dean 2015, section 2: soft targets multiplied by T^2 beside the hard ones",
        ),
        "keras_example": _one_weight(
            "alpha", "temperature", alpha=0.1, T=3, source="keras.io, Knowledge Distillation (Borup 2020), Keras 3 form"
        ),
        "keras_example_2020": Convention(
            MappingProxyType({"alpha": 0.1, "temperature": 3.0}),
            lambda v: Weights(v["alpha"], (1 - v["alpha"]) / v["temperature"] ** 2, v["temperature"]),
            lambda w: {
                "alpha": w.hard / (w.hard + w.soft * w.temperature**2),
                "temperature": w.temperature,
            },
            "the same example before T^2 was added",
        ),
        "keras_distillation": _one_weight(
            "student_loss_weight",
            "temperature",
            alpha=0.5,
            T=3,
            source="keras.distillation (3.15.1) with LogitsDistillation(loss=keras.losses.KLDivergence())",
        ),
        "torchdistill": Convention(
            MappingProxyType({"alpha": NONE, "beta": NONE, "temperature": NONE}),
            _torchdistill_weights,
            lambda w: {"alpha": w.hard, "beta": w.soft, "temperature": w.temperature},
            "torchdistill, losses/mid_level.py, KDLoss",
        ),
        "mdistiller": _two_weights(
            "CE_WEIGHT", "KD_WEIGHT", "TEMPERATURE", (0.1, 0.9, 4), "mdistiller, distillers/KD.py and engine/cfg.py"
        ),
        "rep_distiller": _two_weights(
            "gamma", "alpha", "kd_T", (1, NONE, 4), "RepDistiller, train_student.py and distiller_zoo/KD.py"
        ),
        "kd_lib": _soft_weight(
            "distil_weight", "temp", alpha=0.5, T=20, source="KD_Lib, VanillaKD, with loss_fn a KL divergence"
        ),
        "hugging_face": _one_weight(
            "lambda_param",
            "temperature",
            alpha=0.5,
            T=5,
            source="transformers, guide to distillation for images",
        ),
        "distilbert": _two_weights(
            "alpha_mlm", "alpha_ce", "temperature", (0, 0.5, 2), "transformers' distillation script (DistilBERT)"
        ),
    }
)
"""The conventions by name."""
