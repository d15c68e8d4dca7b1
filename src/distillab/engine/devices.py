"""The devices that train students, and how one device trains several students."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
from jax.sharding import Mesh

from distillab.errors import not_allowed

AXIS = "students"
ROWS = "rows"
MOST = 1_024
"""Largest number of devices for one processor; JAX accepts any number, each with memory and threads."""


def split_host(devices: int | None = None) -> None:
    """Split the host's processor into several JAX devices; call this before JAX is first used.

    Args:
        devices: their number; by default one for each core available to this process.

    Raises:
        RequestError: `devices` is less than 1 or more than `MOST`.
    """
    if devices is not None and not 1 <= devices <= MOST:
        raise not_allowed("devices", devices, f"a whole number from 1 to {MOST:,}")
    wanted = devices if devices is not None else usable_cores()
    try:
        jax.config.update("jax_num_cpu_devices", wanted)
    except RuntimeError:  # JAX is already initialised: its devices can no longer be changed
        have = len(jax.devices("cpu"))
        if devices is not None and have != devices:
            warnings.warn(f"JAX was already running with {have} CPU devices; {wanted} were asked for.", stacklevel=2)


def usable_cores() -> int:
    """The number of cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def mesh(devices: int | None = None) -> Mesh:
    """Arrange the devices of the default platform along the student axis.

    Args:
        devices: their number; by default all.

    Raises:
        RequestError: there are fewer devices.
    """
    available = jax.devices()
    if devices is not None and not 1 <= devices <= len(available):
        raise not_allowed("devices", devices, f"from 1 to {len(available)}, the devices that JAX has here")
    return Mesh(available[: devices or len(available)], (AXIS,))


def rows_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh | None:
    """Arrange devices along the rows of a batch, for one large model; None if one device is faster.

    Args:
        devices: by default all accelerators, if there are several; a CPU's cores share an operation as threads.
    """
    if devices is None:
        devices = jax.devices()
        if len(devices) == 1 or devices[0].platform == "cpu":
            return None
    return Mesh(devices, (ROWS,))


def inside(platform: str) -> str:
    """How students share one device: "loop" on a CPU, whose cache holds one of them; "vmap" elsewhere.

    Args:
        platform: of the device, such as "cpu" or "gpu".
    """
    return "loop" if platform == "cpu" else "vmap"


def compiler_options(platform: str) -> Mapping[str, bool]:
    """Compiler options for programs in which every device trains different students: one thread for a CPU device.

    More threads gain nothing for a student's small operations, and the order of sums would depend on their number.

    Args:
        platform: of the devices.
    """
    return {"xla_cpu_multi_thread_eigen": False} if platform == "cpu" else {}


def memory_limit(grid: Mesh) -> int | None:
    """Bytes that a program may use on each device; None if the device reports no limit, such as a CPU.

    Args:
        grid: the devices.
    """
    stats = grid.devices.flat[0].memory_stats()
    return int(MEMORY_SHARE * stats["bytes_limit"]) if stats and "bytes_limit" in stats else None


MEMORY_SHARE = 0.8
"""Fraction of a device's memory used for planning cohorts; the rest covers the error of the estimate."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a device's or the host's memory is exhausted.

    Args:
        error: any error.
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
    )


def keep_compiled(folder: Path) -> None:
    """Cache compiled programs in a folder for later processes, unless the user has configured a JAX cache.

    Args:
        folder: created if missing.
    """
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
