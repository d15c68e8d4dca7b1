"""The executor for a Ray cluster.

Ray's object store holds the data and the teachers' predictions once on each node. A worker or a node may die at any
moment: its cohorts are trained again elsewhere, with the same results. Only this process records them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from distillab.data import Dataset
from distillab.study.cohorts import CohortResult, TrainingInputs
from distillab.study.executors import ray_worker as worker
from distillab.study.executors.base import SLOTS
from distillab.study.executors.ray_connection import Cluster, check_nodes, check_resources, connected, versions
from distillab.study.executors.ray_dispatch import Dispatch
from distillab.study.progress import Progress
from distillab.study.queue import Queue, Resources


@dataclass
class RayExecutor:
    """A running Ray cluster.

    Args:
        address: "auto", or "host:port" of the cluster's head.
        cpus, gpus: of each worker; a cohort's students are spread over them.
        slots, memory: of each core or GPU, as in `RunOptions`.

    Raises:
        RequestError: Ray is not installed, there is no cluster, its nodes differ in versions or are too small.
    """

    address: str = "auto"
    cpus: int = 1
    gpus: int = 0
    slots: int | None = None
    memory: int | None = None
    _cluster: Cluster = field(init=False, repr=False)
    _processors: tuple[str, ...] = field(init=False, repr=False)
    _prepared: list[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ray = connected(self.address)
        self._cluster = Cluster(ray, self.cpus, self.gpus)
        check_resources(self._cluster)
        self._processors = check_nodes(self._cluster)
        # Workers start, and import what they need, while this process trains teachers.
        prepare = ray.remote(worker.prepare).options(**self._cluster.needs)
        devices = self.resources.devices
        self._prepared = [prepare.remote(devices, self.gpus > 0) for _ in range(self.resources.workers)]

    @property
    def resources(self) -> Resources:
        slots = self.slots or SLOTS["vmap" if self.gpus else "loop"]
        return Resources(self._cluster.workers(), self.gpus or self.cpus, slots, shrinks=not self.gpus)

    @property
    def where(self) -> tuple[int, str]:
        resources = self.resources
        return resources.workers * resources.devices, "gpu" if self.gpus else "cpu"

    def train(
        self, queue: Queue, inputs: Callable[[str], TrainingInputs], dataset: Dataset, progress: Progress
    ) -> Iterator[CohortResult]:
        """Train everything in a queue.

        Args:
            queue, inputs, dataset, progress: as in `Executor.train`; the inputs of all groups are made first.
        """
        if len(self._processors) > 1:
            progress.note(
                f"The nodes have different processors ({', '.join(self._processors)}): numbers may differ in rounding "
                "from those of one machine."
            )
        ray, run = self._cluster.ray, time.time_ns()
        # All teachers are trained before the first cohort: this process cannot train and gather results at once.
        packed = {key: ray.put(worker.packed(inputs(key), f"{run} {key}")) for key in queue.keys}
        common = ray.put(worker.Common(dataset, self.resources.devices, self.gpus > 0, self.memory, dict(versions())))
        return Dispatch(self._cluster, packed, common, queue, progress).results()
