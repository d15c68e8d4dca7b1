"""A study killed at any moment, and started again by the same command, ends as if nothing had happened."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distillab.cli import main
from distillab.study.spec import Spec
from distillab.study.store import Store

KILLS = 10
SEEDS = 16  # 48 students: three cohorts on two devices
LONGEST_WAIT = 300.0


# Each run is a process of its own, forked from one that has imported Keras and JAX and used neither: the import is most
# of a small run's time. The command, and a kill, are the real ones.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["distillab.cli", "distillab.study.runner", "distillab.analysis"])


def start(study: Path, out: Path) -> Any:
    process = SERVER.Process(target=main, args=(["run", str(study), "--out", str(out)],))
    process.start()
    return process


def wait_for_a_run(process: Any, out: Path, runs: int) -> None:
    """Wait until the folder has more than `runs` runs: the process has begun to work in it."""
    deadline = time.monotonic() + LONGEST_WAIT
    while process.is_alive() and count_runs(out) <= runs:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def count_runs(out: Path) -> int:
    if not (out / "study.yaml").is_file():  # written after the store's tables
        return 0
    with Store(out / "study.db", read_only=True) as store:
        return len(store.runs())


def finish(study: Path, out: Path) -> float:
    """Run a study to its end; return the seconds from its first entry in the folder on."""
    process = start(study, out)
    wait_for_a_run(process, out, count_runs(out))
    begin = time.monotonic()
    process.join(LONGEST_WAIT)
    assert process.exitcode == 0
    return time.monotonic() - begin


def results(out: Path) -> dict[str, list[object]]:
    with Store(out / "study.db", read_only=True) as store:
        return store.results()


def test_ten_kills_at_random_moments_change_nothing(tiny: Callable[..., Spec], tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(tiny(seeds=SEEDS, epochs=20).to_yaml())
    duration = finish(study, tmp_path / "undisturbed")
    undisturbed = results(tmp_path / "undisturbed")
    assert len(undisturbed["trials"]) == 3 * SEEDS
    chance = random.Random(20150309)
    killed = 0
    for attempt in itertools.count():  # a study that ends before its kill is compared, and a fresh one begun
        out = tmp_path / f"disturbed-{attempt}"
        while killed < KILLS:
            process = start(study, out)
            wait_for_a_run(process, out, count_runs(out))
            process.join(chance.uniform(0, duration / 2))
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            assert process.exitcode == -9
            killed += 1
        if killed == KILLS:
            finish(study, out)
        assert results(out) == undisturbed
        if killed == KILLS:
            break
