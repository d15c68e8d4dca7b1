"""How often the interval over seeds and test examples covers, and how often its verdict is false.

    python benchmarks/coverage.py [--studies 1000]

A student is right on an example where a normal variable exceeds 0: its accuracy's quantile, minus the example's
difficulty (standard deviation 1.5), plus what this kind of student finds easy (0.4), plus the seed (0, or 0.1: a
standard deviation of up to 2 points of accuracy beyond the examples' chance), plus seed and example together (0.8). The
two kinds share the difficulties and are otherwise independent. Every study draws new seeds and new examples; the truth
is the difference of the two accuracies, 0 or 2 points.

Columns: coverage without and with a true gain, for each interval; "helped" where nothing was gained; "practically
equivalent" within ±2 points where the gain is 2 points. All draws are others than those on which the degrees of freedom
were chosen (accuracies 0.6, 0.9 and 0.97, seeds' spreads of 0, 0.05 and 0.2, 2 to 5 seeds) and when to add examples
(accuracies 0.6 to 0.99, 3 to 20 seeds, 36 to 360 examples). A quarter of the studies stand behind a rate of 10,000
examples, a fifth behind those of the crossed bootstrap (accuracy 0.8, up to 1,000 examples).
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import t

from distillab.stats import paired_t, t_interval
from distillab.stats.crossed import DIFFERENCES, CrossedMean, crossed_bootstrap, crossed_mean
from distillab.stats.crossed_verdict import crossed_verdict
from distillab.study.provenance import now, package_versions

RESULTS = Path(__file__).parent / "results" / "coverage.json"
SEEDS = (2, 3, 5, 10, 20)
EXAMPLES = (36, 100, 360, 1_000, 10_000)
ACCURACIES = (0.6, 0.8, 0.95, 0.99)
SEED_SDS = (0.0, 0.1)
GAIN = 0.02
DIFFICULTY, KIND, TOGETHER = 1.5, 0.4, 0.8
RESAMPLES = 399


def correct(
    rng: np.random.Generator, difficulty: np.ndarray, accuracy: float, seeds: int, seed_sd: float
) -> np.ndarray:
    """Whether the students of one kind are right, shape (seeds, examples)."""
    total = np.sqrt(DIFFICULTY**2 + KIND**2 + TOGETHER**2 + seed_sd**2)
    examples = len(difficulty)
    of_example = ndtri(accuracy) * total - difficulty + KIND * rng.standard_normal(examples)
    of_seed = seed_sd * rng.standard_normal(seeds)
    noise = rng.standard_normal((seeds, examples), dtype=np.float32)
    return TOGETHER * noise > -(of_example + of_seed[:, None])


def differences(
    rng: np.random.Generator, seeds: int, examples: int, accuracies: tuple[float, float], seed_sd: float
) -> np.ndarray:
    """Student minus baseline, shape (seeds, examples), of -1, 0 and 1."""
    difficulty = DIFFICULTY * rng.standard_normal(examples)
    student, baseline = (correct(rng, difficulty, one, seeds, seed_sd) for one in accuracies)
    return student.astype(np.float64) - baseline


def hillis(found: CrossedMean) -> tuple[float, float]:
    """The interval as published: no floor of the seeds' mean square, no transformation, no added examples."""
    variance = found.squares.seeds + max(found.squares.examples - found.squares.rest, 0.0)
    df = variance**2 / (found.squares.seeds**2 / (found.seeds - 1)) if found.squares.seeds else np.inf
    half = t.ppf(0.975, df) * np.sqrt(variance / (found.seeds * found.examples))
    return found.mean - half, found.mean + half


def counted(
    rng: np.random.Generator, studies: int, seeds: int, examples: int, accuracy: float, seed_sd: float, gain: float
) -> dict[str, float]:
    """Shares of the studies in which each interval covers the truth, and each verdict is given."""
    counts: dict[str, int] = {}
    bootstrapped = max(1, studies // 5) if examples <= 1_000 and accuracy == 0.8 else 0
    for study in range(studies):
        scores = differences(rng, seeds, examples, (accuracy, accuracy - gain), seed_sd)
        found = crossed_mean(scores, bounds=DIFFERENCES)
        of_seeds = scores.mean(axis=1)
        intervals = {"crossed": (found.low, found.high), "seeds": t_interval(of_seeds)[1:3]}
        intervals["hillis"] = hillis(crossed_mean(scores))
        if study < bootstrapped:
            intervals["bootstrap"] = crossed_bootstrap(scores, rng=rng, resamples=RESAMPLES)
        for name, (low, high) in intervals.items():
            counts[name] = counts.get(name, 0) + (low <= gain <= high)
        kind = crossed_verdict(scores, margin=GAIN, bounds=DIFFERENCES).kind
        counts["supported"] = counts.get("supported", 0) + (kind == "supported" and gain == 0)
        counts["equivalent"] = counts.get("equivalent", 0) + (kind == "practically equivalent" and gain > 0)
        test = paired_t(of_seeds)
        counts["seeds supported"] = counts.get("seeds supported", 0) + (test.p <= 0.05 and test.difference > 0)
    return {name: count / (bootstrapped if name == "bootstrap" else studies) for name, count in counts.items()}


def settings(studies: int) -> list[dict[str, Any]]:
    rows = []
    grid = itertools.product(SEEDS, EXAMPLES, ACCURACIES, SEED_SDS)
    for number, (seeds, examples, accuracy, seed_sd) in enumerate(grid):
        rng = np.random.default_rng([27, number])
        repeats = studies if examples <= 1_000 else max(1, studies // 4)
        row: dict[str, Any] = {"seeds": seeds, "examples": examples, "accuracy": accuracy, "seed_sd": seed_sd}
        for name, gain in (("null", 0.0), ("gain", GAIN)):
            row[name] = counted(rng, repeats, seeds, examples, accuracy, seed_sd, gain)
        rows.append(row | {"studies": repeats})
    return rows


def span(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{100 * np.mean(values):.1f} ({100 * min(values):.1f} to {100 * max(values):.1f})"


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A row for each number of seeds and examples: mean and range over the other settings, in per cent."""
    heads = ("seeds", "test examples", "covers", "Hillis as published", "crossed bootstrap", "seeds' t alone")
    heads = (*heads, "false helped", "seeds' t alone: false helped", "false equivalent")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for seeds, examples in itertools.product(SEEDS, EXAMPLES):
        of = [row for row in rows if (row["seeds"], row["examples"]) == (seeds, examples)]
        both = [row[name] for row in of for name in ("null", "gain")]
        covers = [span([one[name] for one in both if name in one]) for name in ("crossed", "hillis", "bootstrap")]
        helped, by_seeds = (max(row["null"][name] for row in of) for name in ("supported", "seeds supported"))
        equivalent = max(row["gain"]["equivalent"] for row in of)
        rates = (f"{100 * rate:.1f}" for rate in (helped, by_seeds, equivalent))
        cells = (seeds, f"{examples:,}", *covers, span([one["seeds"] for one in both]), *rates)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1_000, help="simulated studies behind each rate")
    studies = parser.parse_args().studies
    start = time.perf_counter()
    rows = settings(studies)
    print("\n".join(table(rows)))
    result = {
        "date": now(),
        "machine": {"processor": platform.machine(), "system": platform.system()},
        "versions": package_versions(),
        "studies": studies,
        "seconds": round(time.perf_counter() - start, 1),
        "settings": rows,
    }
    lines = ",\n".join(json.dumps(row) for row in result.pop("settings"))
    head = json.dumps(result, indent=1).removesuffix("\n}")
    RESULTS.write_text(f'{head},\n "settings": [\n{lines}\n]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
