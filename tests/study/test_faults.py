"""What may happen to a run besides a kill: each fault is survived with the same results, or refused in one line."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jax
import pytest
from benchmarks.kills import finish, results, said, start
from filelock import FileLock
from tests.study import conftest
from tests.study.conftest import wait_for_a_run

from distillab.cli import main
from distillab.engine.trainer import CohortTrainer
from distillab.errors import DistillabError, RequestError, WorkError
from distillab.report.write import write_report
from distillab.study import provenance, run, teachers
from distillab.study.folder import Folder
from distillab.study.progress import Silence
from distillab.study.run import run_study
from distillab.study.spec import Spec, read_spec
from distillab.study.storage.check import check
from distillab.study.storage.store import Store

TINY = conftest.TINY | {"teacher": {"model": "mlp-8", "epochs": 1}, "student": {"model": "mlp-4"}}
"""Dense layers are traced in half the time of convolutions, and faults are the same with them."""

SPEC = read_spec(TINY)
IN_THE_THIRD_COHORT = 5.0
"""Students trained, of cohorts of two: four are recorded, and of two more the first of two epochs is over."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("undisturbed") / "study"
    run_study(SPEC, path)
    return path


class At(Silence):
    """Does something at an epoch of the teacher, or when so many students are trained."""

    def __init__(self, do: Callable[[], object], *, teacher: int | None = None, trained: float | None = None):
        self.do, self.of_teacher, self.trained = do, teacher, trained

    def teacher(self, name: str, epoch: int, epochs: int, loss: float | None) -> None:
        if epoch == self.of_teacher:
            self.do()

    def students(self, trained: float, students: int, at_work: int) -> None:
        if trained == self.trained:
            self.do()


def refused(spec: Spec, out: Path, **options: Any) -> str:
    """Run a study that cannot go on, and return the line that says so."""
    with pytest.raises(DistillabError) as ended:
        run_study(spec, out, **options)
    assert "\n" not in str(ended.value)
    return f"{ended.value.exit_code}: {ended.value}"


def goes_on(out: Path, undisturbed: Path, recorded: int) -> None:
    """A study that was disturbed holds so many students, is sound, and comes to the same end."""
    if (out / "study.yaml").exists():
        assert check(Folder(out)).faults == ()
        assert len(results(out)["trials"]) == recorded
    run_study(SPEC, out)
    assert results(out) == results(undisturbed)
    assert not [path.name for path in out.rglob(".*") if path.name != ".lock"]


def command(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, output and errors of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


# --- a full disk


def fill(disk: Path) -> None:
    """Leave no room on a disk."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue


def test_a_disk_that_is_full_before_the_study_begins(undisturbed: Path, disk: Callable[[str], Path]) -> None:
    volume = disk("4M")
    fill(volume)
    assert "disk is full. Make space and run the same command again" in refused(SPEC, volume / "study")
    (volume / "filler").unlink()
    goes_on(volume / "study", undisturbed, 0)


def test_a_disk_that_fills_while_the_teacher_is_written(undisturbed: Path, disk: Callable[[str], Path]) -> None:
    volume = disk("4M")
    out = volume / "study"
    message = refused(SPEC, out, progress=At(lambda: fill(volume), teacher=0))
    assert message.startswith("1: ")
    assert "No space left on device. Make space" in message
    assert not list((out / "teachers").glob("*.keras"))
    (volume / "filler").unlink()
    goes_on(out, undisturbed, 0)


def test_a_disk_that_fills_while_logits_are_written(
    undisturbed: Path, disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = disk("4M")
    stored = teachers.stored_predictions

    def on_full(*arguments: Any) -> Any:
        fill(volume)
        return stored(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(teachers, "stored_predictions", on_full)
        assert "No space left on device. Make space" in refused(SPEC, volume / "study")
    (volume / "filler").unlink()
    goes_on(volume / "study", undisturbed, 0)


def test_a_disk_that_fills_while_a_cohort_is_recorded(undisturbed: Path, disk: Callable[[str], Path]) -> None:
    volume = disk("4M")
    out = volume / "study"
    message = refused(SPEC, out, slots=1, progress=At(lambda: fill(volume), trained=IN_THE_THIRD_COHORT))
    assert message.startswith(f"1: {out / 'study.db'} cannot be used: database or disk is full. Make space and run")
    is_read(out)
    (volume / "filler").unlink()
    goes_on(out, undisturbed, 4)


def is_read(out: Path) -> None:
    """What was recorded can be read though nothing can be written."""
    assert check(Folder(out)).faults == ()
    with Store(out / "study.db", read_only=True) as store:
        assert len(store.trials()) == 4


def test_a_small_disk_stops_a_command_with_one_line_and_a_larger_one_lets_it_finish(
    undisturbed: Path, disk: Callable[[str], Path], tmp_path: Path
) -> None:
    used = sum(path.stat().st_blocks for path in undisturbed.rglob("*")) * 512
    volume = disk(f"{int(0.7 * used)}")
    study, out = tmp_path / "study.yaml", volume / "study"
    study.write_text(SPEC.to_yaml())
    log = said(out)
    log.symlink_to(tmp_path / "said.txt")
    process = start(study, out)
    process.join(120)
    (line,) = [line for line in log.read_text().splitlines() if not line.startswith(("Teacher ", "To train: "))]
    assert process.exitcode == 1
    assert line.startswith("distillab: ")
    assert "Make space and run the same command again; recorded results are kept." in line
    subprocess.run(["mount", "-o", "remount,size=8M", volume], check=True)
    finish(study, out)
    assert results(out) == results(undisturbed)


def test_a_full_disk_leaves_the_old_report_whole(undisturbed: Path, disk: Callable[[str], Path]) -> None:
    volume = disk("4M")
    out = volume / "study"
    shutil.copytree(undisturbed, out)
    write_report(Folder(out))
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    fill(volume)
    with pytest.raises(WorkError, match=r"cannot be written: No space left on device\. Make space"):
        write_report(Folder(out))
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


# --- a folder that cannot be written


def test_a_study_on_a_read_only_disk_is_read_and_not_run(
    undisturbed: Path, disk: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volume = disk("8M")
    one, two = volume / "one", volume / "two"
    shutil.copytree(undisturbed, one)
    shutil.copytree(undisturbed, two)
    subprocess.run(["mount", "-o", "remount,ro", volume], check=True)
    assert "Read-only file system. Choose a folder that may be written." in refused(read_spec(TINY | {"seeds": 4}), one)
    assert "Read-only file system. Choose a folder that may be written." in refused(SPEC, volume / "three")
    assert command(capsys, "answer", one)[0] == 0
    assert command(capsys, "data", "check", one)[1].endswith("sound; 9 students, teachers: 1, runs: 1.\n")
    assert command(capsys, "data", "export", one, "--to", tmp_path / "rows.csv")[0] == 0
    assert command(capsys, "report", one, two, "--out", tmp_path / "both.html")[0] == 0
    code, message, _ = command(capsys, "report", one, "--out", tmp_path / "one.html")
    assert (code, message) == (0, f"{tmp_path / 'one.html'}\n")
    code, _, message = command(capsys, "report", one)
    assert (code, message.count("\n")) == (1, 1)
    assert "Read-only file system" in message


@contextmanager
def somebody_else() -> Iterator[None]:
    """Another user than root, for whom permissions hold."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_a_folder_of_somebody_else_is_read_and_not_run(undisturbed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "study"
        shutil.copytree(undisturbed, out)
        for path in (out, *out.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        Path(folder).chmod(0o555)
        try:
            with somebody_else():
                message = refused(read_spec(TINY | {"seeds": 4}), out)
                assert "Permission denied. Choose a folder in which you may write." in message
                assert "cannot be written: Permission denied" in refused(SPEC, Path(folder) / "new")
                assert command(capsys, "answer", out)[0] == 0
                assert command(capsys, "data", "check", out)[0] == 0
        finally:
            for path in (Path(folder), out, *out.rglob("*")):
                path.chmod(0o755)


def test_a_folder_that_may_not_be_looked_into_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o000)
        with somebody_else():
            code, _, message = command(capsys, "answer", Path(folder) / "study")
        Path(folder).chmod(0o700)
    assert (code, message.count("\n")) == (1, 1)
    assert "cannot be used: Permission denied" in message
    assert "bug in distillab" not in message


# --- a clock that jumps


def test_a_clock_that_runs_backwards_changes_no_result_and_no_duration(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = itertools.count()
    begin = datetime(2026, 1, 2, tzinfo=UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return begin - timedelta(hours=next(hours))

    monkeypatch.setattr(time, "time", lambda: Clock.now().timestamp())
    monkeypatch.setattr(provenance, "datetime", Clock)
    summary = run_study(SPEC, tmp_path / "study")
    with Store(tmp_path / "study" / "study.db", read_only=True) as store:
        (run,) = store.runs()
        seconds = [second for (second,) in store.select("SELECT seconds FROM cohorts")]
    assert run["finished"] < run["started"]  # as the clock said
    assert min([summary.seconds, *seconds]) > 0
    assert results(tmp_path / "study") == results(undisturbed)
    assert write_report(Folder(tmp_path / "study"))


# --- two at once


def test_a_second_run_is_refused_whatever_the_path_and_the_first_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = tmp_path / "study.yaml", tmp_path / "study"
    study.write_text(read_spec(TINY | {"seeds": 8, "epochs": 30}).to_yaml())
    finish(study, tmp_path / "other")
    (tmp_path / "link").symlink_to(out)
    monkeypatch.chdir(tmp_path)
    process = start(study, out)
    wait_for_a_run(process, out, 0)
    begun = process.is_alive()
    for path in (out, "link", "./study"):
        code, _, message = command(capsys, "run", study, "--out", path)
        assert (code, message.count("\n")) == (2, 1)
        assert "Another process is at work in" in message
    code, _, message = command(capsys, "merge", out, tmp_path / "other")
    assert (code, message.count("\n")) == (2, 1)
    assert "Another process is at work in" in message
    while process.is_alive():  # who looks is never in the way
        assert command(capsys, "answer", out)[0] == 0
        assert command(capsys, "data", "check", out)[0] == 0
    process.join()
    assert begun
    assert process.exitcode == 0, said(out).read_text()
    assert results(out) == results(tmp_path / "other")


def test_a_lock_that_nobody_holds_stops_nobody(undisturbed: Path, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / ".lock").write_text("12345")
    goes_on(tmp_path / "study", undisturbed, 0)
    with FileLock(tmp_path / "study" / ".lock"), pytest.raises(RequestError, match="Another process"):
        run_study(read_spec(TINY | {"seeds": 4}), tmp_path / "study")


@pytest.mark.parametrize("there", [["study.db"], [".77.study.yaml"], ["study.db", ".77.study.yaml", ".lock"]])
def test_what_a_run_left_that_was_killed_at_its_first_steps_is_no_other_study(
    undisturbed: Path, tmp_path: Path, there: list[str]
) -> None:
    out = tmp_path / "study"
    out.mkdir()
    for name in there:
        if name == "study.db":
            Store(out / name).close()
        else:
            (out / name).write_text("dataset: syn")
    goes_on(out, undisturbed, 0)


def test_results_without_their_study_are_not_written_to(undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed, tmp_path / "study")
    (tmp_path / "study" / "study.yaml").unlink()
    assert "is not empty and holds no study" in refused(SPEC, tmp_path / "study")


def test_files_that_killed_runs_had_begun_are_cleared(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    shutil.copytree(undisturbed, out)
    (out / "students").mkdir()
    for name in (".1.study.yaml", "teachers/.2.abc.keras", "predictions/.3.abc.npy", "students/.4.abc.npz"):
        (out / name).write_bytes(b"half")
    (out / ".4.mine.txt").write_text("not distillab's")
    run_study(SPEC, out)
    assert [path.name for path in out.rglob(".*") if path.name != ".lock"] == [".4.mine.txt"]


# --- memory


@pytest.mark.parametrize(
    "error", [MemoryError(), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")]
)
def test_memory_that_runs_out_in_the_middle_of_training_changes_no_result(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    stages = CohortTrainer.stages

    def small(self: CohortTrainer, students: list[Any], *more: Any, on_epoch: Any = None, **options: Any) -> Any:
        def exhausted(epoch: Any) -> None:
            if len(students) > 2:
                raise error
            if on_epoch is not None:
                on_epoch(epoch)

        return stages(self, students, *more, on_epoch=exhausted, **options)

    monkeypatch.setattr(CohortTrainer, "stages", small)
    run_study(SPEC, tmp_path / "study")
    assert results(tmp_path / "study") == results(undisturbed)


def test_memory_that_runs_out_elsewhere_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*arguments: Any, **options: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(run, "load", load)
    code, _, message = command(capsys, "run", "demo", "--out", tmp_path / "study")
    assert (code, message.count("\n")) == (1, 1)
    assert message.startswith("distillab: memory ran out. Use less data")


# --- files that go


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_text(path: Path) -> None:
    path.write_text("accuracy: 0.9\n" * 100)


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [emptied, a_folder, a_text, halved])
def test_no_command_begins_anew_in_place_of_a_store_that_is_damaged(
    undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None]
) -> None:
    out = tmp_path / "study"
    shutil.copytree(undisturbed, out)
    damage(out / "study.db")
    before = (out / "study.db").is_file() and (out / "study.db").read_bytes()
    assert str(out / "study.db") in refused(SPEC, out)
    for words in (("answer", out), ("report", out), ("data", "check", out), ("merge", out, undisturbed)):
        code, _, message = command(capsys, *words)
        assert (code, message.count("\n")) == (2, 1)
        assert f"{out / 'study.db'} is " in message
    assert before == ((out / "study.db").is_file() and (out / "study.db").read_bytes())


@pytest.mark.parametrize(
    ("what", "when"),
    [
        ("renamed", {"teacher": 0}),
        ("renamed", {"trained": IN_THE_THIRD_COHORT}),
        ("deleted", {"trained": IN_THE_THIRD_COHORT}),
        ("store deleted", {"trained": IN_THE_THIRD_COHORT}),
    ],
)
def test_a_folder_that_goes_while_it_is_in_use_ends_the_run_and_nothing_is_written_in_its_place(
    undisturbed: Path, tmp_path: Path, what: str, when: dict[str, Any]
) -> None:
    out, moved = tmp_path / "study", tmp_path / "moved"

    def go() -> None:
        if what == "renamed":
            out.rename(moved)
        elif what == "deleted":
            shutil.rmtree(out)
        else:
            (out / "study.db").unlink()

    message = refused(SPEC, out, slots=1, progress=At(go, **when))
    assert message.startswith("1: ")
    assert "moved or deleted" in message
    if what != "store deleted":
        assert not out.exists()
    if what == "renamed":
        goes_on(moved, undisturbed, 4 if "trained" in when else 0)
    else:
        run_study(SPEC, out)
        assert results(out) == results(undisturbed)


LONGER = read_spec(TINY | {"seeds": 4})


@pytest.fixture(scope="module")
def longer(undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("longer") / "study"
    shutil.copytree(undisturbed, path)
    run_study(LONGER, path)
    return path


def cut(content: bytes) -> bytes:
    return content[:500]


def turned(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 64]) + content[middle + 64 :]


@pytest.mark.parametrize("kind", ["teachers/*.keras", "predictions/*.npy"])
@pytest.mark.parametrize("damage", [cut, turned])
def test_files_beside_the_store_are_refused_where_damaged_and_made_again_where_missing(
    undisturbed: Path, longer: Path, tmp_path: Path, kind: str, damage: Callable[[bytes], bytes]
) -> None:
    out = tmp_path / "study"
    shutil.copytree(undisturbed, out)
    files = sorted(out.glob(kind))
    for path in files:
        path.write_bytes(damage(path.read_bytes()))
    assert "Delete it: it will be " in refused(LONGER, out)
    assert results(out) == results(undisturbed)
    for path in files:
        path.unlink()
    run_study(LONGER, out)
    assert results(out) == results(longer)
