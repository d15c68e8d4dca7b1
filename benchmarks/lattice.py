"""How often `tost` calls a gain equal to the margin equivalent, when accuracies are multiples of 1 / 360.

The latent gain of a seed is normal with mean equal to the margin; each is rounded to one of its two neighbours on the
lattice at random, so that the mean stays the margin. The size should be 5 %.
"""

from __future__ import annotations

import numpy as np

from distillab.stats.t_test import one_sample_t

STEP, STUDIES, SIGNIFICANCE = 1 / 360, 40_000, 0.05
MARGINS = (0.001, 0.002, 0.005)
SPREADS = (0.1, 0.3, 0.5, 1.5)
SEEDS = (5, 10, 20)


def size(margin: float, spread: float, seeds: int, rng: np.random.Generator) -> float:
    """The share of studies in which both one-sided tests reject."""
    latent = margin / STEP + spread * rng.standard_normal((seeds, STUDIES))
    below = np.floor(latent)
    gains = STEP * (below + (rng.random(latent.shape) < latent - below))
    above, under = one_sample_t(gains, null=-margin), one_sample_t(gains, null=margin)
    return float(np.mean(np.maximum(above.p_greater, under.p_less) <= SIGNIFICANCE))


def main() -> None:
    """Print a Markdown table."""
    print("| margin, points | spread, steps | " + " | ".join(f"{seeds} seeds" for seeds in SEEDS) + " |")
    print("|---" * (2 + len(SEEDS)) + "|")
    rng = np.random.default_rng(0)
    for margin in MARGINS:
        for spread in SPREADS:
            cells = [f"{100 * size(margin, spread, seeds, rng):.1f} %" for seeds in SEEDS]
            print(f"| {100 * margin:g} | {spread:g} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
