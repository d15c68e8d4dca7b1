"""The report of a study as one self-contained HTML page: the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import distillab.report.formatting as fmt
from distillab.analysis.finding import Finding
from distillab.report.charts.learning_curves import curve_titles
from distillab.report.payload import DETAILS, label_tables
from distillab.report.rendering import render_page
from distillab.report.results import Results
from distillab.report.view.study import study_view, wrong_labels
from distillab.report.view.table import KeyFigure

METHOD = (
    "At one seed every alpha starts from the same weights and sees the same batches and the same labels: alpha is the "
    "only difference, and differences are paired by seed.",
    "Alpha is chosen on the validation split of the training data; the test set is read once, at the end.",
    "Intervals are Student's t at 95 %; two or three seeds are too few for one, and the range seen is given. Tests are "
    "paired t tests; where many alphas are compared, p is adjusted after Holm. The verdict adjusts over the alphas "
    "between 0 and 1, the table over all its alphas.",
    "The optimal range is the 95 % model confidence set (Hansen, Lunde and Nason 2011) with sign flips.",
)


def study_page(results: Results, finding: Finding, payload: Mapping[str, Any]) -> str:
    """Write the report of a study, finished, half-finished or empty.

    Args:
        results: what the folder holds.
        finding: of these results.
        payload: the numbers of its charts, as `study_payload` gathers them.
    """
    settings, runs = payload["settings"], results.runs
    return render_page(
        "study.html.j2",
        script="page.js",
        data=payload,
        view=study_view(finding),
        wrong_labels=wrong_labels(finding),
        label_tables=[table for table in label_tables(results, finding) if table],
        learning=list(curve_titles(finding.settings[0].task).items()),
        drawn={name for name in DETAILS for setting in settings if setting[name]},
        method=METHOD,
        has_classes=any(setting["confusion"] for setting in settings),
        has_reliability=any(setting["reliability"] for setting in settings),
        has_agreement=bool({"agreement", "ece"} & set(payload["measures"])),
        has_gallery=any(setting["gallery"] for setting in settings),
        has_maps=any("maps" in (setting["gallery"] or {}) for setting in settings),
        cost=_cost(results),
        command=str(runs[-1].get("command") or "") if runs else "",
        facts=_facts(runs),
        specification=results.spec.to_yaml(),
    )


def _cost(results: Results) -> list[KeyFigure]:
    (seconds, examples), trained = results.cost, len(results.trials)
    if not trained or not seconds:
        return []
    machine = results.runs[-1].get("machine", {}) if results.runs else {}
    devices = machine.get("devices")
    where = fmt.counted(devices, f"{machine.get('platform')} device") if devices else "unknown"
    students = f"{fmt.counted(trained, 'student')}, compilation included"
    cores = f"{machine.get('cores', '?')} cores, {machine.get('processor', 'processor unknown')}"
    return [
        KeyFigure("training of students", fmt.duration(seconds), students),
        KeyFigure("students per second", f"{trained / seconds:.3g}", f"{seconds / trained:.2f} s a student"),
        KeyFigure("training examples seen", f"{examples:,}", f"{examples / seconds:,.0f} a second"),
        KeyFigure("devices", where, cores),
    ]


def _facts(runs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The last run's facts by name."""
    if not runs:
        return [("runs", "0")]
    last = runs[-1]
    facts = [(key, value) for key, value in _flat(last) if key not in ("started", "finished", "command")]
    ended = last.get("finished") or "not finished"
    return [*facts, ("last run", f"{last.get('started')} to {ended}"), ("runs", f"{len(runs)}")]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield prefix + str(key), "unknown" if value is None else str(value)
