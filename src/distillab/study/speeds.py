"""How fast models were trained on this machine before: what runs measure, kept for the next one's estimate."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from distillab.io import replace_file

FILE = "speeds.json"

LONG = 30.0
"""Seconds against which those of a compilation hardly matter."""


class Speeds:
    """Seconds that training takes for one example on one device, by what is trained.

    Args:
        path: a file in the user's cache; None: nothing is known, and nothing is kept.

    Example:
        >>> speeds = Speeds()
        >>> speeds.learn({"cnn-16-32": [(9.0, 500_000), (5.0, 500_000)]})
        >>> speeds.of("cnn-16-32")
        1e-05
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known = _read(path)

    def of(self, key: str) -> float | None:
        """What is known."""
        return self._known.get(key)

    def learn(self, measured: Mapping[str, Sequence[tuple[float, int]]]) -> None:
        """Keep what a run has measured; newer measurements take the place of older ones.

        Args:
            measured: seconds and examples of each cohort, in the order of training. The first is left out, for it was
                compiled, unless it took so long that this hardly matters.
        """
        new = {}
        for key, cohorts in measured.items():
            paces = [
                seconds / examples
                for place, (seconds, examples) in enumerate(cohorts)
                if examples and (place or seconds > LONG)
            ]
            if paces:
                new[key] = statistics.median(paces)
        if not new:
            return
        self._known |= new
        if self._path is not None:
            text = json.dumps(_read(self._path) | new, indent=1, sort_keys=True)
            replace_file(self._path, lambda path: path.write_text(text, encoding="utf-8"))


def _read(path: Path | None) -> dict[str, float]:
    """What a file holds; nothing where there is none, or where it holds something else."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
    except (OSError, ValueError):
        return {}
    if not isinstance(tree, dict):
        return {}
    return {key: float(value) for key, value in tree.items() if isinstance(value, int | float) and 0 < value < math.inf}
