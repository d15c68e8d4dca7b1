"""The study's finding: what each setting shows, and how the settings compare."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.choice import choice_of
from distillab.analysis.curves import AlphaCurve, alpha_curves
from distillab.analysis.denoising import SHARES, Denoising, denoising
from distillab.analysis.prediction import Prediction, predict_alphas
from distillab.analysis.setting import SettingResult, compare_alphas
from distillab.analysis.trend import AxisTrend, axis_trends
from distillab.errors import RequestError, unknown
from distillab.metrics.metric import METRICS, Metric, metric_named
from distillab.study.spec import Spec
from distillab.study.storage.records import TeacherResult, TrialResult, ValidationResults


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a study shows, as plain data.

    Args:
        question: as the study asks it.
        metric: what alphas were compared by.
        margin: the largest gain that does not matter, as a proportion.
        seeds: the number of seeds that the study asks for.
        settings: one result for each setting, in the order of the grid.
        trends: how they change along the study's longest axis, for each setting of the others.
        denoising: recovered and memorised wrong labels, for each setting that has some.
        predictions: the best alpha predicted from the students at both ends, for each setting where these were kept.
        unused: results in the store of seeds that the study does not ask for.
    """

    question: str
    metric: Metric
    margin: float
    seeds: int
    settings: tuple[SettingResult, ...]
    trends: tuple[AxisTrend, ...] = ()
    denoising: tuple[Denoising, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    unused: int = 0

    @property
    def students(self) -> int:
        """The number of students that the study asks for."""
        return sum(setting.students for setting in self.settings)

    @property
    def missing(self) -> int:
        """Students not recorded yet."""
        return sum(setting.missing for setting in self.settings)

    @property
    def diverged(self) -> int:
        """Students whose loss became infinite or nan."""
        return sum(len(setting.diverged) for setting in self.settings)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON types; numbers that are not finite become null."""
        return {
            "question": self.question,
            "metric": self.metric.name,
            "margin": self.margin,
            "seeds": self.seeds,
            "students": {"planned": self.students, "missing": self.missing, "diverged": self.diverged},
            "settings": [_plain(setting) | {"kind": setting.kind} for setting in self.settings],
            "trends": [_trend_json(trend) for trend in self.trends],
            "denoising": [
                _plain(shares) | {which: _plain(shares.band(which)) for which in SHARES} for shares in self.denoising
            ],
            "predictions": _plain(self.predictions),
            "unused": self.unused,
        }


def needed_metrics(spec: Spec) -> tuple[tuple[str, str], ...]:
    """The metrics of trial results that `analyse` reads, by split and name; it reads no epochs.

    Args:
        spec: the study.
    """
    shares = (("train", name) for share in SHARES for name in (share, f"teacher_{share}"))
    return (("test", spec.objective.metric), ("validation", spec.objective.metric), *shares, ("validation", "brier"))


def analyse(
    spec: Spec,
    trials: Sequence[TrialResult],
    teachers: Mapping[str, TeacherResult],
    *,
    classes: int | None = None,
    validation: ValidationResults | None = None,
    correct: Mapping[str, NDArray[np.bool_]] | None = None,
    curves: Sequence[AlphaCurve] | None = None,
) -> Finding:
    """Compare the alphas of a study from its trial results, finished, half-finished or empty.

    Args:
        spec: the study.
        trials: its students' results, in any order.
        teachers: its teachers' results, by identity.
        classes: C, where it is known.
        validation: what was recorded of the validation data besides metrics.
        correct: whether each test prediction is right, by trial.
        curves: `alpha_curves` of the same results, where the caller has them.
    """
    curves = alpha_curves(spec, trials, teachers) if curves is None else curves
    validation = validation or ValidationResults()
    choices = [choice_of(curve, spec.objective.choose, validation) for curve in curves]
    curves = [
        dataclasses.replace(curve, scores=choice.robust if choice.score == "robust" else None)
        for curve, choice in zip(curves, choices, strict=True)
    ]
    settings = tuple(
        compare_alphas(curve, margin=spec.objective.margin, choice=choice, correct=correct)
        for curve, choice in zip(curves, choices, strict=True)
    )
    return Finding(
        question=spec.objective.question,
        metric=metric_named(spec.objective.metric),
        margin=spec.objective.margin,
        seeds=spec.objective.seeds,
        settings=settings,
        trends=axis_trends(spec, curves, settings),
        denoising=denoising(curves, classes),
        predictions=predict_alphas(curves, settings, choices, validation.predictions),
        unused=sum(trial.seed >= spec.objective.seeds for trial in trials),
    )


def with_metric(spec: Spec, metric: str, trials: Sequence[TrialResult]) -> Spec:
    """The same study, its alphas compared by another metric: every metric is recorded for every student.

    Args:
        spec: the study.
        metric: the other metric's name.
        trials: its students' results.

    Raises:
        RequestError: an unknown name, or a study recorded before there was that metric.
    """
    if metric.rpartition(".")[2] not in METRICS:
        raise unknown("metric to compare alphas by", metric, METRICS)
    finished = [trial for trial in trials if trial.diverged_epoch is None]
    if finished and not any(("test", metric) in trial.metrics for trial in finished):
        recorded = {name for _, name in finished[0].metrics if name.rpartition(".")[2] in METRICS}
        raise RequestError(
            f"This study's students were recorded without {metric}. Recorded metrics: {', '.join(sorted(recorded))}. "
            "Run the study in a new folder with --out for the others."
        )
    return dataclasses.replace(spec, objective=spec.objective.model_copy(update={"metric": metric}))


def _trend_json(trend: AxisTrend) -> dict[str, Any]:
    """A trend as plain JSON types; the results of its points are among the settings."""
    return {
        "axis": trend.key,
        "name": trend.name,
        "others": trend.others,
        "values": [
            {
                **_plain(point._replace(result=point.result.label)),  # type: ignore[arg-type]
                "kind": point.result.kind,
                "alpha": point.alpha,
                "gain": _plain(point.gain),
                "tuned": _plain(point.tuned),
            }
            for point in trend.points
        ],
        "changes": _plain(trend.changes),
    }


def _plain(value: Any) -> Any:
    """Dataclasses, named tuples, arrays, lists, numbers and strings, nested at will, as plain JSON types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(part) for key, part in value._asdict().items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
