"""The ONNX graph of a table's student: raw rows of a CSV in, Keras's answers out, without Keras or this package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from tests.tables import read_jobs, write_jobs

from distillab.data import Dataset
from distillab.errors import RequestError
from distillab.export import export_model
from distillab.study.model_options import ModelOptions
from distillab.study.student_models import shipped_model, student_model

READ_RAW = """
import csv, sys
import numpy as np, onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
with open(sys.argv[2], newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
rows.append({"age": "", "job": "astronaut", "owner": "", "hours": ""})

def column(one):
    values = [row[one.name] for row in rows]
    if one.type == "tensor(string)":
        return np.array(values, object)[:, None]
    numbers = {"": np.nan, "no": 0.0, "yes": 1.0}
    return np.array([numbers[value] if value in numbers else float(value) for value in values], np.float32)[:, None]

print([(one.name, one.type) for one in session.get_inputs()], file=sys.stderr)
np.save("answers.npy", session.run(None, {one.name: column(one) for one in session.get_inputs()})[0])
assert not {"keras", "jax", "distillab", "tensorflow"} & set(sys.modules)
"""


@pytest.fixture
def folder(tmp_path: Path, tools: None) -> Path:
    """A student beside its columns and examples."""
    jobs = read_jobs(write_jobs(tmp_path / "jobs.csv"))
    ship(jobs, tmp_path)
    return tmp_path


def ship(jobs: Dataset, folder: Path) -> keras.Model:
    student = student_model("mlp-8", jobs, ModelOptions())
    model = shipped_model(student, student.initial(1), jobs)
    model.save(folder / "student.keras")
    assert jobs.columns is not None
    (folder / "columns.json").write_text(jobs.columns.to_json())
    arrays = {name: getattr(jobs, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(folder / "examples.npz", **arrays, task="categorical")
    return model


def test_raw_rows_of_a_csv_get_keras_answers_in_a_process_of_onnxruntime_alone(folder: Path):
    exported = export_model(folder / "student.keras", to="onnx", out=folder / "student.onnx")
    assert exported.agreement.within_rounding
    (folder / "read.py").write_text(READ_RAW)
    done = subprocess.run(
        [sys.executable, "read.py", "student.onnx", "jobs.csv"], cwd=folder, capture_output=True, text=True, check=True
    )
    kinds = {"age": "float", "job": "string", "owner": "float", "hours": "float"}
    assert done.stderr.strip() == str([(name, f"tensor({kind})") for name, kind in kinds.items()])
    lines = [line.rsplit(",", 1)[0] for line in (folder / "jobs.csv").read_text().splitlines()[1:]]
    import csv

    rows = [dict(zip(kinds, row, strict=True)) for row in csv.reader(lines)]
    columns = read_jobs(folder / "jobs.csv").columns
    assert columns is not None
    x = columns.rows([*rows, {"job": "astronaut"}])
    assert np.isnan(x[-1]).all()
    expected = keras.saving.load_model(folder / "student.keras").predict(x, verbose=0)
    answers = np.load(folder / "answers.npy")
    assert len(answers) == 301
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_eight_bits_read_the_same_columns(folder: Path):
    exported = export_model(folder / "student.keras", to="onnx", out=folder / "student.onnx", int8=True)
    assert exported.calibration
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(folder / "student.onnx"))
    assert [one.name for one in session.get_inputs()] == ["age", "job", "owner", "hours"]


def test_columns_of_another_model_are_refused(folder: Path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(folder / "student.keras")
    (folder / "examples.npz").unlink()
    with pytest.raises(
        RequestError, match=r"columns\.json beside the model has 4 columns, and the model reads .*\(3,\)"
    ):
        export_model(folder / "student.keras", to="onnx", out=folder / "student.onnx")
    (folder / "columns.json").write_text("{}")
    with pytest.raises(RequestError, match=r"columns\.json cannot be read"):
        export_model(folder / "student.keras", to="onnx", out=folder / "student.onnx")
    assert not (folder / "student.onnx").exists()


def test_a_column_with_the_name_of_the_output_is_refused(folder: Path):
    text = (folder / "columns.json").read_text()
    (folder / "columns.json").write_text(text.replace('"hours"', '"logits"'))
    with pytest.raises(RequestError, match="The column 'logits' has the name of the graph's output"):
        export_model(folder / "student.keras", to="onnx", out=folder / "student.onnx")


def test_a_column_may_be_called_inputs(folder: Path):
    text = (folder / "columns.json").read_text()
    (folder / "columns.json").write_text(text.replace('"hours"', '"inputs"'))
    assert export_model(folder / "student.keras", to="onnx", out=folder / "student.onnx").agreement.within_rounding
