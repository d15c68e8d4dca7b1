"""JSON Lines: an object a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from distillab.errors import RequestError, reason, shown


def read_json_lines(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """Read the objects of a file; blank lines are left out.

    Args:
        path: the file: UTF-8, a JSON object a line.

    Returns:
        (the objects, the line of each, from 1).

    Raises:
        RequestError: it is not UTF-8, holds no object, or a line is no JSON object; the message names the line.
    """
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({reason(error)}).") from error
    objects, numbers = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}: row {number}"
        try:
            value = json.loads(line.decode(), object_pairs_hook=_distinct)
        except UnicodeDecodeError as error:
            raise RequestError(f"{where} is not UTF-8 ({reason(error)}). Save the file as UTF-8.") from error
        except (ValueError, RecursionError) as error:
            raise RequestError(f"{where} is no JSON ({reason(error)}). Write an object a line.") from error
        if not isinstance(value, dict):
            raise RequestError(f'{where} holds {shown(value)}, and must hold an object such as {{"a": 1, "b": "x"}}.')
        objects.append(value)
        numbers.append(number)
    if not any(objects):
        raise RequestError(f"{path} holds no table: it must have a line with a JSON object.")
    return objects, numbers


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} twice")
    return found
