"""The executor for a Ray cluster.

Data and teachers' answers lie in Ray's object store, once on each node. A worker, or a node, may die at any moment: its
cohorts are trained again elsewhere, to the same results. This process alone records them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from distillab.data import Dataset
from distillab.study.executors import ray_worker as worker
from distillab.study.executors.dispatch import WorkerPool
from distillab.study.executors.local import SEATS, Done, Pupil, TrainingInputs
from distillab.study.executors.ray_connection import check_nodes, check_resources, connected, workers
from distillab.study.executors.ray_pool import RayPool
from distillab.study.progress import Progress
from distillab.study.queue import Resources


@dataclass
class RayExecutor:
    """A Ray cluster that is there already.

    Args:
        address: "auto", or "host:port" of the cluster's head.
        cpus: cores for each cohort; its students are spread over them.
        gpus: GPUs for each cohort.
        seats: students a core or GPU trains in a cohort; decides no result.
        memory: bytes that each device may use; None: by the device's own account.

    Raises:
        RequestError: Ray is not installed, there is no cluster, its nodes differ in versions or have too little.
    """

    address: str = "auto"
    cpus: int = 1
    gpus: int = 0
    seats: int | None = None
    memory: int | None = None
    _ray: Any = field(init=False, repr=False)
    _processors: tuple[str, ...] = field(init=False, repr=False)
    _ready: list[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._ray = connected(self.address)
        check_resources(self._ray, cpus=self.cpus, gpus=self.gpus)
        self._processors = check_nodes(self._ray)
        # Workers start and import what they need while teachers are still being trained.
        ready = self._ray.remote(worker.get_ready).options(**self.needs)
        self._ready = [ready.remote(self.devices, self.gpus > 0) for _ in range(self.team.workers)]

    @property
    def ray(self) -> Any:
        """Ray itself, connected."""
        return self._ray

    @property
    def needs(self) -> dict[str, int]:
        """What Ray must set aside for a worker."""
        return {"num_cpus": 0 if self.gpus else self.cpus, "num_gpus": self.gpus}

    @property
    def devices(self) -> int:
        """Of each worker."""
        return self.gpus or self.cpus

    @property
    def team(self) -> Resources:
        seats = self.seats or SEATS["vmap" if self.gpus else "loop"]
        return Resources(workers(self._ray, cpus=self.cpus, gpus=self.gpus), self.devices, seats, shrinks=not self.gpus)

    @property
    def where(self) -> tuple[int, str]:
        return self.team.workers * self.devices, "gpu" if self.gpus else "cpu"

    def crew(
        self, dataset: Dataset, keys: Sequence[str], lesson: Callable[[str], TrainingInputs], progress: Progress
    ) -> WorkerPool[Pupil, Done]:
        if len(self._processors) > 1:
            progress.note(
                f"The nodes have different processors ({', '.join(self._processors)}): numbers may differ in rounding "
                "from those of one machine."
            )
        return RayPool(self, dataset, keys, lesson, progress)
