"""How long 100,000 trials take to open, answer, check, export and merge: `python benchmarks/store.py [DIR]`.

The rows are made up, with every metric and ten epochs each, as a real study records them; answers to single examples
are left out. With DIR the study stays there and is used again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `distillab answer` does

import numpy as np

from distillab.metrics.metric import METRICS
from distillab.study.folder import Folder
from distillab.study.spec import read_spec
from distillab.study.storage.records import TeacherResult, TrialResult
from distillab.study.trials import study_trials

EPOCHS = 10
TREE = {
    "dataset": "mnist",
    "epochs": EPOCHS,
    "alpha": np.linspace(0, 1, 20).round(4).tolist(),
    "temperature": list(range(1, 11)),
    "noise": {"rate": [0, 0.1, 0.2, 0.3, 0.4]},
    "seeds": 100,
}
DATA = {"classes": list("0123456789"), "digest": "0" * 64}
ROUNDS = 5


def fill(folder: Folder) -> None:
    """Record every trial of the study, at random."""
    spec, rng = read_spec(TREE), np.random.default_rng(0)
    students = list(study_trials(spec, DATA["digest"]))
    cells = len(students) // spec.objective.seeds
    spent = 0.0
    with folder.write(spec) as store:
        run = store.begin_run("2026-01-01T00:00:00+00:00", {"data": DATA})
        for teacher in sorted({student.teacher for student in students}):
            store.add_teacher(TeacherResult(teacher, {}, "w", 100, dict.fromkeys(METRICS, 0.98), [0.1]))
        for number in range(cells):
            records = []
            for student in students[number::cells]:
                settings = student.settings
                alpha = settings.alpha
                level = 0.9 + 0.05 * alpha * (1 - alpha) + 0.003 * rng.normal()
                values = {(part, name): level for name in METRICS for part in ("test", "validation")}
                if settings.noise.rate:
                    values |= {("train", "recovered"): level, ("train", "memorised"): 1 - level}
                epochs, place = [(1.0, 0.5, 0.5, level)] * EPOCHS, student.coordinates
                told = settings.model_dump()
                records.append(
                    TrialResult(student.id, student.seed, alpha, place, told, student.teacher, epochs, values)
                )
            begin = time.perf_counter()
            store.add_cohort(records, run=run, students=len(records), examples=1000, seconds=1.0)
            spent += time.perf_counter() - begin
        store.end_run(run, "2026-01-01T01:00:00+00:00")
    print(f"recorded in {cells} cohorts of {spec.objective.seeds}: {1000 * spent / cells:.1f} ms each")


def answered(folder: Folder) -> tuple[float, ...]:
    """Seconds to open, to read and to answer."""
    from distillab.analysis import analyse, needed_metrics
    from distillab.report.text import short_text
    from distillab.report.view import study_view

    begin = time.perf_counter()
    spec, store = folder.read()
    with store:
        opened = time.perf_counter()
        trials, teachers = store.trials(metrics=needed_metrics(spec), epochs=False), store.teachers()
        read = time.perf_counter()
        short_text(study_view(analyse(spec, trials, teachers)))
    end = time.perf_counter()
    return opened - begin, read - opened, end - read


def command(*words: str | Path) -> float:
    """Seconds that a command takes, from the start of its process to its end."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "distillab", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        folder = Folder(Path(sys.argv[1]) if len(sys.argv) > 1 else scratch / "study")
        if not folder.store.exists():
            fill(folder)
        spec, size = read_spec(TREE), folder.store.stat().st_size / 2**20
        print(f"{spec.size:,} trials, {size:,.0f} MiB, {os.cpu_count()} cores")
        rounds = sorted((answered(folder) for _ in range(ROUNDS)), key=sum)
        for name, (opened, read, told) in (("fastest", rounds[0]), ("median", rounds[ROUNDS // 2])):
            print(
                f"{name} of {ROUNDS}: opened in {opened:.2f} s, read in {read:.2f} s, answered in {told:.2f} s: "
                f"{opened + read + told:.2f} s in all"
            )
        whole = sorted(command("answer", folder.path) for _ in range(ROUNDS))
        print(f"distillab answer: {whole[0]:.2f} s at the fastest of {ROUNDS}, {whole[ROUNDS // 2]:.2f} s the median")
        print(f"distillab data check: {command('data', 'check', folder.path):.1f} s")
        print(f"distillab data export, CSV: {command('data', 'export', folder.path, '--to', scratch / 's.csv'):.1f} s")
        into = Folder(scratch / "into")
        with into.write(spec):
            pass
        print(f"distillab merge, all students new: {command('merge', into.path, folder.path):.1f} s")
        print(f"distillab merge, all students known: {command('merge', into.path, folder.path):.1f} s")
        shutil.rmtree(into.path)


if __name__ == "__main__":
    main()
