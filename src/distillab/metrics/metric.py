"""The metrics a study can compare alphas by: their names, their units and which direction is better."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from distillab.errors import unknown


class Metric(NamedTuple):
    """A metric.

    Args:
        name: as stores, configurations and commands write it, such as "f1_macro".
        label: as sentences and tables write it.
        unit: "%" for a proportion (values are stored from 0 to 1); "nats"; empty for none, or for the data's own.
        lower_is_better: whether smaller values are better.

    Example:
        >>> METRICS["accuracy"].axis, METRICS["nll"].sign
        ('accuracy (%)', -1)
    """

    name: str
    label: str
    unit: str = "%"
    lower_is_better: bool = False

    @property
    def sign(self) -> int:
        """The factor that turns values into scores of which more is better: 1 or -1."""
        return -1 if self.lower_is_better else 1

    @property
    def factor(self) -> int:
        """The factor from stored values to displayed ones: 100 for proportions, otherwise 1."""
        return 100 if self.unit == "%" else 1

    @property
    def axis(self) -> str:
        """The title of an axis or a column: label and unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def shown(self, value: float) -> str:
        """A value with its name and unit, for a note.

        Args:
            value: as stored.

        Example:
            >>> METRICS["accuracy"].shown(0.98304), METRICS["nll"].shown(0.04536)
            ('accuracy 98.30%', 'negative log-likelihood 0.04536 nats')
        """
        return f"{self.label} {value:.2%}" if self.unit == "%" else f"{self.label} {value:.4g} {self.unit}".rstrip()

    @property
    def in_label_unit(self) -> bool:
        """Whether its values have the unit of real-valued labels."""
        return self.name.rpartition(".")[2] in ("mae", "rmse", "mae_to_teacher")

    @property
    def difference_unit(self) -> str:
        """The unit of differences; empty for a metric without a unit."""
        return "percentage points" if self.unit == "%" else self.unit


def metric_named(name: str) -> Metric:
    """A metric by its name in results: one of `METRICS`, or of one of several outputs, such as "income.accuracy".

    Args:
        name: as stores, configurations and commands write it.

    Raises:
        RequestError: there is none.

    Example:
        >>> metric_named("nll").label, metric_named("income.accuracy").axis
        ('negative log-likelihood', 'accuracy of income (%)')
    """
    output, _, of_output = name.rpartition(".")
    if of_output not in METRICS:
        raise unknown("metric", name, METRICS)
    metric = METRICS[of_output]
    return metric._replace(name=name, label=f"{metric.label} of {output}") if output else metric


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("accuracy", "accuracy"),
            Metric("balanced_accuracy", "balanced accuracy"),
            Metric("precision_macro", "macro precision"),
            Metric("recall_macro", "macro recall"),
            Metric("f1_macro", "macro F1"),
            Metric("precision_weighted", "weighted precision"),
            Metric("recall_weighted", "weighted recall"),
            Metric("f1_weighted", "weighted F1"),
            Metric("auroc", "AUROC"),
            Metric("average_precision", "average precision"),
            Metric("f1", "F1"),
            Metric("iou", "intersection over union"),
            Metric("map", "mean average precision"),
            Metric("f1_micro", "micro F1"),
            Metric("auroc_macro", "macro AUROC"),
            Metric("label_accuracy", "label accuracy"),
            Metric("mean_iou", "mean intersection over union"),
            Metric("pixel_accuracy", "pixel accuracy"),
            Metric("mae", "mean absolute error", "", lower_is_better=True),
            Metric("rmse", "root mean squared error", "", lower_is_better=True),
            Metric("r2", "R²", ""),
            Metric("spearman", "Spearman correlation", ""),
            Metric("agreement", "agreement with the teacher"),
            Metric("nll", "negative log-likelihood", "nats", lower_is_better=True),
            Metric("brier", "Brier score", "", lower_is_better=True),
            Metric("ece", "calibration error", lower_is_better=True),
            Metric("ece_width", "calibration error (bins of equal width)", lower_is_better=True),
            Metric("kl_to_teacher", "divergence from the teacher", "nats", lower_is_better=True),
            Metric("mae_to_teacher", "mean absolute difference from the teacher", "", lower_is_better=True),
            Metric("score", "mean score of the outputs", ""),
            Metric("loss", "mean loss of the outputs", "", lower_is_better=True),
        )
    }
)
"""Every metric a study can compare alphas by, by name (`distillab.study.settings.MetricName`)."""
