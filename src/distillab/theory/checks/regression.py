"""Linear students and teachers: the closed forms compared with models that are trained again for every draw."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from distillab.theory import self_distillation as sd
from distillab.theory.checks.row import Row, best_alpha_row, from_draws, risk_rows
from distillab.theory.from_data import alpha_cp
from distillab.theory.independent import independent_teacher_risk, least_squares_alpha, least_squares_risk
from distillab.theory.problems import Problem, regression
from distillab.theory.risk import RiskCoefficients, alpha_star, noise_law, risk_coefficients, risk_split
from distillab.theory.scalar import memorising_teacher_alpha, scalar_risk
from distillab.theory.simulation import (
    Fit,
    Simulated,
    Teach,
    best_alpha,
    descent_fit,
    fixed_predictions,
    independent_learner,
    learner,
    ridge_fit,
    simulate,
)
from distillab.theory.smoothers import descent, pooled, residual_variance, ridge, ridge_weights
from distillab.theory.teachers import LinearTeacher, fixed, independent_labels, memorising, pooled_labels, same_labels

ALPHAS = (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
STUDENT, TEACHER = 3.0, 30.0
"""Ridge penalties."""


def _teachers(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """The general parabola, for every kind of teacher."""
    problem = regression(examples=60, features=12, seed=1, decay=1, alignment=0.5, noise=1.0, misfit=0.1)
    wide = np.hstack([problem.x, np.random.default_rng(2).standard_normal((60, 8))])
    f, uneven = problem.truth, regression(examples=60, features=12, seed=1, decay=1, alignment=0.5, spread=1.0)
    more = regression(examples=120, features=12, seed=3)
    both, off = np.vstack([problem.x, more.x]), f + 0.4 * np.sin(np.arange(60))
    cases: list[tuple[str, Problem, LinearTeacher, Teach]] = [
        ("same labels", problem, same_labels(f, ridge(problem.x, TEACHER)), learner(ridge_fit(problem.x, TEACHER))),
        ("other features", problem, same_labels(f, ridge(wide, 8.0)), learner(ridge_fit(wide, 8.0))),
        (
            "independent labels",
            problem,
            independent_labels(f, ridge(problem.x, 10.0), 0.7),
            independent_learner(ridge_fit(problem.x, 10.0), f, 0.7),
        ),
        (
            "pooled labels",
            problem,
            pooled_labels(f, more.truth, pooled(problem.x, more.x, 5.0), 1.2),
            independent_learner(ridge_fit(both, 5.0, problem.x), more.truth, 1.2, pooled=True),
        ),
        ("fixed, biased", problem, fixed(off), fixed_predictions(off)),
        ("perfect", problem, fixed(f), fixed_predictions(f)),
        ("half memorised", problem, memorising(f, 0.5), lambda labels, _: 0.5 * f[:, None] + 0.5 * labels),
        (
            "same labels, uneven noise",
            uneven,
            same_labels(uneven.truth, ridge(uneven.x, TEACHER)),
            learner(ridge_fit(uneven.x, TEACHER)),
        ),
    ]
    for name, given, teacher, teach in cases:
        split = risk_split(ridge(given.x, STUDENT), teacher, given.truth, given.noise)
        result = simulate(given, ridge_fit(given.x, STUDENT), teach, ALPHAS, draws=draws, rng=rng)
        yield from risk_rows(f"teacher: {name}", "risk_coefficients", split.risk, result)


def _new_examples(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """The risk on examples that were not trained on."""
    problem = regression(examples=60, features=12, seed=4, decay=1, noise=1.0)
    weights = ridge_weights(problem.x, 0.0) @ problem.truth
    root = np.linalg.cholesky(np.cov(np.random.default_rng(5).standard_normal((12, 40))))
    student, aim = root.T @ ridge_weights(problem.x, STUDENT), root.T @ weights
    teacher = same_labels(problem.truth, ridge(problem.x, TEACHER))
    risk = risk_coefficients(student, teacher, problem.truth, problem.noise, target=aim)
    fit = ridge_fit(problem.x, STUDENT, root.T)
    teach = learner(ridge_fit(problem.x, TEACHER))
    result = simulate(problem, fit, teach, ALPHAS, draws=draws, rng=rng, target=aim)
    yield from risk_rows("new examples", "risk_coefficients", risk, result)


def _least_squares(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """Where least squares meets least squares."""
    problem = regression(examples=40, features=6, seed=6, noise=1.0)
    f, x = problem.truth, problem.x
    hat = ridge(x, 0.0)
    flat = risk_coefficients(hat, same_labels(f, hat), f, 1.0)
    result = simulate(problem, ridge_fit(x, 0.0), learner(ridge_fit(x, 0.0)), (0.0, 1.0), draws=draws, rng=rng)
    subject = "least squares on the same labels"
    yield Row(subject, "risk_coefficients", "curvature", flat.q, 0.0, 0.0)
    yield Row(subject, "risk_coefficients", "risk at any alpha", flat.r0, result.risk[1], result.risk_error[1], True)
    more = regression(examples=80, features=6, seed=7)
    further = more.x @ (ridge_weights(x, 0.0) @ f)
    teacher = pooled_labels(f, further, pooled(x, more.x, 0.0), 1.0)
    best = alpha_star(risk_coefficients(hat, teacher, f, 1.0)).free
    teach = independent_learner(ridge_fit(np.vstack([x, more.x]), 0.0, x), further, 1.0, pooled=True)
    result = simulate(problem, ridge_fit(x, 0.0), teach, (0.0, 1.0), draws=draws, rng=rng)
    yield Row("least squares on pooled labels", "risk_coefficients", "alpha*", best, result.alpha, result.alpha_error)
    for k in (1, 4):
        wide = np.vstack([x] * k)
        targets = np.tile(f, k)
        teach = independent_learner(ridge_fit(wide, 0.0, x), targets, 1.0)
        result = simulate(problem, ridge_fit(x, 0.0), teach, (0.0, 1.0), draws=draws, rng=rng)
        alpha, subject = least_squares_alpha(k), f"least squares, teacher of {k} times the data"
        yield Row(subject, "least_squares_alpha", "alpha*", alpha, result.alpha, result.alpha_error)
        risk = least_squares_risk(k, directions=6, examples=40)
        result = simulate(problem, ridge_fit(x, 0.0), teach, (alpha,), draws=draws, rng=rng)
        yield Row(subject, "least_squares_risk", "risk at alpha*", risk, result.risk[0], result.risk_error[0], True)


def _self_distillation(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """The spectral form, its thresholds, the path rule, early stopping and several rounds."""
    problem = regression(examples=60, features=12, seed=8, decay=1.5, alignment=1.0, noise=1.0)
    x, f = problem.x, problem.truth
    parts = sd.spectrum(x, f)
    h, g = (sd.ridge_filter(parts.strengths, penalty) for penalty in (STUDENT, TEACHER))

    def trained(student: Fit, teacher: Fit, variance: float, alphas: tuple[float, ...] = ALPHAS) -> Simulated:
        given = Problem(x, f, np.full(len(f), variance))
        return simulate(given, student, learner(teacher), alphas, draws=draws, rng=rng)

    student, teacher = ridge_fit(x, STUDENT), ridge_fit(x, TEACHER)
    risk = sd.self_distillation_risk(parts, h, g, 1.0)
    yield from risk_rows("self-distillation, ridge", "self_distillation_risk", risk, trained(student, teacher, 1.0))
    borders = sd.thresholds(parts, h, g)
    for name, variance, alpha in (("helps", borders.helps, 1.0), ("teacher alone", borders.alone, 0.0)):
        result = trained(student, teacher, variance, (0.0,))
        subject = f"noise threshold: {name}"
        yield Row(subject, "thresholds", f"alpha* at {variance:.3g}", alpha, result.alpha, result.alpha_error)
    law = noise_law(ridge(x, STUDENT), same_labels(f, ridge(x, TEACHER)), f)
    result = trained(student, teacher, 4.0, (0.0,))
    yield Row("noise law", "noise_law", "alpha* at variance 4", float(law.at(4.0)), result.alpha, result.alpha_error)
    result = trained(student, student, 1.0, (0.0,))
    rule = sd.path_rule(parts, STUDENT, 1.0)
    yield Row("equal penalties", "path_rule", "alpha*", rule, result.alpha, result.alpha_error)
    rate = 0.9 / parts.strengths.max()
    h, g = (sd.descent_filter(parts.strengths, steps=steps, rate=rate) for steps in (30, 4))
    risk = sd.self_distillation_risk(parts, h, g, 1.0)
    long, short = (descent_fit(x, steps=steps, rate=rate) for steps in (30, 4))
    yield from risk_rows("early-stopped descent", "self_distillation_risk", risk, trained(long, short, 1.0))
    by_trace = risk_coefficients(
        descent(x, steps=30, rate=rate), same_labels(f, descent(x, steps=4, rate=rate)), f, 1.0
    )
    yield Row(
        "early-stopped descent", "descent", "risk at 0.5, by traces", float(by_trace.at(0.5)), float(risk.at(0.5)), 0
    )
    alphas, h = (0.3, 0.6, 0.2), sd.ridge_filter(parts.strengths, STUDENT)
    phi = sd.repeated(h, sd.ridge_filter(parts.strengths, TEACHER), alphas)
    y = problem.labels(rng, draws)
    predictions = teacher(y)
    for alpha in alphas:
        predictions = student(alpha * y + (1 - alpha) * predictions)
    squares = np.mean((predictions - f[:, None]) ** 2, axis=0)
    expected = sd.filter_risk(parts, phi, 1.0)
    yield from_draws("three rounds", "repeated", "risk", expected, squares, is_risk=True)


def _more_data(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """A teacher of k times the data."""
    problem = regression(examples=40, features=8, seed=9, decay=1, alignment=0.5, noise=1.0)
    parts = sd.spectrum(problem.x, problem.truth)
    h = sd.ridge_filter(parts.strengths, STUDENT)
    for k in (1, 4, 16):
        risk = independent_teacher_risk(parts, h, k=k, penalty=10.0, variance=1.0, teacher_variance=1.0)
        fit = ridge_fit(np.vstack([problem.x] * k), 10.0, problem.x)
        teach = independent_learner(fit, np.tile(problem.truth, k), 1.0)
        result = simulate(problem, ridge_fit(problem.x, STUDENT), teach, ALPHAS, draws=draws, rng=rng)
        yield from risk_rows(f"independent teacher of {k} times the data", "independent_teacher_risk", risk, result)


def _one_training_set(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """The estimate from one training set: numerator and denominator are unbiased, and so is the noise."""
    problem = regression(examples=60, features=12, seed=10, decay=1, alignment=0.5, noise=1.0)
    x, f = problem.x, problem.truth
    s, t = ridge(x, STUDENT), ridge(x, TEACHER)
    risk = risk_coefficients(s, same_labels(f, t), f, 1.0)
    y = problem.labels(rng, draws)
    predictions = t @ y
    moved = s @ (y - predictions)
    over = np.sum((y - s @ predictions) * moved, axis=0) - np.sum(s * (np.eye(60) - t).T)
    under = np.sum(moved**2, axis=0)
    subject = "alpha from one training set"
    yield from_draws(subject, "alpha_cp", "numerator", -60 * risk.c, over)
    yield from_draws(subject, "alpha_cp", "denominator", 60 * risk.q, under)
    alpha = alpha_cp(y[:, 0], predictions[:, 0], s, 1.0, memory=t).free
    yield Row(subject, "alpha_cp", "of one draw", alpha, float(over[0] / under[0]), 0.0)
    estimates = [residual_variance(x, y[:, draw]) for draw in range(min(draws, 500))]
    yield from_draws(subject, "residual_variance", "noise", 1.0, estimates)


def _two_estimates(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """One number, two noisy estimates."""
    for bias, sigma, tau, rho in ((0.5, 1.0, 0.5, 0.0), (0.0, 1.0, 0.6, 0.7), (0.3, 0.5, 1.0, 0.8)):
        risk = scalar_risk(bias=bias, sigma=sigma, tau=tau, correlation=rho)
        eps, own = rng.standard_normal((2, 10 * draws))
        label, teacher = sigma * eps, bias + tau * (rho * eps + np.sqrt(1 - rho**2) * own)
        yield from _pair(f"two estimates, bias {bias:g}, correlation {rho:g}", "scalar_risk", risk, label, teacher)
    eps = rng.standard_normal(10 * draws)
    expected = memorising_teacher_alpha(bias=0.4, sigma=1.0, share=0.5)
    teacher = 0.4 + 0.5 * eps
    alpha, error = best_alpha(teacher * (eps - teacher), (eps - teacher) ** 2)
    yield Row("teacher that memorised half", "memorising_teacher_alpha", "alpha*", expected, alpha, error)


def _original_proposal(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """The original study's proposal: squared loss to noisy targets and to the teacher, alpha on the targets.

    A student of few features, and a teacher of all, which learned the clean labels of the same examples.
    """
    problem = regression(examples=80, features=20, seed=11, decay=1, alignment=1.0, noise=0.5)
    small = problem.x[:, :8]
    teacher = fixed(ridge(problem.x, 2.0) @ problem.truth)
    risk = risk_coefficients(ridge(small, 1.0), teacher, problem.truth, problem.noise)
    result = simulate(problem, ridge_fit(small, 1.0), fixed_predictions(teacher.mean), ALPHAS, draws=draws, rng=rng)
    yield from risk_rows("the original study's proposal", "risk_coefficients", risk, result)


def _pair(subject: str, function: str, risk: RiskCoefficients, label: np.ndarray, teacher: np.ndarray) -> Iterator[Row]:
    squares = (0.4 * label + 0.6 * teacher) ** 2
    yield from_draws(subject, function, "risk at alpha = 0.4", float(risk.at(0.4)), squares, is_risk=True)
    yield best_alpha_row(subject, function, risk, teacher * (label - teacher), (label - teacher) ** 2)


CHECKS = (
    _teachers,
    _new_examples,
    _least_squares,
    _self_distillation,
    _more_data,
    _one_training_set,
    _two_estimates,
    _original_proposal,
)
