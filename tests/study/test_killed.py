"""A study killed at any moment, and started again by the same command, ends as if nothing had happened."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from distillab.study.spec import Spec
from distillab.study.store import Store

KILLS = 10
SEEDS = 24  # 72 students: five cohorts on two devices


def start(study: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "distillab", "run", str(study), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finish(study: Path, out: Path) -> float:
    begin = time.monotonic()
    assert start(study, out).wait(300) == 0
    return time.monotonic() - begin


def test_ten_kills_at_random_moments_change_nothing(tiny: Callable[..., Spec], tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(tiny(seeds=SEEDS, epochs=20).to_yaml())
    duration = finish(study, tmp_path / "undisturbed")
    # The moments lie where there is work to lose: Python and Keras take the first part of a run to start.
    moments = random.Random(20150309).choices(np.linspace(0.2, 0.95, 200).tolist(), k=KILLS)
    killed = 0
    for moment in moments:
        process = start(study, tmp_path / "killed")
        try:
            process.wait(moment * duration)
        except subprocess.TimeoutExpired:
            process.kill()
            assert process.wait() == -9
            killed += 1
    finish(study, tmp_path / "killed")
    assert killed >= 1
    with (
        Store(tmp_path / "undisturbed" / "study.db", read_only=True) as undisturbed,
        Store(tmp_path / "killed" / "study.db", read_only=True) as disturbed,
    ):
        assert len(undisturbed.done()) == 3 * SEEDS
        assert disturbed.results() == undisturbed.results()
        assert len(disturbed.runs()) > len(undisturbed.runs())
