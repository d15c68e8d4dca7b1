"""A distillation in words and rows: one view for the page, the model card and the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import distillab.report.formatting as fmt
from distillab.metrics.metric import METRICS, Metric
from distillab.report.view.table import KeyFigure, Table

MOST_CLASSES = 20
"""Further class names are left to the result's file."""

CAVEATS = (
    "Settings were chosen on validation examples, for student and baseline alike; the test examples were read once, at "
    "the end.",
    "Intervals over seeds cover the randomness of training on these test examples. McNemar's test covers other test "
    "examples, for the two trained models compared. Neither covers other kinds of data.",
)

ACCURACY = METRICS["accuracy"]

Candidate = Mapping[str, Any]
"""A searched setting: "distilled", "alpha", "temperature", "learning_rate", "loss", its mean validation "score", and
the number of "trainings" behind it."""


@dataclass(frozen=True, kw_only=True)
class DistillationView:
    """A distillation in words and rows; `seeds` and `candidates` are the numbers of its charts.

    `caveat`, `cuts`, `use`, `versions` and `command` are empty where the result does not hold them.
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
    cuts: str
    cost: Table
    use: str
    training: tuple[str, ...]
    caveats: tuple[str, ...]
    versions: str
    command: str
    seeds: Mapping[str, Any] | None
    candidates: Mapping[str, Any]


def distillation_view(result: Mapping[str, Any]) -> DistillationView:
    """Word a finding.

    Args:
        result: the content of `answer.json`.
    """
    names, data, verdict, provenance = result["names"], result["data"], result["verdict"], result.get("provenance", {})
    versions = ", ".join(f"{name} {version}" for name, version in provenance.get("versions", {}).items())
    seeds = fmt.counted(verdict["seeds"], "seed")
    return DistillationView(
        title=f"{names['student']}, distilled from {names['teacher']}",
        lead=f"On {names['data']}: {data['test']:,} test examples.",
        kind=verdict["kind"],
        verdict=verdict_sentence(verdict),
        caveat=_memorised(result["memorised"]),
        key_figures=_key_figures(result),
        quality=_quality(verdict),
        against_teacher=_against_teacher(verdict["against_teacher"]),
        method=_method(result["search"]),
        cuts=f"To keep the time budget: {', '.join(result['search']['cuts'])}." if result["search"]["cuts"] else "",
        cost=_cost(result["costs"]),
        use=_use(data),
        training=_training(result),
        caveats=(*CAVEATS, f"{seeds} each; the shipped student is the first seed's, not the best one's."),
        versions=f"Made with {versions}." if versions else "",
        command=str(provenance.get("command") or ""),
        seeds=_by_seed(verdict),
        candidates=_search(result),
    )


def verdict_sentence(verdict: Mapping[str, Any]) -> str:
    """The verdict in a sentence.

    Args:
        verdict: "kind", "seeds", "gain" by metric, "examples" and, where undecided, "seeds_needed".
    """
    gain, examples, kind = verdict["gain"]["accuracy"], verdict["examples"], verdict["kind"]
    seeds = fmt.counted(verdict["seeds"], "seed")
    start = {
        "supported": "Supported: distillation beats the same student without a teacher by",
        "practically equivalent": "Practically equivalent: student and the same student without a teacher differ by",
        "contradicted": "Contradicted: distillation does not beat the same student without a teacher:",
        "undecided": f"Undecided: {seeds} do not show whether distillation beats the same student without a teacher:",
    }[kind]
    sentence = (
        f"{start} {fmt.difference(ACCURACY, gain['mean'], unit=True)} of test accuracy (95 % interval "
        f"{_interval(ACCURACY, gain, signed=True)}, paired over {seeds}, "
        f"p {fmt.p_value(gain['p'])}); McNemar's exact test of the shipped pair on the test examples: "
        f"{fmt.difference(ACCURACY, examples['difference'])}, p {fmt.p_value(examples['p'])}."
    )
    if kind == "undecided" and verdict.get("seeds_needed"):
        sentence += f" {verdict['seeds_needed']} seeds would probably decide it."
    return sentence


def _interval(metric: Metric, estimate: Mapping[str, float], *, signed: bool = False) -> str:
    return fmt.interval(metric, estimate["low"], estimate["high"], signed=signed)


def _against_teacher(test: Mapping[str, float]) -> str:
    return (
        f"Shipped student against the teacher: {fmt.difference(ACCURACY, test['difference'])} points on the test "
        f"examples (95 % interval {_interval(ACCURACY, test, signed=True)}, McNemar, "
        f"p {fmt.p_value(test['p'])})."
    )


def _key_figures(result: Mapping[str, Any]) -> tuple[KeyFigure, ...]:
    verdict = result["verdict"]
    gain, student, alone = (verdict[who]["accuracy"] for who in ("gain", "student", "baseline"))
    points = f"percentage points; {_interval(ACCURACY, gain, signed=True)}, p {fmt.p_value(gain['p'])}"
    return (
        KeyFigure("verdict", verdict["kind"], f"{verdict['seeds']} seeds, paired"),
        KeyFigure("gain over no teacher", fmt.difference(ACCURACY, gain["mean"]), points),
        KeyFigure("student", fmt.value(ACCURACY, student["mean"]), f"95 % interval {_interval(ACCURACY, student)}"),
        KeyFigure("without a teacher", fmt.value(ACCURACY, alone["mean"]), _interval(ACCURACY, alone)),
        KeyFigure("teacher", fmt.value(ACCURACY, verdict["teacher"]["accuracy"]), _size(result["costs"])),
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
            f"{fmt.value(metric, verdict[who][name]['mean'], unit=False)} ({_interval(metric, verdict[who][name])})"
            for who in ("student", "baseline")
        )
        difference = f"{fmt.difference(metric, gain['mean'])} ({_interval(metric, gain, signed=True)})"
        rows.append((metric.axis, *estimates, difference, fmt.value(metric, verdict["teacher"][name], unit=False)))
    caption = f"Means over {verdict['seeds']} seeds with 95 % intervals; gains are paired by seed."
    return Table("quality", caption, ("metric", "student", "without a teacher", "gain", "teacher"), tuple(rows))


def _memorised(teacher: Mapping[str, float] | None) -> str:
    if teacher is None:
        return ""
    return (
        f"The teacher's accuracy is {teacher['validation']:.1%} on the validation examples and {teacher['test']:.1%} "
        "on the test examples: it has probably learned the validation examples. Predictions for memorised examples "
        "teach little and make a small alpha look better than it is. Keep a validation part from the teacher, or store "
        "out-of-fold predictions (cross-validation)."
    )


def _method(search: Mapping[str, Any]) -> str:
    each = fmt.counted(search["trainings"], "training")
    repeated = (
        f"; the best {search['finalists']} of either kind were trained {search['repeats']} times as often"
        if search["finalists"]
        else ""
    )
    return (
        f"{search['method']} chose the settings by validation {search['metric'].replace('_', ' ')} (ties by "
        f"likelihood): {search['distilled']} candidates with the teacher and {search['baseline']} without, {each} "
        f"each{repeated}."
    )


def _unlabelled(effect: Mapping[str, Any] | None) -> list[str]:
    if effect is None:
        return []
    gain = effect["gain"]
    if gain is None:
        return ["The effect of the unlabelled examples is unknown: a student without them diverged."]
    return [
        f"The {effect['count']:,} unlabelled examples changed the test accuracy by "
        f"{fmt.difference(ACCURACY, gain['mean'])} points (95 % interval "
        f"{_interval(ACCURACY, gain, signed=True)}, p {fmt.p_value(gain['p'])}), compared with "
        "the same student trained on the labelled ones alone in as many steps."
    ]


def _search(result: Mapping[str, Any]) -> dict[str, Any]:
    """The search as the page's chart reads it."""
    metric, chosen = METRICS[result["request"]["metric"]], result["chosen"]
    candidates: list[Candidate] = result["candidates"]
    baselines = [candidate for candidate in candidates if not candidate["distilled"]]
    most = max((candidate["trainings"] for candidate in candidates), default=0)
    return {
        "metric": metric.axis,
        "factor": metric.factor,
        "distilled": [candidate for candidate in candidates if candidate["distilled"]],
        # The largest of many noisy scores is optimistic: the level is the best of those with the most trainings.
        "alone": max((alone["score"] for alone in baselines if alone["trainings"] == most), default=None),
        "chosen": {key: chosen[key] for key in ("alpha", "temperature", "learning_rate")},
    }


def _cost(costs: Mapping[str, Any]) -> Table:
    known = {who: cost for who, cost in costs.items() if cost}

    def latency(cost: Mapping[str, Any], size: str) -> str:
        times = cost["latency"].get(size)
        return f"{1e6 * times['p50']:,.0f} / {1e6 * times['p99']:,.0f} us" if times else fmt.NOTHING

    counts = {"parameters": "parameters", "bytes": "bytes of the .keras file", "flops": "operations for one example"}
    sizes = {"1": "one example, p50 / p99", "64": "64 examples, p50 / p99"}
    rows = (
        *((name, *(f"{cost[key]:,}" for cost in known.values())) for key, name in counts.items()),
        *((name, *(latency(cost, size) for cost in known.values())) for size, name in sizes.items()),
    )
    caption = "Latency is of Keras on JAX, compiled, on the machine that trained."
    return Table("cost", caption, ("", *known), rows)


def _use(data: Mapping[str, Any]) -> str:
    classes = data["class_names"]
    names = ", ".join(f"{number} {name}" for number, name in enumerate(classes[:MOST_CLASSES]))
    more = f", and {len(classes) - MOST_CLASSES} more (answer.json)" if len(classes) > MOST_CLASSES else ""
    gives = data["student_gives"]
    outputs = gives if gives == "probabilities" else "logits (apply softmax for probabilities)"
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
        *_unlabelled(result["unlabelled"]),
        f"Student: {_settings(result['chosen'])}.",
        f"Baseline, the same student without a teacher: {_settings(result['baseline'])}.",
        f"Both: {request['epochs']} epochs of batches of {request['batch_size']}, {request['optimiser']}, "
        f"{request['schedule']} schedule{loss}; the baseline takes as many steps.",
    )


def _settings(candidate: Candidate) -> str:
    rate = f"learning rate {candidate['learning_rate']:g}"
    if candidate["distilled"]:
        loss = f", loss {candidate['loss']}" if candidate.get("loss") else ""
        return f"alpha = {candidate['alpha']:g}, temperature {candidate['temperature']:g}, {rate}{loss}"
    if candidate["alpha"] == 1:
        return f"labels alone, {rate}"
    return f"label smoothing {1 - candidate['alpha']:.3g}, {rate}"
