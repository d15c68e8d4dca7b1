"""Whether a teacher is worth it: compared with a quick student before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from distillab.api.distill import distill
from distillab.api.worth import Worth, check_chance, check_worth
from distillab.data import Dataset, ReadOptions, read_data
from distillab.errors import RequestError
from distillab.study.progress import Silence
from distillab.study.teacher_models import TeacherModel

QUICK: dict[str, Any] = {"epochs": 6, "search_seeds": 1, "seeds": 2, "rounds": 1, "temperature": 3.0, "alpha": 0.5}


def worth(teacher: float, student: float, p: float = 1e-4, metric: str = "accuracy") -> Worth:
    return Worth(metric, teacher, student, 0.25, 1200, 3, p)


@pytest.mark.parametrize(
    ("one", "below"),
    [
        (worth(0.5, 0.9), True),
        (worth(0.9, 0.5), False),
        (worth(0.5, 0.9, p=0.02), False),  # within chance
        (worth(0.5, 0.9, p=float("nan")), False),
        (worth(0.9, 0.9), False),
        (worth(2.0, 1.0, metric="mae"), True),  # of errors, less is better
        (worth(1.0, 2.0, metric="mae"), False),
    ],
)
def test_below_is_worse_by_the_metric_and_beyond_chance(one: Worth, below: bool) -> None:
    assert one.is_below is below
    if not below:
        check_worth(one, "mine", anyway=False)
        return
    with pytest.raises(RequestError, match="The teacher mine knows less than a student without it"):
        check_worth(one, "mine", anyway=False)
    check_worth(one, "mine", anyway=True)


def test_the_figures_in_words() -> None:
    assert worth(0.5, 0.9).in_words() == (
        "On 1,200 validation examples the teacher has accuracy 50.00%, the student after 3 epochs without a teacher "
        "has accuracy 90.00%, and a constant prediction has accuracy 25.00%."
    )
    assert "after 1 epoch without" in worth(0.5, 0.9)._replace(epochs=1).in_words()


RNG = np.random.default_rng(0)
W = RNG.normal(size=(6, 3)).astype(np.float32)


def linear() -> Dataset:
    """Classes by a linear rule, which a linear student learns in an epoch or two."""
    x = RNG.normal(size=(1500, 6)).astype(np.float32)
    return read_data((x, (x @ W).argmax(-1)), ReadOptions(validation=0.2, test=0.2))


def half_blind(batch: Any) -> Any:
    """Knows two of the six features: better than chance, and much worse than a student."""
    return batch[:, :2] @ W[:2]


def test_a_teacher_below_a_quick_student_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as raised:
        distill(half_blind, "linear", linear(), tmp_path / "out", learning_rate=0.05, anyway=False, **QUICK)
    told = str(raised.value)
    assert "The teacher half_blind knows less than a student without it. On 240 validation examples" in told
    assert told.count("accuracy ") == 3
    assert "--anyway" in told
    assert not (tmp_path / "out").exists()


def test_from_python_it_is_warned_of_unless_the_user_says_what_to_do() -> None:
    own = linear()
    blind = TeacherModel("blind", "d", lambda x: np.zeros((len(x), len(own.class_names)), np.float32))
    with pytest.warns(UserWarning, match="The teacher blind is at chance"):
        check_chance([blind], own, anyway=None)
    check_chance([blind], own, anyway=True)
    with pytest.raises(RequestError, match=r"is at chance.* Add --anyway"):
        check_chance([blind], own, anyway=False)


def test_it_teaches_anyway_beside_an_estimator() -> None:
    own = linear()
    told: list[str] = []

    class Notes(Silence):
        def note(self, text: str) -> None:
            told.append(text)

    estimator = LogisticRegression().fit(own.x_train[:40], own.y_train[:40])
    blind = lambda batch: half_blind(batch)  # noqa: E731  # a function without a name of its own
    done = distill([estimator, blind], "linear", own, anyway=True, progress=Notes(), **QUICK)
    names = done.finding["teacher"]["name"] if "name" in done.finding.get("teacher", {}) else str(done.finding)
    assert "LogisticRegression" in names
    assert any("On 240 validation examples the teacher has accuracy" in one for one in told)
    assert any("The estimator LogisticRegression is given float32" in one for one in told)
    assert any("The function function is given" in one for one in told)
