"""A study small enough to be run many times, and runs of it in processes of their own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from distillab.study.spec import Spec, read_spec
from distillab.study.storage.store import Store

TINY: dict[str, Any] = {
    "dataset": "synthetic",
    "train_size": 200,
    "noise": {"kind": "shift", "rate": 0.1},
    "teacher": {"model": "cnn-4-6", "epochs": 1},
    "student": {"model": "cnn-2-3"},
    "alpha": [0, 0.5, 1],
    "seeds": 3,
    "epochs": 2,
}


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Spec]:
    """Makes the tiny study, with some keys changed."""
    return lambda **keys: read_spec(TINY | keys)


def wait_for_a_run(process: Any, out: Path, runs: int) -> None:
    """Wait until the folder has more than `runs` runs: the process has begun to work in it."""
    deadline = time.monotonic() + 300
    while process.is_alive() and count_runs(out) <= runs:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def count_runs(out: Path) -> int:
    if not (out / "study.yaml").is_file():  # written after the store's tables
        return 0
    with Store(out / "study.db", read_only=True) as store:
        return len(store.runs())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of its own, of a size such as "4M", in memory; the test is skipped where that is not allowed."""
    there: list[Path] = []

    def mount(size: str) -> Path:
        path = tmp_path / f"disk-{len(there)}"
        path.mkdir()
        try:
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True, text=True
            )
        except FileNotFoundError:
            pytest.skip("there is no mount here")
        if done.returncode:
            pytest.skip(f"a disk in memory cannot be mounted here: {done.stderr.strip()}")
        there.append(path)
        return path

    yield mount
    for path in there:
        subprocess.run(["umount", "--lazy", path], check=True)
