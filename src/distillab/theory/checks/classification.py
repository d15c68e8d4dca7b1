"""Label noise, training losses and gradients: the closed forms compared with drawn labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from distillab.theory.brier import brier_risk, label_bias
from distillab.theory.checks.row import Row, best_alpha_row, from_draws, worst
from distillab.theory.empirical_risk import cells, estimation_error
from distillab.theory.gradients import control_variate_alpha, label_gradient_variance, stationary_risk, target_noise
from distillab.theory.inputs import Floats
from distillab.theory.label_noise import (
    finite_teacher_accuracy,
    flip_threshold,
    label_energy,
    noisy_posterior,
    smoothing,
)
from distillab.theory.problems import regression
from distillab.theory.risk import RiskCoefficients, alpha_star
from distillab.theory.smoothers import ridge

CLASSES, RATE = 10, 0.4


def _noisy_labels(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """The posterior of noisy labels, and the alphas at which a mixture still favours the truth."""
    posterior = np.array([0.7, 0.2, 0.1])
    given = _flipped(_drawn(posterior, 10 * draws, rng), 3, 0.3, rng)
    expected = noisy_posterior(posterior, 0.3)
    subject = "noisy posterior"
    candidates = [
        from_draws(subject, "noisy_posterior", f"chance of class {c}", expected[c], given == c) for c in range(3)
    ]
    yield worst(candidates)
    squares = np.sum((np.eye(3)[given] - expected) ** 2, axis=1)
    yield from_draws("noise of a label", "label_energy", "variance", float(label_energy(posterior, 0.3)), squares)
    clean = np.zeros(10 * draws, dtype=int)
    given = _flipped(clean, CLASSES, RATE, rng)
    teacher = noisy_posterior(np.eye(CLASSES)[0], RATE)
    matrix = noisy_posterior(np.eye(CLASSES), RATE)
    threshold = flip_threshold(matrix)
    c = smoothing(RATE, CLASSES)
    yield Row("flip threshold", "flip_threshold", "(1 - c) / (2 - c)", threshold, (1 - c) / (2 - c), 0.0)
    for side, alpha, share in (("below", threshold - 1e-6, 1.0), ("above", threshold + 1e-6, 1 - RATE)):
        mixed = alpha * np.eye(CLASSES)[given] + (1 - alpha) * teacher
        right = mixed.argmax(axis=1) == 0
        yield from_draws(f"targets {side} the flip threshold", "flip_threshold", "share right", share, right)
    for alpha in (0.1, 0.25, 0.4):
        votes = rng.random((draws, 15)) < 0.3  # wrong votes; the first is the label itself
        wrong = alpha * votes[:, 0] + (1 - alpha) * votes.mean(axis=1)
        right = wrong < 0.5 - 1e-12
        correct = finite_teacher_accuracy(alpha, 15, 0.3)
        subject = f"teacher of 15 votes, alpha = {alpha:g}"
        yield from_draws(subject, "finite_teacher_accuracy", "share right", correct, right)


def _training_loss(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """The error of a training loss as an estimate of the true one."""
    make = np.random.default_rng(20)
    chances, losses = make.dirichlet(np.ones(8)), make.gamma(1.0, 1.0, (8, 5))
    posterior = noisy_posterior(make.dirichlet(np.ones(5), 8), 0.2)
    examples = 100
    for name, teacher in (("Bayes", posterior), ("another", make.dirichlet(np.ones(5), 8))):
        population = cells(chances, posterior, teacher, losses)
        risk = estimation_error(population, examples)
        # Counts of (cell, label) pairs are all that a training loss depends on.
        pairs = rng.multinomial(examples, (chances[:, None] * posterior).ravel(), size=10 * draws).reshape(-1, 8, 5)
        true = float(chances @ np.sum(posterior * losses, axis=1))
        label = np.sum(pairs * losses, axis=(1, 2)) / examples - true
        from_teacher = pairs.sum(axis=2) @ np.sum(teacher * losses, axis=1) / examples - true
        yield from _mixtures(f"training loss, teacher: {name}", "estimation_error", risk, label, from_teacher)


def _gradient_noise(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """Gradients: exact for a linear model, then the variance from the labels, from the targets, and stationary SGD."""
    make = np.random.default_rng(21)
    x = make.standard_normal((400, 4))
    truth, weights, taught = make.standard_normal((3, 4))
    y = x @ truth + make.standard_normal(400)
    student, teacher = ((x @ w - y)[:, None] * x for w in (weights, taught))
    mixed = (x @ weights - 0.3 * y - 0.7 * (x @ taught))[:, None] * x
    apart = float(np.abs(mixed - (student - 0.7 * teacher)).max())
    yield Row("gradient is a control variate", "control_variate_alpha", "greatest departure", 0.0, apart, 0.0)
    grid = np.linspace(-1, 2, 30_001)
    shared = np.sum((student - student.mean(0)) * (teacher - teacher.mean(0))) / 400
    variances = student.var(axis=0).sum() - 2 * (1 - grid) * shared + (1 - grid) ** 2 * teacher.var(axis=0).sum()
    least, step = float(grid[np.argmin(variances)]), float(grid[1] - grid[0])
    expected = control_variate_alpha(student, teacher)
    yield Row("gradient of least variance", "control_variate_alpha", "alpha, on a grid", expected, least, step)
    q = make.dirichlet(np.ones(5))
    logits = make.standard_normal(5)
    predicted = np.exp(logits) / np.exp(logits).sum()
    labels = np.eye(5)[_flipped(_drawn(q, 10 * draws, rng), 5, 0.2, rng)]
    mixture = 0.6 * (predicted - labels) + 0.4 * (predicted - q)
    squares = np.sum((mixture - mixture.mean(axis=0)) ** 2, axis=1)
    expected = float(label_gradient_variance(0.6, q, 0.2))
    yield from_draws("gradient noise of the label", "label_gradient_variance", "at alpha = 0.6", expected, squares)
    problem = regression(examples=50, features=10, seed=22, decay=1)
    smoother = ridge(problem.x, 5.0)
    eps = rng.standard_normal((50, draws))
    targets = 0.4 * eps + 0.6 * (smoother @ eps)
    squares, predicted_noise = np.mean(targets**2, axis=0), float(target_noise(smoother).at(0.4))
    yield from_draws("noise left in the targets", "target_noise", "at alpha = 0.4", predicted_noise, squares)
    interpolating = float(target_noise(np.eye(3)).at(0.3))
    yield Row("targets of an interpolating teacher", "target_noise", "at any alpha", 1.0, interpolating, 0)
    yield from _stationary_descent(draws, rng)


def _brier(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """The Brier score of a mixture of noisy labels and a teacher."""
    q = np.random.default_rng(23).dirichlet(np.ones(CLASSES))
    bias = 0.1 * (1 / CLASSES - q)
    risk = brier_risk(q, RATE, labels=3, teacher_bias=bias, teacher_variance=0.05)
    counts = rng.multinomial(3, noisy_posterior(q, RATE), size=4 * draws) / 3
    predictions = q + bias + np.sqrt(0.05 / CLASSES) * rng.standard_normal(counts.shape)
    yield from _mixtures("Brier score, cleaner teacher", "brier_risk", risk, counts - q, predictions - q)
    # A teacher of M further labels with the same noise: alpha* is its share, whatever the noise.
    risk = brier_risk(
        q, RATE, labels=3, teacher_bias=label_bias(q, RATE), teacher_variance=float(label_energy(q, RATE)) / 9
    )
    yield Row("Brier score, teacher of nine labels to three", "brier_risk", "alpha*", alpha_star(risk).free, 3 / 12, 0)


def _stationary_descent(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    features, batch, step, sigma, alpha = 5, 2, 0.08, 1.0, 0.5
    offset = np.full(features, 0.3 / np.sqrt(features))
    expected = stationary_risk(teacher_offset=0.09, variance=sigma**2, features=features, batch=batch, step=step)
    chains = max(draws // 5, 100)
    off = np.zeros((chains, features))  # weights minus the truth
    risks = []
    for iteration in range(400):
        x = rng.standard_normal((chains, batch, features))
        noise = sigma * rng.standard_normal((chains, batch))
        target = alpha * noise + (1 - alpha) * (x @ offset)
        error = np.einsum("cbf,cf->cb", x, off) - target
        off -= step * np.einsum("cb,cbf->cf", error, x) / batch
        if iteration >= 200:
            risks.append(np.sum(off**2, axis=1))
    predicted = float(expected.at(alpha))
    yield from_draws(
        "SGD at rest", "stationary_risk", "risk at alpha = 0.5", predicted, np.mean(risks, 0), is_risk=True
    )


def _mixtures(subject: str, function: str, risk: RiskCoefficients, label: Floats, teacher: Floats) -> Iterator[Row]:
    """Errors of labels and of a teacher, each shape (M,) or (M, C), mixed."""
    first, second = (part.reshape(len(part), -1) for part in (label, teacher))
    candidates = [
        from_draws(
            subject,
            function,
            f"risk at alpha = {alpha:g}",
            float(risk.at(alpha)),
            np.sum((alpha * first + (1 - alpha) * second) ** 2, axis=1),
            is_risk=True,
        )
        for alpha in (0.0, 0.3, 0.7, 1.0)
    ]
    yield worst(candidates)
    numerators, denominators = np.sum(second * (first - second), axis=1), np.sum((first - second) ** 2, axis=1)
    yield best_alpha_row(subject, function, risk, numerators, denominators)


def _drawn(posterior: Floats, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.choice(len(posterior), size=count, p=posterior))


def _flipped(labels: np.ndarray, classes: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Labels of which each, with probability `rate`, becomes one of the others."""
    others = (labels + rng.integers(1, classes, len(labels))) % classes
    return np.where(rng.random(len(labels)) < rate, others, labels)


CHECKS = (_noisy_labels, _training_loss, _gradient_noise, _brier)
