"""What to do next, and what the numbers do not cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distillab.analysis.numerals import counted, listed
from distillab.analysis.sentences import lacking
from distillab.stats import SEED_CAP

if TYPE_CHECKING:
    from distillab.analysis.answer import Finding
    from distillab.analysis.finding import SettingResult


def advice(answer: Finding, finding: SettingResult) -> list[str]:
    """What would bring this setting further; empty where it is decided and whole.

    Args:
        answer: of the whole study.
        finding: one of its settings.
    """
    told, grid, ruling = [], [row.alpha for row in finding.rows], finding.verdict
    if finding.missing:
        there = finding.students - finding.missing
        told.append(
            f"Run the same command again to finish the study: {there:,} of {counted(finding.students, 'student')} are "
            f"recorded, {finding.missing:,} missing."
        )
    if 1.0 not in grid or not any(0 < alpha < 1 for alpha in grid):
        told.append("Run the study in a new folder with alphas to compare, such as --set alpha=0,0.25,0.5,0.75,1.")
    if finding.diverged:
        told.append("Students diverged: run the study in a new folder with a smaller --set learning_rate=VALUE.")
    if finding.missing or ruling is None or ruling.kind != "undecided":
        return told
    if finding.seeds == 1:
        told.append("Run the same command with --set seeds=10: a comparison needs at least two seeds.")
    elif lacking(finding):
        return told
    elif ruling.seeds_needed is not None:
        told.append(
            f"Run the same command with --set seeds={ruling.seeds_needed}: if the differences stay as they are, "
            f"{ruling.seeds_needed} seeds would probably decide it (towards {ruling.seeds_towards!r})."
        )
    else:
        told.append(
            f"More seeds would hardly decide it: at these differences not even {SEED_CAP:,} would. "
            "A wider margin (--set margin=VALUE) or a larger test set could."
        )
    return told


def circumstances(finding: SettingResult) -> str:
    """Noise, temperature and draws of a setting, in a sentence or two."""
    temperature = f"temperature {finding.temperature:g}"
    if not finding.perturbed:
        return f"No labels are perturbed; {temperature}."
    share = "The" if finding.noise_kind == "matrix" else f"{100 * finding.noise_rate:g} % of the"
    noise = f"{share} training labels are perturbed ({finding.noise_kind}); {temperature}."
    drawn = (
        "The labels are drawn anew for each seed"
        if finding.teacher_labels != "noisy"
        else "The teacher trained on the perturbed labels, so one draw and one teacher serve all seeds"
    )
    validation = "perturbed like them" if finding.validation_labels == "noisy" else "clean"
    return f"{noise} {drawn}; validation labels are {validation}."


def covered(finding: SettingResult) -> str:
    """What the intervals of a setting cover."""
    fresh = finding.perturbed and finding.teacher_labels != "noisy"
    draws = ", order of the batches and the draw of the labels" if fresh else " and order of the batches"
    fixed = "one draw of the labels, one teacher" if finding.perturbed and not fresh else "one teacher"
    return (
        f"Intervals cover the randomness of training (initial weights{draws}), for {fixed}, one training set "
        "and one test set."
    )


def caveats(answer: Finding) -> list[str]:
    """What the answer rests on and does not license, over all settings."""
    told = list(dict.fromkeys(covered(finding) for finding in answer.findings))
    short = [finding for finding in answer.findings if finding.complete and finding.complete < finding.seeds]
    if short:
        counts = listed([str(count) for count in sorted({finding.complete for finding in short})])
        told.append(f"Means and comparisons use the {counts} complete of {counted(answer.seeds, 'seed')}.")
    if any(not finding.complete and finding.finished for finding in answer.findings):
        told.append(
            "No seed has all its alphas: means are over whatever seeds each alpha has, and nothing is compared."
        )
    for finding in answer.findings:
        told += _divergence(finding)
    if any(finding.best for finding in answer.findings):
        told.append(
            "Alpha is chosen on the validation data; the gain of the alpha that happens to do best on the test set is "
            "too large on average."
        )
        told.append(
            "Significance holds for the number of seeds planned, looked at once: seeds added until something is "
            "significant make it meaningless."
        )
    if len(answer.findings) > 1:
        told.append(f"Each of the {len(answer.findings)} settings is judged on its own.")
    perturbed = any(one.perturbed and one.validation_labels == "noisy" for one in answer.findings)
    if answer.predicted and perturbed:
        told.append(
            "The predicted alpha has the least squared error to the validation labels: where these are wrong and the "
            "teacher's were not, it is too large."
        )
    if answer.unused:
        rows = counted(answer.unused, "recorded student")
        told.append(f"{rows} of further seeds left aside: the study now asks for {counted(answer.seeds, 'seed')}.")
    return told


def _divergence(finding: SettingResult) -> list[str]:
    if not finding.diverged:
        return []
    counts = listed([f"{row.diverged} at alpha = {row.alpha:g}" for row in finding.rows if row.diverged])
    losses = [student.last_finite_loss for student in finding.diverged if student.last_finite_loss is not None]
    last = f", last finite loss up to {max(losses):.3g}" if losses else ""
    first = min(student.epoch for student in finding.diverged)
    where = f" ({finding.label})" if finding.label else ""
    return [
        f"{counted(len(finding.diverged), 'student')} diverged{where}: {counts}; the first in epoch {first}{last}. "
        "An alpha with a diverged student is neither chosen nor compared: the survivors alone would flatter it."
    ]
