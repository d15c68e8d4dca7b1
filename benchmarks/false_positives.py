"""How often the verdict finds a gain where there is none, and how often intervals over examples cover.

    python benchmarks/false_positives.py [--studies 400]

A simulated model's outputs are a signal of the label plus noise of its own; half of the noise's variance is common to
the students of a seed, and the noise of each student is larger or smaller by a factor (log-normal, sigma 0.3), so some
train well and some badly, for no reason of alpha: every gain is false. Labels and signal are drawn once a study, the
noise for each student, and `evaluate` gives the metric. A study has 6 alphas, and its verdict is that of
`analysis/setting.py`; two arms are alphas 0.4 and 1 of the same students, judged by their seeds alone (a distillation
is judged by seeds and examples: `coverage.py`). Studies of 5 and 10 seeds are the first seeds of those of 20. Rates
have Clopper and Pearson's 95 % intervals.

Coverage: two models of different quality, whose true difference is their mean one on 20 sets of 20,000 examples.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest, bootstrap

from distillab.metrics import METRICS
from distillab.stats import paired_bootstrap, verdict
from distillab.study.provenance import now, package_versions
from distillab.tasks import TASKS
from distillab.tasks.evaluation import evaluate
from distillab.tasks.resampling import example_metric

RESULTS = Path(__file__).parent / "results" / "false_positives.json"
ALPHAS = np.linspace(0, 1, 6)
ARMS = [2, 5]  # alphas 0.4 and 1
SEEDS = (5, 10, 20)
MARGIN = 0.001
RESAMPLES = 999


class Labels(NamedTuple):
    """Labels, and the outputs that a model without noise would give."""

    labels: np.ndarray
    signal: np.ndarray


class Case(NamedTuple):
    """A metric on labels of one kind.

    Args:
        name: of the labels, for the table.
        task, metric: what is measured.
        draw: labels of as many examples.
        examples: in the test set.
    """

    name: str
    task: str
    metric: str
    draw: Callable[[np.random.Generator, int], Labels]
    examples: int


def yes_or_no(share: float, *positions: int) -> Callable[[np.random.Generator, int], Labels]:
    def draw(rng: np.random.Generator, examples: int) -> Labels:
        labels = (rng.random((examples, *positions)) < share).astype(np.int32)
        return Labels(labels, 1.5 * labels[..., None] + 0.5 * rng.normal(size=(*labels.shape, 1)) - 0.75)

    return draw


def several_labels(names: int, rarest: float, unknown: float) -> Callable[[np.random.Generator, int], Labels]:
    def draw(rng: np.random.Generator, examples: int) -> Labels:
        labels = (rng.random((examples, names)) < np.geomspace(rarest, 0.5, names)).astype(np.int32)
        signal = 1.5 * labels + 0.5 * rng.normal(size=labels.shape) - 0.75
        return Labels(np.where(rng.random(labels.shape) < unknown, -1, labels).astype(np.int32), signal)

    return draw


def numbers(width: int, tails: float) -> Callable[[np.random.Generator, int], Labels]:
    def draw(rng: np.random.Generator, examples: int) -> Labels:
        labels = rng.standard_t(tails, (examples, width))
        return Labels(labels, 0.8 * labels + 0.3 * rng.normal(size=labels.shape))

    return draw


def regions(classes: int, side: int) -> Callable[[np.random.Generator, int], Labels]:
    """Maps of four quarters, of classes that are the rarer the higher their number."""

    def draw(rng: np.random.Generator, examples: int) -> Labels:
        share = 0.5 ** np.arange(classes)
        quarters = rng.choice(classes, (examples, 2, 2), p=share / share.sum())
        labels = quarters.repeat(side // 2, axis=1).repeat(side // 2, axis=2).astype(np.int32)
        hard = 0.7 * rng.normal(size=(examples, 1, 1, 1))
        return Labels(labels, (1.5 + hard) * np.eye(classes)[labels])

    return draw


CASES = (
    Case("30 % positive", "binary", "auroc", yes_or_no(0.3), 200),
    Case("5 % positive", "binary", "auroc", yes_or_no(0.05), 1000),
    Case("5 labels", "multilabel", "map", several_labels(5, 0.1, 0.0), 200),
    Case("8 labels, the rarest 5 %, a tenth unknown", "multilabel", "map", several_labels(8, 0.05, 0.1), 250),
    Case("one output, normal", "regression", "mae", numbers(1, 1e9), 200),
    Case("3 outputs, t with 3 degrees of freedom", "regression", "mae", numbers(3, 3), 600),
    Case("maps of 8 x 8, 10 % positive", "binary", "iou", yes_or_no(0.1, 8, 8), 30),
    Case("maps of 8 x 8, 3 classes", "categorical", "mean_iou", regions(3, 8), 20),
    Case("maps of 8 x 8, 5 classes, the rarest 3 %", "categorical", "mean_iou", regions(5, 8), 25),
)


def scores(case: Case, rng: np.random.Generator) -> np.ndarray:
    """The metric of the students of a study, of which more is better, shape (seeds, alphas)."""
    labels, signal = case.draw(rng, case.examples)
    table = np.empty((max(SEEDS), len(ALPHAS)))
    for row in table:
        of_seed = rng.normal(size=signal.shape)
        for column in range(len(ALPHAS)):
            noise = (of_seed + rng.normal(size=signal.shape)) / np.sqrt(2)
            outputs = (signal + np.exp(0.3 * rng.normal()) * noise).astype(np.float32)
            row[column] = evaluate(TASKS[case.task], outputs, labels)[case.metric]
    return METRICS[case.metric].sign * table


def rate(count: int, of: int) -> dict[str, float]:
    interval = binomtest(count, of).proportion_ci(method="exact")
    return {"rate": count / of, "low": float(interval.low), "high": float(interval.high)}


def shown(found: Mapping[str, float]) -> str:
    return f"{found['rate']:.1%} ({found['low']:.1%} to {found['high']:.1%})"


def false_positives(studies: int) -> list[dict[str, Any]]:
    print(
        "\n| metric | labels | examples | seeds | study: supported | distillation: supported | "
        "study: shown to gain nothing |"
    )
    print("|---|---|---|---|---|---|---|")
    rows = []
    for number, case in enumerate(CASES):
        rng = np.random.default_rng([201, number])
        tables = [scores(case, rng) for _ in range(studies)]
        for seeds in SEEDS:
            kinds = [verdict(table[:seeds], ALPHAS, margin=MARGIN, shares=False).kind for table in tables]
            arms = [verdict(t[:seeds, ARMS], ALPHAS[ARMS], margin=MARGIN, shares=False).kind for t in tables]
            study, distillation = (rate(each.count("supported"), studies) for each in (kinds, arms))
            otherwise = rate(sum(kind in ("practically equivalent", "contradicted") for kind in kinds), studies)
            row = {"metric": case.metric, "labels": case.name, "examples": case.examples, "seeds": seeds}
            rows.append(row | {"study": study, "distillation": distillation, "otherwise": otherwise})
            cells = (METRICS[case.metric].label, case.name, case.examples, seeds, shown(study), shown(distillation))
            print("| " + " | ".join(map(str, cells)) + f" | {otherwise['rate']:.1%} |", flush=True)
    return rows


def two_models(case: Case, rng: np.random.Generator, examples: int) -> tuple[Callable[[np.ndarray], float], ...]:
    """The metric of a better and a worse model as functions of the examples drawn."""
    labels, signal = case.draw(rng, examples)
    shared = rng.normal(size=signal.shape)
    outputs = [(signal + noise * (shared + rng.normal(size=signal.shape))).astype(np.float32) for noise in (0.6, 0.8)]
    return tuple(example_metric(TASKS[case.task], case.metric, each, labels) for each in outputs)


def coverage(studies: int) -> list[dict[str, Any]]:
    print("\n| metric | labels | examples | percentile interval covers | BCa interval covers |")
    print("|---|---|---|---|---|")
    rows = []
    for number in (0, 2, 4, 7):
        case = CASES[number]
        rng = np.random.default_rng([202, number])
        sets = [two_models(case, rng, 20_000) for _ in range(20)]
        truth = np.mean([first(np.arange(20_000)) - second(np.arange(20_000)) for first, second in sets])
        for examples in (40, 200):
            covered = {"percentile": 0, "bca": 0}
            for _ in range(studies):
                first, second = two_models(case, rng, examples)
                found = paired_bootstrap(first, second, examples, rng=rng, resamples=RESAMPLES)
                covered["percentile"] += found.low <= truth <= found.high
                theirs = bootstrap(
                    (np.arange(examples),),
                    lambda draw, first=first, second=second: first(draw) - second(draw),
                    vectorized=False,
                    n_resamples=RESAMPLES,
                    method="BCa",
                    random_state=rng,
                ).confidence_interval
                covered["bca"] += theirs.low <= truth <= theirs.high
            rates = {method: rate(int(count), studies) for method, count in covered.items()}
            rows.append({"metric": case.metric, "labels": case.name, "examples": examples} | rates)
            cells = (METRICS[case.metric].label, case.name, examples, *map(shown, rates.values()))
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=400, help="simulated studies behind each rate")
    studies = parser.parse_args().studies
    start = time.perf_counter()
    print(f"NumPy {np.__version__}; {studies} studies a row")
    result = {
        "date": now(),
        "machine": {"processor": platform.machine(), "system": platform.system()},
        "versions": package_versions(),
        "studies": studies,
        "false_positives": false_positives(studies),
        "coverage": coverage(studies),
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(f"\n{time.perf_counter() - start:.0f} s; {RESULTS}")


if __name__ == "__main__":
    main()
