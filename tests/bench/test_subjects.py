"""The subjects on JAX run; the same functions run on the other backends."""

from __future__ import annotations

from typing import Any

import pytest

from distillab.bench import engine_subjects, keras_subjects
from distillab.bench.work import Work

MODEL: dict[str, Any] = {"model": "cnn-2-3", "shape": [8, 8, 1]}
SUBJECTS = {
    "cohort": lambda: engine_subjects.cohort(**MODEL, students=3),
    "cohort side by side": lambda: engine_subjects.cohort(**MODEL, devices=1, mapping="vmap", lowered=False),
    "teacher": lambda: engine_subjects.teacher(**MODEL),
    "predictions": lambda: engine_subjects.predictions(**MODEL),
    "fit": lambda: keras_subjects.stored(**MODEL),
    "fit on labels": lambda: keras_subjects.labels_alone(**MODEL),
    "distiller": lambda: keras_subjects.distiller(**MODEL, teacher="cnn-3-4"),
    "predict": lambda: keras_subjects.predictions(**MODEL),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_subject_runs_again_and_again(name: str) -> None:
    work: Work = SUBJECTS[name]()
    run = work.make(2)
    assert all(run() > 0 for _ in range(3))
    assert work.threads >= 1


def test_the_engine_counts_students_devices_and_operations() -> None:
    work = engine_subjects.cohort(**MODEL, devices=1)
    assert (work.students, work.threads) == (2, 1)
    # first convolution: 4x4 positions, 9 x 1 x 2 weights; second: 2x2, 9 x 2 x 3; dense: 12 x 10
    products = [2 * 32 * count for count in (4 * 4 * 18, 2 * 2 * 54, 120)]
    assert work.flops == 3 * sum(products) - products[0]
