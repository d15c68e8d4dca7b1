"""What the theory's figures show, as numbers: curves from the closed forms, dots from simulations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distillab.theory.gradients import label_gradient_variance, target_noise
from distillab.theory.independent import independent_teacher_risk
from distillab.theory.inputs import Floats
from distillab.theory.label_noise import finite_teacher_accuracy, flip_threshold, noisy_posterior
from distillab.theory.problems import Problem, regression
from distillab.theory.risk import AlphaStar, Split, alpha_star, risk_coefficients, risk_split
from distillab.theory.self_distillation import (
    Spectrum,
    ridge_filter,
    self_distillation_risk,
    spectrum,
    thresholds,
)
from distillab.theory.simulation import (
    Simulated,
    fixed_predictions,
    independent_learner,
    learner,
    ridge_fit,
    simulate,
)
from distillab.theory.smoothers import ridge
from distillab.theory.teachers import fixed, independent_labels, same_labels

STUDENT = 3.0
"""The student's ridge penalty in all pictures."""

DOTS = np.linspace(0, 1, 6)
GRID = np.linspace(0, 1, 201)
VOTES = (5, 15, 75)
RATE = 0.3


@dataclass(frozen=True, kw_only=True)
class RiskPanel:
    """One teacher: bias, variance and risk along alpha, predicted and simulated."""

    title: str
    alphas: Floats
    split: Split
    best: AlphaStar
    simulated: Simulated


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve with its name, and simulated dots where there are any."""

    name: str
    x: Floats
    y: Floats
    dots_x: Floats | None = None
    dots_y: Floats | None = None
    dots_error: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class Phases:
    """Where self-distillation hurts, helps, and wants no labels: borders along the teacher's penalty."""

    penalties: Floats
    helps: Floats
    """The noise above which alpha* < 1."""
    alone: Floats
    """The noise above which alpha* < 0."""
    variances: Floats
    alphas: Floats
    """Clipped alpha*, shape (variances, penalties)."""


def _problem(noise: float = 1.0) -> Problem:
    """The problem of all pictures: sixty examples, twelve features, most of the signal in the strong ones."""
    return regression(examples=60, features=12, seed=12, decay=1.5, alignment=0.5, noise=noise)


def risk_panels(*, draws: int, seed: int = 0) -> tuple[RiskPanel, ...]:
    """Risk against alpha for four teachers.

    Args:
        draws, seed: of the simulations.
    """
    problem = _problem(5.0)
    x, f = problem.x, problem.truth
    deviation = float(np.sqrt(5.0))
    wide = np.vstack([x] * 4)
    to_student = x @ np.linalg.solve(wide.T @ wide + 10 * np.eye(12), wide.T)
    timid = 0.6 * f
    cases = [
        ("the same labels, strong ridge", same_labels(f, ridge(x, 40.0)), learner(ridge_fit(x, 40.0))),
        ("the same labels, no ridge", same_labels(f, ridge(x, 0.0)), learner(ridge_fit(x, 0.0))),
        (
            "four times the data",
            independent_labels(np.tile(f, 4), to_student, deviation),
            independent_learner(ridge_fit(wide, 10.0, x), np.tile(f, 4), deviation),
        ),
        ("always six tenths of the truth", fixed(timid), fixed_predictions(timid)),
    ]
    panels = []
    for number, (title, teacher, teach) in enumerate(cases):
        split = risk_split(ridge(x, STUDENT), teacher, f, problem.noise)
        rng = np.random.default_rng([seed, number])
        found = simulate(problem, ridge_fit(x, STUDENT), teach, DOTS, draws=draws, rng=rng)
        panels.append(RiskPanel(title=title, alphas=GRID, split=split, best=alpha_star(split.risk), simulated=found))
    return tuple(panels)


def alpha_against_noise(*, draws: int, seed: int = 0) -> tuple[Line, ...]:
    """The best alpha against the noise of the labels, for several teachers.

    Args:
        draws, seed: of the simulations.
    """
    problem = _problem()
    x, f = problem.x, problem.truth
    parts = spectrum(x, f)
    h = ridge_filter(parts.strengths, STUDENT)
    variances, few = np.geomspace(0.05, 50, 80), np.geomspace(0.1, 30, 5)
    timid = 0.6 * f

    def of_data(k: float, variance: float) -> float:
        keys = {"k": k, "penalty": 10.0, "variance": variance, "teacher_variance": variance}
        return alpha_star(independent_teacher_risk(parts, h, **keys)).free

    def of_ridge(penalty: float, variance: float) -> float:
        return alpha_star(self_distillation_risk(parts, h, ridge_filter(parts.strengths, penalty), variance)).free

    def of_fixed(variance: float) -> float:
        return alpha_star(risk_coefficients(ridge(x, STUDENT), fixed(timid), f, variance)).free

    lines = [
        Line(name=f"same labels, ridge {lam:g}", x=variances, y=np.array([of_ridge(lam, v) for v in variances]))
        for lam in (10.0, 40.0, 400.0)
    ]
    lines += [
        Line(name=f"{k} times the data", x=variances, y=np.array([of_data(k, v) for v in variances]))
        for k in (1, 4, 16)
    ]
    lines.append(Line(name="always six tenths of the truth", x=variances, y=np.array([of_fixed(v) for v in variances])))
    teachers = {0: learner(ridge_fit(x, 10.0)), 1: learner(ridge_fit(x, 40.0)), 6: fixed_predictions(timid)}
    for place, teach in teachers.items():
        found = [
            simulate(
                Problem(x, f, np.full(len(f), variance)),
                ridge_fit(x, STUDENT),
                teach,
                (0.0,),
                draws=draws,
                rng=np.random.default_rng([seed, place, number]),
            )
            for number, variance in enumerate(few)
        ]
        lines[place] = _with_dots(lines[place], few, [one.alpha for one in found], [one.alpha_error for one in found])
    return tuple(lines)


def phases() -> Phases:
    """Where self-distillation hurts, helps, and wants no labels."""
    problem = _problem()
    parts = spectrum(problem.x, problem.truth)
    h = ridge_filter(parts.strengths, STUDENT)
    penalties, variances = np.geomspace(0.1, 1000, 121), np.geomspace(0.05, 50, 121)
    filters = [ridge_filter(parts.strengths, lam) for lam in penalties]
    borders = [thresholds(parts, h, g) for g in filters]
    alphas = [[_clipped(parts, h, g, variance) for g in filters] for variance in variances]
    return Phases(
        penalties=penalties,
        helps=np.array([one.helps for one in borders]),
        alone=np.array([one.alone for one in borders]),
        variances=variances,
        alphas=np.array(alphas),
    )


def denoising_lines(*, draws: int, seed: int = 0) -> tuple[Line, ...]:
    """The share of mixed targets that point at the clean class, for teachers of few votes and, last, the ideal one.

    Args:
        draws, seed: of the simulations.
    """
    lines = []
    for votes in VOTES:
        rng = np.random.default_rng([seed, votes])
        wrong = rng.random((draws, votes)) < RATE
        shares = [(a * wrong[:, 0] + (1 - a) * wrong.mean(axis=1) < 0.5 - 1e-12).astype(np.float64) for a in DOTS]
        line = Line(
            name=f"mean of {votes} noisy labels",
            x=GRID,
            y=np.array([finite_teacher_accuracy(float(a), votes, RATE) for a in GRID]),
        )
        errors = [share.std(ddof=1) / np.sqrt(draws) for share in shares]
        lines.append(_with_dots(line, DOTS, [share.mean() for share in shares], errors))
    threshold = flip_threshold(noisy_posterior(np.eye(2), RATE))
    ideal = Line(name="ideal teacher of noisy labels", x=GRID, y=np.where(threshold > GRID, 1.0, 1 - RATE))
    return (*lines, ideal)


def gradient_lines(*, draws: int, seed: int = 0) -> tuple[Line, ...]:
    """The noise that labels leave in the targets, as a share of that at alpha = 1, for teachers of the same labels.

    The last line is of a teacher that never saw the labels: its noise is that of a label's gradient.

    Args:
        draws, seed: of the simulations.
    """
    problem = _problem()
    lines = []
    for penalty in (0.0, 10.0, 100.0):
        smoother = ridge(problem.x, penalty)
        rng = np.random.default_rng([seed, int(penalty)])
        eps = rng.standard_normal((60, draws))
        squares = [np.mean((a * eps + (1 - a) * (smoother @ eps)) ** 2, axis=0) for a in DOTS]
        name = "least squares" if penalty == 0 else f"ridge {penalty:g}"
        line = Line(name=f"same labels, {name}", x=GRID, y=target_noise(smoother).at(GRID))
        errors = [one.std(ddof=1) / np.sqrt(draws) for one in squares]
        lines.append(_with_dots(line, DOTS, [one.mean() for one in squares], errors))
    memory = Line(name="same labels, learned by heart", x=GRID, y=target_noise(np.eye(2)).at(GRID))
    q = np.array([0.8, 0.15, 0.05])
    alone = label_gradient_variance(GRID, q, RATE) / float(label_gradient_variance(1.0, q, RATE))
    return (memory, *lines, Line(name="other labels", x=GRID, y=alone))


def _clipped(parts: Spectrum, h: Floats, g: Floats, variance: float) -> float:
    return alpha_star(self_distillation_risk(parts, h, g, float(variance))).clipped


def _with_dots(line: Line, x: Floats, y: Sequence[float], error: Sequence[float]) -> Line:
    return Line(name=line.name, x=line.x, y=line.y, dots_x=x, dots_y=np.array(y), dots_error=np.array(error))
