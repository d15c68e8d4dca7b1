"""The metrics a study may be asked by: what they are called, which way is better, and how their numbers are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

NOTHING = "-"


class Metric(NamedTuple):
    """A metric.

    Args:
        label: what sentences call it.
        unit: "%" for a share, of which more is better unless said otherwise; "nats" or nothing.
        lower_is_better: whether less is better.
    """

    label: str
    unit: str = "%"
    lower_is_better: bool = False

    @property
    def sign(self) -> int:
        """What its values are multiplied by for more to be better."""
        return -1 if self.lower_is_better else 1

    @property
    def factor(self) -> int:
        """What its values are multiplied by to be written or drawn."""
        return 100 if self.unit == "%" else 1

    @property
    def axis(self) -> str:
        """What an axis of a figure is called."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def difference_unit(self) -> str:
        """What differences are counted in; empty where the metric has no unit."""
        return "percentage points" if self.unit == "%" else self.unit

    def bare(self, value: float) -> str:
        """A value without its unit.

        Example:
            >>> MEASURES["accuracy"].bare(0.98304), MEASURES["nll"].bare(0.04536)
            ('98.30', '0.0454')
        """
        return f"{self.factor * value:.{self._digits}f}" if math.isfinite(value) else NOTHING

    def value(self, value: float) -> str:
        """A value with its unit.

        Example:
            >>> MEASURES["accuracy"].value(0.98304), MEASURES["brier"].value(0.04536)
            ('98.30 %', '0.0454')
        """
        return f"{self.bare(value)} {self.unit}".rstrip() if math.isfinite(value) else NOTHING

    def difference(self, difference: float) -> str:
        """A difference, signed; of shares in percentage points.

        Example:
            >>> MEASURES["accuracy"].difference(0.027), MEASURES["accuracy"].difference(-0.00001)
            ('+2.70', '0.00')
        """
        if not math.isfinite(difference):
            return NOTHING
        text = f"{self.factor * difference:+.{self._digits}f}"
        return text[1:] if float(text) == 0 else text

    def amount(self, difference: float, *, short: bool = False) -> str:
        """The size of a difference, in words.

        Example:
            >>> MEASURES["accuracy"].amount(-0.0115), MEASURES["nll"].amount(0.01)
            ('1.15 percentage points', '0.0100 nats')
        """
        unit = "points" if short and self.unit == "%" else self.difference_unit
        return f"{self.factor * abs(difference):.{self._digits}f} {unit}".rstrip()

    def span(self, low: float, high: float, *, signed: bool = False) -> str:
        """An interval of values or of differences, without its unit.

        Example:
            >>> MEASURES["accuracy"].span(0.981, 0.985), MEASURES["accuracy"].span(-0.01, 0.02, signed=True)
            ('98.10 to 98.50', '-1.00 to +2.00')
        """
        if not (math.isfinite(low) and math.isfinite(high)):
            return NOTHING
        return " to ".join(map(self.difference if signed else self.bare, (low, high)))

    @property
    def _digits(self) -> int:
        return 2 if self.unit == "%" else 4


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "accuracy": Metric("accuracy"),
        "balanced_accuracy": Metric("balanced accuracy"),
        "precision_macro": Metric("macro precision"),
        "recall_macro": Metric("macro recall"),
        "f1_macro": Metric("macro F1"),
        "precision_weighted": Metric("weighted precision"),
        "recall_weighted": Metric("weighted recall"),
        "f1_weighted": Metric("weighted F1"),
        "agreement": Metric("agreement with the teacher"),
        "nll": Metric("negative log-likelihood", "nats", lower_is_better=True),
        "brier": Metric("Brier score", "", lower_is_better=True),
        "ece": Metric("calibration error", lower_is_better=True),
        "ece_width": Metric("calibration error (bins of equal width)", lower_is_better=True),
        "kl_to_teacher": Metric("divergence from the teacher", "nats", lower_is_better=True),
    }
)
"""Every metric a study may compare alphas by (`distillab.study.settings.Metric`)."""
