"""Advice on what to run next, and caveats of a finding."""

from __future__ import annotations

import distillab.report.formatting as fmt
from distillab.analysis.finding import Finding
from distillab.analysis.setting import SettingResult
from distillab.report.view.sentences import missing_comparison
from distillab.stats import SEED_CAP


def advice(setting: SettingResult) -> tuple[str, ...]:
    """What to run to decide a setting.

    Args:
        setting: of a study.

    Returns:
        Sentences; empty where the setting is decided and complete.
    """
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
    elif not missing_comparison(setting) and verdict.seeds_needed is not None:
        steps.append(
            f"Run the same command with --set seeds={verdict.seeds_needed}: if the differences stay as they are, "
            f"{verdict.seeds_needed} seeds would probably decide it (towards {verdict.seeds_towards!r})."
        )
    elif not missing_comparison(setting):
        steps.append(
            f"At these differences not even {SEED_CAP:,} seeds would decide it. "
            "A wider margin (--set margin=VALUE) or a larger test set could."
        )
    return tuple(steps)


def caveats(finding: Finding) -> tuple[str, ...]:
    """The limits of a finding, over all its settings.

    Args:
        finding: of a study.
    """
    settings = finding.settings
    limits = list(dict.fromkeys(map(_covered, settings)))
    short = {setting.complete for setting in settings if 0 < setting.complete < setting.seeds}
    if short:
        counts = fmt.listed([str(count) for count in sorted(short)])
        limits.append(f"Means and comparisons use the {counts} complete of {fmt.counted(finding.seeds, 'seed')}.")
    if any(not setting.complete and setting.finished for setting in settings):
        limits.append("No seed has all its alphas: means use the seeds that each alpha has, and nothing is compared.")
    limits += [_divergence(setting) for setting in settings if setting.diverged]
    if any(setting.best for setting in settings):
        limits += [
            "Alpha is chosen on the validation data. The gain of the alpha with the best test result is too large on "
            "average.",
            "Significance holds for the planned number of seeds, tested once. Adding seeds until something is "
            "significant makes it meaningless.",
        ]
    if len(settings) > 1:
        limits.append(f"Each of the {len(settings)} settings is judged on its own.")
    perturbed = any(setting.perturbed and setting.validation_labels == "noisy" for setting in settings)
    if finding.predictions and perturbed:
        limits.append(
            "The predicted alpha has the least squared error to the validation labels. If these are wrong and the "
            "teacher's were not, it is too large."
        )
    if finding.unused:
        results = fmt.counted(finding.unused, "recorded student")
        limits.append(f"{results} of further seeds ignored: the study asks for {fmt.counted(finding.seeds, 'seed')}.")
    return tuple(limits)


def _covered(setting: SettingResult) -> str:
    """What the intervals of a setting cover."""
    fresh = setting.perturbed and setting.teacher_labels != "noisy"
    draws = ", order of the batches and the draw of the labels" if fresh else " and order of the batches"
    fixed = "one draw of the labels, one teacher" if setting.perturbed and not fresh else "one teacher"
    return (
        f"Intervals cover the randomness of training (initial weights{draws}), for {fixed}, one training set and one "
        "test set."
    )


def _divergence(setting: SettingResult) -> str:
    counts = fmt.listed([f"{one.diverged} at alpha = {one.alpha:g}" for one in setting.alphas if one.diverged])
    losses = [student.last_finite_loss for student in setting.diverged if student.last_finite_loss is not None]
    last = f", last finite loss up to {max(losses):.3g}" if losses else ""
    first = min(student.epoch for student in setting.diverged)
    where = f" ({setting.label})" if setting.label else ""
    return (
        f"{fmt.counted(len(setting.diverged), 'student')} diverged{where}: {counts}; the first in epoch {first}{last}. "
        "An alpha with a diverged student is neither chosen nor compared: its surviving seeds would flatter it."
    )
