"""The provenance of results: versions, machine, source and data, recorded with every run."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import distillab
from distillab.study.trials import NUMERICS

PACKAGES = ("keras", "jax", "jaxlib", "optax", "numpy", "scipy", "scikit-learn")


def provenance(*, command: str, data: Mapping[str, Any], devices: int, platform_name: str) -> dict[str, Any]:
    """Describe this run, as plain values.

    Args:
        command: the command line that starts it again.
        data: the data set's name and digest.
        devices, platform_name: number of devices that train students, and JAX's name of their kind, such as "cpu".
    """
    return {
        "command": command,
        "data": dict(data),
        "numerics": NUMERICS,
        "versions": {"distillab": distillab.__version__, "python": platform.python_version()} | package_versions(),
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "platform": platform_name,
            "devices": devices,
        },
        "commit": commit(),
    }


def package_versions() -> dict[str, str]:
    """Versions of the installed packages on which numbers depend."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def commit() -> str | None:
    """The source's commit, with "+" for uncommitted changes; None outside a clone of the repository."""
    source = Path(distillab.__file__).parent
    git = ["git", "-C", str(source)]
    try:
        if subprocess.run([*git, "ls-files", "--error-unmatch", "errors.py"], capture_output=True).returncode:
            return None
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "."], capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+" if changed else "")


def now() -> str:
    """The time, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
