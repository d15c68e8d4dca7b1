"""Simulated studies whose truth is known: how often the statistics are right.

    python benchmarks/stats_simulation.py [--studies 1000]

Each study has R seeds and A alphas; an accuracy is 0.96 plus a seed effect (sd 0.004, shared by all alphas at that
seed) plus noise (sd 0.002) plus the true gain of its alpha. The seed of every table is fixed, so the figures come out
the same again.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np

from distillab.stats import (
    bootstrap_interval,
    model_confidence_set,
    paired_power,
    sign_flip,
    t_interval,
    verdict,
)

NOISE = 0.002
SEEDS = (5, 10, 20)
ALPHAS = np.linspace(0, 1, 11)


def accuracies(rng: np.random.Generator, seeds: int, gains: np.ndarray) -> np.ndarray:
    return 0.96 + gains + rng.normal(0, 0.004, (seeds, 1)) + rng.normal(0, NOISE, (seeds, len(gains)))


def verdicts(studies: int) -> None:
    hump = 0.006 * (1 - ((ALPHAS - 0.5) / 0.5) ** 2)
    truths = {
        "all alphas equal": np.zeros(11),
        "one alpha gains 0.4 points": np.where(np.isclose(ALPHAS, 0.5), 0.004, 0.0),
        "a hump, 0.6 points at 0.5": hump,
        "every alpha loses 0.4 points": np.where(ALPHAS < 1, -0.004, 0.0),
    }
    print("\n| truth | seeds | supported | practically equivalent | contradicted | undecided |")
    print("|---|---|---|---|---|---|")
    for truth, gains in truths.items():
        for seeds in SEEDS:
            rng = np.random.default_rng(101)
            counts = Counter(verdict(accuracies(rng, seeds, gains), ALPHAS).kind for _ in range(studies))
            kinds = ("supported", "practically equivalent", "contradicted", "undecided")
            print(f"| {truth} | {seeds} | " + " | ".join(f"{counts[k] / studies:.1%}" for k in kinds) + " |")


def power_curve(studies: int) -> None:
    print("\n| true gain (points) | seeds | power stated | found, one comparison | found, nine comparisons with Holm |")
    print("|---|---|---|---|---|")
    for gain in (0.001, 0.002, 0.004):
        for seeds in SEEDS:
            rng = np.random.default_rng(102)
            stated = float(paired_power(gain, NOISE * np.sqrt(2), seeds))
            one, nine = 0, 0
            for _ in range(studies):
                table = accuracies(rng, seeds, np.where(np.isclose(ALPHAS, 0.5), gain, 0.0))
                evidence = verdict(table, ALPHAS).evidence[4]
                one += evidence.p <= 0.05
                nine += evidence.p_adjusted <= 0.05
            print(f"| {100 * gain:.1f} | {seeds} | {stated:.1%} | {one / studies:.1%} | {nine / studies:.1%} |")


def confidence_sets(studies: int) -> None:
    truths = {
        "all equal": np.zeros(6),
        "two best, 0.4 points ahead": np.array([0.0, 0.0, -0.004, -0.004, -0.004, -0.004]),
        "a ladder of 0.1 points": -0.001 * np.arange(6),
    }
    print("\n| truth (6 alphas) | seeds | sign flip: holds all best | size | bootstrap: holds all best | size |")
    print("|---|---|---|---|---|---|")
    for truth, gains in truths.items():
        for seeds in SEEDS:
            cells = []
            for resampling in ("sign flip", "bootstrap"):
                rng = np.random.default_rng(103)
                held, size = 0, 0
                for _ in range(studies):
                    table = accuracies(rng, seeds, gains)
                    found = model_confidence_set(table, rng=rng, resamples=1024, resampling=resampling)
                    held += bool(found.included[gains == 0].all())
                    size += int(found.included.sum())
                cells.append(f"{held / studies:.1%} | {size / studies:.1f}")
            print(f"| {truth} | {seeds} | " + " | ".join(cells) + " |")


def intervals(studies: int) -> None:
    print("\n| seeds | t interval covers | BCa bootstrap covers | sign flip rejects a true null |")
    print("|---|---|---|---|")
    for seeds in SEEDS:
        rng = np.random.default_rng(104)
        t, boot, flips = 0, 0, 0
        for _ in range(studies):
            gain = rng.normal(0, NOISE, seeds)
            found = t_interval(gain)
            t += found.low <= 0 <= found.high
            found = bootstrap_interval(gain, rng=rng, resamples=999)
            boot += found.low <= 0 <= found.high
            flips += sign_flip(gain, rng=rng, resamples=1024).p <= 0.05
        print(f"| {seeds} | {t / studies:.1%} | {boot / studies:.1%} | {flips / studies:.1%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies behind each figure")
    studies = parser.parse_args().studies
    start = time.perf_counter()
    print(f"NumPy {np.__version__}; {studies} studies a row; a share of 5 % has a standard error of", end=" ")
    print(f"{np.sqrt(0.05 * 0.95 / studies):.2%}, one of 50 % of {np.sqrt(0.25 / studies):.2%}")
    verdicts(studies)
    power_curve(studies)
    confidence_sets(studies)
    intervals(studies)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
