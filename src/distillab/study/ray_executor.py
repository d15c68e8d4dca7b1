"""Students on a Ray cluster: a cohort a task, placed and tried again by Ray, recorded by the process that asked for it.

Data and teachers' answers lie in Ray's object store, once on each node. A worker, or a node, may die at any moment: its
cohorts are trained again elsewhere, to the same results.
"""

from __future__ import annotations

import logging
import platform
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from distillab.data import Dataset
from distillab.errors import RequestError, WorkError, not_allowed
from distillab.study.executor import SEATS, Done, Group
from distillab.study.material import Split
from distillab.study.plan import Trial, trainings
from distillab.study.progress import Progress
from distillab.study.settings import Settings

AHEAD = 3
"""Cohorts submitted for each worker: enough that none waits for the next, few enough that groups are made in time."""

TRIES = 20
"""How often a cohort is tried again where workers or nodes die."""

SAME = ("distillab", "keras", "jax", "jaxlib", "optax", "numpy")
"""Packages that must have one version on all nodes: they decide numbers."""

PATIENCE = 10.0
"""Seconds until a cluster's head must have answered."""

WAIT = 1.0
"""Seconds between two looks at the cluster while nothing is finished."""


class _Lesson(NamedTuple):
    """A group as it travels: teachers as weights, for models do not."""

    key: str
    settings: Settings
    rows: Split
    teachers: dict[str, Any]
    largest: int


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
    _workers: int = field(init=False, repr=False)
    _warm: list[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._ray = _connected(self.address)
        there = self._ray.cluster_resources()
        for name, asked, flag in (("CPU", self.cpus, "--worker-cpus"), ("GPU", self.gpus, "--worker-gpus")):
            most = max((node["Resources"].get(name, 0) for node in self._nodes()), default=0)
            if asked > most:
                raise RequestError(
                    f"{flag} {asked} is not possible: the cluster's largest node has {most:g} {name}s. Lower it, or "
                    "start a node that has them: ray start --address HOST:PORT"
                )
        self._workers = int(there.get("GPU", 0) // self.gpus if self.gpus else there.get("CPU", 0) // self.cpus)
        self._check_versions()
        # Workers start and import what they need while teachers are still being trained.
        ready = self._ray.remote(_ready).options(num_cpus=0 if self.gpus else self.cpus, num_gpus=self.gpus)
        self._warm = [ready.remote(self.gpus or self.cpus, bool(self.gpus)) for _ in range(self._workers)]

    @property
    def capacity(self) -> int:
        each = self.seats or SEATS["vmap" if self.gpus else "loop"]
        return (self.gpus or self.cpus) * each

    @property
    def where(self) -> tuple[int, str]:
        return self._workers * (self.gpus or self.cpus), "gpu" if self.gpus else "cpu"

    def train(self, dataset: Dataset, groups: Iterable[Group], cohorts: int, progress: Progress) -> Iterator[Done]:
        ray = self._ray
        shared = ray.put(dataset)
        needs = {"num_cpus": 0 if self.gpus else self.cpus, "num_gpus": self.gpus}
        task = ray.remote(_train).options(max_retries=TRIES, retry_exceptions=False, **needs)
        waiting: dict[Any, list[Trial]] = {}
        finished = 0
        for group in groups:
            lesson = ray.put(_packed(group, number=finished + len(waiting)))
            for cohort in group.cohorts:
                while len(waiting) >= AHEAD * self._workers:
                    for done in self._next(waiting, finished, cohorts, progress):
                        yield from done
                        finished += 1
                waiting[task.remote(shared, lesson, cohort, self.gpus or self.cpus, bool(self.gpus), self.memory)] = (
                    cohort
                )
        while waiting:
            for done in self._next(waiting, finished, cohorts, progress):
                yield from done
                finished += 1

    def _next(
        self, waiting: dict[Any, list[Trial]], finished: int, cohorts: int, progress: Progress
    ) -> Iterator[list[Done]]:
        """Wait until cohorts are trained, and give back what came of each."""
        ray = self._ray
        ready, _ = ray.wait(list(waiting), num_returns=1, timeout=WAIT)
        for one in ready:
            cohort = waiting.pop(one)
            try:
                found: list[Done] = ray.get(one)
            except ray.exceptions.RayTaskError as error:
                raise WorkError(_cause(error)) from error
            except ray.exceptions.RayError as error:
                students = len(trainings(cohort))
                raise WorkError(
                    f"A cohort of {students} students was lost {TRIES} times or more ({type(error).__name__}). The "
                    "same command goes on from what is recorded; lower --worker-cpus or batch_size if memory runs out."
                ) from error
            epochs = cohort[0].settings.epochs
            progress.cohort(finished + 1, cohorts, len(trainings(cohort)), epochs, epochs)
            yield found
        if not ready and not any(self._nodes()):
            raise WorkError("The cluster has no node left. Start one, and run the same command again.")

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _check_versions(self) -> None:
        """Refuse nodes whose packages differ from this process's."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here, ray = _versions(), self._ray
        probe = ray.remote(num_cpus=0)(_versions)
        asked = {
            node["NodeManagerAddress"] + " " + node["NodeID"][:8]: probe.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=True)
            ).remote()
            for node in self._nodes()
        }
        for node, reference in asked.items():
            try:
                there = ray.get(reference, timeout=120)
            except ray.exceptions.RayTaskError as error:
                raise RequestError(f"Node {node} cannot run distillab: {_cause(error)}. Install it there.") from error
            except ray.exceptions.RayError as error:
                raise RequestError(f"Node {node} does not answer ({type(error).__name__}). Restart it.") from error
            for name, mine in here.items():
                if there.get(name) != mine:
                    package = "" if name == "python" else f": pip install {name}=={mine}"
                    raise RequestError(
                        f"Node {node} has {name} {there.get(name)}, and this process {mine}: together they would give "
                        f"no one study. Install the same version there{package}."
                    )


def _connected(address: str) -> Any:
    """Ray, connected to a cluster."""
    try:
        import ray
    except ImportError as error:
        raise RequestError("--executor ray needs Ray. Install it: pip install 'distillab[ray]'") from error
    if ray.is_initialized():
        return ray
    _check_address(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        line = " ".join(str(error).split())[:200]
        raise RequestError(
            f"There is no Ray cluster at {address!r} ({type(error).__name__}: {line}). Start one: ray start --head "
            "--node-ip-address 127.0.0.1"
        ) from error
    return ray


def _check_address(address: str) -> None:
    """See at once whether anything listens there: Ray itself would wait for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise not_allowed("--address", address, "'auto', or the cluster's head as host:port, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise RequestError(
            f"Nothing answers at {address} ({error}). Start a cluster there: ray start --head --node-ip-address {host} "
            f"--port {port}"
        ) from error


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in SAME:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def _packed(group: Group, *, number: int) -> _Lesson:
    teachers = {
        name: ([variables for _, variables in answers.members], answers.train, answers.validation, answers.test)
        for name, answers in group.teachers.items()
    }
    key = f"{time.time_ns()} {number}"
    return _Lesson(key, group.settings, group.rows, teachers, group.largest)


def _ready(devices: int, on_gpu: bool) -> None:
    """Let a worker import what it will need."""
    import distillab.study.classroom  # noqa: F401
    from distillab.engine.devices import mesh, split_host

    if not on_gpu:
        split_host(devices)
    mesh(devices)


_room: tuple[str, Any] | None = None
"""A worker's classroom, kept from cohort to cohort: what it has compiled stays."""


def _train(
    dataset: Dataset, lesson: _Lesson, cohort: Sequence[Trial], devices: int, on_gpu: bool, memory: int | None
) -> list[Done]:
    """Train a cohort in a worker process."""
    global _room
    from distillab.study.executor import train_cohort

    if _room is None or _room[0] != lesson.key:
        _room = (lesson.key, _classroom(dataset, lesson, cohort, devices, on_gpu, memory))
    return list(train_cohort(_room[1], cohort, lambda epoch: None))


def _classroom(
    dataset: Dataset, lesson: _Lesson, cohort: Sequence[Trial], devices: int, on_gpu: bool, memory: int | None
) -> Any:
    from distillab.data.places import cache_folder
    from distillab.engine.devices import keep_compiled, mesh, split_host
    from distillab.engine.functional import Functional
    from distillab.models import build
    from distillab.study.classroom import Classroom
    from distillab.study.plan import members
    from distillab.study.progress import Silence
    from distillab.study.teachers import Answers

    if not on_gpu:
        split_host(devices)
    keep_compiled(cache_folder() / "compiled")
    live = lesson.settings.augmentation.shift > 0 or lesson.settings.augmentation.flip
    settings = {trial.teacher: trial.settings for trial in cohort}
    teachers = {}
    for name, (weights, train, validation, test) in lesson.teachers.items():
        several = []
        if live and name in settings:
            for one, variables in zip(members(settings[name]), weights, strict=True):
                model = build(one.teacher.model, dataset.input_shape, dataset.classes)
                several.append((Functional(model), variables))
        teachers[name] = Answers(tuple(several), train, validation, test)
    return Classroom(dataset, lesson.settings, lesson.rows, teachers, mesh(devices), lesson.largest, memory, Silence())


def _cause(error: Any) -> str:
    """What a worker's error says, in one line."""
    cause = getattr(error, "cause", None) or error
    lines = [line for line in str(cause).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else type(cause).__name__
