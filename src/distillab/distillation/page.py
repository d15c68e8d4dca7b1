"""The report of a distillation as one self-contained HTML page, from what its folder holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from distillab.distillation.verdict import p_value
from distillab.errors import RequestError
from distillab.metrics.metric import METRICS, NOTHING
from distillab.report.charts.distillation import search_chart, search_data, seeds_chart, seeds_data
from distillab.report.charts.layers import template
from distillab.report.payload import Compact
from distillab.report.shell import chart, document, items, key_figures, paragraph, table
from distillab.report.write import write_files
from distillab.study.storage.records import TrialResult
from distillab.study.storage.store import Store

RESULT = "result.json"


def is_distillation(folder: Path) -> bool:
    """Whether a folder was made by `distillab distill`, to its end."""
    return (folder / RESULT).is_file() and not (folder / "study.yaml").exists()


def write_distillation_report(folder: Path) -> tuple[Path, ...]:
    """Write the page of a distillation into its folder.

    Args:
        folder: as `distill` left it.

    Returns:
        The file.

    Raises:
        RequestError: the folder's result cannot be read.
        WorkError: the file cannot be written.
    """
    try:
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        with Store(folder / "study.db", read_only=True) as store:
            text = distillation_page(result, store.trials())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"{folder / RESULT} cannot be read as the result of a distillation ({type(error).__name__}: {error}). Run "
            "'distillab distill' again with the same --out: what is recorded is not trained again."
        ) from error
    files = {folder / "report.html": text.encode()}
    write_files(files)
    return tuple(files)


def distillation_page(result: Mapping[str, Any], trials: Iterable[TrialResult]) -> str:
    """Write the page.

    Args:
        result: as `Result.to_json` gives it.
        trials: the store's rows.
    """
    names, found = result["names"], _candidates(result, trials)
    sections = [
        ("answer", "Answer", _answer(result)),
        ("seeds", "Seed by seed", _seeds(result)),
        ("quality", "Quality", _quality(result)),
        ("search", "The search", _search(result, found)),
        ("cost", "Cost", _cost(result)),
        ("training", "Training", items(_training(result))),
        ("caveats", "What this rests on", items(_caveats(result))),
    ]
    return document(
        f"{names['student']}, distilled from {names['teacher']}",
        paragraph(f"On {names['data']}: {result['data']['test']:,} test examples.", "soft"),
        sections,
        _provenance(result),
        _payload(result, found),
        script="distillation.js",
    )


def _payload(result: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The page's charts and their data; null for a chart that has none."""
    seeds, compact = _by_seed(result), Compact()
    return {
        "charts": {"seeds": template(seeds_chart()), "search": template(search_chart())},
        "seeds": seeds and compact.encode("seeds", seeds_data(seeds["student"], seeds["baseline"], seeds["teacher"])),
        "search": compact.encode("search", search_data(found), y=f"validation {found['metric']}")
        if found["taught"]
        else None,
        "fields": compact.fields,
    }


def _answer(result: Mapping[str, Any]) -> str:
    verdict = result["verdict"]
    accuracy, gain = METRICS["accuracy"], verdict["gain"]["accuracy"]
    student, alone = verdict["student"]["accuracy"], verdict["baseline"]["accuracy"]
    costs = result["costs"]
    shown = [
        ("verdict", verdict["kind"], f"{verdict['seeds']} seeds, paired", "verdict"),
        (
            "gain over no teacher",
            accuracy.difference(gain["mean"]),
            f"percentage points; {accuracy.span(gain['low'], gain['high'], signed=True)}, {p_value(gain['p'])}",
            "",
        ),
        (
            "student",
            accuracy.value(student["mean"]),
            f"95 % interval {accuracy.span(student['low'], student['high'])}",
            "",
        ),
        ("without a teacher", accuracy.value(alone["mean"]), accuracy.span(alone["low"], alone["high"]), ""),
        ("teacher", accuracy.value(verdict["teacher"]["accuracy"]), _size(costs), ""),
    ]
    caveat = paragraph(result["caveat"]) if result.get("caveat") else ""
    kind = f"kind-{verdict['kind'].replace(' ', '-')}"
    return f'{key_figures(shown, kind)}<div class="answer">{paragraph(verdict["sentence"])}</div>{caveat}'


def _size(costs: Mapping[str, Any]) -> str:
    student, teacher = costs.get("student"), costs.get("teacher")
    if not student or not teacher:
        return f"student: {student['parameters']:,} parameters" if student else ""
    times = teacher["parameters"] / student["parameters"]
    return f"{times:,.0f} times the student's parameters" if times >= 10 else f"{times:.1f} times the parameters"


def _seeds(result: Mapping[str, Any]) -> str:
    if not _by_seed(result):
        return ""
    return chart(
        "seeds",
        "Test accuracy of each seed's student and of the same student without a teacher",
        "Lines join the two trainings of a seed; bars: means; dashed: the teacher, where it is near.",
    )


def _by_seed(result: Mapping[str, Any]) -> dict[str, Any] | None:
    values = result["verdict"].get("by_seed")
    if not values:  # a result written before seeds were kept one by one
        return None
    return {
        "student": values["student"]["accuracy"],
        "baseline": values["baseline"]["accuracy"],
        "teacher": result["verdict"]["teacher"]["accuracy"],
    }


def _quality(result: Mapping[str, Any]) -> str:
    verdict = result["verdict"]
    rows = []
    for name in verdict["student"]:
        measure, gain = METRICS[name], verdict["gain"][name]
        cells = [
            f"{measure.bare(one['mean'])} ({measure.span(one['low'], one['high'])})"
            for one in (verdict["student"][name], verdict["baseline"][name])
        ]
        difference = f"{measure.difference(gain['mean'])} ({measure.span(gain['low'], gain['high'], signed=True)})"
        rows.append((measure.axis, *cells, difference, measure.bare(verdict["teacher"][name])))
    head = ("metric", "student", "without a teacher", "gain", "teacher")
    caption = f"Means over {verdict['seeds']} seeds with 95 % intervals; gains are paired by seed."
    against = verdict["against_teacher"]
    beside = (
        f"Shipped student against the teacher: {100 * against['difference']:+.2f} points on the test examples (95 % "
        f"interval {100 * against['low']:+.2f} to {100 * against['high']:+.2f}, McNemar, {p_value(against['p'])})."
    )
    return table("quality", caption, head, rows) + paragraph(beside, "soft")


def _candidates(result: Mapping[str, Any], trials: Iterable[TrialResult]) -> dict[str, Any]:
    """Every candidate that was trained for all epochs: its mean validation score, and over how many trainings."""
    request = result["request"]
    scores: dict[tuple[Any, ...], list[float]] = {}
    for trial in trials:
        one, score = trial.settings, trial.metrics.get(("validation", request["metric"]))
        if score is None or one["epochs"] != request["epochs"] or trial.coordinates["part"] != "validation":
            continue
        key = (
            one["taught"],
            one["alpha"],
            one["temperature"],
            one["learning_rate"],
            one["loss"],
            str(one.get("student")),
        )
        scores.setdefault(key, []).append(score)
    names = ("taught", "alpha", "temperature", "learning_rate", "loss")
    found = [
        {**dict(zip(names, key, strict=False)), "score": sum(values) / len(values), "trainings": len(values)}
        for key, values in scores.items()
    ]
    most = max((one["trainings"] for one in found), default=0)
    return {
        "metric": METRICS[request["metric"]].axis,
        "factor": METRICS[request["metric"]].factor,
        "taught": [one for one in found if one["taught"]],
        # of many noisy scores the largest flatters: the level is of those that were looked at longest
        "alone": max((o["score"] for o in found if not o["taught"] and o["trainings"] == most), default=None),
        "chosen": {key: result["chosen"][key] for key in ("alpha", "temperature", "learning_rate")},
    }


def _search(result: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    if not found["taught"]:
        return paragraph(result["method"])
    return paragraph(result["method"]) + chart(
        "search",
        "Validation score of every candidate against alpha",
        "Candidates trained for all epochs; dotted: the best without a teacher; ring: the chosen one. The score of the "
        "best of many flatters it; the test result above does not.",
    )


def _cost(result: Mapping[str, Any]) -> str:
    costs = {who: cost for who, cost in result["costs"].items() if cost}

    def times(cost: Mapping[str, Any], size: str) -> str:
        one = cost["latency"].get(size)
        return f"{1e6 * one['p50']:,.0f} / {1e6 * one['p99']:,.0f} us" if one else NOTHING

    rows = [
        ("parameters", *(f"{cost['parameters']:,}" for cost in costs.values())),
        ("bytes of the .keras file", *(f"{cost['bytes']:,}" for cost in costs.values())),
        ("operations for one example", *(f"{cost['flops']:,}" for cost in costs.values())),
        ("one example, p50 / p99", *(times(cost, "1") for cost in costs.values())),
        ("64 examples, p50 / p99", *(times(cost, "64") for cost in costs.values())),
    ]
    caption = "Times are of Keras on JAX, compiled, on the machine that trained."
    return table("cost", caption, ("", *costs), rows)


def _training(result: Mapping[str, Any]) -> list[str]:
    data, request = result["data"], result["request"]
    told = [
        f"{data['labelled']:,} labelled training examples ({data['validation']:,} of them chose the settings, then "
        f"were trained on too), {data['unlabelled']:,} unlabelled, {data['test']:,} for the test.",
        *(str(note) for note in data["notes"]),
    ]
    if result.get("unlabelled"):
        told.append(result["unlabelled"])
    for who, one in (("Student", result["chosen"]), ("Without a teacher", result["baseline"])):
        rate = f"learning rate {one['learning_rate']:g}"
        if one["taught"]:
            told.append(f"{who}: alpha = {one['alpha']:g}, temperature {one['temperature']:g}, {rate}.")
        else:
            told.append(f"{who}: labels smoothed by {1 - one['alpha']:.3g}, {rate}.")
    told.append(
        f"Both: {request['epochs']} epochs of batches of {request['batch_size']}, {request['optimiser']}, "
        f"{request['schedule']} schedule."
    )
    return told


def _caveats(result: Mapping[str, Any]) -> list[str]:
    return [
        "Settings were chosen on validation examples, for student and baseline alike; the test examples were read "
        "once, at the end.",
        "Intervals over seeds cover the randomness of training on these test examples. McNemar's test covers other "
        "test examples, for the two trained models compared. Neither covers data unlike these.",
        f"{result['verdict']['seeds']} seeds each; the student shipped is the first seed's, not the best one's.",
    ]


def _provenance(result: Mapping[str, Any]) -> str:
    told = result.get("provenance", {})
    versions = ", ".join(f"{name} {version}" for name, version in told.get("versions", {}).items())
    command = str(told.get("command") or "")
    again = f"<p>To reproduce: <code>{escape(command)}</code></p>" if command else ""
    made = paragraph(f"Made with {versions}.") if versions else ""
    return f'<section aria-labelledby="provenance"><h2 id="provenance">Provenance</h2>{again}{made}</section>'
