"""A folder of stored answers in the style of Hugging Face: `config.json` with the classes' names, and predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from distillab.errors import RequestError
from distillab.io import DAMAGE
from distillab.models.class_names import names_from

PREDICTIONS = "predictions.npy"


class AnswerFolder(NamedTuple):
    """What the folder holds."""

    names: tuple[str, ...]
    """Of the teacher's classes, in the order of its columns."""
    predictions: Path | None
    """The file of `store_predictions`; None where there are lines instead."""
    lines: tuple[Path, ...]
    """The files of JSON lines."""


def is_answer_folder(path: Path) -> bool:
    """Whether a folder holds `config.json`, and either `predictions.npy` or files of JSON lines.

    Args:
        path: any path.
    """
    return (path / "config.json").is_file() and ((path / PREDICTIONS).is_file() or any(path.glob("*.jsonl")))


def read_answer_folder(path: Path) -> AnswerFolder:
    """Read the names of the classes, and find the predictions.

    Args:
        path: the folder.

    Raises:
        RequestError: `config.json` has no `id2label` from 0 on, or there are both kinds of predictions.
    """
    config = path / "config.json"
    try:
        names = names_from(json.loads(config.read_text(encoding="utf-8"))["id2label"])
    except DAMAGE as error:
        raise RequestError(
            f'{config} does not name the classes: it must hold "id2label", such as {{"0": "cat", "1": "dog"}}.'
        ) from error
    stored = path / PREDICTIONS if (path / PREDICTIONS).is_file() else None
    lines = tuple(sorted(path.glob("*.jsonl")))
    if stored is not None and lines:
        raise RequestError(f"{path} holds both {PREDICTIONS} and {lines[0].name}. Keep one of them.")
    return AnswerFolder(names, stored, lines)
