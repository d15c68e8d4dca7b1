"""What a study of 10,000 students takes on 1 to 1,000 workers: `python benchmarks/simulation.py`.

The queue and the loop that hands out its cohorts are those of real runs (study/queue.py and
study/executors/ray_dispatch.py), on a stand-in for Ray with a simulated clock. Two groups: 8,000 students of 5 s each,
and 2,000 of 20 s, as in a study of two architectures. The bound is what no plan can beat: the whole work, shared out
evenly over the workers at their paces, and not less than one student of 20 s.

Fair: no failures, times as planned. Uneven: cohorts take longer or shorter by a factor (log-normal, sigma 0.2), one
worker in twenty is three times as slow, and a cohort costs 0.1 s besides. Failing: uneven, and every worker fails once
in two hours of work, losing its cohort, and is back after two minutes. Five draws of chance each: medians, and the
worst of all.
"""

from __future__ import annotations

import heapq
import itertools
import json
import statistics
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from distillab.study.executors.ray_connection import Cluster
from distillab.study.executors.ray_dispatch import Dispatch
from distillab.study.executors.ray_worker import Shares
from distillab.study.progress import Silence
from distillab.study.queue import Queue, Resources
from distillab.study.trials import Group


@dataclass(frozen=True)
class Weather:
    """Differences between a cluster and its plan.

    Args:
        spread: standard deviation of the logarithm of a cohort's time around its estimate.
        slow: fraction of slow workers.
        slowness: how many times longer they take.
        failures: of a worker in an hour; its cohort is lost.
        away: seconds until a failed worker is back.
        overhead: seconds of a cohort besides its training.
        seed: of chance.
    """

    spread: float = 0.0
    slow: float = 0.0
    slowness: float = 3.0
    failures: float = 0.0
    away: float = 60.0
    overhead: float = 0.0
    seed: int = 0


class RayError(Exception):
    """A worker failed."""


class RayTaskError(RayError):
    """Never raised: simulated cohorts cannot fail otherwise."""


class OutOfMemoryError(RayError):
    """Never raised: simulated workers have all the memory they need."""


@dataclass
class SimulatedRay:
    """The part of Ray that hands out cohorts, on a clock that jumps from one event to the next.

    Args:
        workers: how many.
        queue: gives each cohort's estimated time.
        weather: of the cluster.

    Attributes:
        now: seconds since the start.
        paces: of each worker, how many times longer than planned it takes.
        lost: number of lost cohorts.
        copies: number of cohorts that another worker finished first.
    """

    workers: int
    seconds: dict[str, float]
    weather: Weather = field(default_factory=Weather)
    now: float = 0.0
    lost: int = 0
    copies: int = 0
    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError, OutOfMemoryError=OutOfMemoryError)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.weather.seed)
        slow = np.arange(self.workers) < round(self.weather.slow * self.workers)
        self.paces = np.where(self._rng.permutation(slow), self.weather.slowness, 1.0)
        self._numbers = itertools.count(1)
        self._waiting: deque[tuple[int, float]] = deque()  # references, with their seconds as planned
        self._idle = list(range(self.workers))
        self._events: list[tuple[float, int, int, bool]] = []  # time, reference, worker, whether it is finished
        self._at_work: dict[int, int] = {}
        self._outcomes: dict[int, Any] = {}
        self._cohorts: dict[int, tuple[Sequence[Any], int]] = {}
        self._begun: dict[int, float] = {}
        here = SimpleNamespace(get_node_id=lambda: "")
        self.get_runtime_context = lambda: here
        strategy = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: None)
        self.util = SimpleNamespace(scheduling_strategies=strategy)

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": self.workers}}]

    def remote(self, target: Any) -> Any:
        if target is Shares:
            actor = SimpleNamespace(read=SimpleNamespace(remote=lambda: 0))
            return SimpleNamespace(options=lambda **needs: SimpleNamespace(remote=lambda: actor))
        return SimpleNamespace(options=lambda **needs: SimpleNamespace(remote=self._submit))

    def get(self, reference: int, timeout: float | None = None) -> Any:
        if reference == 0:
            begun, self._begun = self._begun, {}
            return begun
        outcome = self._outcomes.pop(reference)
        if isinstance(outcome, RayError):
            raise outcome
        return outcome

    def wait(self, references: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        end = self.now + timeout
        while not self._outcomes and self._events and self._events[0][0] <= end:
            self.now, reference, worker, finished = heapq.heappop(self._events)
            if reference and self._at_work.get(reference) != worker:
                continue  # it was cancelled
            if finished:
                trainings = self._cohorts[reference][0]
                self._outcomes[reference] = SimpleNamespace(students=len(trainings), results=trainings)
            elif reference:
                self.lost += 1
                self._outcomes[reference] = RayError()
                heapq.heappush(self._events, (self.now + self.weather.away, 0, worker, False))
            self._at_work.pop(reference, None)
            if finished or not reference:
                self._idle.append(worker)
            self._begin()
        if not self._outcomes:
            self.now = end
        return list(self._outcomes)[:1], []

    def cancel(self, reference: int, force: bool) -> None:
        self.copies += 1
        self._outcomes.pop(reference, None)
        self._waiting = deque(other for other in self._waiting if other[0] != reference)
        if reference in self._at_work:
            self._idle.append(self._at_work.pop(reference))
            self._begin()

    def _submit(self, common: None, key: str, trainings: Sequence[Any], slots: int, shares: Any, number: int) -> int:
        reference = next(self._numbers)
        self._cohorts[reference] = trainings, number
        self._waiting.append((reference, self.seconds[key] * len(trainings)))
        self._begin()
        return reference

    def _begin(self) -> None:
        while self._idle and self._waiting:
            worker, (reference, seconds) = self._idle.pop(0), self._waiting.popleft()
            self._at_work[reference] = worker
            self._begun[self._cohorts[reference][1]] = 0.0
            luck = float(np.exp(self.weather.spread * self._rng.standard_normal()))
            takes = seconds * float(self.paces[worker]) * luck + self.weather.overhead
            lives = float(self._rng.exponential(3600 / self.weather.failures)) if self.weather.failures else takes
            heapq.heappush(self._events, (self.now + min(takes, lives), reference, worker, takes <= lives))


def simulate(groups: Sequence[Group], ray: SimulatedRay) -> list[Any]:
    """Train groups on a simulated cluster of workers with one device: the results, in order; the clock is `ray.now`."""
    queue = Queue(groups, Resources(ray.workers))
    keys = {group.key: group.key for group in groups}
    return list(Dispatch(Cluster(ray, 1, 0), keys, None, queue, Silence(), clock=lambda: ray.now).results())


GROUPS = [Group("small", range(8_000), 5.0), Group("large", range(2_000), 20.0)]
SECONDS = {group.key: group.seconds for group in GROUPS}
WORK = sum(group.seconds * len(group.trainings) for group in GROUPS)
LONGEST = max(SECONDS.values())
WORKERS = (1, 2, 4, 10, 30, 100, 300, 1_000)
UNEVEN = Weather(spread=0.2, slow=0.05, overhead=0.1)
SORTS = {
    "fair": Weather(),
    "uneven": UNEVEN,
    "failing": replace(UNEVEN, failures=0.5, away=120.0),
}
DRAWS = 5


def draw(workers: int, weather: Weather) -> dict[str, float]:
    ray = SimulatedRay(workers, SECONDS, weather)
    cohorts = len(simulate(GROUPS, ray))
    bound = max(WORK / float(np.sum(1 / ray.paces)), LONGEST * float(ray.paces.min()))
    return {
        "seconds": ray.now,
        "bound": bound,
        "ratio": ray.now / bound,
        "cohorts": cohorts,
        "lost": ray.lost,
        "copies": ray.copies,
    }


def rows() -> list[dict[str, float | str]]:
    table_rows: list[dict[str, float | str]] = []
    for workers in WORKERS:
        for sort, weather in SORTS.items():
            seeds = range(1 if sort == "fair" else DRAWS)
            draws = [draw(workers, replace(weather, seed=seed)) for seed in seeds]
            middle = {key: statistics.median(one[key] for one in draws) for key in draws[0]}
            table_rows.append({"workers": workers, "sort": sort, "worst": max(one["ratio"] for one in draws)} | middle)
    return table_rows


def table(table_rows: list[dict[str, float | str]]) -> str:
    """The rows as Markdown."""
    lines = ["| workers | bound | fair | uneven | failing | worst | cohorts | lost | done twice |", "|" + "---:|" * 9]
    for workers in WORKERS:
        of = {row["sort"]: row for row in table_rows if row["workers"] == workers}
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
    table_rows = rows()
    print(table(table_rows))
    print(f"\n{WORK / 3600:.1f} worker-hours; simulated in {time.perf_counter() - begin:.1f} s")
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(table_rows, indent=1))


if __name__ == "__main__":
    main()
