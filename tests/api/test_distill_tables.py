"""A table with words and gaps, from its file to a shipped student, with rows that are made for the teacher to label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tests.tables import read_jobs, write_jobs

from distillab.api.distill import distill
from distillab.data import ReadOptions
from distillab.data.columns import Columns

QUICK: dict[str, Any] = {"epochs": 2, "search_seeds": 1, "seeds": 2, "rounds": 0, "alpha": 0.5, "temperature": 2.0,
                         "learning_rate": 0.01}  # fmt: skip
READ = ReadOptions(label="income")


def rule(x: np.ndarray) -> np.ndarray:
    """A teacher of codes: logits from job, owner and hours."""
    age, job, owner, hours = np.where(np.isnan(x), [45, 3, 0, 40], x).T
    score = 0.05 * (age - 45) + np.array([-1, 0, 1.5, 0.3])[job.astype(int)] * np.where(owner, 1, -0.5)
    return np.stack([np.zeros(len(x)), score + 0.03 * (hours - 40)], axis=1)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    folder = tmp_path_factory.mktemp("tables")
    path = write_jobs(folder / "jobs.csv")
    return distill(rule, "mlp-8", path, folder / "out", read=READ, resample=400, **QUICK), path


def test_the_shipped_student_reads_raw_rows_by_its_columns(done: tuple[Any, Path]):
    result, path = done
    columns = Columns.load(result.folder)
    data = read_jobs(path)
    student = keras.saving.load_model(result.folder / "student.keras")
    assert student.input_shape == (None, 4)
    raw = {"age": "", "job": "head, of state", "owner": "yes", "hours": "40.5"}
    x = columns.rows([raw, {**raw, "job": "astronaut"}, {**raw, "job": "?"}])
    np.testing.assert_array_equal(x[0], np.float32([np.nan, 2, 1, 40.5]))
    answers = student.predict(x, verbose=0)
    assert np.isfinite(answers).all()
    np.testing.assert_array_equal(answers[1], answers[2])
    assert columns == data.columns


def test_what_was_read_and_made_is_told(done: tuple[Any, Path]):
    result, _ = done
    card = " ".join((result.folder / "model_card.md").read_text().split())
    assert result.finding["data"]["class_names"] == ["<=50K", ">50K"]
    assert result.finding["data"]["unlabelled"] == 400
    notes = result.finding["data"]["notes"]
    assert notes[0] == "The label is the column 'income' (2 classes: <=50K, >50K)."
    assert notes[-1].startswith("400 unlabelled rows were made from the 216 training rows")
    assert "400 unlabelled" in card
    assert "reads inputs of shape (4,) as columns.json makes them of raw rows, words as codes" in card
    assert result.finding["unlabelled"]["count"] == 400
