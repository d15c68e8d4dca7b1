"""A file's name against its contents: each kind under each name."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.frameworks.kinds import SUFFIXES, checked_kind, is_foreign_file, refuse_foreign_contents


def archive(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in names:
            file.writestr(name, b"{}")
    return content.getvalue()


def array() -> bytes:
    content = io.BytesIO()
    np.save(content, np.zeros(2))
    return content.getvalue()


MODELS = {
    "Keras model": archive("metadata.json", "config.json", "model.weights.h5"),
    "ONNX model": b"\x08\x0a\x12\x07pytorch\x3a\x10" + bytes(16),
    "TorchScript model": archive("net/data.pkl", "net/constants.pkl", "net/code/__torch__.py"),
    "torch.export model": archive("net/archive_format", "net/models/model.json"),
    "skops file": archive("schema.json", "1.npy"),
    "pickle": pickle.dumps({"a": 1}),
    "XGBoost model": json.dumps({"learner": {"attributes": {}}, "version": [3, 2, 0]}).encode(),
    "LightGBM model": b"tree\nversion=v4\nnum_class=1\n",
}
"""By kind, what its files hold, or begin with."""

OTHERS = {
    "pickled PyTorch file": archive("net/data.pkl", "net/data/0"),
    "NumPy array": array(),
    "HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(32),
    "NumPy archive": archive("x_train.npy"),
    "zip archive": archive("readme.txt"),
}


@pytest.mark.parametrize("suffix", [one for one in SUFFIXES if one != ".keras"])
@pytest.mark.parametrize("found", [*MODELS, *OTHERS])
def test_each_content_under_each_name(suffix: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes((MODELS | OTHERS)[found])
    assert is_foreign_file(path)
    if found == SUFFIXES[suffix]:
        assert checked_kind(path) == found
        return
    with pytest.raises(RequestError) as raised:
        checked_kind(path)
    told = str(raised.value)
    if found == "pickled PyTorch file":
        assert "torch.jit.save" in told
        assert "run any code" in told
        return
    assert f"holds a {found}" in told or f"holds an {found}" in told
    if found in MODELS:
        proper = told.rpartition("Rename it to ")[2].rstrip(".")
        assert SUFFIXES[Path(proper).suffix] == found
        (tmp_path / proper).write_bytes(MODELS[found])
        if found != "Keras model":
            assert checked_kind(tmp_path / proper) == found  # what it says to do works
        # JSON under a name for UBJSON would not be read
        assert not (found == "XGBoost model" and proper.endswith(".ubj"))
    else:
        assert "It is no model that distillab reads." in told


@pytest.mark.parametrize("suffix", [one for one in SUFFIXES if one != ".keras"])
def test_text_is_no_model(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_text("no model\n")
    if SUFFIXES[suffix] in ("ONNX model", "pickle"):  # of no certain beginning: their readers judge
        assert checked_kind(path) == SUFFIXES[suffix]
        return
    with pytest.raises(RequestError, match=rf"m\{suffix} is no {SUFFIXES[suffix]}: it is damaged, or was not written"):
        checked_kind(path)


@pytest.mark.parametrize("suffix", [one for one in SUFFIXES if one != ".keras"])
def test_an_empty_or_missing_file_is_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    with pytest.raises(RequestError, match=rf"There is no model file .*m\{suffix}"):
        checked_kind(path)
    path.write_bytes(b"")
    with pytest.raises(RequestError, match=rf"m\{suffix} is empty"):
        checked_kind(path)


@pytest.mark.parametrize("found", [one for one in MODELS if one not in ("Keras model", "pickle")])
def test_a_model_of_another_framework_called_keras_is_found_out(found: str, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(MODELS[found])
    with pytest.raises(RequestError, match=f"holds an? {found}, and its name says Keras model. Rename it to m"):
        refuse_foreign_contents(path)
    path.write_bytes(MODELS["Keras model"])
    refuse_foreign_contents(path)
    refuse_foreign_contents(tmp_path / "none.keras")


def test_names_in_capitals_count_too(tmp_path: Path) -> None:
    path = tmp_path / "M.ONNX"
    path.write_bytes(MODELS["ONNX model"])
    assert is_foreign_file(path)
    assert checked_kind(path) == "ONNX model"
    assert not is_foreign_file(tmp_path / "m.keras")
    assert not is_foreign_file(tmp_path / "m.npy")
