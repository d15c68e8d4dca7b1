"""The table of names states each loss's facts truly, and every room shares its defaults."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import distillab.losses
from distillab.conventions import CONVENTIONS
from distillab.losses import (
    DEFAULT_ALPHA,
    DEFAULT_TEMPERATURE,
    DISTILLATION_LOSSES,
    LABEL_LOSS_FUNCTIONS,
    functions,
    label_losses_for,
    losses_for,
)
from distillab.study.settings import Settings
from distillab.tasks import TASKS

STUDENT, TEACHER = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)


def test_every_name_is_defined_for_some_task_and_has_its_function_there() -> None:
    for table, functions_for in (
        ({name: facts.functions for name, facts in DISTILLATION_LOSSES.items()}, losses_for),
        (LABEL_LOSS_FUNCTIONS, label_losses_for),
    ):
        stated = {(task, name, function) for name, by_task in table.items() for task, function in by_task.items()}
        assert stated == {(task, name, loss.__name__) for task in TASKS for name, loss in functions_for(task).items()}
        assert {name for _, name, _ in stated} == set(table)


def test_every_function_can_be_imported_from_the_package() -> None:
    """A module of the same name in the package would hide it."""
    for name in functions.__all__:
        assert getattr(distillab.losses, name) is getattr(functions, name)


def test_each_task_has_its_default_first() -> None:
    assert {task: (next(iter(losses_for(task))), next(iter(label_losses_for(task)))) for task in TASKS} == {
        "categorical": ("kl", "cross_entropy"),
        "binary": ("kl", "cross_entropy"),
        "multilabel": ("kl", "cross_entropy"),
        "regression": ("squared", "squared"),
    }


@pytest.mark.parametrize(("task", "name"), [(task, name) for task in TASKS for name in losses_for(task)])
def test_a_loss_reads_the_labels_and_the_teacher_exactly_where_its_facts_say_so(task: str, name: str) -> None:
    facts, loss = DISTILLATION_LOSSES[name], losses_for(task)[name]

    def values(teacher: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return np.asarray(loss(STUDENT, teacher, labels, temperature=2.0))

    labels, others = np.array([0, 1, 2, 0, 1]), np.array([1, 2, 0, 1, 2])
    if task != "categorical":
        labels, others = (np.repeat(y[:, None] % 2, 3, axis=1) for y in (labels, others))
    reads_labels = not np.array_equal(values(TEACHER, labels), values(TEACHER, others))
    reads_teacher = not np.array_equal(values(TEACHER, labels), values(TEACHER[::-1], labels))
    assert (reads_labels, reads_teacher) == (facts.needs_labels, facts.needs_teacher)


def test_studies_the_distiller_and_the_translation_share_one_default() -> None:
    import keras

    from distillab import Distiller

    settings = Settings(dataset="digits")
    distiller = Distiller(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]))
    distiller.compile()
    defaults = {"alpha": DEFAULT_ALPHA, "temperature": DEFAULT_TEMPERATURE}
    assert {"alpha": settings.alpha, "temperature": settings.temperature} == defaults
    assert {name: getattr(distiller, name) for name in defaults} == pytest.approx(defaults)
    assert dict(CONVENTIONS["distillab"].defaults) == defaults


def test_names_load_without_keras_and_an_unknown_one_is_no_attribute() -> None:
    code = (
        "import sys, distillab.losses as losses\n"
        "assert losses.DEFAULT_ALPHA and 'keras' not in sys.modules\n"
        "assert not hasattr(losses, 'no_such_loss')\n"
        "from distillab.losses import dist, objective\n"
        "assert callable(dist) and callable(objective)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
