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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np

from distillab.engine.devices import split_host

split_host()

import jax

from distillab.data import Dataset, ReadOptions, load, read_data
from distillab.engine.functional import Functional, write_variables
from distillab.engine.teacher import train_teacher
from distillab.engine.types import Examples, Recipe
from distillab.models import build
from distillab.search.grid import grid_search
from distillab.search.pipeline import SEARCH_SEED, Pipeline
from distillab.search.request import Request, request
from distillab.search.space import RATES, Candidate, Score, Space, best_of
from distillab.stats import paired_t, t_interval
from distillab.study.folder import Folder
from distillab.study.progress import Silence
from distillab.study.provenance import now
from distillab.study.reading_teachers import read_teachers
from distillab.study.run import RunOptions, work_in
from distillab.study.spec import SearchSpec
from distillab.study.storage.records import TrialResult
from distillab.study.student_models import student_model
from distillab.study.teacher_models import TeacherModel
from distillab.study.trials import trial

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
    examples = Examples.for_labels(data.x_train[rows], data.scale, data.classes)
    for _, variables in train_teacher(
        teacher, examples, data.y_train[rows], Recipe(20, 32), learning_rate=0.002, seed=0
    ):
        write_variables(teacher.model, variables)
    wanted = request(epochs=EPOCHS)
    teachers = read_teachers([teacher.model], data, wanted.options)
    everything = [Candidate(True, *map(float, cell)) for cell in itertools.product(ALPHAS, TEMPERATURES, RATES)]
    with tempfile.TemporaryDirectory() as folder:
        with pipeline(data, teachers, wanted, Path(folder) / "sweep") as sweep:
            begin = time.perf_counter()
            swept = best_of(scores(sweep, everything, 1))
            between = time.perf_counter()
        with pipeline(data, teachers, wanted, Path(folder) / "search") as search:
            asked: list[Candidate] = []

            def counted(candidates: Sequence[Candidate], repeats: int) -> list[Score]:
                distilled = [one for one in candidates if one.distilled]
                asked.extend(distilled * (repeats if repeats == 1 else repeats - 1))
                told = scores(search, distilled, repeats)
                return told + [Score(one, 0.0, 0.0, repeats) for one in candidates if not one.distilled]

            start = time.perf_counter()
            found = grid_search(Space.of(None, None, None), counted, rounds=wanted.rounds).distilled
            end = time.perf_counter()
            fresh = trained(search, [found, swept], FRESH)
    measured = np.array([[result.metrics["validation", "accuracy"] for result in results] for results in fresh])
    gain, test = t_interval(measured[0] - measured[1]), paired_t(measured[0] - measured[1])
    told = f"{100 * gain.estimate:+.2f} ({100 * gain.low:+.2f} to {100 * gain.high:+.2f}), p = {test.p:.2g}"
    ours, theirs = (100 * row.mean() for row in measured)
    return (
        f"| {name} | {_told(swept)}: {theirs:.2f} % | {_told(found)}: {ours:.2f} % "
        f"| {told} | {len(asked)} of {len(everything)} | {len(asked) / len(everything):.0%} "
        f"| {end - start:.0f} of {between - begin:.0f} |"
    )


@contextmanager
def pipeline(data: Dataset, teachers: Sequence[TeacherModel], wanted: Request, path: Path) -> Iterator[Pipeline]:
    """What trains candidates, as a distillation does, in a folder of its own: nothing is there already."""
    folder = Folder(path)
    work = work_in(folder, data, RunOptions(), Silence(), trainers=4)
    teacher = "+".join(work.models.add_teacher(one) for one in teachers)
    student = work.models.add_student(student_model(STUDENT, data, wanted.options))
    spec = SearchSpec({"request": wanted.model_dump(mode="json")})
    with folder.write(spec) as store, work.runner(store, now(), "") as runner:
        yield Pipeline(wanted, data, teacher, [student], work, runner)


def trained(of: Pipeline, candidates: Sequence[Candidate], seeds: Sequence[int]) -> list[list[TrialResult]]:
    """Results of every candidate on the validation examples, seed by seed."""
    trials = [
        [trial(of.settings(one, "validation"), seed, of.dataset.digest, {}) for seed in seeds] for one in candidates
    ]
    every = list(itertools.chain(*trials))
    missing = of.runner.missing(every)
    for _ in of.runner.run(every, of.work.plan(missing)) if missing else ():
        pass  # recorded by the runner
    results = {result.id: result for result in of.runner.store.trials(epochs=False)}
    return [[results[one.id] for one in row] for row in trials]


def scores(of: Pipeline, candidates: Sequence[Candidate], repeats: int) -> list[Score]:
    """Mean validation scores of candidates, as the search has them."""
    seeds = range(SEARCH_SEED, SEARCH_SEED + of.request.search_seeds * repeats)

    def mean(results: list[TrialResult], metric: str) -> float:
        return float(np.mean([result.metrics.get(("validation", metric), np.nan) for result in results]))

    return [
        Score(one, mean(results, of.request.metric), -mean(results, "nll"), repeats)
        for one, results in zip(candidates, trained(of, candidates, seeds), strict=True)
    ]


def _told(one: Candidate) -> str:
    return f"alpha {one.alpha:g}, T {one.temperature:g}, rate {one.learning_rate:.2g}"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
