"""The devices that students are spread over, and how a device holds several students."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import jax
from jax.sharding import Mesh

from distillab.errors import not_allowed

AXIS = "students"
ROWS = "rows"
MOST = 1_024
"""Devices that a processor is split into; JAX itself takes any number, and memory and threads for each."""

Mapping_ = Literal["loop", "vmap"]


def split_host(devices: int | None = None) -> None:
    """Split the host's processor into several JAX devices; call it before JAX is first used.

    Args:
        devices: how many; by default one for each core that this process may use.

    Raises:
        RequestError: where `devices` is less than 1 or more than `MOST`.
    """
    if devices is not None and not 1 <= devices <= MOST:
        raise not_allowed("devices", devices, f"a whole number from 1 to {MOST:,}")
    wanted = devices if devices is not None else usable_cores()
    try:
        jax.config.update("jax_num_cpu_devices", wanted)
    except RuntimeError:  # JAX has already begun: its devices can no longer be changed
        have = len(jax.devices("cpu"))
        if devices is not None and have != devices:
            warnings.warn(f"JAX was already running with {have} CPU devices; {wanted} were asked for.", stacklevel=2)


def usable_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def mesh(devices: int | None = None) -> Mesh:
    """Lay the devices of the default platform along the student axis.

    Args:
        devices: how many to use; by default all there are.

    Raises:
        RequestError: where there are not that many.
    """
    there = jax.devices()
    if devices is not None and not 1 <= devices <= len(there):
        raise not_allowed("devices", devices, f"from 1 to {len(there)}, the devices that JAX has here")
    return Mesh(there[: devices or len(there)], (AXIS,))


def rows_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh | None:
    """Lay devices along the rows of a batch, for one large model; None where one device does better.

    Args:
        devices: by default all accelerators, where there are several: a CPU's cores share an operation as threads.
    """
    if devices is None:
        devices = jax.devices()
        if len(devices) == 1 or devices[0].platform == "cpu":
            return None
    return Mesh(devices, (ROWS,))


def inside(platform: str) -> Mapping_:
    """How students share one device: in turn on a CPU, whose cache holds one of them; side by side elsewhere."""
    return "loop" if platform == "cpu" else "vmap"


def compiler_options(platform: str) -> Mapping[str, bool]:
    """Options for programs in which every device works on its own students.

    Each CPU device is one thread: sharing out a student's small operations among threads costs more than it gains,
    and would let the number of threads decide the order of sums.
    """
    return {"xla_cpu_multi_thread_eigen": False} if platform == "cpu" else {}


def memory_limit(grid: Mesh) -> int | None:
    """Bytes that a program may use on each device, by the device's own account; None where it keeps none, as a CPU."""
    stats = grid.devices.flat[0].memory_stats()
    return int(MEMORY_SHARE * stats["bytes_limit"]) if stats and "bytes_limit" in stats else None


MEMORY_SHARE = 0.8
"""Of a device's memory that cohorts are planned into; the rest is for what an estimate cannot see."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device's or the host's memory is used up."""
    return isinstance(error, MemoryError) or (
        isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
    )


def keep_compiled(folder: Path) -> None:
    """Keep compiled programs in a folder, so that the next process need not compile them; the user's own choice wins.

    Args:
        folder: made where missing.
    """
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
