"""Finding a Ray cluster, and seeing that it can do what is asked of it."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distillab.errors import RequestError, not_allowed
from distillab.study.executors.ray_worker import difference, processor, versions

PATIENCE = 10.0
"""Seconds until a cluster's head must have answered."""

START = 120.0
"""Seconds until a node must have started a first process."""


def connected(address: str) -> Any:
    """Ray, connected to a cluster that is there already.

    Args:
        address: "auto", or "host:port" of the cluster's head.

    Raises:
        RequestError: Ray is not installed, or nothing answers there.
    """
    # What becomes of cohorts still at work when a run has ended for one that failed is of no interest.
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
    """Nothing on standard error: Ray's core writes there itself, a line for every attempt to connect."""
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


def nodes(ray: Any) -> list[dict[str, Any]]:
    """The nodes that are alive."""
    return [node for node in ray.nodes() if node["Alive"]]


def check_resources(ray: Any, *, cpus: int, gpus: int) -> None:
    """Refuse to ask for more than any node has.

    Raises:
        RequestError: no node can hold one worker.
    """
    for name, asked, flag in (("CPU", cpus, "--worker-cpus"), ("GPU", gpus, "--worker-gpus")):
        most = max((node["Resources"].get(name, 0) for node in nodes(ray)), default=0)
        if asked > most:
            raise RequestError(
                f"{flag} {asked} is not possible: the cluster's largest node has {most:g} {name}s. Lower it, or start "
                "a node that has them: ray start --address HOST:PORT"
            )


def workers(ray: Any, *, cpus: int, gpus: int) -> int:
    """How many workers the nodes that are alive can hold."""
    name, each = ("GPU", gpus) if gpus else ("CPU", cpus)
    return int(sum(node["Resources"].get(name, 0) // each for node in nodes(ray)))


def check_nodes(ray: Any) -> tuple[str, ...]:
    """Refuse nodes whose packages differ from this process's.

    Returns:
        The processors' names, each once: where there are several, results may differ in rounding.

    Raises:
        RequestError: a node has other versions, or cannot run distillab.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = versions()
    probe = ray.remote(num_cpus=0)(_facts)
    asked = {
        node["NodeManagerAddress"] + " " + node["NodeID"][:8]: probe.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=True)
        ).remote()
        for node in nodes(ray)
    }
    processors = {processor()}
    for node, reference in asked.items():
        try:
            there, its = ray.get(reference, timeout=START)
        except ray.exceptions.RayTaskError as error:
            raise RequestError(f"Node {node} cannot run distillab: {cause(error)}. Install it there.") from error
        except ray.exceptions.RayError as error:
            raise RequestError(f"Node {node} does not answer ({type(error).__name__}). Restart it.") from error
        different = difference(here, there)
        if different is not None:
            raise RequestError(f"Node {node} {different}")
        processors.add(its)
    return tuple(sorted(processors))


def _facts() -> tuple[dict[str, str], str]:
    return versions(), processor()


def cause(error: Any) -> str:
    """What a worker's error says, in one line."""
    reason = getattr(error, "cause", None) or error
    lines = [line for line in str(reason).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else type(reason).__name__
