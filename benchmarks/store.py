"""How long a study of 100,000 trials takes to open and to answer: `python benchmarks/store.py`.

The rows are made up, with every metric and ten epochs each, as a real study records them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from distillab.analysis.measures import MEASURES
from distillab.study.folder import Folder
from distillab.study.spec import read_spec
from distillab.study.store import TeacherRecord, TrialRecord

EPOCHS = 10
TREE = {
    "dataset": "mnist",
    "epochs": EPOCHS,
    "alpha": np.linspace(0, 1, 20).round(4).tolist(),
    "temperature": list(range(1, 11)),
    "noise": {"rate": [0, 0.1, 0.2, 0.3, 0.4]},
    "seeds": 100,
}


def fill(folder: Folder) -> int:
    """Record every trial of the study, at random."""
    spec, rng = read_spec(TREE), np.random.default_rng(0)
    with folder.write(spec) as store:
        run = store.begin_run("2026-01-01T00:00:00+00:00", {"data": {"classes": list("0123456789")}})
        store.add_teacher(TeacherRecord("t", {}, "w", 100, dict.fromkeys(MEASURES, 0.98), [0.1]))
        for number, cell in enumerate(spec.cells()):
            alpha, told = cell.settings.alpha, cell.settings.model_dump()
            records = []
            for seed in range(spec.frame.seeds):
                level = 0.9 + 0.05 * alpha * (1 - alpha) + 0.003 * rng.normal()
                values = {(part, name): level for name in MEASURES for part in ("test", "validation")}
                if cell.settings.noise.rate:
                    values |= {("train", "recovered"): level, ("train", "memorised"): 1 - level}
                epochs = [(1.0, 0.5, 0.5, level)] * EPOCHS
                records.append(
                    TrialRecord(f"{number:08d}{seed:08d}", seed, alpha, cell.coordinates, told, "t", epochs, values)
                )
            store.add_cohort(records, run=run, students=len(records), examples=1000, seconds=1.0)
    return spec.size


def main() -> None:
    from distillab.analysis import alpha_curves, answer, needed_metrics, three_sentences

    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(place) / "study")
        count = read_spec(TREE).size if folder.store.exists() else fill(folder)
        begin = time.perf_counter()
        spec, store = folder.read()
        with store:
            opened = time.perf_counter()
            trials, teachers = (
                store.trials(metrics=needed_metrics(spec), epochs=False),
                store.teachers(),
            )
            read = time.perf_counter()
            curves = alpha_curves(spec, trials, teachers)
            sorted_ = time.perf_counter()
            three_sentences(answer(spec, trials, teachers, curves=curves))
        end = time.perf_counter()
        size = folder.store.stat().st_size / 2**20
        print(
            f"{count:,} trials, {size:,.0f} MiB: opened in {opened - begin:.2f} s, read in {read - opened:.2f} s, "
            f"sorted in {sorted_ - read:.2f} s, answered in {end - sorted_:.2f} s"
        )


if __name__ == "__main__":
    main()
