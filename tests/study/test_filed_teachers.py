"""Studies whose teacher is a file: named with its digest, tried before anything is trained, and no other taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from distillab.data import load
from distillab.engine.functional import Variables, write_variables
from distillab.errors import RequestError
from distillab.study.folder import Folder
from distillab.study.run import run_study
from distillab.study.spec import Spec, read_spec
from distillab.study.storage.store import Store


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two clouds; a teacher that tells them apart, and one that knows nothing."""
    place = tmp_path_factory.mktemp("filed")
    rng = np.random.default_rng(0)
    y = np.arange(240) % 2
    x = (rng.normal(size=(240, 4)) + 2 * y[:, None]).astype(np.float32)
    np.savez(place / "clouds.npz", x_train=x[:160], y_train=y[:160], x_test=x[160:], y_test=y[160:])
    for name, slope in (("teacher", 1.0), ("blind", 0.0)):
        linear(slope).save(place / f"{name}.keras")
    return place


def linear(slope: float) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    kernel = slope * np.array([[-1.0, 1.0]] * 4, np.float32)
    return write_variables(model, Variables([kernel, slope * np.array([4.0, -4.0], np.float32)], []))


def study(files: Path, teacher: str | list[str], reading: Any = None, **more: Any) -> Spec:
    return read_spec(
        {
            "dataset": str(files / "clouds.npz"),
            "teacher": {"model": teacher, **(reading or {})},
            "student": {"model": "linear"},
            "alpha": [0, 1],
            "seeds": 1,
            "epochs": 1,
            **more,
        }
    )


class Notes:
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **options: None


def test_the_file_teaches_and_is_named_with_its_digest(files: Path, tmp_path: Path) -> None:
    spec = study(files, str(files / "teacher.keras"))
    assert run_study(spec, tmp_path / "out").trained == 2
    folder = Folder(tmp_path / "out")
    described = folder.described()
    assert isinstance(described, Spec)
    path, _, digest = described.base.teacher.model.rpartition("@")
    assert path == str(files / "teacher.keras")
    assert len(digest) == 16
    with Store(folder.store, read_only=True) as store:
        (teacher,) = store.teachers().values()
    data = load(str(files / "clouds.npz"))
    own = linear(1.0).predict(data.x_test, verbose=0).argmax(-1)
    assert teacher.metrics["accuracy"] == pytest.approx((own == data.y_test).mean())
    assert run_study(spec, tmp_path / "out").trained == 0  # the same command again
    assert run_study(described, tmp_path / "out").trained == 0  # and its own study.yaml


def test_another_file_of_that_name_is_refused(files: Path, tmp_path: Path) -> None:
    file = tmp_path / "t.keras"
    linear(1.0).save(file)
    run_study(study(files, str(file)), tmp_path / "out")
    described = Folder(tmp_path / "out").described()
    linear(2.0).save(file)
    assert isinstance(described, Spec)
    with pytest.raises(RequestError, match=r"t\.keras is not the teacher of this study: its contents"):
        run_study(described, tmp_path / "out")
    with pytest.raises(RequestError, match=r"holds another study: it differs in teacher\.model"):
        run_study(study(files, str(file)), tmp_path / "out")


def test_files_and_the_zoo_are_crossed_and_a_teacher_at_chance_is_told(files: Path, tmp_path: Path) -> None:
    notes = Notes()
    models = [str(files / "blind.keras"), "linear"]
    spec = study(files, models, {"epochs": 1}, alpha=0.5)
    summary = run_study(spec, tmp_path / "out", progress=notes)  # type: ignore[arg-type]
    assert summary.trained == 2
    assert any("blind.keras is at chance" in note for note in notes.said)


@pytest.mark.parametrize("name", ["mymodels.py:teacher", "os:getcwd"])
def test_a_study_file_names_no_function(files: Path, name: str) -> None:
    with pytest.raises(RequestError, match="model"):
        study(files, name)


def test_reading_a_file_in_several_ways_is_no_axis(files: Path, tmp_path: Path) -> None:
    spec = study(files, str(files / "teacher.keras"), {"scale": ["raw", "unit"]})
    with pytest.raises(RequestError, match=r"teacher\.scale=.* a single value with a teacher from a file"):
        run_study(spec, tmp_path / "out")
    assert not (tmp_path / "out").exists()
