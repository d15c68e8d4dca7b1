"""Numbers as text: percent, p values and lists."""

from __future__ import annotations

import math
from collections.abc import Sequence

from distillab.metrics.metric import NOTHING


def percent(share: float, digits: int = 2) -> str:
    """A share as a percentage.

    Example:
        >>> percent(0.98304)
        '98.30 %'
    """
    return f"{100 * share:.{digits}f} %" if math.isfinite(share) else NOTHING


def p_value(p: float) -> str:
    """A p value after its sign of relation.

    Example:
        >>> p_value(0.034), p_value(1e-9)
        ('= 0.034', '< 0.0001')
    """
    return "< 0.0001" if p < 0.0001 else f"= {p:.2g}"


def bare_p(p: float) -> str:
    """A p value for a column of a table."""
    return p_value(p).removeprefix("= ").replace("< ", "<")


def counted(count: int, noun: str) -> str:
    """A count with its noun.

    Example:
        >>> counted(1, "seed"), counted(1100, "student")
        ('1 seed', '1,100 students')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def alphas_in_words(chosen: Sequence[float], grid: Sequence[float]) -> str:
    """Name some alphas of a grid, runs of neighbours as "from to".

    Example:
        >>> alphas_in_words([0.1, 0.2, 0.3, 0.9], [0.0, 0.1, 0.2, 0.3, 0.5, 0.9, 1.0])
        '0.1 to 0.3 and 0.9'
    """
    runs: list[list[float]] = []
    for index, alpha in enumerate(grid):
        if alpha in chosen:
            if index and grid[index - 1] in chosen:
                runs[-1].append(alpha)
            else:
                runs.append([alpha])
    parts: list[str] = []
    for run in runs:
        parts += [f"{run[0]:g} to {run[-1]:g}"] if len(run) > 2 else [f"{alpha:g}" for alpha in run]
    return listed(parts)


def listed(parts: Sequence[str]) -> str:
    """Join words as in a sentence.

    Example:
        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else list(parts))
