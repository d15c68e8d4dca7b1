"""Settings of a distiller that are numbers, checked."""

from __future__ import annotations

import math
from typing import Any

from distillab.errors import not_allowed
from distillab.keras.outputs import Outputs


def checked_alpha(alpha: Any) -> float:
    """Check alpha.

    Args:
        alpha: a number in [0, 1].
    """
    number = _number(alpha)
    if not 0 <= number <= 1:
        raise not_allowed(
            "alpha", alpha, "a number from 0 to 1", "alpha=1 trains on the labels alone, alpha=0 on the teacher alone."
        )
    return number


def checked_temperature(temperature: Any) -> float:
    """Check the temperature.

    Args:
        temperature: a finite number > 0.
    """
    number = _number(temperature)
    if not 0 < number < math.inf:
        raise not_allowed("temperature", temperature, "a finite number > 0", "temperature=1 softens nothing.")
    return number


def checked_weights(weights: Any, outputs: Outputs) -> list[float]:
    """Check the weights of several outputs in the loss.

    Args:
        weights: a number by output; None, or an output that is left out, has 1.
        outputs: of the student.
    """
    if weights is not None and not isinstance(weights, dict):
        raise not_allowed("output_weights", weights, f"a dictionary of numbers by output ({outputs})")
    numbers = [_number(number) for number in outputs.by_output(weights or {}, "output_weights", 1.0)]
    if not all(0 <= number < math.inf for number in numbers) or not any(numbers):
        raise not_allowed("output_weights", weights, "finite numbers >= 0, at least one of them > 0")
    return numbers


def _number(value: Any) -> float:
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
