"""How long a report takes to write, how large its page is, and when its first chart is there: for 10,000 trials.

    python benchmarks/report.py

The rows are made up (an accuracy that is a function of alpha plus noise), with everything a real study records. Needs
Chromium and Playwright for the last figure.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from distillab.metrics.metric import METRICS
from distillab.report.write import write_report
from distillab.study.folder import Folder
from distillab.study.spec import Spec, read_spec
from distillab.study.storage.records import GalleryExamples, GalleryPredictions, TeacherResult, TrialResult
from distillab.study.storage.store import Store

CLASSES, SHOWN, BINS, EPOCHS = 10, 256, 15, 10
STUDIES = {
    "one setting, 100 alphas, 100 seeds": {"alpha": np.linspace(0, 1, 100).round(4).tolist(), "seeds": 100},
    "10 settings, 20 alphas, 50 seeds": {
        "alpha": np.linspace(0, 1, 20).round(4).tolist(),
        "seeds": 50,
        "temperature": list(range(1, 11)),
    },
    "100 settings, 10 alphas, 10 seeds": {
        "alpha": np.linspace(0, 1, 10).round(4).tolist(),
        "seeds": 10,
        "temperature": list(range(1, 11)),
        "noise": {"rate": [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4]},
    },
}


def fill(store: Store, spec: Spec) -> None:
    """Record every trial of a study, at random."""
    rng = np.random.default_rng(0)
    run = store.begin_run("2026-01-01T00:00:00+00:00", {"command": "none", "data": {"classes": list("0123456789")}})
    store.add_teacher(TeacherResult("t", {}, "w", 100, dict.fromkeys(METRICS, 0.98), [0.1]))
    images = rng.integers(0, 255, (SHOWN, 28, 28, 1)).astype(np.uint8)
    examples = GalleryExamples(images, rng.integers(0, CLASSES, SHOWN).astype(np.int16), 1 / 255)
    store.add_examples(examples, {"t": rng.normal(size=(SHOWN, CLASSES)).astype(np.float32)})
    for number, cell in enumerate(spec.cells()):
        records = []
        for seed in range(spec.objective.seeds):
            alpha = cell.settings.alpha
            level = 0.9 + 0.05 * alpha * (1 - alpha) + 0.003 * rng.normal()
            values = {(part, name): level + 1e-3 * rng.normal() for name in METRICS for part in ("test", "validation")}
            if cell.settings.noise.rate:
                values |= {("train", "recovered"): level, ("train", "memorised"): 1 - level}
            counts = rng.multinomial(1000, np.full(CLASSES, 1 / CLASSES), CLASSES)
            given = rng.integers(0, CLASSES, SHOWN).astype(np.int16)
            logits = rng.normal(size=(SHOWN, CLASSES)).astype(np.float16)
            records.append(
                TrialResult(
                    id=f"{number:08d}{seed:08d}",
                    seed=seed,
                    alpha=alpha,
                    coordinates=cell.coordinates,
                    settings=cell.settings.model_dump(),
                    teacher="t",
                    epochs=[(1.0 / (e + 1), 0.5, 0.5, level - 0.1 / (e + 1)) for e in range(EPOCHS)],
                    metrics=values,
                    confusion=counts.tolist(),
                    reliability=[[60, (b + 0.5) / BINS, rng.random()] for b in range(BINS)],
                    example_predictions=GalleryPredictions(examples.id, given, logits),
                )
            )
        store.add_cohort(records, run=run, students=len(records), examples=1000, seconds=1.0)


def first_chart(page: Path) -> float | None:
    """Milliseconds from opening to the first chart; None without a browser."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if chromium is None:
        return None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page()
        opened.goto(page.resolve().as_uri())
        opened.evaluate("async () => { await window.distillab.ready; }")
        told = float(opened.evaluate("window.distillab.firstChart"))
        browser.close()
    return told


def main() -> None:
    for name, changes in STUDIES.items():
        spec = read_spec({"dataset": "mnist", "epochs": EPOCHS, **changes})
        with tempfile.TemporaryDirectory() as place:
            folder = Folder(Path(place) / "study")
            with folder.write(spec) as store:
                fill(store, spec)
            begin = time.perf_counter()
            write_report(folder)
            seconds = time.perf_counter() - begin
            size = folder.report.stat().st_size / 1e6
            shown = first_chart(folder.report)
            told = "no browser" if shown is None else f"first chart after {shown:.0f} ms"
            print(f"{name} ({spec.size:,} trials): written in {seconds:.1f} s, {size:.2f} MB, {told}", flush=True)


if __name__ == "__main__":
    main()
