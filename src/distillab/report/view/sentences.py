"""One setting in sentences: the verdict, the chosen alpha, the optimal range, and its circumstances."""

from __future__ import annotations

import distillab.report.formatting as fmt
from distillab.analysis.finding import Finding
from distillab.analysis.setting import SEEDS_FOR_A_RANGE, Gain, SettingResult
from distillab.metrics.metric import Metric

LABELS_ALONE = "labels alone (alpha = 1)"


def setting_sentences(finding: Finding, setting: SettingResult) -> tuple[str, str, str]:
    """Word a setting's verdict, its chosen alpha and its optimal range.

    Args:
        finding: of the whole study.
        setting: one of its settings.

    Returns:
        Three sentences; where something is missing they say what.
    """
    return _verdict(finding, setting), _choice(finding.metric, setting), _range(setting)


def missing_comparison(setting: SettingResult) -> str:
    """Why there is no comparison with labels alone.

    Args:
        setting: of a study.

    Returns:
        A clause; empty where there is a comparison.
    """
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


def teacher_alone(setting: SettingResult) -> str:
    """The reference at alpha = 0 in words.

    Args:
        setting: of a study.
    """
    return "the virtual teacher alone" if setting.loss == "teacher_free" else "the teacher alone"


def noise(setting: SettingResult) -> str:
    """The label noise in words, such as "10 % of training labels perturbed (shift)".

    Args:
        setting: of a study.
    """
    if not setting.perturbed:
        return "clean labels"
    share = "" if setting.noise_kind == "matrix" else f"{100 * setting.noise_rate:g} % of "
    return f"{share}training labels perturbed ({setting.noise_kind})"


def circumstances(finding: Finding, setting: SettingResult) -> str:
    """Noise, temperature and teacher of a setting, in a few sentences.

    Args:
        finding: of the whole study.
        setting: one of its settings.
    """
    temperature = f"temperature {setting.temperature:g}"
    if setting.perturbed:
        share = "The" if setting.noise_kind == "matrix" else f"{100 * setting.noise_rate:g} % of the"
        drawn = (
            "The labels are drawn anew for each seed"
            if setting.teacher_labels != "noisy"
            else "The teacher trained on the perturbed labels, so all seeds share one draw and one teacher"
        )
        validation = "perturbed in the same way" if setting.validation_labels == "noisy" else "clean"
        facts = (
            f"{share} training labels are perturbed ({setting.noise_kind}); {temperature}. {drawn}; validation labels "
            f"are {validation}."
        )
    else:
        facts = f"No labels are perturbed; {temperature}."
    if setting.teacher is None:
        return facts
    metric = finding.metric
    return f"{facts} The teacher's test {metric.label} is {fmt.value(metric, setting.teacher)}."


def _verdict(finding: Finding, setting: SettingResult) -> str:
    missing, verdict = missing_comparison(setting), setting.verdict
    if missing or verdict is None:
        return f"No verdict: {missing}."
    metric, seeds = finding.metric, fmt.counted(verdict.n, "seed")
    margin = f"{metric.factor * finding.margin:g} {metric.difference_unit}".rstrip()
    if verdict.kind == "supported":
        best = next(one for one in verdict.evidence if one.alpha == verdict.deciding_alpha)
        result = setting.at(best.alpha)
        interval = _improvement(metric, result.over_labels) if result and result.over_labels else ""
        sentence = (
            f"Supported: alpha = {best.alpha:g} beats {LABELS_ALONE} by "
            f"{fmt.amount(metric, best.difference)}{interval}, p {fmt.p_value(best.p_adjusted)} after Holm over "
            f"{fmt.counted(len(verdict.evidence), 'intermediate alpha')}, {seeds}"
        )
        if all(one.p_no_gain <= verdict.significance for one in verdict.evidence):
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
    return f" (95 % interval {fmt.interval(metric, low, high, signed=True)})"


def _choice(metric: Metric, setting: SettingResult) -> str:
    best = setting.best
    if best is None:
        return "The validation data choose no alpha yet."
    interval = fmt.interval(metric, best.low, best.high)
    within = f"95 % interval {interval}" if interval != fmt.NOTHING else "one seed, no interval"
    reached = f"a test {metric.label} of {fmt.value(metric, best.mean)} ({within})"
    if len(setting.alphas) == 1:
        return f"The only alpha, {best.alpha:g}, reaches {reached}."
    references = ((best.over_labels, LABELS_ALONE), (best.over_teacher, f"{teacher_alone(setting)} (alpha = 0)"))
    comparisons = [_against(metric, gain, reference) for gain, reference in references if gain is not None]
    sentence = f"Chosen on the validation data, alpha = {best.alpha:g}"
    if best.alpha in (0.0, 1.0):
        sentence += f" ({'labels alone' if best.alpha == 1.0 else teacher_alone(setting)})"
    return f"{sentence} reaches {reached}{': ' if comparisons else ''}{fmt.listed(comparisons) if comparisons else ''}."


def _against(metric: Metric, gain: Gain, reference: str) -> str:
    if float(fmt.difference(metric, gain.difference)) == 0:
        comparison = f"level with {reference}"
    else:
        side = "above" if gain.difference > 0 else "below"
        comparison = f"{fmt.amount(metric, gain.difference, short=True)} {side} {reference}"
    interval = fmt.interval(metric, gain.low, gain.high, signed=True)
    return f"{comparison} ({interval}, p {fmt.p_value(gain.p)})" if interval != fmt.NOTHING else comparison


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
