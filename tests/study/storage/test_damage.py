"""A damaged `study.db`, whatever the damage, is refused in one line or holds all that was recorded; never less."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.study.storage.test_store import TEACHER, add, trial

from distillab.errors import DistillabError, RequestError, WorkError
from distillab.study.storage import connection as connection_module
from distillab.study.storage.store import Store

STUDENTS = 50
PAGE = 4096


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 50 students."""
    path = tmp_path_factory.mktemp("sound") / "study.db"
    with Store(path) as store:
        store.add_teacher(TEACHER)
        add(store, *(trial(f"a{k}") for k in range(STUDENTS)))
    return path


def read(path: Path) -> dict[str, list[Any]]:
    with Store(path, read_only=True) as store:
        assert store.faults() == []
        return store.results()


def content_of(path: Path) -> dict[str, list[Any]] | str:
    """What a file holds, or in which line it is refused or its check finds it damaged."""
    try:
        with Store(path, read_only=True) as store:
            return next(iter(store.faults()), None) or store.results()
    except DistillabError as error:
        return str(error)


def write_files(content: bytes, journal: bytes | None, folder: Path, ending: str = "-journal") -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "study.db").write_bytes(content)
    if journal is not None:
        (folder / f"study.db{ending}").write_bytes(journal)
    return folder / "study.db"


def test_a_file_cut_anywhere_is_refused_in_one_line(sound: Path, tmp_path: Path) -> None:
    content, chance = sound.read_bytes(), random.Random(1)
    cuts = [
        0,
        1,
        15,
        16,
        17,
        50,
        99,
        100,
        101,
        511,
        512,
        PAGE - 1,
        PAGE,
        PAGE + 1,
        len(content) - PAGE,
        len(content) - 1,
    ]
    for cut in cuts + [chance.randrange(len(content)) for _ in range(40)]:
        outcome = content_of(write_files(content[:cut], None, tmp_path / "cut"))
        assert isinstance(outcome, str)
        assert "\n" not in outcome
        assert "is empty: its content is lost" in outcome or "is corrupt or not a distillab study" in outcome, (
            cut,
            outcome,
        )


def test_any_page_overwritten_is_found(sound: Path, tmp_path: Path) -> None:
    content = sound.read_bytes()
    for start in range(0, len(content), PAGE):
        torn = content[:start] + b"\xff" * PAGE + content[start + PAGE :]
        outcome = content_of(write_files(torn, None, tmp_path / "torn"))
        assert isinstance(outcome, str)
        assert "\n" not in outcome


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b""), "is empty: its content is lost"),
        (lambda path: path.mkdir(), "is not a file. Move it away"),
        (lambda path: path.write_text("accuracy: 0.9\n" * 100), "is corrupt or not a distillab study"),
    ],
)
def test_something_else_in_its_place_is_refused(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / "study.db")
    with pytest.raises(RequestError, match=message):
        Store(tmp_path / "study.db", read_only=True)


@pytest.fixture(params=["as a cohort fits into memory", "as it does not"])
def stopped(sound: Path, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    """File and journal as they lie on the disk in the middle of recording 100 students more."""
    path = tmp_path / "writing" / "study.db"
    path.parent.mkdir()
    shutil.copy(sound, path)
    with Store(path) as store:
        if request.param == "as it does not":  # SQLite then writes pages into the file before it is asked to
            store._connection.execute("PRAGMA cache_size = 5")
        with store.transaction() as connection:
            connection.execute("INSERT INTO cells VALUES (1000, '{}', '{\"alpha\": 0.1}')")
            names = [(1000 + j, "test", f"m{j}") for j in range(10)]
            connection.executemany("INSERT INTO metric_names VALUES (?, ?, ?)", names)
            for k in range(100):
                row = (1000 + k, f"b{k}", 0, 0.1, 1000, "t", "finished", None, None)
                connection.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
                metrics = [(number, 1000 + k, 0.5) for number, _, _ in names]
                connection.executemany("INSERT INTO metric_values VALUES (?, ?, ?)", metrics)
            return path.read_bytes(), path.with_name("study.db-journal").read_bytes()
    raise AssertionError


@pytest.mark.parametrize("read_only", [True, False])
def test_what_a_kill_left_half_recorded_is_taken_back_by_who_comes_next(
    sound: Path, stopped: tuple[bytes, bytes], tmp_path: Path, read_only: bool
) -> None:
    path = write_files(*stopped, tmp_path / "next")
    with Store(path, read_only=read_only) as store:
        assert store.results() == read(sound)
        assert store.faults() == []


def test_a_torn_journal_loses_nothing_recorded_or_is_refused(
    sound: Path, stopped: tuple[bytes, bytes], tmp_path: Path
) -> None:
    """A journal is on the disk before the file is touched: torn later, only a disk that lied can have torn it."""
    content, journal = stopped
    chance, refused = random.Random(2), 0
    for cut in [0, 8, 28, 511, 512, 513] + [chance.randrange(len(journal)) for _ in range(40)]:
        held = content_of(write_files(content, journal[:cut], tmp_path / "torn"))
        refused += isinstance(held, str)
        assert isinstance(held, str) or held == read(sound)
    assert content != sound.read_bytes() or not refused


def test_what_cannot_be_taken_back_on_a_read_only_disk_says_what_to_do(
    sound: Path, stopped: tuple[bytes, bytes], tmp_path: Path, disk: Callable[[str], Path]
) -> None:
    content, journal = stopped
    path = write_files(content, journal, disk("4M") / "study")
    subprocess.run(["mount", "-o", "remount,ro", path.parents[1]], check=True)
    if content == sound.read_bytes() and journal[8:12] == bytes(4):  # nothing of it has reached the file
        assert read(path) == read(sound)
        return
    with pytest.raises(
        WorkError,
        match=r"interrupted write, and its folder is read-only.* Copy the whole folder .*/study to a writable place",
    ):
        Store(path, read_only=True)
    shutil.copytree(path.parent, tmp_path / "copy")
    assert read(tmp_path / "copy" / "study.db") == read(sound)


@pytest.fixture
def logged(sound: Path, tmp_path: Path) -> Iterator[tuple[bytes, bytes]]:
    """File and write-ahead log after another program has switched to one, and 30 students have been recorded since."""
    path = tmp_path / "logged" / "study.db"
    path.parent.mkdir()
    shutil.copy(sound, path)
    other = sqlite3.connect(path)
    other.execute("PRAGMA journal_mode = WAL")
    for k in range(30):
        with other:
            other.execute("INSERT INTO trials (id, seed, alpha, cell) VALUES (?, 0, 0.1, 1)", (f"c{k:02}",))
    yield path.read_bytes(), path.with_name("study.db-wal").read_bytes()
    other.close()


def test_a_torn_write_ahead_log_keeps_what_is_before_the_tear(logged: tuple[bytes, bytes], tmp_path: Path) -> None:
    content, log = logged
    chance = random.Random(3)
    for cut in [0, 31, 32, len(log)] + [chance.randrange(len(log)) for _ in range(20)]:
        path = write_files(content, log[:cut], tmp_path / "torn", "-wal")
        with Store(path) as store:  # and switches back: where students are recorded there is no such log
            assert store.faults() == []
            later = sorted(name for name in store.done() if name.startswith("c"))
            assert later == [f"c{k:02}" for k in range(len(later))]
            assert len(store.done()) == STUDENTS + len(later)
            assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert len(later) == 30 or cut < len(log)
        assert not list(path.parent.glob("*-wal"))


def test_a_reader_sees_whole_students_while_they_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    with Store(path) as store:
        store.add_teacher(TEACHER)
        add(store, trial("a"))
        looked, leave = threading.Event(), threading.Event()
        seen: list[int] = []

        def look() -> None:
            with Store(path, read_only=True) as reader:
                seen.append(len(reader.trials()))
                looked.set()
                leave.wait(20)
                seen.extend([len(reader.trials()), len(reader.results()["metrics"]) // 2])

        other = threading.Thread(target=look)
        other.start()
        assert looked.wait(20)
        threading.Timer(0.5, leave.set).start()
        add(store, trial("b"))  # waits until the reader has left
        other.join()
        assert seen == [1, 1, 1]
        assert store.done() == {"a", "b"}


def test_a_reader_that_stays_is_named_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "PATIENCE", 0.2)
    path = tmp_path / "study.db"
    with Store(path) as store:
        store.add_teacher(TEACHER)
        add(store, trial("a"))
        with Store(path, read_only=True) as reader:
            assert reader.done() == {"a"}
            with pytest.raises(WorkError, match=r"database is locked\. Another program has locked it for 0\.2 s\."):
                add(store, trial("b"))
        add(store, trial("b"))
        assert store.done() == {"a", "b"}
        assert store.faults() == []


def test_no_loss_of_power_takes_back_what_was_recorded(tmp_path: Path) -> None:
    """The journal's end is on the disk, too, before a cohort counts as recorded: SQLite's EXTRA, 3."""
    with Store(tmp_path / "study.db") as store:
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (3,)
