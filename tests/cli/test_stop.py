"""A run that is asked to stop ends between two epochs, says how to go on, and goes on to the same results."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.kills import finish, results, said, start
from tests.study.conftest import wait_for_a_run

from distillab.cli.stop import Stop, Terminated, remembered_interrupts
from distillab.study.progress import Silence
from distillab.study.run import run_study
from distillab.study.spec import Spec, read_spec
from distillab.study.storage.store import Store

TINY = {
    "dataset": "synthetic",
    "train_size": 200,
    "teacher": {"model": "cnn-4-6", "epochs": 1},
    "student": {"model": "cnn-2-3"},
    "alpha": [0, 0.5, 1],
}


def tiny(**changes: Any) -> Spec:
    return read_spec(TINY | changes)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_in_good_order(tmp_path: Path, sent: int, code: int) -> None:
    study, out = tmp_path / "study.yaml", tmp_path / "out"
    study.write_text(tiny(seeds=8, epochs=60).to_yaml())
    process = start(study, out)
    wait_for_a_run(process, out, 0)
    os.kill(process.pid, sent)
    process.join(120)
    assert process.exitcode == code
    message = said(out).read_text().splitlines()
    assert message[-1] == (
        f"distillab: interrupted. Results so far are saved. To continue: distillab run {study} --out {out}"
    )
    with Store(out / "study.db", read_only=True) as store:
        before = len(store.done())
    assert before < 24
    finish(study, out)
    assert len(results(out)["trials"]) == 24


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_before_anything_is_begun_leaves_nothing(tmp_path: Path, sent: int, code: int) -> None:
    """Keras and JAX are being imported: SIGTERM has its own meaning then, and a shell calls that 143, too."""
    words = [sys.executable, "-m", "distillab", "run", "demo", "--out", str(tmp_path / "out")]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    loaded = Path(f"/proc/{process.pid}/maps")
    deadline = time.monotonic() + 60
    while loaded.exists() and "numpy" not in loaded.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(sent)
    message = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert "Traceback" not in message
    assert ("To continue: distillab run demo --out" in message) == (code == 130)
    assert not (tmp_path / "out").exists()


def stopped_at(spec: Spec, out: Path, *, trained: float, sent: int) -> type[BaseException]:
    """Send a signal when so many students are trained, and return what ended the run."""

    class Sender(Silence):
        def students(self, so_far: float, students: int, at_work: int) -> None:
            if so_far == trained:
                os.kill(os.getpid(), sent)

    with pytest.raises((KeyboardInterrupt, Terminated)) as ended, Stop(Sender()) as progress:
        run_study(spec, out, slots=1, progress=progress)
    return ended.type


@pytest.mark.parametrize(("sent", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_signal_while_the_teacher_trains_ends_the_run_after_that_epoch(
    tmp_path: Path, sent: int, kind: type[BaseException]
) -> None:
    epochs: list[int] = []

    class Sender(Silence):
        def teacher(self, name: str, epoch: int, of: int, loss: float | None) -> None:
            epochs.append(epoch)
            if epoch == 1:
                os.kill(os.getpid(), sent)

    spec, out = tiny(seeds=1, teacher={"model": "mlp-4", "epochs": 3}), tmp_path / "study"
    with pytest.raises(kind), Stop(Sender()) as progress:
        run_study(spec, out, progress=progress)
    assert epochs == [0, 1]
    assert not list(out.glob("teachers/*"))
    assert run_study(spec, out).trained == 3


@pytest.mark.parametrize(("trained", "recorded"), [(3, 2), (4, 4)])  # cohorts of two: in the second, and after it
def test_what_is_trained_is_recorded_before_the_run_ends(tmp_path: Path, trained: int, recorded: int) -> None:
    spec = tiny(seeds=2, epochs=2)
    assert stopped_at(spec, tmp_path / "study", trained=trained, sent=signal.SIGTERM) is Terminated
    with Store(tmp_path / "study" / "study.db", read_only=True) as store:
        assert len(store.done()) == recorded
    run_study(spec, tmp_path / "whole", slots=1)
    run_study(spec, tmp_path / "study", slots=1)
    assert results(tmp_path / "study") == results(tmp_path / "whole")


@pytest.mark.parametrize(("sent", "ended"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_second_signal_ends_it_at_once(
    sent: int, ended: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    with Stop(Silence()) as progress:
        progress.students(0, 1, 1)
        os.kill(os.getpid(), sent)
        assert "stopping after this epoch; interrupt again to stop at once" in capsys.readouterr().err
        with pytest.raises(ended):
            os.kill(os.getpid(), sent)


def test_signals_mean_afterwards_what_they_meant_before() -> None:
    before: list[Callable[..., Any] | int | None] = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with Stop(Silence()):
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(("sent", "ended"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_nothing_is_waited_for_while_nothing_trains(sent: int, ended: type[BaseException]) -> None:
    with Stop(Silence()) as progress:
        with pytest.raises(ended):
            os.kill(os.getpid(), sent)
        with pytest.raises(ended):  # nor is it forgotten where the first was lost in a finaliser
            progress.teacher("mlp-8", 0, 1, None)


def test_an_interrupt_that_an_import_swallows_stops_the_run_before_it_begins() -> None:
    with remembered_interrupts():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)  # as if a library caught it
        with pytest.raises(KeyboardInterrupt), Stop(Silence()):
            raise AssertionError("the run began")
    with remembered_interrupts(), Stop(Silence()) as progress:  # the next command is not interrupted
        progress.students(0, 1, 1)
