"""Other tools' names for the weights of the same loss, and translations between them.

Every convention here is `label_weight * CE(labels) + teacher_weight * T^2 * KL(teacher || student)`, each term a mean
over the batch, with its own names for the two weights. `docs/conventions.md` lists further differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from distillab.errors import RequestError, not_allowed, unknown

Values = Mapping[str, Any]


class Weights(NamedTuple):
    """The parameters that every convention can be reduced to."""

    label: float  # factor of the cross-entropy with the labels
    teacher: float  # factor of T^2 KL
    temperature: float


class Convention(NamedTuple):
    """A tool's way to write the loss.

    Args:
        defaults: its parameters by name with their default values; NaN where there is none.
        to_weights: from its parameters to the weights.
        from_weights: from the weights to its parameters, up to a common factor of the loss.
        source: its definition.
    """

    defaults: Values
    to_weights: Callable[[Values], Weights]
    from_weights: Callable[[Weights], Values]
    source: str


class Translation(NamedTuple):
    """A loss in another convention.

    Args:
        values: the parameters in that convention.
        scale: the original loss is `scale` times the translated one. Where it is not 1, adjust the learning rate (or,
            with Adam, only the weight decay).
    """

    values: Values
    scale: float


def translate(values: Values, *, source: str, target: str = "distillab") -> Translation:
    """Translate a loss from one convention to another.

    Args:
        values: parameters by the source's names; missing ones have the source's defaults.
        source: a name in `CONVENTIONS`.
        target: a name in `CONVENTIONS`.

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
    unknown_keys = [key for key in values if key not in origin.defaults]
    if unknown_keys:
        raise unknown(f"parameter of {source}", unknown_keys[0], origin.defaults)
    given = {key: _number(key, value) for key, value in {**origin.defaults, **values}.items()}
    missing = [key for key, value in given.items() if math.isnan(value)]
    if missing:
        raise RequestError(f"{source} has no default for {', '.join(missing)}. Give a value.")
    weights = origin.to_weights(given)
    if weights.temperature <= 0 or min(weights.label, weights.teacher) < 0 or weights.label + weights.teacher <= 0:
        raise RequestError(
            f"{source} with {dict(given)} weights the labels by {weights.label} and the teacher by {weights.teacher} "
            f"at T = {weights.temperature}: the weights must be >= 0, one of them above 0, and T > 0."
        )
    translated = destination.from_weights(weights)
    back = destination.to_weights(translated)
    scale = (weights.label + weights.teacher) / (back.label + back.teacher)
    return Translation({key: _rounded(value) for key, value in translated.items()}, _rounded(scale))


def _number(key: str, value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise not_allowed(key, value, "a number")
    return float(value)


def _rounded(number: float) -> float:
    """Without the rounding errors of the translation: 0.1 and not 0.09999999999999998."""
    return float(f"{number:.12g}")


def _label_weight(name: str, temperature: str, *, default: float, T: float, source: str) -> Convention:
    """A convention whose only weight is the labels', in [0, 1]."""
    return Convention(
        MappingProxyType({name: default, temperature: T}),
        lambda v: Weights(v[name], 1 - v[name], v[temperature]),
        lambda w: {name: w.label / (w.label + w.teacher), temperature: w.temperature},
        source,
    )


def _two_weights(names: tuple[str, str, str], defaults: tuple[float, float, float], source: str) -> Convention:
    """A convention with two free weights, the labels' first."""
    return Convention(
        MappingProxyType(dict(zip(names, defaults, strict=True))),
        lambda v: Weights(*(v[name] for name in names)),
        lambda w: dict(zip(names, w, strict=True)),
        source,
    )


def _torchdistill_weights(v: Values) -> Weights:
    # At alpha = 0 (or None) the code returns KL alone: neither beta nor T^2.
    teacher = 1 / v["temperature"] ** 2 if v["alpha"] == 0 else v["beta"]
    return Weights(v["alpha"], teacher, v["temperature"])


NONE = math.nan
CONVENTIONS: Mapping[str, Convention] = MappingProxyType(
    {
        "distillab": _label_weight("alpha", "temperature", default=0.1, T=3, source="distillab.losses.objective"),
        "hinton": _two_weights(
            ("hard_weight", "soft_weight", "temperature"),
            (NONE, NONE, NONE),
            "Hinton, Vinyals and Dean 2015, section 2: soft targets multiplied by T^2, and the labels",
        ),
        "keras_example": _label_weight(
            "alpha", "temperature", default=0.1, T=3, source="keras.io, Knowledge Distillation (Borup 2020), Keras 3"
        ),
        "keras_example_2020": Convention(
            MappingProxyType({"alpha": 0.1, "temperature": 3.0}),
            lambda v: Weights(v["alpha"], (1 - v["alpha"]) / v["temperature"] ** 2, v["temperature"]),
            lambda w: {"alpha": w.label / (w.label + w.teacher * w.temperature**2), "temperature": w.temperature},
            "the same example before T^2 was added",
        ),
        "keras_distillation": _label_weight(
            "student_loss_weight",
            "temperature",
            default=0.5,
            T=3,
            source="keras.distillation (3.15.1) with LogitsDistillation(loss=keras.losses.KLDivergence())",
        ),
        "torchdistill": Convention(
            MappingProxyType({"alpha": NONE, "beta": NONE, "temperature": NONE}),
            _torchdistill_weights,
            lambda w: dict(zip(("alpha", "beta", "temperature"), w, strict=True)),
            "torchdistill, losses/mid_level.py, KDLoss",
        ),
        "mdistiller": _two_weights(
            ("CE_WEIGHT", "KD_WEIGHT", "TEMPERATURE"), (0.1, 0.9, 4), "mdistiller, distillers/KD.py and engine/cfg.py"
        ),
        "rep_distiller": _two_weights(
            ("gamma", "alpha", "kd_T"), (1, NONE, 4), "RepDistiller, train_student.py and distiller_zoo/KD.py"
        ),
        "kd_lib": Convention(
            MappingProxyType({"distil_weight": 0.5, "temp": 20}),
            lambda v: Weights(1 - v["distil_weight"], v["distil_weight"], v["temp"]),
            lambda w: {"distil_weight": 1 - w.label / (w.label + w.teacher), "temp": w.temperature},
            "KD_Lib, VanillaKD, with loss_fn a KL divergence",
        ),
        "hugging_face": _label_weight(
            "lambda_param", "temperature", default=0.5, T=5, source="transformers, guide to distillation for images"
        ),
        "distilbert": _two_weights(
            ("alpha_mlm", "alpha_ce", "temperature"), (0, 0.5, 2), "transformers' distillation script (DistilBERT)"
        ),
    }
)
"""The conventions by name."""
