"""What the theory's figures show, as numbers: curves from the closed forms, dots from simulations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from distillab.theory.gradients import label_gradient_variance, target_noise
from distillab.theory.independent import independent_teacher_risk
from distillab.theory.inputs import Floats
from distillab.theory.label_noise import finite_teacher_accuracy, flip_threshold, noisy_posterior
from distillab.theory.problems import Problem, regression
from distillab.theory.risk import AlphaStar, Split, alpha_star, risk_coefficients, risk_split
from distillab.theory.self_distillation import ridge_filter, self_distillation_risk, spectrum, thresholds
from distillab.theory.simulation import Simulated, fixed_predictions, independent_learner, learner, ridge_fit, simulate
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
        simulated = simulate(problem, ridge_fit(x, STUDENT), teach, DOTS, draws=draws, rng=rng)
        best = alpha_star(split.risk)
        panels.append(RiskPanel(title=title, alphas=GRID, split=split, best=best, simulated=simulated))
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

    def of_ridge(penalty: float, variance: float) -> float:
        return alpha_star(self_distillation_risk(parts, h, ridge_filter(parts.strengths, penalty), variance)).free

    def of_data(k: float, variance: float) -> float:
        risk = independent_teacher_risk(parts, h, k=k, penalty=10.0, variance=variance, teacher_variance=variance)
        return alpha_star(risk).free

    def of_fixed(variance: float) -> float:
        return alpha_star(risk_coefficients(ridge(x, STUDENT), fixed(timid), f, variance)).free

    best_alphas: dict[str, Callable[[float], float]] = {
        **{f"same labels, ridge {penalty:g}": partial(of_ridge, penalty) for penalty in (10.0, 40.0, 400.0)},
        **{f"{k} times the data": partial(of_data, k) for k in (1, 4, 16)},
        "always six tenths of the truth": of_fixed,
    }
    lines = [
        Line(name=name, x=variances, y=np.array([best_alpha(v) for v in variances]))
        for name, best_alpha in best_alphas.items()
    ]
    teachers = {0: learner(ridge_fit(x, 10.0)), 1: learner(ridge_fit(x, 40.0)), 6: fixed_predictions(timid)}
    for index, teach in teachers.items():
        runs = [
            simulate(
                Problem(x, f, np.full(len(f), variance)),
                ridge_fit(x, STUDENT),
                teach,
                (0.0,),
                draws=draws,
                rng=np.random.default_rng([seed, index, number]),
            )
            for number, variance in enumerate(few)
        ]
        alphas, errors = np.array([(run.alpha, run.alpha_error) for run in runs]).T
        lines[index] = replace(lines[index], dots_x=few, dots_y=alphas, dots_error=errors)
    return tuple(lines)


def phases() -> Phases:
    """Where self-distillation hurts, helps, and wants no labels."""
    problem = _problem()
    parts = spectrum(problem.x, problem.truth)
    h = ridge_filter(parts.strengths, STUDENT)
    penalties, variances = np.geomspace(0.1, 1000, 121), np.geomspace(0.05, 50, 121)
    filters = [ridge_filter(parts.strengths, lam) for lam in penalties]
    borders = [thresholds(parts, h, g) for g in filters]
    risks = [[self_distillation_risk(parts, h, g, float(variance)) for g in filters] for variance in variances]
    return Phases(
        penalties=penalties,
        helps=np.array([border.helps for border in borders]),
        alone=np.array([border.alone for border in borders]),
        variances=variances,
        alphas=np.array([[alpha_star(risk).clipped for risk in row] for row in risks]),
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
        lines.append(_with_dots(line, shares))
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
        lines.append(_with_dots(Line(name=f"same labels, {name}", x=GRID, y=target_noise(smoother).at(GRID)), squares))
    memory = Line(name="same labels, learned by heart", x=GRID, y=target_noise(np.eye(2)).at(GRID))
    q = np.array([0.8, 0.15, 0.05])
    alone = label_gradient_variance(GRID, q, RATE) / float(label_gradient_variance(1.0, q, RATE))
    return (memory, *lines, Line(name="other labels", x=GRID, y=alone))


def _with_dots(line: Line, draws: Sequence[Floats]) -> Line:
    """Add the mean of the draws at each alpha of `DOTS`, with its standard error."""
    errors = [values.std(ddof=1) / np.sqrt(len(values)) for values in draws]
    means = np.array([values.mean() for values in draws])
    return replace(line, dots_x=DOTS, dots_y=means, dots_error=np.array(errors))
