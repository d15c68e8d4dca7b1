"""The machine that a bench runs on, and the versions of what it compares."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from distillab.engine.devices import usable_cores
from distillab.study.provenance import package_versions

PROCESSORS = Path("/proc/cpuinfo")
SIBLINGS = Path("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list")


def machine() -> dict[str, Any]:
    """Describe the processor: model, cores, and whether these are hyper-threads, as far as the system says."""
    return {
        "processor": processor(),
        "system": platform.system(),
        "cores": usable_cores(),
        "hyper_threads": hyper_threads(),
    }


def processor(path: str | Path = PROCESSORS) -> str:
    """The processor's model name, or its architecture where the system names no model.

    Args:
        path: the system's file about processors.
    """
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path(path).read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.machine()


def hyper_threads(path: str | Path = SIBLINGS) -> bool | None:
    """Whether several of the system's cores are threads of one physical core; None where it does not say.

    Args:
        path: the system's list of the threads of the first core, such as "0-1" or "0,32".
    """
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8").strip() != "0"
    return None


def load() -> float | None:
    """The average number of running processes in the last minute; None where the system does not say."""
    with suppress(OSError, AttributeError):
        return round(os.getloadavg()[0], 2)
    return None


def versions() -> dict[str, str]:
    """The versions of Python and of all packages on which speed depends, as far as they are installed."""
    found = {"python": platform.python_version()} | package_versions()
    for name in ("tensorflow", "tensorflow-cpu", "torch"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
