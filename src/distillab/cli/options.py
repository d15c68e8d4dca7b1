"""Options that commands share: data, devices, memory, executor."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from functools import reduce, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distillab.backend import need_jax
from distillab.errors import RequestError, not_allowed

if TYPE_CHECKING:
    from distillab.study.executors.base import Executor
    from distillab.study.run import RunOptions

MOST_BYTES = 2**60
"""No device has as much memory; a larger number is a typing error."""

_EXECUTION = (
    click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of the named data sets."),
    click.option("--devices", type=int, help="Devices to train on.  [default: all; on a CPU, its cores]"),
    click.option(
        "--memory", metavar="SIZE", help="Memory that each device may use, such as 4GiB.  [default: most of it]"
    ),
    click.option("--executor", type=click.Choice(["local", "ray"]), default="local", help="Where students train."),
    click.option("--address", help="For ray: the cluster's head, host:port.  [default: auto]"),
    click.option("--worker-cpus", type=click.IntRange(1), help="For ray: cores of each cohort.  [default: 1]"),
    click.option("--worker-gpus", type=click.IntRange(0), help="For ray: GPUs of each cohort.  [default: 0]"),
)


_NAMES = ("data_dir", "devices", "memory", "executor", "address", "worker_cpus", "worker_gpus")


def execution_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where students train, and reject those that do not go together.

    Args:
        command: a click command's function; it receives them as one mapping, `execution`.
    """

    @wraps(command)
    def collected(**values: Any) -> Any:
        execution = {name: values.pop(name) for name in _NAMES}
        if execution["memory"] is not None:
            _bytes(execution["memory"])
        for name in ("address", "worker_cpus", "worker_gpus"):
            if execution["executor"] != "ray" and execution[name] is not None:
                flag = f"--{name.replace('_', '-')}"
                raise RequestError(f"{flag} is for a cluster. Add --executor ray, or leave it out.")
        return command(execution=execution, **values)

    return reduce(lambda wrapped, option: option(wrapped), reversed(_EXECUTION), collected)


def run_options(execution: dict[str, Any], **more: Any) -> RunOptions:
    """Make the library's options, and prepare JAX: devices and compiled programs.

    Args:
        execution: as `execution_options` gives them.
        more: further fields of `RunOptions`.
    """
    need_jax("Training")
    from distillab.data.paths import cache_folder
    from distillab.engine.devices import keep_compiled, split_host

    split_host(execution["devices"])
    keep_compiled(cache_folder() / "compiled")
    from distillab.study.estimate import FILE
    from distillab.study.run import RunOptions

    memory = None if execution["memory"] is None else _bytes(execution["memory"])
    return RunOptions(
        data_dir=execution["data_dir"],
        devices=execution["devices"],
        memory=memory,
        executor=_ray(execution, memory) if execution["executor"] == "ray" else None,
        speeds=cache_folder() / FILE,
        command=shlex.join(["distillab", *(word for word in sys.argv[1:] if word != "--debug")]),
        **more,
    )


def _ray(execution: dict[str, Any], memory: int | None) -> Executor:
    from distillab.study.executors.ray import RayExecutor

    cpus, gpus = execution["worker_cpus"] or 1, execution["worker_gpus"] or 0
    return RayExecutor(execution["address"] or "auto", cpus, gpus, memory=memory)


def _bytes(size: str) -> int:
    """Read a size such as 4GiB, 500MB or 1000000."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b)?", size.strip().lower())
    if match is None or not 0 < float(match[1]) < MOST_BYTES:
        raise not_allowed("--memory", size, "a number of bytes, or a size such as 4GiB or 500MB")
    base = 1024 if match[2] and "i" in match[2] else 1000
    power = "kmgt".index(match[2][0]) + 1 if match[2] else 0
    return int(float(match[1]) * base**power)
