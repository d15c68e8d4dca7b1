"""A teacher's answers as JSON lines: an example's id, and probabilities of classes by name."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from distillab.errors import RequestError, reason, shown
from distillab.models.class_names import ABSENT, class_numbers, some_names
from distillab.models.predictions import LEAST
from distillab.models.top_k import TopK

IDS = ("id", "text")
PROBABILITIES = ("probabilities", "scores", "answers")
SURE = ("probability", "confidence")
SLACK = 1e-3
"""By how much the probabilities of a line may exceed 1."""


class Answers(NamedTuple):
    """Answers as read."""

    rows: dict[str, int]
    """By id, the row of `top`."""
    top: TopK
    """Shape (N, k), where a line names k classes at most."""


def read_answers(paths: Sequence[Path], names: Sequence[str]) -> Answers:
    """Read files of JSON lines.

    A line is {"id": 17, "probabilities": {"cat": 0.9, "dog": 0.1}} or {"id": 17, "label": "cat", "probability": 0.9}.
    Classes that it does not name share the remaining mass evenly.

    Args:
        paths: the files.
        names: of the classes, in order.

    Raises:
        RequestError: a line has another form, an unknown label, or probabilities that are none; it is named.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.jsonl").write_text('{"id": 17, "probabilities": {"cat": 0.6, "dog": 0.3}}')
        ...     answers = read_answers([Path(folder, "a.jsonl")], ["bird", "cat", "dog"])
        >>> answers.rows, answers.top.classes.tolist(), np.exp(answers.top.rest).round(3).tolist()
        ({'17': 0}, [[1, 2]], [0.1...])
    """
    number, rows = class_numbers(names), dict[str, int]()
    counts, classes, probabilities = array("q"), array("q"), array("d")
    for path in paths:
        try:
            with path.open(encoding="utf-8-sig") as file:
                for line, text in enumerate(file, start=1):
                    if not text.strip():
                        continue
                    where = f"{path.name}, line {line}"
                    key, named = _parsed(text, where, number, names)
                    if key in rows:
                        raise RequestError(f"{where}: there is an earlier answer to {shown(key)}. Keep one.")
                    rows[key] = len(counts)
                    counts.append(len(named))
                    classes.extend(named)
                    probabilities.extend(named.values())
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(f"{path} cannot be read ({reason(error)}). Save it as JSON lines in UTF-8.") from error
    if not rows:
        raise RequestError(f"{', '.join(path.name for path in paths)} holds no answers.")
    return Answers(rows, _top_k(np.array(counts), np.array(classes), np.array(probabilities), len(names)))


def _parsed(
    text: str, where: str, number: Callable[[str], int], names: Sequence[str]
) -> tuple[str, Mapping[int, float]]:
    """A line's id, and its probabilities by class number."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{where} is not JSON ({reason(error)}).") from error
    key = next((line[name] for name in IDS if name in line), None) if isinstance(line, dict) else None
    if not isinstance(key, str | int) or isinstance(key, bool):
        raise RequestError(f'{where} names no example: it must hold "id", a text or a whole number.')
    given = next((line[name] for name in PROBABILITIES if name in line), None)
    if given is None and "label" in line:
        given = {str(line["label"]): next((line[name] for name in SURE if name in line), None)}
    if not isinstance(given, dict) or not given:
        raise RequestError(
            f'{where} holds no answer: it must hold "probabilities", such as {{"cat": 0.9, "dog": 0.1}}, or "label" '
            'and "probability".'
        )
    named: dict[int, float] = {}
    for label, value in given.items():
        found = number(label)
        if found == ABSENT:
            raise RequestError(f"{where}: the label {shown(label)} is none of the classes {some_names(names)}.")
        if found in named:
            raise RequestError(f"{where}: two labels are the class {names[found]!r}, one of them {shown(label)}.")
        named[found] = _probability(value, label, where)
    total = math.fsum(named.values())
    if total > 1 + SLACK:
        raise RequestError(f"{where}: the probabilities sum to {total:g}, more than 1.")
    return str(key), named


def _probability(value: Any, label: str, where: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 + SLACK:
        return float(value)
    raise RequestError(f"{where}: the probability of {shown(label)} is {shown(value)}, not a number from 0 to 1.")


def _top_k(counts: np.ndarray, classes: np.ndarray, probabilities: np.ndarray, outputs: int) -> TopK:
    """Answers that name fewer classes than others are filled up with the first other ones, which changes nothing."""
    k, examples = int(counts.max()), len(counts)
    rows = np.repeat(np.arange(examples), counts)
    named = np.arange(k) < counts[:, None]
    sums = np.bincount(rows, probabilities, examples)
    share = np.maximum((1 - sums) / np.maximum(1, outputs - counts), LEAST)
    values, numbers = np.repeat(share[:, None], k, axis=1), np.zeros((examples, k), np.int64)
    values[named], numbers[named] = np.maximum(probabilities, LEAST), classes
    free = np.ones((examples, k + 1), bool)
    free[rows, np.minimum(classes, k)] = False
    # Of the first k classes, as many at least are not named as places are to be filled.
    free = free[:, :k] & (np.cumsum(free[:, :k], axis=1) <= (k - counts)[:, None])
    numbers[~named] = np.nonzero(free)[1]
    rest = np.log(share * max(1, outputs - k))
    kind = np.uint16 if outputs <= 2**16 else np.uint32
    return TopK(np.log(values).astype(np.float32), numbers.astype(kind), rest.astype(np.float32))
