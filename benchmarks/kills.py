"""A study killed a hundred times, at random moments, and what is left of it each time: `python benchmarks/kills.py`.

Local runs of a tiny study end by `kill -9`: within their first second, anywhere in their course, or as soon as a file
appears that is being written (the study's file, a teacher, logits, a cohort's results). Each is followed by the same
command. After every kill the folder must be sound and hold all that it held before; a study that comes to its end must
be the undisturbed one, bit for bit, with no file left over. Exit 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distillab.cli import main as command_line
from distillab.io import temporaries
from distillab.study.folder import Folder
from distillab.study.storage.check import check
from distillab.study.storage.store import Store

TINY = {
    "dataset": "synthetic",
    "train_size": 200,
    "noise": {"kind": "shift", "rate": 0.1},
    "teacher": {"model": "mlp-16", "epochs": 3},
    "student": {"model": "mlp-8"},
    "alpha": [0, 0.5, 1],
    "seeds": 32,
    "epochs": 8,
}
"""96 students: six cohorts on two devices."""

LONGEST_WAIT = 300.0
FIRST, ANY, WRITING = "in its first second", "anywhere", "while a file is written"

# Each run is a process of its own, forked from one that has imported Keras and JAX and used neither: the import is most
# of a small run's time. The command, and a kill, are the real ones.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["distillab.cli", "distillab.study.run", "distillab.analysis"])


def start(study: Path, out: Path) -> Any:
    """Begin a run; what it says lies beside its folder."""
    return _start(["run", str(study), "--out", str(out)], said(out))


def said(out: Path) -> Path:
    return out.with_name(f"{out.name}.txt")


def _start(words: list[str], log: Path) -> Any:
    process = SERVER.Process(target=_command, args=(words, log))
    process.start()
    return process


def _command(words: list[str], log: Path) -> None:
    with log.open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    command_line(words)


def finish(study: Path, out: Path) -> float:
    """Run a study to its end; return the seconds that it took."""
    begin = time.monotonic()
    _succeed(start(study, out), said(out))
    return time.monotonic() - begin


def _succeed(process: Any, log: Path) -> None:
    process.join(LONGEST_WAIT)
    assert process.exitcode == 0, log.read_text()


def results(out: Path) -> dict[str, list[Any]]:
    with Store(out / "study.db", read_only=True) as store:
        return store.results()


def unfinished(out: Path) -> dict[Path, int]:
    """Files that no finished study has, and when they were written."""
    places = [out, *(place for place in out.glob("*") if place.is_dir())]
    found = {path for place in places for path in (*temporaries(place), *place.glob("study.db-journal"))}
    return {path: path.stat().st_mtime_ns for path in found if path.exists()}


@dataclass
class State:
    """What a kill has left."""

    begun: bool
    """Whether there is a study."""
    unfinished: dict[Path, int]
    trials: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def state(out: Path) -> State:
    """Look at a folder, by a copy: looking takes back what was half recorded, and the next run is to do that itself."""
    if not out.is_dir():
        return State(False, {})
    left = unfinished(out)
    if not (out / "study.yaml").is_file():
        return State(False, left)
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "study"
        shutil.copytree(out, copy)
        faults = list(check(Folder(copy)).faults)
        with Store(copy / "study.db", read_only=True) as store:
            return State(True, left, store.done(), faults)


class Moments:
    """When to kill: the machine has other work, too, so how far a run comes in a second is learned as it goes.

    Args:
        duration: seconds that an undisturbed run takes.
        seed: of the chance.
    """

    def __init__(self, duration: float, seed: int) -> None:
        self.chance, self.reach = random.Random(seed), duration

    def next(self) -> tuple[str, float]:
        """How, and after how many seconds."""
        how = self.chance.choices([FIRST, ANY, WRITING], [1, 2, 2])[0]
        return how, self.chance.uniform(0, 1.0 if how == FIRST else self.reach)

    def learn(self, how: str, gained: bool, ended: bool) -> None:
        """Wait longer where kills come before anything is recorded, and less long where studies end before them."""
        if how != FIRST or ended:
            self.reach *= 0.7 if ended else 0.95 if gained else 1.15


def kill(process: Any, out: Path, how: str, seconds: float, chance: random.Random) -> bool:
    """Kill a run at its moment; return False where it came to its end before."""
    process.join(seconds)
    if how == WRITING:  # and within a few milliseconds of the next file that is begun
        before = unfinished(out)
        while process.is_alive() and not unfinished(out).items() - before.items():
            time.sleep(0.0002)
        time.sleep(chance.choice([0, chance.uniform(0, 0.004)]))
    process.kill()
    process.join()
    return bool(process.exitcode == -9)


def disturbed(study: Path, place: Path, kills: int, duration: float, seed: int) -> Iterator[tuple[Path, str, State]]:
    """Kill runs of a study, one after another; a study that ends before its kill is followed by a fresh one.

    Yields:
        The folder, how its run was killed, and what is left; "" where a study has come to its end.
    """
    moments, nothing = Moments(duration, seed), State(False, {})
    killed, number, before = 0, 0, nothing
    out = place / "disturbed-0"
    while killed < kills:
        how, seconds = moments.next()
        process = start(study, out)
        if kill(process, out, how, seconds, moments.chance):
            killed += 1
            now = state(out)
            moments.learn(how, len(now.trials) > len(before.trials), ended=False)
            before = now
            yield out, how, now
        else:
            _succeed(process, said(out))
            moments.learn(how, gained=True, ended=True)
            before = nothing
            yield out, "", state(out)
            number += 1
            out = place / f"disturbed-{number}"
    finish(study, out)
    yield out, "", state(out)


def wrong(out: Path, how: str, now: State, before: set[str], undisturbed: dict[str, list[Any]]) -> Iterator[str]:
    """What is not as it should be."""
    yield from now.faults
    if not before <= now.trials:
        yield f"{len(before - now.trials)} students that were recorded are gone"
    if how:
        return
    if now.unfinished:
        yield f"left over: {', '.join(path.name for path in now.unfinished)}"
    if results(out) != undisturbed:
        yield "the finished study differs from the undisturbed one"


def campaign(place: Path, tree: dict[str, Any], kills: int, seed: int, tell: Callable[[str], None]) -> list[str]:
    """Disturb a study and compare.

    Args:
        place: an empty folder to work in.
        tree: the study.
        kills: how many.
        seed: of the moments.
        tell: is given the lines of the account.

    Returns:
        All that was wrong.
    """
    study = place / "study.yaml"
    study.write_text(json.dumps(tree))
    finish(study, place / "warm")  # what is compiled is kept from here on
    duration = finish(study, place / "undisturbed")
    told = results(place / "undisturbed")
    total, found, nothing = len(told["trials"]), [], State(False, {})
    before = nothing
    counts: dict[str, list[int]] = {FIRST: [], ANY: [], WRITING: []}
    early, begun, studies = 0, Counter[str](), 0
    for out, how, now in disturbed(study, place, kills, duration, seed):
        found += [f"{out.name}: {text}" for text in wrong(out, how, now, before.trials, told)]
        if not how:
            studies, before = studies + 1, nothing
            continue
        counts[how].append(len(now.trials))
        early += not now.begun
        begun.update({_kind(path.name) for path, _ in now.unfinished.items() - before.unfinished.items()})
        before = now
    _succeed(_start(["report", str(out)], said(out)), said(out))
    assert (out / "report.html").stat().st_size > 0
    for how, at in counts.items():
        tell(f"{len(at)} killed {how}; students recorded by then, of {total}: {dict(sorted(Counter(at).items()))}")
    tell(f"{early} before there was a study; with a file begun: {dict(begun)}")
    tell(f"{sum(map(len, counts.values()))} kills, {studies} studies of {duration:.1f} s; wrong: {len(found)}")
    return found


def _kind(name: str) -> str:
    """Which file was being written."""
    whole = re.sub(r"^\.\d+\.", "", name).removesuffix("-journal")
    return whole if whole.startswith("study") else f"a {whole.rpartition('.')[2]} file"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20150309)
    given = parser.parse_args()
    os.environ["JAX_NUM_CPU_DEVICES"] = "2"
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(place) / "compiled"))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
        (Path(place) / "work").mkdir()
        found = campaign(Path(place) / "work", TINY, given.kills, given.seed, print)
    for text in found:
        print(text)
    print(f"{'DIFFERENT' if found else 'every study the same to the bit'}, in {time.monotonic() - begin:.0f} s")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
