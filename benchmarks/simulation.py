"""What a study of 10,000 students takes on 1 to 1,000 workers: `python benchmarks/simulation.py`.

The queue, and the loop that hands it out, are those of real runs (study/queue.py, study/executors/dispatch.py);
the workers and the clock are made up. Two loads: 8,000 students of 5 s each, and 2,000 of 20 s, as a study of two
architectures has them. The bound is what no plan can beat: the whole work, shared out evenly over the workers at their
paces, and not less than one student of 20 s.

Fair: no failures, times as planned. Uneven: cohorts take longer or shorter by a factor (log-normal, sigma 0.2), one
worker in twenty is three times as slow, and a cohort costs 0.1 s besides. Failing: uneven, and every worker fails once
in two hours of work, losing its cohort, and is back after two minutes. Five draws of chance each: medians, and the
worst of all.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from distillab.study.executors.simulation import SimulatedPool, Weather, makespan
from distillab.study.queue import Load, Queue, Resources

LOADS = [Load("small", range(8_000), 5.0), Load("large", range(2_000), 20.0)]
WORK = sum(load.seconds * len(load.students) for load in LOADS)
LONGEST = max(load.seconds for load in LOADS)
WORKERS = (1, 2, 4, 10, 30, 100, 300, 1_000)
UNEVEN = Weather(spread=0.2, slow=0.05, overhead=0.1)
SORTS = {
    "fair": Weather(),
    "uneven": UNEVEN,
    "failing": replace(UNEVEN, failures=0.5, away=120.0),
}
DRAWS = 5


def one(workers: int, weather: Weather) -> dict[str, float]:
    crew = SimulatedPool(workers, weather)
    seconds, cohorts = makespan(Queue(LOADS, Resources(workers)), crew)
    bound = max(WORK / float(np.sum(1 / crew.paces)), LONGEST * float(crew.paces.min()))
    return {
        "seconds": seconds,
        "bound": bound,
        "ratio": seconds / bound,
        "cohorts": cohorts,
        "lost": crew.lost,
        "copies": crew.copies,
    }


def rows() -> list[dict[str, float | str]]:
    found: list[dict[str, float | str]] = []
    for workers in WORKERS:
        for sort, weather in SORTS.items():
            seeds = range(1 if sort == "fair" else DRAWS)
            draws = [one(workers, replace(weather, seed=seed)) for seed in seeds]
            middle = {key: statistics.median(draw[key] for draw in draws) for key in draws[0]}
            found.append({"workers": workers, "sort": sort, "worst": max(draw["ratio"] for draw in draws)} | middle)
    return found


def table(found: list[dict[str, float | str]]) -> str:
    """The rows as Markdown."""
    lines = ["| workers | bound | fair | uneven | failing | worst | cohorts | lost | done twice |", "|" + "---:|" * 9]
    for workers in WORKERS:
        of = {row["sort"]: row for row in found if row["workers"] == workers}
        fair, uneven, failing = of["fair"], of["uneven"], of["failing"]
        worst = max(float(row["worst"]) for row in of.values())
        lines.append(
            f"| {workers:,} | {_time(fair['bound'])} | {fair['ratio']:.3f} | {uneven['ratio']:.3f} | "
            f"{failing['ratio']:.3f} | {worst:.3f} | {failing['cohorts']:,.0f} | {failing['lost']:.0f} | "
            f"{failing['copies']:.0f} |"
        )
    return "\n".join(lines)


def _time(seconds: float | str) -> str:
    minutes = float(seconds) / 60
    return f"{minutes / 60:.1f} h" if minutes >= 120 else f"{minutes:.1f} min"


def main() -> None:
    begin = time.perf_counter()
    found = rows()
    print(table(found))
    print(f"\n{WORK / 3600:.1f} worker-hours; simulated in {time.perf_counter() - begin:.1f} s")
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
