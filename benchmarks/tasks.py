"""Seconds of one student's epoch, by task: the engine, `Distiller.fit` with stored logits, and plain `model.fit`.

    python benchmarks/tasks.py [--repeats 5]

The engine trains a cohort of as many students as it has devices times four, and its figure is its time divided by the
students: time per student of the whole machine. `fit` trains one student on all cores. All three are measured in one
process, in turn, after a warm-up of each that compiles; medians and ranges of the repeats are printed and kept.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

RESULTS = Path(__file__).parent / "results" / "tasks.json"
STUDENTS = {
    "breast_cancer": "mlp-16-16",
    "diabetes": "mlp-16-16",
    "digits-multilabel": "cnn-16-32",
    "digits-segmentation": "unet-8-16",
}
BATCH, SLOTS, EPOCHS = 32, 4, 3


def engine(data: Any, name: str, teacher: Any) -> Callable[[], float]:
    """Seconds a student and epoch of a cohort."""
    from distillab.engine.devices import mesh
    from distillab.engine.functional import Functional
    from distillab.engine.trainer import CohortTrainer
    from distillab.engine.types import Examples, Recipe, Student
    from distillab.models import build

    losses = {"loss": data.task.losses[0], "label_loss": data.task.label_losses[0]}
    recipe = Recipe(EPOCHS, BATCH, task=data.task.name, **losses)
    functional, grid = Functional(build(name, data.input_shape, data.outputs)), mesh()
    x = data.prepared(data.x_train)
    examples = Examples(x, x[:0], x[:1], teacher[None], data.scale)
    count = SLOTS * grid.size
    trainer = CohortTrainer(functional, examples, recipe, mesh=grid, capacity=count)
    y = data.targets(data.y_train)
    students = [Student(0.3, 3.0, 0.001, seed, functional.initial(seed), y, y[:0]) for seed in range(count)]

    def measure() -> float:
        begin = time.perf_counter()
        trainer.train(students)
        return (time.perf_counter() - begin) / count / EPOCHS

    return measure


def distiller(data: Any, name: str, teacher: Any) -> Callable[[], float]:
    """Seconds an epoch of `Distiller.fit` with stored logits."""
    from distillab import Distiller
    from distillab.models import build

    model = Distiller(build(name, data.input_shape, data.outputs), task=data.task.name)
    model.compile("adam", alpha=0.3)
    x = {"inputs": data.inputs(data.prepared(data.x_train)), "teacher_logits": teacher}
    return timed(lambda: model.fit(x, data.targets(data.y_train), epochs=EPOCHS, batch_size=BATCH, verbose=0))


def fit(data: Any, name: str) -> Callable[[], float]:
    """Seconds an epoch of `model.fit` on the labels alone, without a teacher: the least that Keras can take."""
    import keras

    from distillab.models import build

    losses = {
        "categorical": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "binary": keras.losses.BinaryCrossentropy(from_logits=True),
        "multilabel": keras.losses.BinaryCrossentropy(from_logits=True),
        "regression": keras.losses.MeanSquaredError(),
    }
    model = build(name, data.input_shape, data.outputs)
    model.compile("adam", losses[data.task.name])
    x, y = data.inputs(data.prepared(data.x_train)), data.targets(data.y_train)
    return timed(lambda: model.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0))


def timed(run: Callable[[], Any]) -> Callable[[], float]:
    """A measurement of a run of `EPOCHS` epochs: seconds of one."""

    def measure() -> float:
        begin = time.perf_counter()
        run()
        return (time.perf_counter() - begin) / EPOCHS

    return measure


def main() -> None:
    """Measure every task, print a table and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    from distillab.engine.devices import split_host

    split_host()
    import numpy as np

    from distillab.data import load
    from distillab.study.provenance import now, package_versions

    rows = []
    print("| data | student | examples | engine, a student | Distiller.fit | model.fit |")
    print("|---|---|---|---|---|---|")
    for name, student in STUDENTS.items():
        data = load(name)
        shape = (len(data.y_train), *data.output_shape)
        teacher = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        subjects = {
            "engine": engine(data, student, teacher),
            "Distiller.fit": distiller(data, student, teacher),
            "model.fit": fit(data, student),
        }
        for measure in subjects.values():
            measure()  # compiles
        seconds: dict[str, list[float]] = {subject: [] for subject in subjects}
        for _ in range(repeats):
            for subject, measure in subjects.items():
                seconds[subject].append(measure())
        shown = [
            f"{1e3 * statistics.median(of):.1f} ms ({1e3 * min(of):.1f} to {1e3 * max(of):.1f})"
            for of in seconds.values()
        ]
        print(f"| {name} | {student} | {len(data.y_train):,} | {' | '.join(shown)} |", flush=True)
        rows.append({"data": name, "student": student, "examples": len(data.y_train), "seconds": seconds})
    kept = {"made": now(), "machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    RESULTS.write_text(json.dumps({**kept, "versions": package_versions(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
