"""A study on a Ray cluster of two nodes on this machine: the same results as here, whatever dies, and at what cost.

    python benchmarks/cluster.py

Two `ray start` processes with a core each, on the loopback address. The demo's study with more seeds is trained here on
two cores, on the cluster, on the cluster with the second node's processes killed on the way, and with the driver killed
and started again. Every store is compared with the first, bit for bit.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from distillab.study.store import Store

PORT = 6397
ADDRESS = f"127.0.0.1:{PORT}"
HERE = Path(sys.executable).parent
STUDY = ["demo", "--set", "seeds=40"]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def ray(*words: str) -> None:
    subprocess.run([HERE / "ray", *words], check=True, **QUIET)


def second_node() -> None:
    ray("start", "--address", ADDRESS, "--node-ip-address", "127.0.0.1", "--num-cpus", "1", "--disable-usage-stats")


def raylets() -> list[int]:
    found = subprocess.run(["pgrep", "-f", "raylet/raylet"], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def command(out: Path, *more: str) -> list[str]:
    return [str(HERE / "distillab"), "run", *STUDY, "--out", str(out), *more]


def cluster(out: Path) -> list[str]:
    return command(out, "--executor", "ray", "--address", ADDRESS)


def timed(words: list[str]) -> float:
    begin = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return time.perf_counter() - begin


def recorded(out: Path) -> int:
    if not (out / "study.yaml").is_file():
        return 0
    with Store(out / "study.db", read_only=True) as store:
        return len(store.done())


def wait_for(process: subprocess.Popen[bytes], out: Path, trials: int) -> None:
    while process.poll() is None and recorded(out) < trials:
        time.sleep(0.1)


def results(out: Path) -> object:
    with Store(out / "study.db", read_only=True) as store:
        return store.results()


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        token = Path(place) / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        folder = Path(place)
        timed(command(folder / "warm"))  # what is compiled is kept from here on
        here = timed(command(folder / "here"))
        told = results(folder / "here")
        trials = recorded(folder / "here")
        ray("start", "--head", "--node-ip-address", "127.0.0.1", "--port", str(PORT), "--num-cpus", "1",
            "--disable-usage-stats", "--include-dashboard=false")  # fmt: skip
        try:
            first = raylets()
            second_node()
            timed(cluster(folder / "warm-there"))
            there = timed(cluster(folder / "there"))
            same = results(folder / "there") == told
            print(f"{trials} students: here {here:.1f} s, cluster {there:.1f} s ({100 * (there / here - 1):+.0f} %), "
                  f"{'the same to the bit' if same else 'DIFFERENT'}", flush=True)  # fmt: skip

            out = folder / "node-killed"
            process = subprocess.Popen(cluster(out), **QUIET)
            wait_for(process, out, trials // 4)
            lost = [pid for pid in raylets() if pid not in first]
            for pid in lost:
                os.kill(pid, signal.SIGKILL)
            at = recorded(out)
            code = process.wait()
            same = code == 0 and results(out) == told
            print(f"node killed at {at} of {trials}: exit {code}, {recorded(out)} students, "
                  f"{'the same to the bit' if same else 'DIFFERENT'}", flush=True)  # fmt: skip

            second_node()
            out = folder / "driver-killed"
            process = subprocess.Popen(cluster(out), **QUIET)
            wait_for(process, out, trials // 3)
            process.kill()
            process.wait()
            at = recorded(out)
            timed(cluster(out))
            same = results(out) == told
            print(f"driver killed at {at} of {trials} and started again: {recorded(out)} students, "
                  f"{'the same to the bit' if same else 'DIFFERENT'}", flush=True)  # fmt: skip
        finally:
            ray("stop", "--force")


if __name__ == "__main__":
    main()
