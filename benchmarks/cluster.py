"""A study on a Ray cluster of two nodes on this machine: the same results as here, whatever dies, and at what cost.

    python benchmarks/cluster.py [--seeds 40] [--rounds 1] [--costs]

Two `ray start` processes with a core each, on the loopback address. The demo's study with more seeds is trained here on
two cores and on the cluster; then on the cluster while a worker, the second node or the command itself is killed, while
the second node stands still, with memory for few students, and interrupted by Ctrl-C. Every store is compared with the
first, bit for bit, and checked; exits with 1 where one differs.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from distillab.study.folder import Folder
from distillab.study.storage.check import check
from distillab.study.storage.store import Store

PORT = 6397
ADDRESS = f"127.0.0.1:{PORT}"
HERE = Path(sys.executable).parent
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def ray(*words: str) -> None:
    subprocess.run([HERE / "ray", *words], check=True, **QUIET)


def first_node(place: Path) -> None:
    ray("start", "--head", "--node-ip-address", "127.0.0.1", "--port", str(PORT), "--num-cpus", "1",
        "--disable-usage-stats", "--include-dashboard=false", "--temp-dir", str(place))  # fmt: skip


def second_node() -> None:
    ray("start", "--address", ADDRESS, "--node-ip-address", "127.0.0.1", "--num-cpus", "1", "--disable-usage-stats")


def processes(pattern: str) -> list[int]:
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def recorded(out: Path) -> int:
    if not (out / "study.yaml").is_file():
        return 0
    with Store(out / "study.db", read_only=True) as store:
        return len(store.done())


def results(out: Path) -> object:
    with Store(out / "study.db", read_only=True) as store:
        return store.results()


class Trial:
    """One study after the other, each compared with the first.

    Args:
        folder: for all of them.
        seeds: of the study.
    """

    def __init__(self, folder: Path, seeds: int) -> None:
        self.folder, self.study = folder, ["demo", "--set", f"seeds={seeds}"]
        self.truth: object = None
        self.students, self.broken = 0, 0

    def command(self, out: Path, *more: str, there: bool = True) -> list[str]:
        cluster = ["--executor", "ray", "--address", ADDRESS] if there else []
        return [str(HERE / "distillab"), "run", *self.study, "--out", str(out), *cluster, *more]

    def timed(self, name: str, *, there: bool, more: tuple[str, ...] = ()) -> tuple[float, str]:
        """Run to the end; seconds, and what was said."""
        begin = time.perf_counter()
        done = subprocess.run(self.command(self.folder / name, *more, there=there), capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        return time.perf_counter() - begin, done.stderr

    def same(self, name: str) -> str:
        out = self.folder / name
        fine = results(out) == self.truth and not check(Folder(out)).faults
        self.broken += not fine
        return f"{recorded(out)} students, {'the same to the bit' if fine else 'DIFFERENT'}"

    def disturbed(
        self, name: str, share: float, disturb: Callable[[subprocess.Popen[bytes]], str], expected: int = 0
    ) -> None:
        """Run on the cluster, do something when a share of the students is recorded, and see it through."""
        out = self.folder / name
        process = subprocess.Popen(self.command(out), **QUIET)
        while process.poll() is None and recorded(out) < share * self.students:
            time.sleep(0.1)
        at = recorded(out)
        told = disturb(process)
        code = process.wait()
        if code:
            self.timed(name, there=True)
        again = f", exit {code}, and started again" if code else ""
        ill = "" if code == expected and at < self.students else f" NOT AS IT SHOULD: exit {expected} was expected;"
        self.broken += bool(ill)
        print(f"{told} at {at} of {self.students}{again}:{ill} {self.same(name)}", flush=True)


def costs(trial: Trial, rounds: int) -> None:
    """What the cluster costs, against the same cores without it."""
    trial.timed("warm", there=False)  # what is compiled is kept from here on
    here, there = [], []
    trial.timed("warm-there", there=True)
    for number in range(rounds):
        here.append(trial.timed(f"here-{number}", there=False)[0])
        there.append(trial.timed(f"there-{number}", there=True)[0])
    trial.truth, trial.students = results(trial.folder / "here-0"), recorded(trial.folder / "here-0")
    a, b = statistics.median(here), statistics.median(there)
    told = f"here {a:.1f} s, cluster {b:.1f} s ({100 * (b / a - 1):+.1f} %)"
    print(f"{trial.students} students, medians of {rounds}: {told}; {trial.same('there-0')}", flush=True)


def killed(process: subprocess.Popen[bytes]) -> str:
    process.kill()
    return "command killed"


def interrupted(process: subprocess.Popen[bytes]) -> str:
    process.send_signal(signal.SIGINT)
    return "Ctrl-C"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--costs", action="store_true", help="only what the cluster costs")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        token = Path(place) / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        trial = Trial(Path(place), words.seeds)
        cluster = Path(place) / "ray"
        first_node(cluster)
        try:
            mine = f"raylet/raylet.*{cluster}"  # there may be other clusters on this machine
            first = processes(mine)
            second_node()

            def others() -> list[int]:
                return [pid for pid in processes(mine) if pid not in first]

            def worker_killed(process: subprocess.Popen[bytes]) -> str:
                workers = [pid for raylet in processes(mine) for pid in children(raylet)]
                at_work = [pid for pid in workers if pid in processes("ray::train")]
                os.kill(at_work[0], signal.SIGKILL)
                return "worker killed"

            def node_killed(process: subprocess.Popen[bytes]) -> str:
                for pid in others():
                    os.kill(pid, signal.SIGKILL)
                return "second node killed"

            def node_joins(process: subprocess.Popen[bytes]) -> str:
                second_node()
                return "second node joins"

            def node_stands_still(process: subprocess.Popen[bytes]) -> str:
                still = [pid for raylet in others() for pid in children(raylet)]
                for pid in still:
                    os.kill(pid, signal.SIGSTOP)
                process.wait()
                for pid in still:
                    os.kill(pid, signal.SIGCONT)
                return "second node's workers stand still"

            costs(trial, words.rounds)
            if words.costs:
                return
            trial.disturbed("worker-killed", 0.25, worker_killed)
            trial.disturbed("command-killed", 0.3, killed, expected=-signal.SIGKILL)
            trial.disturbed("interrupted", 0.3, interrupted, expected=130)
            trial.disturbed("standing-still", 0.5, node_stands_still)
            _, said = trial.timed("little-memory", there=True, more=("--memory", "1100kB"))
            notes = [line for line in said.splitlines() if "at a time" in line]
            print(
                f"memory for few students: {notes[0] if notes else 'held all'} {trial.same('little-memory')}",
                flush=True,
            )
            trial.disturbed("node-killed", 0.25, node_killed)
            trial.disturbed("node-joins", 0.25, node_joins)
        finally:
            for pid in processes(str(cluster)):
                os.kill(pid, signal.SIGKILL)
    sys.exit(trial.broken > 0)


if __name__ == "__main__":
    main()
