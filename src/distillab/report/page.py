"""The report of a study as one self-contained HTML page: the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from distillab.analysis import Finding, SettingResult, prediction
from distillab.analysis.advice import advice, caveats, circumstances
from distillab.analysis.denoising import in_a_sentence
from distillab.analysis.movement import cells, headings, movement
from distillab.analysis.numerals import alphas_in_words, counted, p_value
from distillab.analysis.sentences import sentences
from distillab.analysis.text import ACROSS_NOTE, WRONG_LABELS, columns
from distillab.metrics.metric import NOTHING
from distillab.report.results import Results
from distillab.report.shell import chart, controls, document, items, key_figures, paragraph, select, table

METHOD = (
    "At one seed every alpha starts from the same weights and sees the same batches and the same labels: alpha is the "
    "only difference, and differences are taken seed by seed.",
    "Alpha is chosen on the validation split of the training data; the test set is read once, at the end.",
    "Intervals are Student's t at 95 %. Tests are paired t tests; where many alphas are compared, p is adjusted after "
    "Holm. The verdict adjusts over the alphas between 0 and 1, the table over all it shows.",
    "The optimal range is the 95 % model confidence set (Hansen, Lunde and Nason 2011) with sign flips.",
)
IN_FULL = 3
"""Settings whose answer stands in full at the top; those of larger studies are folded."""


def page(results: Results, answer: Finding, payload: Mapping[str, Any]) -> str:
    """Write the report of a study, finished, half-finished or empty.

    Args:
        results: what the folder holds.
        answer: what it says.
        payload: the numbers of its charts, as `study_payload` gathers them.

    Returns:
        The page; nothing in it is fetched from elsewhere.
    """
    alone = len(answer.findings) == 1
    sections = [
        ("answer", "Answer", _answer(answer)),
        ("accuracy", f"{_capital(answer.measure.label)} against alpha", _accuracy(answer, alone=alone)),
        ("differences", "Paired differences", _differences()),
        ("across", "Along the axes", _across(answer) if answer.across else ""),
        ("denoising", "Wrong labels", _denoising(answer) if answer.denoising else ""),
        ("classes", "Class by class", _classes(payload)),
        ("learning", "Learning curves", _learning()),
        ("calibration", "Calibration and agreement", _calibration(payload)),
        ("examples", "Dark knowledge, example by example", _gallery(payload)),
        ("predicted", "Predicted alpha", _predicted(answer) if answer.predicted else ""),
        ("tables", "Every alpha", _tables(answer)),
        ("cost", "Cost", _cost(results)),
        ("method", "Method", items([*METHOD])),
        ("caveats", "What this rests on", items(caveats(answer))),
    ]
    return document(
        answer.question,
        paragraph(_state(answer), "soft"),
        sections,
        _provenance(results),
        payload,
        script="page.js",
    )


def _state(answer: Finding) -> str:
    done = answer.students - answer.missing
    told = f"{done:,} of {counted(answer.students, 'student')} recorded, {counted(answer.seeds, 'seed')} asked for."
    if answer.missing:
        told += f" The study is not finished: {answer.missing:,} missing."
    return told


def _answer(answer: Finding) -> str:
    findings = answer.findings
    if len(findings) == 1:
        return _figures_of(answer, findings[0]) + _in_full(answer, findings[0])
    overview = table(
        "answers by setting",
        "What each setting shows; alpha is chosen on the validation data, the difference is to labels alone.",
        OVERVIEW,
        (overview_row(answer, finding) for finding in findings),
        words=2,
    )
    blocks = [
        f"<details{' open' if len(findings) <= IN_FULL else ''}><summary>{escape(finding.label)}: "
        f"{escape(finding.kind)}</summary>{_in_full(answer, finding)}</details>"
        for finding in findings
    ]
    return overview + "\n".join(blocks)


OVERVIEW = ("setting", "verdict", "alpha", "test", "interval", "to labels alone", "interval", "optimal range")


def overview_row(answer: Finding, finding: SettingResult) -> tuple[str, ...]:
    """A setting in a row of cells, under `OVERVIEW`."""
    measure, best = answer.measure, finding.best
    gain = best.over_labels if best else None
    return (
        finding.label or "all",
        finding.kind,
        f"{best.alpha:g}" if best else NOTHING,
        measure.value(best.test) if best else NOTHING,
        measure.span(best.low, best.high) if best else NOTHING,
        measure.difference(gain.difference) if gain else NOTHING,
        measure.span(gain.low, gain.high, signed=True) if gain else NOTHING,
        _range(finding),
    )


def _range(finding: SettingResult) -> str:
    if not finding.optimal_range:
        return NOTHING
    return alphas_in_words(finding.optimal_range, [row.alpha for row in finding.rows])


def _figures_of(answer: Finding, finding: SettingResult) -> str:
    measure, best = answer.measure, finding.best
    gain = best.over_labels if best else None
    shown: list[tuple[str, str, str, str]] = [
        ("verdict", finding.kind, "on: some alpha between 0 and 1 beats labels alone", "verdict")
    ]
    if best:
        interval = measure.span(best.low, best.high)
        shown.append(("chosen alpha", f"{best.alpha:g}", "on the validation data", ""))
        shown.append((f"test {measure.label}", measure.value(best.test), f"95 % interval {interval}", ""))
    if gain:
        told = f"{measure.difference_unit}; {measure.span(gain.low, gain.high, signed=True)}, p {p_value(gain.p)}"
        shown.append(("over labels alone", measure.difference(gain.difference), told.lstrip("; "), ""))
    if finding.optimal_range:
        shown.append(("optimal range", _range(finding), "alphas not shown to be worse than the best", ""))
    return key_figures(shown, f"kind-{finding.kind.replace(' ', '-')}")


def _in_full(answer: Finding, finding: SettingResult) -> str:
    told = "\n".join(paragraph(sentence) for sentence in sentences(answer, finding))
    facts = circumstances(finding)
    if finding.teacher is not None:
        facts += f" The teacher's test {answer.measure.label} is {answer.measure.value(finding.teacher)}."
    todo = advice(answer, finding)
    more = f"<h3>What to do</h3>{items(todo)}" if todo else ""
    return f'<div class="answer">\n{told}\n</div>\n{paragraph(facts, "soft")}{more}'


def _check(identity: str, label: str) -> str:
    return f'<label><input type="checkbox" id="{identity}" checked autocomplete="off"> {escape(label)}</label>'


def _accuracy(answer: Finding, *, alone: bool) -> str:
    setting = f"<div{' hidden' if alone else ''}>{select('setting', 'Setting')}</div>"
    return (
        controls(setting, select("metric", "Metric"), _check("dots", "single students"), _check("band", "interval"))
        + chart("metric", f"The students' test {answer.measure.label} against alpha; the tables below hold the numbers")
        + '<ul class="levels" id="levels" aria-label="What the chart shows"></ul>'
        + paragraph(
            "The setting chosen here is the one of all sections below. Point at an alpha for its numbers."
            if not alone
            else "Point at an alpha for its numbers.",
            "soft",
        )
    )


def _differences() -> str:
    to = (("labels", "labels alone (alpha = 1)"), ("teacher", "the teacher alone (alpha = 0)"))
    return (
        controls(select("against", "Compared with", to))
        + chart("differences", "Differences to the reference at each alpha with 95 % intervals")
        + '<p class="soft" id="no-differences" hidden>There is nothing to compare: the study lacks that alpha, or no '
        "seed has all its students yet.</p>"
        + paragraph(
            "Means of the differences within seeds, with 95 % intervals. Filled: p after Holm at most 0.05. Green: the "
            "optimal range.",
            "soft",
        )
    )


def _across(answer: Finding) -> str:
    """How the answer moves along an axis: the charts, then sentences and a table for each setting of the others."""
    blocks = []
    for one in answer.across:
        title = f"The {one.name}{f', {one.among}' if one.among else ''}"
        told = "\n".join(paragraph(sentence) for sentence in movement(one, answer.measure))
        numbers = table(title, ACROSS_NOTE, headings(one, answer.measure), cells(one, answer.measure))
        blocks.append(f"<h3>{escape(title)}</h3>{told}\n{numbers}")
    hidden = "" if len(answer.across) > 1 else " hidden"
    name = answer.across[0].name
    return (
        controls(f"<div{hidden}>{select('group', 'Among')}</div>")
        + chart(
            "surface",
            f"The test result over alpha and the {name}",
            "Means over the seeds; yellow: the best of the row; the darker, the further from it; framed: the alpha "
            "chosen on the validation data.",
        )
        + '<div class="pair">'
        + chart(
            "chosen",
            f"The chosen alpha along the {name}",
            "The chosen alpha, and the middle 95 % of those chosen when seeds are drawn again; green: optimal range.",
        )
        + chart("gain", f"What the chosen alpha gains along the {name}", "Paired by seed, with 95 % intervals.")
        + "</div>"
        + "\n".join(blocks)
    )


def _denoising(answer: Finding) -> str:
    told = [f"{one.label or 'All settings'}: {in_a_sentence(one)}" for one in answer.denoising]
    return (
        '<div id="wrong-labels-of-setting">'
        + chart("denoising", "Shares of wrong labels recovered and memorised")
        + "</div>"
        + paragraph(f"{WRONG_LABELS}:")
        + items(told)
    )


def _classes(payload: Mapping[str, Any]) -> str:
    if not any(one["confusion"] for one in payload["settings"]):
        return ""
    head = ("class", "precision %", "recall %", "F1 %")
    heads = "".join(f'<th scope="col">{name}</th>' for name in head)
    return (
        controls(select("alpha", "At"))
        + '<p class="soft" id="no-classes" hidden>No answers of this setting are kept here.</p>'
        + '<div class="pair" id="classes-of-setting">'
        + chart(
            "confusion",
            "Confusion matrix of the test answers, all seeds together",
            "Percent of each class's test examples, all seeds.",
        )
        + '<div class="scroll" tabindex="0" role="region" aria-label="Table: scores of the classes"><table>'
        + "<caption>Mean over the seeds at the alpha chosen above.</caption>"
        + f'<thead><tr>{heads}</tr></thead><tbody id="class-scores"></tbody></table></div></div>'
    )


def _learning() -> str:
    which = (("validation_accuracy", "validation accuracy"), ("loss", "training loss"))
    return (
        controls(select("curve", "Shown", which))
        + chart("learning", "Learning curves, a line for each alpha")
        + paragraph("Means over the seeds, diverged students left out.", "soft")
    )


def _calibration(payload: Mapping[str, Any]) -> str:
    kept = any(one["reliability"] for one in payload["settings"])
    if not kept and not {"agreement", "ece"} & set(payload["measures"]):
        return ""
    missing = "" if kept else paragraph("The reliability of answers was not recorded when this study was run.", "soft")
    return (
        missing
        + '<div class="pair">'
        + chart(
            "reliability",
            "Reliability diagram: share of right test answers against confidence",
            "Test answers of all seeds in bins of confidence; below the diagonal they are surer than they are right.",
        )
        + "<div>"
        + chart("agreement", "Agreement with the teacher against alpha")
        + chart("ece", "Calibration error against alpha")
        + "</div></div>"
    )


def _gallery(payload: Mapping[str, Any]) -> str:
    if not any(one["gallery"] for one in payload["settings"]):
        return ""
    return (
        paragraph(
            "Training examples, drawn at random when the study was run, and what teacher and students answer. A "
            "softened answer tells which classes the teacher finds alike: that is what a student learns from it "
            "besides the label. Green: the clean label; orange: a wrong label that was given; *: the chosen alpha."
        )
        + controls(
            '<label>Temperature <input type="range" id="temperature" min="0.5" max="20" step="0.5" value="3" '
            'autocomplete="off"></label> <output for="temperature" id="temperature-told"></output>',
            identity="gallery-controls",
        )
        + '<p class="soft" id="no-gallery" hidden>No examples of this setting are kept here.</p>'
        + '<div id="gallery"></div>'
    )


def _predicted(answer: Finding) -> str:
    rows = [prediction.cells(one, answer.measure) for one in answer.predicted]
    shown = "Squared error to the validation labels against alpha: predicted from both ends, and measured"
    return (
        f'<div id="predicted-of-setting">{chart("predicted", shown)}</div>'
        + paragraph(f"{shown}; dots: mean over the seeds with 95 % t intervals.", "soft")
        + table("alpha predicted from both ends", prediction.NOTE, prediction.HEADINGS, rows)
    )


def _tables(answer: Finding) -> str:
    told = [_table(answer, finding) for finding in answer.findings]
    if len(told) == 1:
        return told[0]
    return "\n".join(
        f"<details{' open' if len(told) <= IN_FULL else ''}><summary>{escape(finding.label)}</summary>{one}</details>"
        for finding, one in zip(answer.findings, told, strict=True)
    )


def _table(answer: Finding, finding: SettingResult) -> str:
    shown = columns(answer, finding)
    head = "".join(f'<th scope="col">{escape(name.strip())}</th>' for name in shown)
    best = finding.best.alpha if finding.best else None
    body = []
    for row in finding.rows:
        first, *rest = (cell(row) for cell in shown.values())
        told = "".join(
            f'<td class="in">{escape(text)}</td>' if name == "range" and row.in_range else f"<td>{escape(text)}</td>"
            for name, text in zip(list(shown)[1:], rest, strict=True)
        )
        opened = '<tr class="chosen">' if row.alpha == best else "<tr>"
        body.append(f'{opened}<th scope="row">{escape(first)}</th>{told}</tr>')
    unit = f" in {answer.measure.difference_unit}" if answer.measure.difference_unit else ""
    caption = (
        f"Test {answer.measure.label}, mean of n seeds. Differences to alpha = 1 and to alpha = 0{unit}, seed by seed, "
        "with 95 % intervals and p after Holm. Range: in the optimal range. The alpha chosen on the validation data is "
        "set off."
    )
    title = f"{escape(finding.label)}: " if finding.label else ""
    rows = "\n".join(body)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table of alphas {escape(finding.label)}"><table>'
        f"<caption>{title}{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _cost(results: Results) -> str:
    seconds, examples = results.cost
    trained = len(results.trials)
    if not trained or not seconds:
        return ""
    machine = results.runs[-1].get("machine", {}) if results.runs else {}
    devices = machine.get("devices")
    where = f"{devices} {machine.get('platform')} device{'s' * (devices != 1)}" if devices else "unknown"
    shown = [
        ("training of students", _duration(seconds), f"{counted(trained, 'student')}, compilation included", ""),
        ("students per second", f"{trained / seconds:.3g}", f"{seconds / trained:.2f} s a student", ""),
        ("training examples shown", f"{examples:,}", f"{examples / seconds:,.0f} a second", ""),
        ("devices", where, f"{machine.get('cores', '?')} cores, {machine.get('processor', 'processor unknown')}", ""),
    ]
    return key_figures(shown)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _provenance(results: Results) -> str:
    facts: list[tuple[str, str]] = []
    runs = results.runs
    if runs:
        last = runs[-1]
        facts += [(key, value) for key, value in _flat(last) if key not in ("started", "finished", "command")]
        ended = f"{last.get('started')} to {last.get('finished')}"
        begun = f"begun {last.get('started')}, not to its end"
        facts.append(("last run", ended if last.get("finished") else begun))
    facts.append(("runs", f"{len(runs)}"))
    told = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts)
    command = str(runs[-1].get("command") or "") if runs else ""
    again = f"<p>To reproduce: <code>{escape(command)}</code></p>" if command else ""
    return (
        f'<section aria-labelledby="provenance"><h2 id="provenance">Provenance</h2>{again}<dl class="facts">{told}</dl>'
        f"<details><summary>The study, in full</summary><pre>{escape(results.spec.to_yaml())}</pre></details></section>"
    )


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield prefix + str(key), "unknown" if value is None else str(value)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
