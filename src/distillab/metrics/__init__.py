"""Metrics: functions of (predictions, labels), and what each is called, its unit and which way is better."""

from distillab.metrics.classification import (
    CALIBRATION_BINS,
    accuracy,
    agreement,
    all_metrics,
    balanced_accuracy,
    brier,
    confusion_matrix,
    denoising,
    expected_calibration_error,
    kl_to_teacher,
    nll,
    precision_recall_f1,
    reliability,
    squared_error,
)
from distillab.metrics.metric import METRICS, Metric

__all__ = [
    "CALIBRATION_BINS",
    "METRICS",
    "Metric",
    "accuracy",
    "agreement",
    "all_metrics",
    "balanced_accuracy",
    "brier",
    "confusion_matrix",
    "denoising",
    "expected_calibration_error",
    "kl_to_teacher",
    "nll",
    "precision_recall_f1",
    "reliability",
    "squared_error",
]
