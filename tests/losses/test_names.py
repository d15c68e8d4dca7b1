"""The table of names states each loss's facts truly, and every room shares its defaults."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

from distillab.conventions import CONVENTIONS
from distillab.losses import DEFAULT_ALPHA, DEFAULT_TEMPERATURE, DISTILLATION_LOSSES, LABEL_LOSS_FUNCTIONS, LOSSES
from distillab.losses import LABEL_LOSSES as LABEL_FUNCTIONS
from distillab.study.settings import Settings

STUDENT, TEACHER = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)


def test_every_name_has_its_function() -> None:
    assert {name: loss.__name__ for name, loss in LOSSES.items()} == {
        name: facts.function for name, facts in DISTILLATION_LOSSES.items()
    }
    assert {name: loss.__name__ for name, loss in LABEL_FUNCTIONS.items()} == dict(LABEL_LOSS_FUNCTIONS)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_reads_the_labels_and_the_teacher_exactly_where_its_facts_say_so(name: str) -> None:
    facts, loss = DISTILLATION_LOSSES[name], LOSSES[name]

    def values(teacher: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return np.asarray(loss(STUDENT, teacher, labels, temperature=2.0))

    labels = np.array([0, 1, 2, 0, 1])
    reads_labels = not np.array_equal(values(TEACHER, labels), values(TEACHER, (labels + 1) % 3))
    reads_teacher = not np.array_equal(values(TEACHER, labels), values(TEACHER[::-1], labels))
    assert (reads_labels, reads_teacher) == (facts.needs_labels, facts.needs_teacher)


def test_studies_the_distiller_and_the_translation_share_one_default() -> None:
    from distillab import Distiller

    settings = Settings(dataset="digits")
    compiled = inspect.signature(Distiller.compile).parameters
    defaults = {"alpha": DEFAULT_ALPHA, "temperature": DEFAULT_TEMPERATURE}
    assert {"alpha": settings.alpha, "temperature": settings.temperature} == defaults
    assert {name: compiled[name].default for name in defaults} == defaults
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
