"""Does the search find settings as good as a full sweep's, and at what share of its cost? `python benchmarks/search.py`

On three data sets an MLP teaches a small one. The sweep trains 11 alphas x 5 temperatures x 7 learning rates at two
seeds; the search is that of `distillab distill`, which trains its last four at eight. Both winners are then trained at
ten fresh seeds, and their validation scores compared, paired by seed: the sweep's own score of its winner is the
largest of 385 noisy ones, and would flatter it.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np

from distillab.engine.devices import split_host

split_host()

import jax
from distillab.distillation.course import SEARCH_SEED, Course, scored
from distillab.distillation.request import Request
from distillab.distillation.students import find_student
from distillab.distillation.teachers import find_teachers
from distillab.distillation.workshop import Workshop

from distillab.data import ReadOptions, load, read_data
from distillab.engine.devices import mesh
from distillab.engine.functional import Functional, write_variables
from distillab.engine.teacher import train_teacher
from distillab.engine.types import Recipe
from distillab.models import build
from distillab.search.grid import coarse_to_fine
from distillab.search.space import RATES, Candidate, Space, best_of
from distillab.stats import paired_t, t_interval
from distillab.study.progress import Silence
from distillab.study.storage.store import Store

ALPHAS, TEMPERATURES = tuple(np.arange(11) / 10), (1.5, 2.5, 4.0, 6.5, 10.0)
FRESH = tuple(range(2_000, 2_010))
EXAMPLES, EPOCHS, STUDENT = 2_000, 8, "mlp-16"


def main(data_dir: Path | None) -> None:
    """Print a row a data set."""
    print(f"{jax.devices()[0].platform}, {len(jax.devices())} devices; student {STUDENT}, {EPOCHS} epochs")
    print("| data | sweep's best | search's | difference, fresh seeds | trainings of two seeds | share | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name in ("digits", "mnist", "fashion_mnist"):
        if name != "digits" and data_dir is None:
            continue
        print(row(name, data_dir), flush=True)


def row(name: str, data_dir: Path | None) -> str:
    """Sweep and search one data set."""
    whole = load(name, data_dir=data_dir)
    chosen = np.random.default_rng(0).permutation(len(whole.x_train))[:EXAMPLES]
    arrays = {
        "x_train": whole.x_train[chosen],
        "y_train": whole.y_train[chosen],
        "x_test": whole.x_test[:500],
        "y_test": whole.y_test[:500],
    }
    data = read_data(arrays, ReadOptions(validation=0.25))
    rows = data.training
    teacher = Functional(build("mlp-256", data.input_shape, data.classes))
    for _, variables in train_teacher(
        teacher,
        data.x_train[rows],
        data.y_train[rows],
        scale=data.scale,
        classes=data.classes,
        recipe=Recipe(20, 32),
        learning_rate=0.002,
        seed=0,
    ):
        write_variables(teacher.model, variables)
    request = Request(epochs=EPOCHS)
    teachers = find_teachers([teacher.model], data, request)
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "study.db") as store:
        run = store.begin_run("", {})
        course = Course(data, teachers, request, Path(folder) / "logits", Silence())
        student = find_student(STUDENT, data, request)

        def evaluate(candidates, epochs, repeats, shop):
            seeds = [SEARCH_SEED + number for number in range(2 * repeats)]
            trained = shop.train(candidates, seeds, course.training, course.validation, epochs=epochs)
            return scored(candidates, trained, request.metric)

        def workshop(identity):
            return Workshop(data, student, teachers, request, store, run, mesh(), Silence(), identity)

        begin = time.perf_counter()
        everything = [Candidate(True, *map(float, cell)) for cell in itertools.product(ALPHAS, TEMPERATURES, RATES)]
        swept = best_of(evaluate(everything, EPOCHS, 1, workshop("sweep")))
        between = time.perf_counter()
        asked, search = [], workshop("search")

        def counted(candidates, epochs, repeats):
            taught = [one for one in candidates if one.taught]
            asked.extend(taught * (repeats if repeats == 1 else repeats - 1))
            told = evaluate(taught, epochs, repeats, search)
            return told + [(one, 0.0, 0.0) for one in candidates if not one.taught]

        found = coarse_to_fine(Space.of(None, None, None), counted, epochs=EPOCHS, rounds=request.rounds).taught
        end = time.perf_counter()
        fresh = workshop("fresh").train([found, swept], FRESH, course.training, course.validation, epochs=EPOCHS)
        scores = np.array([one.metrics["accuracy"] for one in fresh]).reshape(2, -1)
    gain, test = t_interval(scores[0] - scores[1]), paired_t(scores[0] - scores[1])
    told = f"{100 * gain.estimate:+.2f} ({100 * gain.low:+.2f} to {100 * gain.high:+.2f}), p = {test.p:.2g}"
    return (
        f"| {name} | {_told(swept)}: {100 * scores[1].mean():.2f} % | {_told(found)}: {100 * scores[0].mean():.2f} % "
        f"| {told} | {len(asked)} of {len(everything)} | {len(asked) / len(everything):.0%} "
        f"| {end - between:.0f} of {between - begin:.0f} |"
    )


def _told(one: Candidate) -> str:
    return f"alpha {one.alpha:g}, T {one.temperature:g}, rate {one.learning_rate:.2g}"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
