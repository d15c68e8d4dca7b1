"""The model card: what the student is, what it was made of, how good it is, and what that rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from distillab.distillation.cost import Cost
from distillab.distillation.verdict import p_value
from distillab.metrics.metric import METRICS
from distillab.search.space import Candidate

if TYPE_CHECKING:
    from distillab.distillation.result import Result


def model_card(result: Result) -> str:
    """Word a result as a Markdown page."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    names, data = result.names, result.data
    yield f"# {_plain(names['student'])}, distilled from {_plain(names['teacher'])}"
    yield from ("", f"**{result.verdict.sentence}**", "")
    if result.caveat:
        yield from (f"> {result.caveat}", "")
    yield from _quality(result)
    yield from ("", "## Cost", "")
    yield from _costs(result)
    yield from ("", "## Use", "")
    classes = data["class_names"]
    told = ", ".join(f"{number} {_plain(name)}" for number, name in enumerate(classes[:20]))
    more = f", and {len(classes) - 20} more (`result.json`)" if len(classes) > 20 else ""
    answers = (
        "probabilities" if data["student_gives"] == "probabilities" else "logits; their softmax is its probabilities"
    )
    yield f"`student.keras` reads inputs of shape {tuple(data['input_shape'])} {data['reads']}; its preprocessing is"
    yield f"inside. It gives {answers}. Classes: {told}{more}."
    yield from ("", "    distillab export student.keras --to onnx --out student.onnx", "")
    yield from ("## Training", "")
    yield f"- Data: {_plain(names['data'])}; {data['labelled']:,} labelled training examples ({data['validation']:,}"
    yield f"  of them chose the settings, then were trained on too), {data['unlabelled']:,} unlabelled,"
    yield f"  {data['test']:,} for the test."
    yield from (f"- {_plain(note)}" for note in data["notes"])
    if result.unlabelled:
        yield f"- {result.unlabelled}"
    yield f"- {result.method}"
    yield f"- Student: {_settings(result.chosen)}."
    yield f"- Baseline, the same student without a teacher: {_settings(result.alone)}."
    request = result.request
    loss = "" if result.chosen.loss else f", loss {request.loss}"
    yield (
        f"- Both: {request.epochs} epochs of batches of {request.batch_size}, {request.optimiser}, {request.schedule} "
        f"schedule{loss}; the baseline takes as many steps."
    )
    yield f"- {result.verdict.seeds} seeds each; the one shipped is the first, not the best."
    yield from ("", "## What this rests on", "")
    yield "- Settings were chosen on validation examples, for student and baseline alike."
    yield "  The test examples were read once, at the end."
    yield "- Intervals over seeds cover the randomness of training on these test examples. McNemar's test covers other"
    yield "  test examples, for the two trained models compared. Neither covers data unlike these."
    against = result.verdict.against_teacher
    yield f"- Shipped student against the teacher: {100 * against.difference:+.2f} points on the test examples"
    yield f"  (95 % interval {100 * against.low:+.2f} to {100 * against.high:+.2f}, McNemar, {p_value(against.p)})."
    versions = result.provenance.get("versions", {})
    if versions:
        yield f"- Made with {', '.join(f'{name} {version}' for name, version in versions.items())}."
    if result.provenance.get("command"):
        yield from ("", "```", str(result.provenance["command"]), "```")


def _quality(result: Result) -> Iterator[str]:
    verdict = result.verdict
    yield f"| on {result.data['test']:,} test examples | student | without a teacher | gain | teacher |"
    yield "|---|---|---|---|---|"
    for name in verdict.student:
        measure = METRICS[name]
        cells = [
            f"{measure.bare(one.mean)} ({measure.span(one.low, one.high)})"
            for one in (verdict.student[name], verdict.baseline[name])
        ]
        gain = verdict.gain[name]
        difference = f"{measure.difference(gain.mean)} ({measure.span(gain.low, gain.high, signed=True)})"
        yield f"| {measure.axis} | {' | '.join(cells)} | {difference} | {measure.bare(verdict.teacher[name])} |"
    yield ""
    yield f"Means over {verdict.seeds} seeds with 95 % intervals; gains are paired by seed."


def _costs(result: Result) -> Iterator[str]:
    costs = {who: cost for who, cost in result.costs.items() if cost is not None}
    yield f"| | {' | '.join(costs)} |"
    yield f"|---|{'---|' * len(costs)}"
    rows: dict[str, Callable[[Cost], str]] = {
        "parameters": lambda cost: f"{cost.parameters:,}",
        "bytes of the .keras file": lambda cost: f"{cost.bytes:,}",
        "operations for one example": lambda cost: f"{cost.flops:,}",
        "one example, p50 / p99": lambda cost: _times(cost, 1),
        "64 examples, p50 / p99": lambda cost: _times(cost, 64),
    }
    for label, cell in rows.items():
        yield f"| {label} | {' | '.join(cell(cost) for cost in costs.values())} |"
    yield ""
    yield "Times are of Keras on JAX, compiled, on this machine."


def _times(cost: Cost, size: int) -> str:
    times = cost.latency[size]
    return f"{1e6 * times.p50:,.0f} / {1e6 * times.p99:,.0f} us"


def _settings(one: Candidate) -> str:
    rate = f"learning rate {one.learning_rate:g}"
    if one.taught:
        loss = f", loss {one.loss}" if one.loss else ""
        return f"alpha = {one.alpha:g}, temperature {one.temperature:g}, {rate}{loss}"
    return f"labels smoothed by {1 - one.alpha:.3g}, {rate}" if one.alpha < 1 else f"labels alone, {rate}"


def _plain(text: str) -> str:
    """A name that may hold anything, for Markdown."""
    return "".join("\\" + letter if letter in "\\`*_{}[]<>#|!" else letter for letter in " ".join(str(text).split()))
