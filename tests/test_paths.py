"""Files and folders are given as str or as any path object."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tests.report.test_page import hump, store_study
from tests.rows import Rows

import distillab
from distillab import Study, data
from distillab.errors import RequestError
from distillab.models.files import read_model
from distillab.report.comparison import write_comparison
from distillab.report.publish import publish
from distillab.report.table import write_table
from distillab.report.write import write_report
from distillab.study.folder import Folder
from distillab.study.model_options import ModelOptions
from distillab.study.opening import opened, opened_teachers
from distillab.study.spec import load_folder_spec, load_spec
from distillab.study.storage.store import Store
from distillab.tracking import open_tracker

SOURCE = Path(distillab.__file__).parent

INTERNAL = (
    "io.py",
    "errors.py",
    "api/distill.py: __init__(folder)",
    "cli/",
    "data/delimited.py",
    "data/json_lines.py",
    "data/archive.py: read_arrays",
    "data/archive.py: write_arrays",
    "data/images.py: decode_image",
    "data/path_source.py",
    "data/shards.py",
    "data/table_source.py",
    "engine/devices.py",
    "export/onnx.py: check_tools",
    "export/tensorflow.py: check_tensorflow",
    "models/answer_folder.py",
    "models/answers.py",
    "models/frameworks/",
    "models/prediction_files.py",
    "models/predictions.py: read(path)",
    "models/predictions.py: stored_predictions(folder)",
    "report/write.py: check_folder",
    "report/write.py: write_files",
    "study/storage/connection.py",
    "study/stored_teachers.py",
)
"""Modules and functions that take paths from the package's own functions only."""


def only_paths(file: Path) -> Iterator[str]:
    """The parameters and fields of a module's public functions and classes that take a Path and no str."""
    for owner in (node for node in ast.parse(file.read_text(encoding="utf-8")).body if is_public(node)):
        members = owner.body if isinstance(owner, ast.ClassDef) else []
        is_result = isinstance(owner, ast.ClassDef) and owner.name in ("Entry", "Exported", "Summary")
        named = {n.target.id: n.annotation for n in members if isinstance(n, ast.AnnAssign) and not is_result}  # type: ignore[union-attr]
        for function in (node for node in [owner, *members] if isinstance(node, ast.FunctionDef) and is_public(node)):
            arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            named |= {f"{function.name}({one.arg})": one.annotation for one in arguments if one.annotation}
        for name, annotation in named.items():
            kinds = ast.unparse(annotation)
            if re.search(r"\bPath\b", kinds) and "Callable" not in kinds and not re.search(r"\bstr\b", kinds):
                yield f"{file.relative_to(SOURCE).as_posix()}: {name}"


def is_public(node: ast.stmt) -> bool:
    name = getattr(node, "name", "_")
    return name == "__init__" or not name.startswith("_")


def test_every_public_parameter_that_is_a_path_takes_str():
    found = [parameter for file in sorted(SOURCE.rglob("*.py")) for parameter in only_paths(file)]
    assert any(parameter.startswith("io.py: replace_file(path)") for parameter in found)  # the search finds them
    assert [parameter for parameter in found if not parameter.startswith(INTERNAL)] == []


class PathObject:
    """A path of another library."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return self.path


GIVEN = {"str": str, "PathLike": lambda path: PathObject(str(path))}

CALLS: dict[str, Callable[[Callable[[Path], Any], Path], Any]] = {
    "Study.load": lambda given, at: Study.load(given(at / "study")).text(),
    "Study.report": lambda given, at: Study.load(at / "study").report(given(at / "page.html")),
    "Study.export": lambda given, at: Study.load(at / "study").export(given(at / "table.csv")),
    "load_spec": lambda given, at: load_spec(given(at / "study" / "study.yaml")),
    "load_folder_spec": lambda given, at: load_folder_spec(given(at / "study" / "study.yaml")),
    "Store": lambda given, at: Store(given(at / "study" / "study.db"), read_only=True).close(),
    "write_table": lambda given, at: write_table(given(at / "study"), given(at / "students.csv")),
    "write_report": lambda given, at: write_report(Folder(given(at / "study")), given(at / "report.html")),
    "write_comparison": lambda given, at: write_comparison(
        [Folder(given(at / "study")), Folder(given(at / "again"))], given(at / "comparison.html")
    ),
    "open_tracker": lambda given, at: open_tracker("tensorboard", given(at / "study")),
    "load": lambda given, at: data.load(given(at / "data.npz")),
    "load(data_dir)": lambda given, at: data.load("digits", data_dir=given(at)),
    "read_dataset": lambda given, at: data.read_dataset(given(at / "data.npz")),
    "read_data": lambda given, at: data.read_data(given(at / "data.npz")),
    "read_data(data_dir)": lambda given, at: data.read_data("digits", data.ReadOptions(data_dir=given(at))),
    "check": lambda given, at: data.check(given(at / "data.npz"), given(at)),
    "find": lambda given, at: data.find("mnist", given(at)),
    "store_predictions": lambda given, at: distillab.store_predictions(given(at / "p.npy"), [[1.0]], [[0.9, 0.1]]),
    "with_teacher_logits": lambda given, at: distillab.with_teacher_logits(
        (np.zeros((4, 2), "float32"), np.array([0, 1, 2, 0])), read_model(at / "m.keras"), cache=given(at / "logits")
    ),
    "read_model": lambda given, at: read_model(given(at / "m.keras")),
    "opened": lambda given, at: opened(given(at / "m.keras"), ModelOptions()).model.name,
    "opened_teachers": lambda given, at: opened_teachers([given(at)], ModelOptions()),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with two studies, a data set and a model."""
    place, rows = tmp_path_factory.mktemp("paths"), Rows
    for name in ("study", "again"):
        spec = rows.spec(seeds=3)
        store_study(Folder(place / name), spec, rows.trials(spec, hump), {})
    arrays = {"x_train": np.zeros((20, 3)), "x_test": np.ones((4, 3))}
    np.savez(place / "data.npz", y_train=np.arange(20) % 2, y_test=np.arange(4) % 2, **arrays)
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save(place / "m.keras")
    return place


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_path_may_be_given_as(call, given, place):
    call(given, place)


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_publish_checks_the_folder_that_it_is_given(given, place):
    with pytest.raises(RequestError, match=r"data.npz is a file. Choose another folder with --to"):
        publish(Folder(place / "study"), given(place / "data.npz"))


def test_onnx_is_exported_to_a_str(place, tmp_path):
    pytest.importorskip("jax2onnx", reason="pip install 'distillab[onnx]'")
    from distillab.export import export_onnx

    exported = export_onnx(read_model(place / "m.keras"), os.fspath(tmp_path / "m.onnx"), np.ones((4, 2)))
    assert exported.path == tmp_path / "m.onnx"
