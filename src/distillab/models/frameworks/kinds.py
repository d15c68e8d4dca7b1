"""Which framework a model's file belongs to: by its name, and by its contents."""

from __future__ import annotations

import zipfile
from pathlib import Path

from distillab.errors import RequestError

SUFFIXES = {
    ".keras": "Keras model",
    ".onnx": "ONNX model",
    ".pt": "TorchScript model",
    ".pth": "TorchScript model",
    ".ts": "TorchScript model",
    ".pt2": "torch.export model",
    ".skops": "skops file",
    ".joblib": "pickle",
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".ubj": "XGBoost model",
    ".xgb": "XGBoost model",
    ".json": "XGBoost model",
    ".lgb": "LightGBM model",
    ".txt": "LightGBM model",
}
"""The kind of model that a file's name promises."""

PROPER = {kind: suffix for suffix, kind in reversed(SUFFIXES.items())}
"""By kind, the suffix to recommend."""

HOW_TO_SAVE = {
    "ONNX model": "torch.onnx.export or another exporter",
    "TorchScript model": "torch.jit.save(torch.jit.trace(module.eval(), example), FILE), or torch.onnx.export",
    "torch.export model": "torch.export.save",
    "skops file": "skops.io.dump",
    "pickle": "skops.io.dump",
    "XGBoost model": "model.save_model('NAME.ubj')",
    "LightGBM model": "booster.save_model('NAME.txt')",
    "Keras model": "model.save('NAME.keras')",
}
"""By kind, what writes it."""


def is_foreign_file(path: Path) -> bool:
    """Whether a file's name says that it is a model of another framework.

    Args:
        path: any path.
    """
    return path.suffix.lower() in SUFFIXES and path.suffix.lower() != ".keras"


def checked_kind(path: Path) -> str:
    """The kind of model in a file, where its name and its contents agree.

    Args:
        path: with a suffix in `SUFFIXES`.

    Raises:
        RequestError: there is no such file, it is empty, or its contents are of another kind.
    """
    if not path.is_file():
        raise RequestError(f"There is no model file {path}.")
    if not path.stat().st_size:
        raise RequestError(f"{path} is empty. Save the model again.")
    named, found = SUFFIXES[path.suffix.lower()], _kind_of_contents(path)
    if found == named or (found == "" and named in ("ONNX model", "pickle")):
        return named
    if found == "pickled PyTorch file":
        raise RequestError(
            f"{path} is a pickle of torch.save, which can run any code when it is loaded, or holds weights without "
            f"their model. Save it with {HOW_TO_SAVE['TorchScript model']}."
        )
    if found == "":
        raise RequestError(f"{path} is no {named}: it is damaged, or was not written by {HOW_TO_SAVE[named]}.")
    suffix = ".json" if found == "XGBoost model" and _is_json(path) else PROPER.get(found)
    advice = f"Rename it to {path.with_suffix(suffix).name}." if suffix else "It is no model that distillab reads."
    raise RequestError(f"{path} holds {_article(found)} {found}, and its name says {named}. {advice}")


def refuse_foreign_contents(path: Path) -> None:
    """Refuse a `.keras` file that holds a model of another framework.

    Args:
        path: a `.keras` file, or none.

    Raises:
        RequestError: it does.
    """
    if path.is_file() and _kind_of_contents(path) in set(PROPER) - {"Keras model", "pickle"}:
        checked_kind(path)


def _kind_of_contents(path: Path) -> str:
    """The kind of model that a file's first bytes, or an archive's members, show; "" where they show none."""
    with path.open("rb") as file:
        start = file.read(512)
    if zipfile.is_zipfile(path):
        return _kind_of_archive(path)
    if start.startswith(b"\x93NUMPY"):
        return "NumPy array"
    if start.startswith(b"\x89HDF"):
        return "HDF5 file"
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    if start.startswith(b"tree\n"):
        return "LightGBM model"
    if _is_onnx(start):
        return "ONNX model"
    if start.startswith(b"{") and b"learner" in start:
        return "XGBoost model"
    return ""


def _is_json(path: Path) -> bool:
    """Whether a model of XGBoost is JSON: UBJSON has the length of the first key where JSON has its quotation mark."""
    with path.open("rb") as file:
        return file.read(512)[1:].lstrip().startswith(b'"')


def _article(kind: str) -> str:
    return "an" if kind[0] in "OXH" else "a"


def _is_onnx(start: bytes) -> bool:
    """Whether the first bytes are those of a ModelProto: the version of the format, then a text or the graph."""
    return len(start) > 3 and start[0] == 0x08 and 0 < start[1] < 0x20 and start[2] in (0x12, 0x3A, 0x42)


def _kind_of_archive(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    inner = {name.partition("/")[2] for name in names}
    if "config.json" in names and any(name.endswith("weights.h5") for name in names):
        return "Keras model"
    if "schema.json" in names:
        return "skops file"
    if "archive_format" in inner or "models/model.json" in inner:
        return "torch.export model"
    if "data.pkl" in inner:
        return "TorchScript model" if "constants.pkl" in inner else "pickled PyTorch file"
    return "NumPy archive" if any(name.endswith(".npy") for name in names) else "zip archive"
