"""A study on a Ray cluster of two nodes on this machine: its cost, and equal results after seven disturbances.

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


def ray(*arguments: str) -> None:
    subprocess.run([HERE / "ray", *arguments], check=True, **QUIET)


def first_node(folder: Path) -> None:
    ray("start", "--head", "--node-ip-address", "127.0.0.1", "--port", str(PORT), "--num-cpus", "1",
        "--disable-usage-stats", "--include-dashboard=false", "--temp-dir", str(folder))  # fmt: skip


def second_node() -> None:
    ray("start", "--address", ADDRESS, "--node-ip-address", "127.0.0.1", "--num-cpus", "1", "--disable-usage-stats")


def processes(pattern: str) -> list[int]:
    listed = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True)
    return [int(line) for line in listed.stdout.split()]


def children(pid: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(line) for line in listed.stdout.split()]


def recorded(out: Path) -> int:
    if not (out / "study.yaml").is_file():
        return 0
    with Store(out / "study.db", read_only=True) as store:
        return len(store.done())


def results(out: Path) -> object:
    with Store(out / "study.db", read_only=True) as store:
        return store.results()


class Comparison:
    """Runs of one study, each compared with the first.

    Args:
        folder: for all of them.
        seeds: of the study.
    """

    def __init__(self, folder: Path, seeds: int) -> None:
        self.folder, self.study = folder, ["demo", "--set", f"seeds={seeds}"]
        self.truth: object = None
        self.students, self.broken = 0, 0

    def command(self, out: Path, *more: str, on_cluster: bool = True) -> list[str]:
        cluster = ["--executor", "ray", "--address", ADDRESS] if on_cluster else []
        return [str(HERE / "distillab"), "run", *self.study, "--out", str(out), *cluster, *more]

    def timed(self, name: str, *, on_cluster: bool, more: tuple[str, ...] = ()) -> tuple[float, str]:
        """Run to the end; seconds, and what was said."""
        begin = time.perf_counter()
        done = subprocess.run(
            self.command(self.folder / name, *more, on_cluster=on_cluster), capture_output=True, text=True
        )
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
        event = disturb(process)
        code = process.wait()
        if code:
            self.timed(name, on_cluster=True)
        again = f", exit {code}, and started again" if code else ""
        unexpected = "" if code == expected and at < self.students else f" UNEXPECTED: exit {expected} was expected;"
        self.broken += bool(unexpected)
        print(f"{event} at {at} of {self.students}{again}:{unexpected} {self.same(name)}", flush=True)


def costs(comparison: Comparison, rounds: int) -> None:
    """What the cluster costs, against the same cores without it."""
    comparison.timed("warm", on_cluster=False)  # what is compiled is kept from here on
    here, there = [], []
    comparison.timed("warm-there", on_cluster=True)
    for number in range(rounds):
        here.append(comparison.timed(f"here-{number}", on_cluster=False)[0])
        there.append(comparison.timed(f"there-{number}", on_cluster=True)[0])
    comparison.truth, comparison.students = (
        results(comparison.folder / "here-0"),
        recorded(comparison.folder / "here-0"),
    )
    a, b = statistics.median(here), statistics.median(there)
    times = f"here {a:.1f} s, cluster {b:.1f} s ({100 * (b / a - 1):+.1f} %)"
    print(f"{comparison.students} students, medians of {rounds}: {times}; {comparison.same('there-0')}", flush=True)


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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        token = Path(temporary) / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        comparison = Comparison(Path(temporary), options.seeds)
        cluster = Path(temporary) / "ray"
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

            costs(comparison, options.rounds)
            if options.costs:
                return
            comparison.disturbed("worker-killed", 0.25, worker_killed)
            comparison.disturbed("command-killed", 0.3, killed, expected=-signal.SIGKILL)
            comparison.disturbed("interrupted", 0.3, interrupted, expected=130)
            comparison.disturbed("standing-still", 0.5, node_stands_still)
            _, said = comparison.timed("little-memory", on_cluster=True, more=("--memory", "1100kB"))
            notes = [line for line in said.splitlines() if "at a time" in line]
            print(
                f"memory for few students: {notes[0] if notes else 'held all'} {comparison.same('little-memory')}",
                flush=True,
            )
            comparison.disturbed("node-killed", 0.25, node_killed)
            comparison.disturbed("node-joins", 0.25, node_joins)
        finally:
            for pid in processes(str(cluster)):
                os.kill(pid, signal.SIGKILL)
    sys.exit(comparison.broken > 0)


if __name__ == "__main__":
    main()
