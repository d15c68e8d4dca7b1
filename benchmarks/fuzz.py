"""Reads input made at random, and says whether anything broke: `python benchmarks/fuzz.py --cases 10000`.

Studies, overrides, commands, and damaged files of every kind that distillab reads. Each case must end in success or in
one line of error, within seconds and a bounded memory. Exit 1, with the smallest example found, where one does not.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")

from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.fuzz import KINDS, shares, timed

ROOM = 16 * 2**30
"""Bytes of addresses beyond those at the start: a case that asks for more is told that there is no memory."""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--cases", type=int, default=10_000, help="in all")
    options.add_argument("--seed", type=int, default=0, help="draws them")
    options.add_argument("--only", choices=list(KINDS), help="one kind, all the cases")
    asked = options.parse_args()
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="distillab-fuzz-cache-")
    os.environ.pop("DISTILLAB_DATA", None)
    os.chdir(tempfile.mkdtemp(prefix="distillab-fuzz-here-"))
    broken, begin, total = 0, time.perf_counter(), 0
    parts = [(asked.only, asked.cases)] if asked.only else list(shares(asked.cases))
    for name, cases in parts:
        spent: list[float] = []
        taken: list[bool] = []
        strategy = KINDS[name].cases()
        _limit_memory()
        try:
            _tried(timed(KINDS[name].read, spent, taken), strategy, cases, asked.seed)()
            fate = "none broke"
        except Exception as error:
            traceback.print_exc(limit=-8)
            print("\n".join(getattr(error, "__notes__", [])), file=sys.stderr)
            fate, broken = "BROKEN", broken + 1
        total += len(spent)
        told = f"{sum(taken):>6,} accepted, longest {max(spent, default=0):.2f} s"
        print(f"{name:<15} {len(spent):>6,} cases in {sum(spent):>6.1f} s, {told}: {fate}", flush=True)
    print(f"{total:,} cases in {time.perf_counter() - begin:.0f} s, {broken} kinds of {len(parts)} broken")
    return 1 if broken else 0


def _tried(read: Callable[[Any], None], strategy: Any, cases: int, number: int) -> Callable[[], None]:
    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one(case: Any) -> None:
        read(case)

    return one


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, hard))


if __name__ == "__main__":
    sys.exit(main())
