"""The report as one self-contained HTML page: the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from distillab.analysis import Answer, Finding, prediction
from distillab.analysis.advice import advice, caveats, circumstances
from distillab.analysis.denoising import in_a_sentence
from distillab.analysis.movement import cells, headings, movement
from distillab.analysis.numerals import counted
from distillab.analysis.sentences import sentences
from distillab.analysis.text import ACROSS_NOTE, WRONG_LABELS, columns
from distillab.report.inline import inline_svg
from distillab.report.style import CSS
from distillab.study.spec import Spec

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

METHOD = (
    "At one seed every alpha starts from the same weights and sees the same batches and the same labels: alpha is the "
    "only difference, and differences are taken seed by seed.",
    "Alpha is chosen on the validation split of the training data; the test set is read once, at the end.",
    "Intervals are Student's t at 95 %. Tests are paired t tests; where many alphas are compared, p is adjusted after "
    "Holm. The verdict adjusts over the alphas between 0 and 1, the table over all it shows.",
    "The optimal range is the 95 % model confidence set (Hansen, Lunde and Nason 2011) with sign flips.",
)


def page(
    spec: Spec, answer: Answer, figures: Mapping[str, str], runs: Sequence[Mapping[str, Any]], cost: tuple[float, int]
) -> str:
    """Write the report of a study, finished, half-finished or empty.

    Args:
        spec: the study.
        answer: what it says.
        figures: "accuracy_vs_alpha", "learning_curves" and, where there are such, "alpha_across", "denoising" and
            "predicted", each as the text of an SVG file.
        runs: the store's runs, first to last.
        cost: seconds of training, and training examples shown to students.

    Returns:
        The page; nothing in it is fetched from elsewhere.
    """
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(answer.question)}</title>",
        f"<style>\n{CSS}\n</style>",
        "</head>",
        "<body>",
        f"<header><h1>{escape(answer.question)}</h1>{_paragraph(_state(answer), 'soft')}</header>",
        "<main>",
        _section("answer", "Answer", _answer(answer)),
        _section("figures", "Figures", _figures(answer, figures)),
        *([_section("across", "Along the axes", _across(answer, figures))] if answer.across else []),
        *([_section("denoising", "Wrong labels", _denoising(answer, figures))] if answer.denoising else []),
        *([_section("predicted", "Predicted alpha", _predicted(answer, figures))] if answer.predicted else []),
        _section("tables", "Every alpha", "\n".join(_table(answer, finding) for finding in answer.findings)),
        _section("method", "Method", _items([*METHOD])),
        _section("caveats", "What this rests on", _items(caveats(answer))),
        "</main>",
        f'<footer aria-label="Provenance">{_provenance(spec, runs, cost)}</footer>',
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _state(answer: Answer) -> str:
    done = answer.students - answer.missing
    told = f"{done:,} of {counted(answer.students, 'student')} recorded, {counted(answer.seeds, 'seed')} asked for."
    if answer.missing:
        told += f" The study is not finished: {answer.missing:,} missing."
    return told


def _answer(answer: Answer) -> str:
    blocks = []
    for finding in answer.findings:
        heading = f"<h3>{escape(finding.label)}</h3>" if finding.label else ""
        told = "\n".join(_paragraph(sentence) for sentence in sentences(answer, finding))
        facts = circumstances(finding)
        if finding.teacher is not None:
            facts += f" The teacher's test {answer.measure.label} is {answer.measure.value(finding.teacher)}."
        todo = advice(answer, finding)
        more = f"<h3>What to do</h3>{_items(todo)}" if todo else ""
        blocks.append(f'{heading}<div class="answer">\n{told}\n</div>\n{_paragraph(facts, "soft")}{more}')
    return "\n".join(blocks)


def _figures(answer: Answer, figures: Mapping[str, str]) -> str:
    shown = {
        "accuracy_vs_alpha": "Test result of the students against alpha, the weight of the labels. The tables below "
        "hold the same numbers.",
        "learning_curves": "Validation accuracy of the students, epoch by epoch, a line for each alpha.",
    }
    return "\n".join(_figure(figures, name, told) for name, told in shown.items())


def _figure(figures: Mapping[str, str], name: str, told: str) -> str:
    if name not in figures:
        return ""
    return (
        f'<figure><div class="plate">{inline_svg(figures[name], prefix=name, label=told)}</div>'
        f"<figcaption>{escape(told)}</figcaption></figure>"
    )


def _across(answer: Answer, figures: Mapping[str, str]) -> str:
    """How the answer moves along an axis: sentences and a table for each setting of the others, and the figure."""
    blocks = []
    for one in answer.across:
        title = f"The {one.name}{f', {one.among}' if one.among else ''}"
        told = "\n".join(_paragraph(sentence) for sentence in movement(one, answer.measure))
        table = _grid(title, ACROSS_NOTE, headings(one, answer.measure), cells(one, answer.measure))
        blocks.append(f"<h3>{escape(title)}</h3>{told}\n{table}")
    told = "The test result over alpha and the axis, the chosen alpha, and what it gains on labels alone."
    return "\n".join([_figure(figures, "alpha_across", told), *blocks])


def _denoising(answer: Answer, figures: Mapping[str, str]) -> str:
    told = [f"{one.label or 'All settings'}: {in_a_sentence(one)}" for one in answer.denoising]
    shown = "Shares of the wrong training labels that students put right and repeat, against alpha."
    return f"{_figure(figures, 'denoising', shown)}\n{_paragraph(f'{WRONG_LABELS}:')}{_items(told)}"


def _predicted(answer: Answer, figures: Mapping[str, str]) -> str:
    shown = "Squared error to the validation labels against alpha: predicted from both ends, and measured."
    rows = [prediction.cells(one, answer.measure) for one in answer.predicted]
    table = _grid("alpha predicted from both ends", prediction.NOTE, prediction.HEADINGS, rows)
    return f"{_figure(figures, 'predicted', shown)}{table}"


def _grid(title: str, caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls by itself where the screen is narrow."""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(text)}</td>" for text in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table: {escape(title)}"><table>'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody></table></div>"
    )


def _table(answer: Answer, finding: Finding) -> str:
    shown = columns(answer, finding)
    head = "".join(f'<th scope="col">{escape(name.strip())}</th>' for name in shown)
    best = finding.best.alpha if finding.best else None
    body = []
    for row in finding.rows:
        cells = [cell(row) for cell in shown.values()]
        first, rest = cells[0], list(zip(list(shown)[1:], cells[1:], strict=True))
        told = "".join(
            f'<td class="in">{escape(text)}</td>' if name == "range" and row.in_range else f"<td>{escape(text)}</td>"
            for name, text in rest
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


def _provenance(spec: Spec, runs: Sequence[Mapping[str, Any]], cost: tuple[float, int]) -> str:
    seconds, examples = cost
    facts: list[tuple[str, str]] = []
    if runs:
        last = runs[-1]
        facts += [(key, value) for key, value in _flat(last) if key not in ("started", "finished", "command")]
        ended = last.get("finished") or "not to its end"
        facts.append(
            (
                "last run",
                f"{last.get('started')} to {ended}"
                if last.get("finished")
                else f"begun {last.get('started')}, {ended}",
            )
        )
    facts.append(("runs", f"{len(runs)}"))
    facts.append(("training of students", f"{seconds:,.0f} s for {examples:,} training examples shown"))
    told = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts)
    command = str(runs[-1].get("command") or "") if runs else ""
    again = f"<p>To reproduce: <code>{escape(command)}</code></p>" if command else ""
    return (
        f"<h2>Provenance</h2>{again}<dl>{told}</dl>"
        f"<details><summary>The study, in full</summary><pre>{escape(spec.to_yaml())}</pre></details>"
    )


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield prefix + str(key), "unknown" if value is None else str(value)


def _section(name: str, title: str, body: str) -> str:
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{title}</h2>\n{body}\n</section>'


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def _items(texts: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"
