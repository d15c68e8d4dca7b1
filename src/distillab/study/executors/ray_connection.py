"""Connecting to a Ray cluster, and checking that its nodes fit."""

from __future__ import annotations

import logging
import os
import platform
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from distillab.errors import RequestError, WorkError, not_allowed

PATIENCE = 10.0
"""Seconds within which a cluster's head must accept a connection."""

START = 120.0
"""Seconds within which a node must start its first process."""

SAME = ("distillab", "keras", "jax", "jaxlib", "optax", "numpy")
"""Packages that need the same version on all nodes: they change numbers."""


class Cluster(NamedTuple):
    """A connected cluster, and the cores and GPUs of one worker on it."""

    ray: Any
    cpus: int
    gpus: int

    @property
    def needs(self) -> dict[str, int]:
        """Resources that Ray reserves for a worker."""
        return {"num_cpus": 0 if self.gpus else self.cpus, "num_gpus": self.gpus}

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes that are alive."""
        return [node for node in self.ray.nodes() if node["Alive"]]

    def workers(self) -> int:
        """Number of workers that the nodes alive can hold."""
        name, each = ("GPU", self.gpus) if self.gpus else ("CPU", self.cpus)
        with self.answers():
            return int(sum(node["Resources"].get(name, 0) // each for node in self.nodes()))

    def on(self, node: str, *, soft: bool) -> dict[str, Any]:
        """Options that place a task on a node.

        Args:
            node, soft: its NodeID, and whether another node may take the task where it is gone.
        """
        strategies = self.ray.util.scheduling_strategies
        return {"scheduling_strategy": strategies.NodeAffinitySchedulingStrategy(node, soft=soft)}

    def here(self) -> dict[str, Any]:
        """Options that place an actor on the node of this process."""
        return self.on(self.ray.get_runtime_context().get_node_id(), soft=False)

    @contextmanager
    def answers(self) -> Iterator[None]:
        """Raise one line where the cluster itself no longer answers."""
        try:
            yield
        except self.ray.exceptions.RayError as error:
            line = " ".join(str(error).split())[:200]
            raise WorkError(
                f"The cluster no longer answers ({type(error).__name__}: {line}). When it does, run the same "
                "command again: it continues from the recorded results."
            ) from error


def connected(address: str) -> Any:
    """Ray, connected to a cluster that is there already.

    Args:
        address: as `RayExecutor` has it.

    Raises:
        RequestError: Ray is not installed, or no cluster accepts connections there.
    """
    # Without it, Ray prints errors of cohorts that are still in training when a run ends.
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    try:
        import ray
    except ImportError as error:
        raise RequestError("--executor ray needs Ray. Install it: pip install 'distillab[ray]'") from error
    if ray.is_initialized():
        return ray
    _check_address(address)
    try:
        with _silent():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        line = " ".join(str(error).split())[:200]
        raise RequestError(
            f"No Ray cluster lets this process in at {address!r} ({type(error).__name__}: {line}). Start one with ray "
            "start --head --node-ip-address 127.0.0.1; if it runs and wants a token, set RAY_AUTH_MODE=token and "
            "RAY_AUTH_TOKEN_PATH as on its nodes."
        ) from error
    return ray


@contextmanager
def _silent() -> Iterator[None]:
    """Discard standard error: Ray's core writes a line there for every attempt to connect."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _check_address(address: str) -> None:
    """Check at once that something listens there: Ray itself would wait for minutes."""
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


def check_resources(cluster: Cluster) -> None:
    """Check that at least one node can hold a worker.

    Args:
        cluster: with its nodes and the worker's resources.

    Raises:
        RequestError: no node is large enough.
    """
    for name, asked, flag in (("CPU", cluster.cpus, "--worker-cpus"), ("GPU", cluster.gpus, "--worker-gpus")):
        most = max((node["Resources"].get(name, 0) for node in cluster.nodes()), default=0)
        if asked > most:
            raise RequestError(
                f"{flag} {asked} is not possible: the cluster's largest node has {most:g} {name}s. Lower it, or start "
                "a node that has them: ray start --address HOST:PORT"
            )


def check_nodes(cluster: Cluster) -> tuple[str, ...]:
    """Check that all nodes have this process's package versions.

    Args:
        cluster: its nodes.

    Returns:
        The distinct names of the nodes' processors: results of different ones may differ in rounding.

    Raises:
        RequestError: a node has other versions, or cannot run distillab.
    """
    ray, here = cluster.ray, versions()
    probe = ray.remote(num_cpus=0)(_facts)
    asked = [(node, probe.options(**cluster.on(node["NodeID"], soft=True)).remote()) for node in cluster.nodes()]
    processors = {_processor()}
    for facts, reference in asked:
        node = f"{facts['NodeManagerAddress']} {facts['NodeID'][:8]}"
        try:
            there, processor = ray.get(reference, timeout=START)
        except ray.exceptions.RayTaskError as error:
            raise RequestError(f"Node {node} cannot run distillab: {cause(error)}. Install it there.") from error
        except ray.exceptions.RayError as error:
            raise RequestError(f"Node {node} does not answer ({type(error).__name__}). Restart it.") from error
        if different := difference(here, there):
            raise RequestError(f"Node {node} {different}")
        processors.add(processor)
    return tuple(sorted(processors))


def _facts() -> tuple[dict[str, str], str]:
    return versions(), _processor()


def _processor() -> str:
    """The name of this machine's processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions, in this process, of Python and of all packages that change numbers."""
    installed = {"python": platform.python_version()}
    for name in SAME:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            installed[name] = "none"
    return installed


def difference(here: Mapping[str, str], there: Mapping[str, str]) -> str | None:
    """The first package whose versions differ, as the rest of a sentence that begins with the node's name.

    Args:
        here, there: versions of this process and of the node.
    """
    for name, own in here.items():
        if there.get(name) != own:
            package = "" if name == "python" else f": pip install {name}=={own}"
            return (
                f"has {name} {there.get(name)}, and this process {own}: their results would differ. "
                f"Install the same version there{package}."
            )
    return None


def cause(error: Any) -> str:
    """The last line of a worker's error.

    Args:
        error: a RayTaskError.
    """
    reason = getattr(error, "cause", None) or error
    lines = [line for line in str(reason).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else type(reason).__name__
