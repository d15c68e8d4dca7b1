"""One setting in words and rows: verdict, chosen alpha, optimal range, circumstances, and what to run next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import distillab.report.formatting as fmt
from distillab.analysis.finding import Finding
from distillab.analysis.over_both import OverBoth
from distillab.analysis.setting import SEEDS_FOR_A_RANGE, AlphaResult, Gain, SettingResult
from distillab.metrics.metric import Metric
from distillab.report.view.table import KeyFigure, Table
from distillab.report.view.tables import gain_cells, setting_cells
from distillab.stats import FEW_SEEDS, SEED_CAP, Interval

LABELS_ALONE = "labels alone (alpha = 1)"


@dataclass(frozen=True, kw_only=True)
class SettingView:
    """One setting: its verdict, chosen alpha and optimal range in `sentences`; `advice` on what to run may be empty."""

    label: str
    kind: str
    sentences: tuple[str, ...]
    circumstances: str
    advice: tuple[str, ...]
    key_figures: tuple[KeyFigure, ...]
    finished: bool
    alphas: Table


def setting_view(finding: Finding, setting: SettingResult) -> SettingView:
    """Word one setting.

    Args:
        finding: of the whole study.
        setting: one of its settings.
    """
    return SettingView(
        label=setting.label,
        kind=setting.kind,
        sentences=tuple(
            sentence
            for sentence in (
                _verdict(finding, setting),
                _choice(finding.metric, setting),
                *_over_both(finding.metric, setting),
                _wrong_labels(finding.metric, setting),
                _range(setting),
            )
            if sentence
        ),
        circumstances=_circumstances(finding, setting),
        advice=_advice(setting),
        key_figures=_key_figures(finding.metric, setting),
        finished=setting.finished > 0,
        alphas=_alphas_table(finding.metric, setting),
    )


def noise(setting: SettingResult) -> str:
    """The label noise in words, such as "10 % of training labels perturbed (shift)".

    Args:
        setting: of a study.
    """
    return _noise(setting) or "clean labels"


def _noise(setting: SettingResult) -> str:
    """The label noise in words; empty where there is none."""
    if not setting.perturbed:
        return ""
    kind, rate = setting.noise_kind, f"{100 * setting.noise_rate:g} %"
    size = f"of {setting.noise_rate:g} standard deviations on the training labels"
    what = "training labels" if setting.task == "binary" else "entries of the training labels"
    match kind:
        case "additive":
            return f"Gaussian noise {size}"
        case "heavy_tailed":
            return f"heavy-tailed noise {size}"
        case "one_sided":
            return f"{rate} of the positive {what} given as negative"
        case "symmetric" if setting.task in ("binary", "multilabel"):
            return f"{rate} of the {what} flipped"
        case "matrix":
            return "training labels perturbed (matrix)"
    return f"{rate} of training labels perturbed ({kind})"


def _verdict(finding: Finding, setting: SettingResult) -> str:
    missing, verdict = _missing_comparison(setting), setting.verdict
    if missing or verdict is None:
        return f"No verdict: {missing}."
    metric, seeds = finding.metric, fmt.counted(verdict.n, "seed")
    margin = f"{metric.factor * finding.margin:g} {metric.difference_unit}".rstrip()
    if verdict.kind == "supported":
        best = next(gain for gain in verdict.evidence if gain.alpha == verdict.deciding_alpha)
        result = setting.at(best.alpha)
        interval = _improvement(metric, result.over_labels) if result and result.over_labels else ""
        sentence = (
            f"Supported: alpha = {best.alpha:g} beats {LABELS_ALONE} by "
            f"{fmt.amount(metric, best.difference)}{interval}, p {fmt.p_value(best.p_adjusted)} after Holm over "
            f"{fmt.counted(len(verdict.evidence), 'intermediate alpha')}, {seeds}"
        )
        if all(gain.p_no_gain <= verdict.significance for gain in verdict.evidence):
            sentence += f", although every gain is below the margin of {margin}"
        return f"{sentence}."
    if verdict.kind == "practically equivalent":
        return f"Practically equivalent: every intermediate alpha is within ±{margin} of {LABELS_ALONE}, {seeds}."
    if verdict.kind == "contradicted":
        return f"Contradicted: every intermediate alpha gains less than {margin} over {LABELS_ALONE}, {seeds}."
    return f"Undecided: {seeds} do not show whether an intermediate alpha beats {LABELS_ALONE}."


def _improvement(metric: Metric, gain: Gain) -> str:
    """The interval of a gain, more being better for every metric."""
    low, high = sorted(metric.sign * end for end in (gain.low, gain.high))
    return f" ({fmt.spread(metric, low, high, gain.n, signed=True)})"


def _choice(metric: Metric, setting: SettingResult) -> str:
    best = setting.best
    if best is None:
        return "The validation data choose no alpha yet."
    within = fmt.spread(metric, best.low, best.high, best.n)
    reached = f"a test {metric.label} of {fmt.value(metric, best.mean)} ({within})"
    if len(setting.alphas) == 1:
        return f"The only alpha, {best.alpha:g}, reaches {reached}."
    references = ((best.over_labels, LABELS_ALONE), (best.over_teacher, f"{_teacher_alone(setting)} (alpha = 0)"))
    comparisons = [_against(metric, gain, reference) for gain, reference in references if gain is not None]
    by = " by the likely clean labels" if setting.score == "robust" else ""
    sentence = f"Chosen on the validation data{by}, alpha = {best.alpha:g}"
    if best.alpha in (0.0, 1.0):
        sentence += f" ({'labels alone' if best.alpha == 1.0 else _teacher_alone(setting)})"
    return f"{sentence} reaches {reached}{': ' if comparisons else ''}{fmt.listed(comparisons) if comparisons else ''}."


def _wrong_labels(metric: Metric, setting: SettingResult) -> str:
    """How many validation labels look wrong, and what that does to the choice; empty where they look right."""
    if not setting.labels_look_wrong or setting.wrong_labels is None or setting.best is None:
        return ""
    share = f"About {wrong_share(setting.wrong_labels)} of the validation labels look wrong"
    if setting.score == "robust":
        return f"{share}; judged by them as they are, students that learned wrong labels would look better."
    other = "the same alpha" if setting.robust == setting.best.alpha else f"alpha = {setting.robust:g}"
    return (
        f"{share}: by {metric.label} on them, students that learned wrong labels look better. The likely clean labels "
        f"(choose: robust) would choose {other}."
    )


def wrong_share(share: Interval) -> str:
    """A share of wrong labels with its interval.

    Args:
        share: a proportion.

    Example:
        >>> wrong_share(Interval(0.1, 0.063, 0.152, 135, "EM"))
        '10 % (95 % interval 6 % to 15 %)'
    """
    low, high = (f"{100 * end:.0f} %" for end in (share.low, share.high))
    return f"{100 * share.estimate:.0f} % (95 % interval {low} to {high})"


def _over_both(metric: Metric, setting: SettingResult) -> list[str]:
    """The chosen alpha's gains for other seeds and other test examples; nothing where they are not known."""
    references = ((setting.over_labels, LABELS_ALONE), (setting.over_teacher, f"{_teacher_alone(setting)} (alpha = 0)"))
    known = [(gain, reference) for gain, reference in references if gain is not None]
    if not known:
        return []
    seeds, cases = known[0][0].seeds, known[0][0].cases
    behind = f"{fmt.counted(seeds, 'seed')}, {fmt.counted(cases, 'test example')}"
    gains = fmt.listed([_against(metric, gain, reference) for gain, reference in known])
    return [f"For other seeds and other test examples ({behind}): {gains}."]


def _teacher_alone(setting: SettingResult) -> str:
    """The reference at alpha = 0."""
    return "the virtual teacher alone" if setting.loss == "teacher_free" else "the teacher alone"


def _against(metric: Metric, gain: Gain | OverBoth, reference: str) -> str:
    difference = gain.difference if isinstance(gain, Gain) else gain.mean
    if float(fmt.difference(metric, difference)) == 0:
        comparison = f"level with {reference}"
    else:
        side = "above" if difference > 0 else "below"
        comparison = f"{fmt.amount(metric, difference, short=True)} {side} {reference}"
    interval = (
        fmt.spread_cell(metric, gain.low, gain.high, gain.n, signed=True)
        if isinstance(gain, Gain)
        else fmt.interval(metric, gain.low, gain.high, signed=True)
    )
    return f"{comparison} ({interval}, p {fmt.p_value(gain.p or 0.0)})" if interval != fmt.NOTHING else comparison


def _range(setting: SettingResult) -> str:
    if setting.best is None:
        return "There is no optimal range yet."
    if sum(result.diverged == 0 for result in setting.alphas) == 1:
        return "One alpha alone has no optimal range."
    if setting.optimal_range is None:
        return f"The optimal range needs {SEEDS_FOR_A_RANGE} complete seeds (got {setting.complete})."
    names = fmt.alphas(setting.optimal_range, setting.grid)
    if len(setting.optimal_range) == 1:
        return f"The optimal range is alpha = {names} alone: every other alpha is worse than the best at 95 %."
    if len(setting.optimal_range) == sum(result.in_range is not None for result in setting.alphas):
        return f"The optimal range is all of alpha = {names}: no alpha is shown to be worse than the best at 95 %."
    return f"The optimal range is alpha = {names}: the others are worse than the best at 95 %."


def _circumstances(finding: Finding, setting: SettingResult) -> str:
    """Noise, temperature and teacher, in a few sentences."""
    temperature = f"; temperature {setting.temperature:g}" if setting.task != "regression" else ""
    if setting.perturbed:
        drawn = (
            "The labels are drawn anew for each seed"
            if setting.teacher_labels != "noisy"
            else "The teacher trained on the perturbed labels, so all seeds share one draw and one teacher"
        )
        validation = "perturbed in the same way" if setting.validation_labels == "noisy" else "clean"
        facts = f"{_sentence(setting)}{temperature}. {drawn}; validation labels are {validation}."
    else:
        facts = f"No labels are perturbed{temperature}."
    if setting.teacher is None:
        return facts
    metric = finding.metric
    return f"{facts} The teacher's test {metric.label} is {fmt.value(metric, setting.teacher)}."


def _sentence(setting: SettingResult) -> str:
    """The label noise as the start of a sentence."""
    if setting.task == "categorical":
        share = "The" if setting.noise_kind == "matrix" else f"{100 * setting.noise_rate:g} % of the"
        return f"{share} training labels are perturbed ({setting.noise_kind})"
    words = _noise(setting)
    return words[0].upper() + words[1:]


def _missing_comparison(setting: SettingResult) -> str:
    """Why there is no comparison with labels alone; empty where there is one."""
    between = [result for result in setting.alphas if 0 < result.alpha < 1]
    labels_alone = setting.at(1.0)
    if not setting.finished and not setting.diverged:
        return f"none of {fmt.counted(setting.students, 'student')} is trained yet"
    if not setting.finished and not setting.missing:
        return f"all {fmt.counted(setting.students, 'student')} diverged"
    if labels_alone is None:
        return "the study has no alpha = 1, the labels alone, to compare with"
    if not between:
        return "the study has no alpha strictly between 0 and 1"
    if labels_alone.diverged:
        return "students at alpha = 1, the labels alone, diverged, so there is no sound reference"
    if all(result.diverged for result in between):
        return "a student diverged at every alpha strictly between 0 and 1"
    if not setting.complete:
        return "no seed has all its alphas yet"
    if setting.complete == 1:
        return "one seed shows no spread; a comparison needs at least two seeds"
    return ""


def _advice(setting: SettingResult) -> tuple[str, ...]:
    """What to run to decide the setting; empty where it is decided and complete."""
    steps, grid, verdict = [], setting.grid, setting.verdict
    if setting.missing:
        steps.append(
            f"Run the same command again to finish the study: {setting.students - setting.missing:,} of "
            f"{fmt.counted(setting.students, 'student')} are recorded, {setting.missing:,} missing."
        )
    if 1.0 not in grid or not any(0 < alpha < 1 for alpha in grid):
        steps.append("Run the study in a new folder with alphas to compare, such as --set alpha=0,0.25,0.5,0.75,1.")
    if setting.diverged:
        steps.append("Students diverged: run the study in a new folder with a smaller --set learning_rate=VALUE.")
    if setting.missing or verdict is None or verdict.kind != "undecided":
        return tuple(steps)
    if setting.seeds == 1:
        steps.append("Run the same command with --set seeds=10: a comparison needs at least two seeds.")
    elif not _missing_comparison(setting) and verdict.seeds_needed is not None:
        steps.append(
            f"Run the same command with --set seeds={verdict.seeds_needed}: if the differences stay as they are, "
            f"{verdict.seeds_needed} seeds would probably decide it (towards {verdict.seeds_towards!r})."
        )
    elif not _missing_comparison(setting):
        steps.append(
            f"At these differences not even {SEED_CAP:,} seeds would decide it. "
            "A wider margin (--set margin=VALUE) or a larger test set could."
        )
    return tuple(steps)


def _key_figures(metric: Metric, setting: SettingResult) -> tuple[KeyFigure, ...]:
    """The large figures, the verdict first."""
    cells, best = setting_cells(metric, setting), setting.best
    figures = [KeyFigure("verdict", setting.kind, "on: some alpha between 0 and 1 beats labels alone")]
    if best:
        figures.append(KeyFigure("chosen alpha", cells["alpha"], "on the validation data"))
        figures.append(
            KeyFigure(f"test {metric.label}", cells["test"], fmt.spread(metric, best.low, best.high, best.n))
        )
    if best and best.over_labels:
        unit = f"{metric.difference_unit}; " if metric.difference_unit else ""
        note = f"{unit}{cells['interval']}, p {fmt.p_value(best.over_labels.p)}"
        figures.append(KeyFigure("over labels alone", cells["to labels alone"], note))
    if setting.optimal_range:
        figures.append(KeyFigure("optimal range", cells["optimal range"], "alphas not shown to be worse than the best"))
    return tuple(figures)


def _alphas_table(metric: Metric, setting: SettingResult) -> Table:
    """A row for each alpha."""
    spread = "95 % interval" if any(row.n > FEW_SEEDS for row in setting.alphas) else "range seen"
    columns: dict[str, Callable[[AlphaResult], str]] = {
        "alpha": lambda row: f"{row.alpha:g}",
        "n": lambda row: str(row.n),
        f"test {metric.unit}".rstrip(): lambda row: fmt.value(metric, row.mean, unit=False),
        spread: lambda row: fmt.spread_cell(metric, row.low, row.high, row.n),
        "to alpha 1": lambda row: gain_cells(metric, row.over_labels)[0],
        "interval": lambda row: gain_cells(metric, row.over_labels)[1],
        "p": lambda row: _holm_cell(row.over_labels),
        "to alpha 0": lambda row: gain_cells(metric, row.over_teacher)[0],
        "p ": lambda row: _holm_cell(row.over_teacher),
        f"valid. {metric.unit}".rstrip(): lambda row: fmt.value(metric, row.validation, unit=False),
        "range": lambda row: {True: "yes", False: "no", None: fmt.NOTHING}[row.in_range],
    }
    if setting.diverged:
        columns["diverged"] = lambda row: str(row.diverged)
    unit = f" in {metric.difference_unit}" if metric.difference_unit else ""
    caption = (
        f"Test {metric.label}, mean of n seeds. Differences to alpha = 1 and to alpha = 0{unit}, paired by seed, with "
        "95 % intervals (seen: the range of seeds too few for one) and p after Holm over the table. range: in the "
        "optimal range. The alpha chosen on the validation data is marked."
    )
    return Table(
        title=f"every alpha, {setting.label}" if setting.label else "every alpha",
        caption=f"{setting.label}: {caption}" if setting.label else caption,
        head=tuple(name.strip() for name in columns),
        rows=tuple(tuple(cell(row) for cell in columns.values()) for row in setting.alphas),
        words=0,
        chosen=setting.grid.index(setting.best.alpha) if setting.best else None,
    )


def _holm_cell(gain: Gain | None) -> str:
    return fmt.p_cell(gain.p_holm) if gain and gain.n > 1 else fmt.NOTHING
