"""Arrays by name: x and y, parts of the data, several inputs and outputs."""

from __future__ import annotations

from typing import Any

from distillab.data.several import grouped
from distillab.errors import RequestError


def named_arrays(arrays: dict[str, Any], where: str) -> dict[str, Any]:
    """The arrays with x and y renamed to x_train and y_train, and several inputs or outputs of a part put together.

    Args:
        arrays: as the user has them: x and y, or x_train, y_train, x_test and so on; x_NAME or x_train_NAME of several
            inputs, y_NAME of several outputs; perhaps weights.
        where: they were found, for the message.

    Raises:
        RequestError: x without y, or neither.

    Example:
        >>> sorted(named_arrays({"x_words": 1, "x_age": 2, "y": 3}, "data")["x_train"])
        ['age', 'words']
    """
    arrays = grouped(_gathered(arrays))
    if "x" in arrays and "y" in arrays:
        arrays = {**arrays, "x_train": arrays["x"], "y_train": arrays["y"]}
    if "weights" in arrays:
        arrays = {**arrays, "w_train": arrays["weights"]}
    paired = all((f"x_{part}" in arrays) == (f"y_{part}" in arrays) for part in LABELLED)
    if not paired or "x_train" not in arrays:
        raise RequestError(
            f"{where}: found {', '.join(sorted(arrays)) or 'nothing'}; expected x and y, or x_train, y_train, x_test "
            "and y_test; perhaps x_validation, y_validation, x_trusted, y_trusted and x_unlabelled."
        )
    return arrays


LABELLED = ("train", "test", "validation", "trusted")
PARTS = (*LABELLED, "unlabelled")


def _gathered(arrays: dict[str, Any]) -> dict[str, Any]:
    """The arrays with x_NAME, or x_train_NAME and so on, put together as {NAME: array}."""
    known = {"x", *(f"x_{part}" for part in PARTS)}
    found = {key: value for key, value in arrays.items() if not key.startswith("x_") or key in known}
    for key, value in arrays.items():
        if key in found:
            continue
        part = next((f"x_{part}" for part in PARTS if key.startswith(f"x_{part}_")), "x")
        found.setdefault(part, {})
        if isinstance(found[part], dict):
            found[part][key.removeprefix(f"{part}_")] = value
    return found
