"""A distillation's page and model card: one view of its result, two templates."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import distillab.report.formatting as fmt
from distillab.errors import RequestError
from distillab.metrics.metric import METRICS
from distillab.report.page_charts import distillation_charts
from distillab.report.rendering import render_markdown, render_page
from distillab.report.view.table import KeyFigure, Table
from distillab.report.write import write_files
from distillab.study.storage.records import TrialResult
from distillab.study.storage.store import Store

RESULT = "result.json"
MOST_CLASSES = 20
"""Further class names are left to the result's file."""

CAVEATS = (
    "Settings were chosen on validation examples, for student and baseline alike; the test examples were read once, at "
    "the end.",
    "Intervals over seeds cover the randomness of training on these test examples. McNemar's test covers other test "
    "examples, for the two trained models compared. Neither covers other kinds of data.",
)

Candidate = Mapping[str, Any]
"""A searched setting: "taught", "alpha", "temperature", "learning_rate", "loss", its mean validation "score", and the
number of "trainings" behind it."""


@dataclass(frozen=True, kw_only=True)
class DistillationView:
    """A distillation in words and rows; `seeds` and `candidates` are the numbers of its charts.

    `caveat`, `use`, `versions` and `command` are empty where the result does not hold them.
    """

    title: str
    lead: str
    kind: str
    verdict: str
    caveat: str
    key_figures: tuple[KeyFigure, ...]
    quality: Table
    against_teacher: str
    method: str
    cost: Table
    use: str
    training: tuple[str, ...]
    caveats: tuple[str, ...]
    versions: str
    command: str
    seeds: Mapping[str, Any] | None
    candidates: Mapping[str, Any]


def is_distillation(folder: Path) -> bool:
    """Whether a folder holds the result of a finished `distillab distill`.

    Args:
        folder: any.
    """
    return (folder / RESULT).is_file() and not (folder / "study.yaml").exists()


def write_distillation_report(folder: Path) -> tuple[Path, ...]:
    """Write the page of a distillation into its folder.

    Args:
        folder: of `distillab distill`.

    Returns:
        The file.

    Raises:
        RequestError: the folder's result cannot be read.
        WorkError: the file cannot be written.
    """
    try:
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        with Store(folder / "study.db", read_only=True) as store:
            text = distillation_page(result, searched(result, store.trials()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"{folder / RESULT} cannot be read as the result of a distillation ({type(error).__name__}: {error}). Run "
            "'distillab distill' again with the same --out: recorded trials are not trained again."
        ) from error
    page = folder / "report.html"
    write_files({page: text.encode()})
    return (page,)


def distillation_page(result: Mapping[str, Any], candidates: Sequence[Candidate]) -> str:
    """Write the page.

    Args:
        result: as `Result.to_json` gives it.
        candidates: the settings searched with all epochs.
    """
    view = distillation_view(result, candidates)
    data = {"charts": distillation_charts(), "seeds": view.seeds, "candidates": view.candidates}
    return render_page("distillation.html.j2", script="distillation.js", data=data, view=view)


def model_card(result: Mapping[str, Any]) -> str:
    """Write the model card, as Markdown.

    Args:
        result: as `Result.to_json` gives it.
    """
    return render_markdown("model_card.md.j2", view=distillation_view(result, ()))


def distillation_view(result: Mapping[str, Any], candidates: Sequence[Candidate]) -> DistillationView:
    """Word a result.

    Args:
        result: as `Result.to_json` gives it.
        candidates: the settings searched with all epochs; may be empty.
    """
    names, data, verdict, provenance = result["names"], result["data"], result["verdict"], result.get("provenance", {})
    versions = ", ".join(f"{name} {version}" for name, version in provenance.get("versions", {}).items())
    seeds = fmt.counted(verdict["seeds"], "seed")
    return DistillationView(
        title=f"{names['student']}, distilled from {names['teacher']}",
        lead=f"On {names['data']}: {data['test']:,} test examples.",
        kind=verdict["kind"],
        verdict=verdict_sentence(verdict),
        caveat=result.get("caveat") or "",
        key_figures=_key_figures(result),
        quality=_quality(verdict),
        against_teacher=_against_teacher(verdict["against_teacher"]),
        method=result["method"],
        cost=_cost(result["costs"]),
        use=_use(data) if "student_gives" in data else "",
        training=_training(result),
        caveats=(*CAVEATS, f"{seeds} each; the shipped student is the first seed's, not the best one's."),
        versions=f"Made with {versions}." if versions else "",
        command=str(provenance.get("command") or ""),
        seeds=_by_seed(verdict),
        candidates=_search(result, candidates),
    )


def verdict_sentence(verdict: Mapping[str, Any]) -> str:
    """The verdict in a sentence.

    Args:
        verdict: "kind", "seeds", "gain" by metric, "examples" and, where undecided, "seeds_needed".
    """
    gain, examples, kind = verdict["gain"]["accuracy"], verdict["examples"], verdict["kind"]
    accuracy, seeds = METRICS["accuracy"], fmt.counted(verdict["seeds"], "seed")
    start = {
        "supported": "Supported: distillation beats the same student without a teacher by",
        "practically equivalent": "Practically equivalent: student and the same student without a teacher differ by",
        "contradicted": "Contradicted: distillation does not beat the same student without a teacher:",
        "undecided": f"Undecided: {seeds} do not show whether distillation beats the same student without a teacher:",
    }[kind]
    sentence = (
        f"{start} {fmt.difference(accuracy, gain['mean'], unit=True)} of test accuracy (95 % interval "
        f"{fmt.interval(accuracy, gain['low'], gain['high'], signed=True)}, paired over {seeds}, "
        f"p {fmt.p_value(gain['p'])}); McNemar's exact test of the shipped pair on the test examples: "
        f"{fmt.difference(accuracy, examples['difference'])}, p {fmt.p_value(examples['p'])}."
    )
    if kind == "undecided" and verdict.get("seeds_needed"):
        sentence += f" {verdict['seeds_needed']} seeds would probably decide it."
    return sentence


def _against_teacher(test: Mapping[str, float]) -> str:
    accuracy = METRICS["accuracy"]
    return (
        f"Shipped student against the teacher: {fmt.difference(accuracy, test['difference'])} points on the test "
        f"examples (95 % interval {fmt.interval(accuracy, test['low'], test['high'], signed=True)}, McNemar, "
        f"p {fmt.p_value(test['p'])})."
    )


def _key_figures(result: Mapping[str, Any]) -> tuple[KeyFigure, ...]:
    verdict, accuracy = result["verdict"], METRICS["accuracy"]
    gain, student, alone = (verdict[who]["accuracy"] for who in ("gain", "student", "baseline"))
    interval = fmt.interval(accuracy, gain["low"], gain["high"], signed=True)
    return (
        KeyFigure("verdict", verdict["kind"], f"{verdict['seeds']} seeds, paired"),
        KeyFigure(
            "gain over no teacher",
            fmt.difference(accuracy, gain["mean"]),
            f"percentage points; {interval}, p {fmt.p_value(gain['p'])}",
        ),
        KeyFigure(
            "student",
            fmt.value(accuracy, student["mean"]),
            f"95 % interval {fmt.interval(accuracy, student['low'], student['high'])}",
        ),
        KeyFigure(
            "without a teacher",
            fmt.value(accuracy, alone["mean"]),
            fmt.interval(accuracy, alone["low"], alone["high"]),
        ),
        KeyFigure("teacher", fmt.value(accuracy, verdict["teacher"]["accuracy"]), _size(result["costs"])),
    )


def _size(costs: Mapping[str, Any]) -> str:
    student, teacher = costs.get("student"), costs.get("teacher")
    if not student or not teacher:
        return f"student: {student['parameters']:,} parameters" if student else ""
    times = teacher["parameters"] / student["parameters"]
    return f"{times:,.0f} times the student's parameters" if times >= 10 else f"{times:.1f} times the parameters"


def _by_seed(verdict: Mapping[str, Any]) -> dict[str, Any] | None:
    values = verdict.get("by_seed")
    if not values:
        return None
    accuracy = {who: values[who]["accuracy"] for who in ("student", "baseline")}
    return {**accuracy, "teacher": verdict["teacher"]["accuracy"]}


def _quality(verdict: Mapping[str, Any]) -> Table:
    rows = []
    for name in verdict["student"]:
        metric, gain = METRICS[name], verdict["gain"][name]
        estimates = (
            f"{fmt.value(metric, one['mean'], unit=False)} ({fmt.interval(metric, one['low'], one['high'])})"
            for one in (verdict["student"][name], verdict["baseline"][name])
        )
        interval = fmt.interval(metric, gain["low"], gain["high"], signed=True)
        difference = f"{fmt.difference(metric, gain['mean'])} ({interval})"
        rows.append((metric.axis, *estimates, difference, fmt.value(metric, verdict["teacher"][name], unit=False)))
    caption = f"Means over {verdict['seeds']} seeds with 95 % intervals; gains are paired by seed."
    return Table("quality", caption, ("metric", "student", "without a teacher", "gain", "teacher"), tuple(rows))


def searched(result: Mapping[str, Any], trials: Iterable[TrialResult]) -> list[dict[str, Any]]:
    """The candidates of a search that were trained for all epochs, each with its mean validation score.

    Args:
        result: as `Result.to_json` gives it.
        trials: the store's.
    """
    request, names = result["request"], ("taught", "alpha", "temperature", "learning_rate", "loss")
    scores: dict[tuple[Any, ...], list[float]] = {}
    for trial in trials:
        settings, score = trial.settings, trial.metrics.get(("validation", request["metric"]))
        if score is None or settings["epochs"] != request["epochs"] or trial.coordinates["part"] != "validation":
            continue
        key = (*(settings[name] for name in names), str(settings.get("student")))
        scores.setdefault(key, []).append(score)
    return [
        {**dict(zip(names, key, strict=False)), "score": sum(values) / len(values), "trainings": len(values)}
        for key, values in scores.items()
    ]


def _search(result: Mapping[str, Any], candidates: Sequence[Candidate]) -> dict[str, Any]:
    """The search as the page's chart reads it."""
    metric, chosen = METRICS[result["request"]["metric"]], result["chosen"]
    baselines = [candidate for candidate in candidates if not candidate["taught"]]
    most = max((candidate["trainings"] for candidate in candidates), default=0)
    return {
        "metric": metric.axis,
        "factor": metric.factor,
        "taught": [candidate for candidate in candidates if candidate["taught"]],
        # The largest of many noisy scores is optimistic: the level is the best of those with the most trainings.
        "alone": max((one["score"] for one in baselines if one["trainings"] == most), default=None),
        "chosen": {key: chosen[key] for key in ("alpha", "temperature", "learning_rate")},
    }


def _cost(costs: Mapping[str, Any]) -> Table:
    known = {who: cost for who, cost in costs.items() if cost}

    def latency(cost: Mapping[str, Any], size: str) -> str:
        times = cost["latency"].get(size)
        return f"{1e6 * times['p50']:,.0f} / {1e6 * times['p99']:,.0f} us" if times else fmt.NOTHING

    rows = (
        ("parameters", *(f"{cost['parameters']:,}" for cost in known.values())),
        ("bytes of the .keras file", *(f"{cost['bytes']:,}" for cost in known.values())),
        ("operations for one example", *(f"{cost['flops']:,}" for cost in known.values())),
        ("one example, p50 / p99", *(latency(cost, "1") for cost in known.values())),
        ("64 examples, p50 / p99", *(latency(cost, "64") for cost in known.values())),
    )
    caption = "Latency is of Keras on JAX, compiled, on the machine that trained."
    return Table("cost", caption, ("", *known), rows)


def _use(data: Mapping[str, Any]) -> str:
    classes = data["class_names"]
    names = ", ".join(f"{number} {name}" for number, name in enumerate(classes[:MOST_CLASSES]))
    more = f", and {len(classes) - MOST_CLASSES} more ({RESULT})" if len(classes) > MOST_CLASSES else ""
    outputs = (
        "probabilities" if data["student_gives"] == "probabilities" else "logits (apply softmax for probabilities)"
    )
    return (
        f"reads inputs of shape {tuple(data['input_shape'])} {data['reads']}; its preprocessing is inside. It returns "
        f"{outputs}. Classes: {names}{more}."
    )


def _training(result: Mapping[str, Any]) -> tuple[str, ...]:
    data, request = result["data"], result["request"]
    loss = "" if result["chosen"].get("loss") else f", loss {request['loss']}"
    return (
        f"Data: {result['names']['data']}; {data['labelled']:,} labelled training examples ({data['validation']:,} of "
        f"them chose the settings, then joined the training), {data['unlabelled']:,} unlabelled, {data['test']:,} test "
        "examples.",
        *(str(note) for note in data["notes"]),
        *([result["unlabelled"]] if result.get("unlabelled") else []),
        f"Student: {_settings(result['chosen'])}.",
        f"Baseline, the same student without a teacher: {_settings(result['baseline'])}.",
        f"Both: {request['epochs']} epochs of batches of {request['batch_size']}, {request['optimiser']}, "
        f"{request['schedule']} schedule{loss}; the baseline takes as many steps.",
    )


def _settings(candidate: Candidate) -> str:
    rate = f"learning rate {candidate['learning_rate']:g}"
    if candidate["taught"]:
        loss = f", loss {candidate['loss']}" if candidate.get("loss") else ""
        return f"alpha = {candidate['alpha']:g}, temperature {candidate['temperature']:g}, {rate}{loss}"
    if candidate["alpha"] == 1:
        return f"labels alone, {rate}"
    return f"label smoothing {1 - candidate['alpha']:.3g}, {rate}"
