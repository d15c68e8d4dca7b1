"""The study's answer: what each setting shows, and how much of the study it rests on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from distillab.analysis.across import AxisTrend, across
from distillab.analysis.advice import advice, caveats
from distillab.analysis.curves import AlphaCurve, alpha_curves, rows_of
from distillab.analysis.denoising import SHARES, Denoising, denoising, in_a_sentence
from distillab.analysis.finding import SettingResult, find
from distillab.analysis.movement import movement
from distillab.analysis.prediction import Prediction, predictions
from distillab.analysis.prediction import in_a_sentence as predicted_in_words
from distillab.analysis.sentences import sentences
from distillab.errors import RequestError, unknown
from distillab.metrics.metric import METRICS, Metric
from distillab.study.settings import MetricName
from distillab.study.spec import Spec
from distillab.study.storage.records import TeacherResult, TrialResult, ValidationPredictions


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a study says.

    Args:
        question: as the study asks it.
        metric: what was compared.
        margin: the largest gain that does not matter, as a proportion.
        seeds: that the study asks for.
        findings: one for each setting.
        across: how they move along the study's longest axis, for each setting of the others.
        denoising: what becomes of wrong labels, for each setting that has some.
        predicted: the best alpha as the students at both ends predict it, for each setting where they were kept.
        unused: rows in the store that belong to seeds the study does not ask for.
    """

    question: str
    metric: str
    margin: float
    seeds: int
    findings: tuple[SettingResult, ...]
    across: tuple[AxisTrend, ...] = ()
    denoising: tuple[Denoising, ...] = ()
    predicted: tuple[Prediction, ...] = ()
    unused: int = 0

    @property
    def measure(self) -> Metric:
        """How the metric is called and written."""
        return METRICS[self.metric]

    @property
    def students(self) -> int:
        """That the study asks for."""
        return sum(finding.students for finding in self.findings)

    @property
    def missing(self) -> int:
        """Students not there yet."""
        return sum(finding.missing for finding in self.findings)

    @property
    def diverged(self) -> int:
        """Students whose loss ceased to be finite."""
        return sum(len(finding.diverged) for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON types; what is not finite becomes null."""
        return {
            "question": self.question,
            "metric": self.metric,
            "margin": self.margin,
            "seeds": self.seeds,
            "students": {"planned": self.students, "missing": self.missing, "diverged": self.diverged},
            "settings": [
                {
                    **_plain(finding),
                    "kind": finding.kind,
                    "in_words": sentences(self, finding),
                    "what_to_do": advice(self, finding),
                }
                for finding in self.findings
            ],
            "across": [_told(one, self.measure) for one in self.across],
            "denoising": [_shares(one) for one in self.denoising],
            "predicted": [{**_plain(one), "in_words": predicted_in_words(one, self.measure)} for one in self.predicted],
            "caveats": caveats(self),
            "unused": self.unused,
        }


def needed_metrics(spec: Spec) -> tuple[tuple[str, str], ...]:
    """The metrics that `answer` reads of a study's rows, by split and name; besides them it needs no epochs."""
    shares = (("train", name) for share in SHARES for name in (share, f"teacher_{share}"))
    return (("test", spec.objective.metric), ("validation", spec.objective.metric), *shares, ("validation", "brier"))


def answer(
    spec: Spec,
    trials: Sequence[TrialResult],
    teachers: Mapping[str, TeacherResult],
    *,
    classes: int | None = None,
    answers: Mapping[str, ValidationPredictions] | None = None,
    curves: Sequence[AlphaCurve] | None = None,
) -> Finding:
    """Answer a study's question from its rows, be it finished, half-finished or empty.

    Args:
        spec: the study.
        trials: the rows of its students.
        teachers: the rows of its teachers, by identity.
        classes: C, where it is known.
        answers: the validation answers that were kept, by trial.
        curves: `alpha_curves` of the same rows, where the caller has them.

    Returns:
        The same answer for the same rows, in whatever order they come.
    """
    rows = rows_of(spec, trials)
    curves = alpha_curves(spec, trials, teachers, rows=rows) if curves is None else curves
    findings = tuple(find(curve, margin=spec.objective.margin) for curve in curves)
    return Finding(
        question=spec.objective.question,
        metric=spec.objective.metric,
        margin=spec.objective.margin,
        seeds=spec.objective.seeds,
        findings=findings,
        across=across(spec, curves, findings),
        denoising=denoising(curves, rows.values(), classes),
        predicted=predictions(curves, findings, rows.values(), answers or {}),
        unused=sum(trial.seed >= spec.objective.seeds for trial in trials),
    )


def asked_by(spec: Spec, metric: str, trials: Sequence[TrialResult]) -> Spec:
    """The same study, asked by another metric than its own: it was recorded for all of them.

    Args:
        spec: the study.
        metric: one of `distillab.study.settings.Metric`.
        trials: the rows of its students.

    Raises:
        RequestError: a name that is no such metric, or a study recorded before there was that metric.
    """
    if metric not in get_args(MetricName):
        raise unknown("metric to compare alphas by", metric, get_args(MetricName))
    finished = [trial for trial in trials if trial.diverged_epoch is None]
    if finished and not any(("test", metric) in trial.metrics for trial in finished):
        recorded = {name for _, name in finished[0].metrics} & set(get_args(MetricName))
        raise RequestError(
            f"This study's students were recorded without {metric}. They hold {', '.join(sorted(recorded))}. Run the "
            "study in a new folder with --out for the others."
        )
    return dataclasses.replace(spec, objective=spec.objective.model_copy(update={"metric": metric}))


def _told(one: AxisTrend, measure: Metric) -> dict[str, Any]:
    """An axis as plain JSON types; the findings themselves stand with the settings."""
    return {
        "axis": one.key,
        "name": one.name,
        "among": one.among,
        "in_words": movement(one, measure),
        "values": [
            {key: part for key, part in _plain(point).items() if key != "finding"} | {"kind": point.finding.kind}
            for point in one.points
        ],
        "changes": _plain(one.changes),
    }


def _shares(one: Denoising) -> dict[str, Any]:
    bands = {which: {k: _plain(v.tolist()) for k, v in one.band(which)._asdict().items()} for which in SHARES}
    rest = {"teacher_recovered": one.teacher_recovered, "teacher_memorised": one.teacher_memorised}
    return {
        "label": one.label,
        "in_words": in_a_sentence(one),
        "alphas": one.alphas.tolist(),
        **bands,
        **_plain_items(rest | {"threshold": one.threshold, "denoises": one.denoises}),
    }


def _plain_items(items: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in items.items()}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(part) for key, part in value._asdict().items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
