"""A distillation in words and rows: one view for the page, the model card and the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import distillab.report.formatting as fmt
from distillab.metrics.metric import METRICS, Metric, metric_named
from distillab.report.view.setting import wrong_share
from distillab.report.view.table import KeyFigure, Table
from distillab.stats import Interval
from distillab.study.clean_labels import looks_wrong
from distillab.tasks import Task, task_named
from distillab.tasks.several import SCORES, from_described, part_of_metric

MOST_CLASSES = 20
"""Further class names are left to the result's file."""

TIES = {"nll": "likelihood", "rmse": "squared error", "loss": "the outputs' mean loss"}
"""What settles ties, by the metric."""

CAVEATS = (
    "Settings were chosen on validation examples, for student and baseline alike; the test examples were read once, at "
    "the end.",
    "The verdict and its interval cover both kinds of chance: other seeds of the training, and other test examples. "
    "Intervals over seeds cover the randomness of training on these test examples. Neither covers other kinds of data.",
)

Candidate = Mapping[str, Any]
"""A searched setting: "distilled", "alpha", "temperature", "learning_rate", "loss", its mean validation "score", and
the number of "trainings" behind it."""


@dataclass(frozen=True, kw_only=True)
class DistillationView:
    """A distillation in words and rows; `seeds` and `candidates` are the numbers of its charts.

    `caveat`, `cuts`, `use`, `versions` and `command` are empty where the result does not hold them. `labels` has a row
    for each of several labels, `detail` what charts draw of the test predictions, by model, and `classes` their names.
    """

    title: str
    lead: str
    kind: str
    verdict: str
    caveat: str
    key_figures: tuple[KeyFigure, ...]
    metric: Metric
    quality: Table
    labels: Table | None
    detail: Mapping[str, Any]
    classes: tuple[str, ...]
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
        caveat=" ".join(
            filter(None, (_memorised(result["memorised"], _task(result)), _wrong_labels(result["search"])))
        ),
        key_figures=_key_figures(result),
        metric=_metric(verdict),
        quality=_quality(verdict, _task(result)),
        labels=_labels(result),
        detail={MODELS[who]: of for who, of in result.get("detail", {}).items()},
        classes=tuple(data["class_names"]),
        against_teacher=_against_teacher(verdict),
        method=_method(result["search"], _task(result)),
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


MODELS = {"student": "student", "baseline": "without a teacher", "teacher": "teacher"}
"""By the finding's word for a model, the page's."""


def _metric(verdict: Mapping[str, Any]) -> Metric:
    """What the verdict is about."""
    return metric_named(verdict.get("metric", "accuracy"))


def _task(result: Mapping[str, Any]) -> Task:
    outputs = result["data"].get("outputs")
    return from_described(outputs) if outputs else task_named(result["data"].get("task", "categorical"))


def verdict_sentence(verdict: Mapping[str, Any]) -> str:
    """The verdict in a sentence.

    Args:
        verdict: "metric", "kind", "seeds", "test_examples", "over_both" and, where undecided, "seeds_needed" and
            "examples_needed".
    """
    metric, kind, gain = _metric(verdict), verdict["kind"], verdict["over_both"]["gain"]
    shown = f"{fmt.counted(verdict['seeds'], 'seed')} and {fmt.counted(verdict['test_examples'], 'test example')}"
    start = {
        "supported": "Supported: distillation beats the same student without a teacher by",
        "practically equivalent": "Practically equivalent: student and the same student without a teacher differ by",
        "contradicted": "Contradicted: distillation does not beat the same student without a teacher:",
        "undecided": f"Undecided: {shown} do not show whether distillation beats the same student without a teacher:",
    }[kind]
    change = f"{fmt.difference(metric, gain['mean'], unit=True)} of test {metric.label}"
    if metric.lower_is_better:  # "beats by -0.5" would read like a loss
        start = start.replace(" differ by", " hardly differ:").replace(" by", ":")
        way = "lower" if gain["mean"] < 0 else "higher"
        change = f"the student's test {metric.label} is {fmt.amount(metric, gain['mean'])} {way}"
    by = "" if kind == "undecided" else f"; {shown}"
    return f"{start} {change} ({_over_both(metric, gain)}{by}).{_needed(verdict)}"


def _over_both(metric: Metric, gain: Mapping[str, Any]) -> str:
    """The interval with what it covers, and p."""
    if not math.isfinite(gain["low"]):
        return "no interval: nothing is known of other test examples"
    covers = "other seeds and other test examples" if gain["seeds"] > 1 else "other test examples alone"
    return f"95 % interval for {covers} {_interval(metric, gain, signed=True)}, p {fmt.p_value(gain['p'])}"


def _needed(verdict: Mapping[str, Any]) -> str:
    """What would probably decide an undecided comparison."""
    seeds, examples = verdict["seeds_needed"], verdict["examples_needed"]
    ways = [f"{seeds:,} seeds on these test examples"] if seeds else []
    ways += [f"{examples:,} test examples with these seeds"] if examples else []
    if verdict["kind"] != "undecided" or not ways:
        return ""
    return f" If the differences stay as they are, {' or '.join(ways)} would probably decide it."


def _interval(metric: Metric, estimate: Mapping[str, float], *, signed: bool = False) -> str:
    return fmt.interval(metric, estimate["low"], estimate["high"], signed=signed)


def _against_teacher(verdict: Mapping[str, Any]) -> str:
    metric, found = _metric(verdict), verdict["over_both"]["against_teacher"]
    unit = "points" if metric.unit == "%" else f"of {metric.label}"
    return (
        f"The student against the teacher: {fmt.difference(metric, found['mean'])} {unit} on the test examples "
        f"({_over_both(metric, found)})."
    )


def _key_figures(result: Mapping[str, Any]) -> tuple[KeyFigure, ...]:
    verdict, metric = result["verdict"], _metric(result["verdict"])
    gain, student, alone = (verdict["over_both"][who] for who in ("gain", "student", "baseline"))
    shown = f"{fmt.counted(verdict['seeds'], 'seed')}, {fmt.counted(verdict['test_examples'], 'test example')}"
    unit = metric.difference_unit or f"of {metric.label}"
    better = ", lower is better" if metric.lower_is_better else ""
    points = f"{unit}{better}; {_interval(metric, gain, signed=True)}, p {fmt.p_value(gain['p'])}"
    return (
        KeyFigure("verdict", verdict["kind"], shown),
        KeyFigure("gain over no teacher", fmt.difference(metric, gain["mean"]), points),
        KeyFigure("student", fmt.value(metric, student["mean"]), f"95 % interval {_interval(metric, student)}"),
        KeyFigure("without a teacher", fmt.value(metric, alone["mean"]), _interval(metric, alone)),
        KeyFigure("teacher", fmt.value(metric, verdict["teacher"][metric.name]), _size(result["costs"])),
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
    name = _metric(verdict).name
    return {**{who: values[who][name] for who in ("student", "baseline")}, "teacher": verdict["teacher"][name]}


def _quality(verdict: Mapping[str, Any], of_outputs: Task) -> Table:
    """Every metric of every model; of several outputs, with the output that it is of."""
    rows, task = [], of_outputs if of_outputs.parts else None
    for name in verdict["student"]:
        metric, gain = metric_named(name), verdict["gain"][name]
        estimates = (
            f"{fmt.value(metric, verdict[who][name]['mean'], unit=False)} ({_interval(metric, verdict[who][name])})"
            for who in ("student", "baseline")
        )
        difference = f"{fmt.difference(metric, gain['mean'])} ({_interval(metric, gain, signed=True)})"
        cells = (*estimates, difference, fmt.value(metric, verdict["teacher"][name], unit=False))
        found = None if task is None else part_of_metric(task, name)
        of = () if task is None else ("all" if found is None else found[0].name,)
        rows.append((*of, (metric if found is None else metric_named(found[1])).axis, *cells))
    caption = f"Means over {verdict['seeds']} seeds with 95 % intervals; gains are paired by seed."
    if task is not None:
        scores = ", ".join(f"{metric_named(SCORES[part.task.name]).label} of {part.name}" for part in task.parts)
        caption += f" The score is the weighted mean of {scores}."
    head = ("metric", "student", "without a teacher", "gain", "teacher")
    if task is None:
        return Table("quality", caption, head, tuple(rows))
    return Table("quality", caption, ("output", *head), tuple(rows), words=2)


def _labels(result: Mapping[str, Any]) -> Table | None:
    """A row for each label, where an example has several: the shipped student beside the teacher."""
    rows = {who: of.get("labels") for who, of in result.get("detail", {}).items()}
    student, teacher = rows.get("student"), rows.get("teacher")
    if not student or not teacher:
        return None
    names = result["data"]["class_names"]

    def cell(of: Mapping[str, Any], key: str) -> str:
        return fmt.NOTHING if of[key] is None else f"{100 * of[key]:.1f}"

    keys = ("average_precision", "auroc", "f1")
    cells = tuple(
        (names[one["label"]], f"{one['positives']:,}", *(cell(of, key) for key in keys for of in (one, other)))
        for one, other in zip(student, teacher, strict=True)
    )
    heads = [f"{METRICS[key].label}, {who}" for key in keys for who in ("student", "teacher")]
    caption = "The shipped student and the teacher on the test examples, label by label, in per cent."
    return Table("labels", caption, ("label", "positives", *heads), cells)


def _memorised(teacher: Mapping[str, float] | None, task: Task) -> str:
    if teacher is None:
        return ""
    score = "score" if task.parts else "accuracy" if task.discrete else "share of explained variance"
    return (
        f"The teacher's {score} is {teacher['validation']:.1%} on the validation examples and {teacher['test']:.1%} "
        "on the test examples: it has probably learned the validation examples. Predictions for memorised examples "
        "teach little and make a small alpha look better than it is. Keep a validation part from the teacher, or store "
        "out-of-fold predictions (cross-validation)."
    )


def _wrong_labels(search: Mapping[str, Any]) -> str:
    """How many validation labels look wrong; empty where they look right, or a finding does not say."""
    share = search.get("wrong_labels")
    if share is None or not looks_wrong(Interval(**share)):
        return ""
    start = f"About {wrong_share(Interval(**share))} of the validation labels look wrong"
    if search["choose"] == "robust":
        return f"{start}; the settings were chosen by the likely clean ones."
    return (
        f"{start}: chosen by the metric on them, settings that learn wrong labels look better. Choose by the likely "
        "clean ones with --choose robust."
    )


def _method(search: Mapping[str, Any], task: Task) -> str:
    each = fmt.counted(search["trainings"], "training")
    finalists = min(search["finalists"], max(search["distilled"], search["baseline"]))
    best = "the best of either kind was" if finalists == 1 else f"the best {finalists} of either kind were"
    repeated = f"; {best} trained {search['repeats']} times as often" if finalists else ""
    metric = metric_named(search["metric"]).label
    by = "the likely clean validation labels" if search.get("choose") == "robust" else f"validation {metric}"
    return (
        f"{search['method']} chose the settings by {by} (ties by "
        f"{TIES[task.tie]}): {fmt.counted(search['distilled'], 'candidate')} with "
        f"the teacher and {search['baseline']} without, {each} each{repeated}."
    )


def _unlabelled(effect: Mapping[str, Any] | None, metric: Metric) -> list[str]:
    if effect is None:
        return []
    gain = effect["gain"]
    if gain is None:
        return ["The effect of the unlabelled examples is unknown: a student without them diverged."]
    return [
        f"The {effect['count']:,} unlabelled examples changed the test {metric.label} by "
        f"{fmt.difference(metric, gain['mean'])}{' points' if metric.unit == '%' else ''} (95 % interval "
        f"{_interval(metric, gain, signed=True)}, p {fmt.p_value(gain['p'])}), compared with "
        "the same student trained on the labelled ones alone in as many steps."
    ]


def _search(result: Mapping[str, Any]) -> dict[str, Any]:
    """The search as the page's chart reads it."""
    metric, chosen = metric_named(result["search"]["metric"]), result["chosen"]
    candidates: list[Candidate] = result["candidates"]
    baselines = [candidate for candidate in candidates if not candidate["distilled"]]
    most = max((candidate["trainings"] for candidate in candidates), default=0)
    return {
        "metric": metric.axis,
        "factor": metric.factor,
        "sign": metric.sign,
        "colour": "temperature" if _task(result).softens else "learning rate",
        "distilled": [candidate for candidate in candidates if candidate["distilled"]],
        # The largest of many noisy scores is optimistic: the level is the best of those with the most trainings.
        "alone": max(
            (alone["score"] for alone in baselines if alone["trainings"] == most),
            key=lambda score: metric.sign * score,
            default=None,
        ),
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
    if data.get("outputs"):
        return _use_of_several(data)
    classes = data["class_names"]
    names = ", ".join(f"{number} {name}" for number, name in enumerate(classes[:MOST_CLASSES]))
    more = f", and {len(classes) - MOST_CLASSES} more (answer.json)" if len(classes) > MOST_CLASSES else ""
    return (
        f"reads {_inputs(data)}; its preprocessing is inside. It returns {_outputs(data)}. "
        f"{_NAMED[data.get('task', 'categorical')]}: {names}{more}."
    )


def _use_of_several(data: Mapping[str, Any]) -> str:
    described = []
    for output in data["outputs"]:
        width = task_named(output["task"]).outputs(len(output["class_names"]))
        of = {**output, "student_gives": output["gives"] or "logits", "output_shape": (width,)}
        names = ", ".join(map(str, output["class_names"][:MOST_CLASSES]))
        classes = f" ({_NAMED[output['task']].lower()}: {names})" if output["task"] != "regression" else ""
        described.append(f"{output['name']}: {_outputs(of)}{classes}")
    return (
        f"reads {_inputs(data)}; its preprocessing is inside. It returns "
        f"{len(described)} outputs. {'; '.join(described)}."
    )


def _inputs(data: Mapping[str, Any]) -> str:
    """What the student is given."""
    several = data.get("inputs", {})
    if len(several) > 1:
        shown = ", ".join(f"{name} ({one['kind']}, {tuple(one['shape'])})" for name, one in several.items())
        return f"a dictionary of inputs: {shown}"
    what = "token ids" if any(one["kind"] == "tokens" for one in several.values()) else "inputs"
    how = data["reads"] if data["reads"].startswith(",") else f" {data['reads']}"
    return f"{what} of shape {tuple(data['input_shape'])}{how}"


_NAMED = {"categorical": "Classes", "binary": "Classes", "multilabel": "Labels", "regression": "Numbers"}


def _outputs(data: Mapping[str, Any]) -> str:
    """What the student returns, and how to read it."""
    task, gives = task_named(data.get("task", "categorical")), data["student_gives"]
    if not task.softens:
        return "real numbers in the labels' unit"
    outputs = gives if gives == "probabilities" else f"logits (apply {task.activation} for probabilities)"
    if task.name == "binary":
        outputs = f"the {outputs.replace('probabilities', 'probability', 1)}" if gives == "probabilities" else outputs
        outputs += f" of {data['class_names'][1]!r}"
    elif task.name == "multilabel":
        outputs += ", one for each label"
    if len(data.get("output_shape", ())) > 1:
        outputs += f", at every position: shape {tuple(data['output_shape'])}"
        outputs += "; the class is their argmax over the last axis" if task.name == "categorical" else ""
    return outputs


def _training(result: Mapping[str, Any]) -> tuple[str, ...]:
    data, request = result["data"], result["request"]
    loss = "" if result["chosen"].get("loss") else f", loss {request['loss']}"
    task = _task(result)
    loss += " (or the default of an output's task)" if loss and task.parts else ""
    if request.get("label_loss") not in (None, "cross_entropy"):
        loss += f", label loss {request['label_loss']}"
    return (
        f"Data: {result['names']['data']}; {data['labelled']:,} labelled training examples ({data['validation']:,} of "
        f"them chose the settings, then joined the training), {data['unlabelled']:,} unlabelled, {data['test']:,} test "
        "examples.",
        *(str(note) for note in data["notes"]),
        *_weights_of_outputs(data),
        *_unlabelled(result["unlabelled"], _metric(result["verdict"])),
        f"Student: {_settings(result['chosen'], task)}.",
        *_start(result.get("start")),
        f"Baseline, the same student without a teacher: {_settings(result['baseline'], task)}.",
        f"Both: {request['epochs']} epochs of batches of {request['batch_size']}, {request['optimiser']}, "
        f"{request['schedule']} schedule{loss}; the baseline takes as many steps.",
    )


def _weights_of_outputs(data: Mapping[str, Any]) -> list[str]:
    """Weights and alphas that were stated for some of several outputs."""
    stated = [
        f"{output['name']} has weight {output['weight']:g}"
        + ("" if output["alpha"] is None else f" and its own alpha = {output['alpha']:g}")
        for output in data.get("outputs", ())
        if output["weight"] != 1 or output["alpha"] is not None
    ]
    return [f"Outputs: {'; '.join(stated)}; the alpha below is that of the others."] if stated else []


def _start(start: Mapping[str, Any] | None) -> list[str]:
    """What the student's weights start from, where not all of them are drawn anew."""
    if not start or not (start["warm"] or start["kept"]):
        return []
    if start["warm"]:
        return ["All weights of the student start as given (warm start), for every seed."]
    numbers = f"{fmt.counted(start['numbers'], 'number')}, in frozen layers or adapted statistics"
    kept = f"The student keeps {fmt.counted(start['kept'], 'weight array')} as given ({numbers})"
    return [f"{kept} and draws {start['drawn']:,} anew for each seed."]


def _settings(candidate: Candidate, task: Task) -> str:
    rate = f"learning rate {candidate['learning_rate']:g}"
    if candidate["distilled"]:
        loss = f", loss {candidate['loss']}" if candidate.get("loss") else ""
        temperature = f", temperature {candidate['temperature']:g}" if task.softens else ""
        return f"alpha = {candidate['alpha']:g}{temperature}, {rate}{loss}"
    if candidate["alpha"] == 1:
        return f"labels alone, {rate}"
    smoothing = "label smoothing" if task.softens else "pull towards the labels' mean"
    return f"{smoothing} {1 - candidate['alpha']:.3g}, {rate}"
