"""The statistics computed plainly, a column and a step at a time: what the quick ones must equal."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from distillab.stats.paired import all_signs, drawn_signs
from distillab.stats.sample import SAME


def sign_flip_p(sample: np.ndarray, rng: np.random.Generator, resamples: int) -> float:
    size = np.sort(np.abs(sample))
    bound = abs(sample.sum()) - SAME * size.sum()
    if 2 ** len(sample) <= resamples:
        return float(np.mean([abs(signs @ size) >= bound for signs in all_signs(len(sample))]))
    count = sum(abs(signs @ size) >= bound for signs in drawn_signs(rng, resamples, len(sample)))
    return (count + 1) / (resamples + 1)


def t_ends(sample: np.ndarray) -> tuple[float, float]:
    half = stdtrit(len(sample) - 1, 0.975) * sample.std(ddof=1) / np.sqrt(len(sample))
    return sample.mean() - half, sample.mean() + half


def confidence_set(scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """p and order by sign flips with these patterns (over R), each round anew from the candidates left."""
    floor = 1e-12 * np.abs(scores).max()
    left, p, running, order = list(range(scores.shape[1])), np.ones(scores.shape[1]), 0.0, list[int]()
    while len(left) > 1:
        statistic, null = {}, np.zeros(len(weights))
        for i in left:
            for j in left:
                behind = scores[:, j] - scores[:, i]
                rms = np.sqrt(np.mean(behind**2))
                if i != j:
                    statistic[i, j] = behind.mean() / rms if rms > floor else 0.0
                    null = np.maximum(null, np.abs(weights @ behind) / rms if rms > floor else 0.0)
        each = {i: max(statistic[i, j] for j in left if j != i) for i in left}
        worst = [i for i in left if each[i] >= max(each.values()) - SAME]
        if len(worst) == len(left):
            break
        running = max(running, float(np.mean(null >= max(map(abs, statistic.values())) - SAME)))
        p[worst] = running
        order += worst
        left = [i for i in left if i not in worst]
    return p, order + left
