"""Whether a model's outputs are those that the data need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from distillab.data import Dataset
from distillab.errors import RequestError


def check_outputs(who: str, shape: Sequence[Any], dataset: Dataset) -> None:
    """Check the shape of one example's outputs.

    Args:
        who: the model, for the message: "The student cnn-16-32".
        shape: (C,) or (..., C); None where a side may have any length.
        dataset: the data.

    Raises:
        RequestError: it is not the shape that the data need.
    """
    needed = dataset.output_shape
    if len(shape) == len(needed) and all(a in (None, b) for a, b in zip(shape, needed, strict=True)):
        return
    shown = ", ".join([*dataset.class_names[:5], *(["..."] if dataset.classes > 5 else [])])
    if len(shape) == len(needed) == 1 and dataset.task.name == "categorical":
        raise RequestError(
            f"{who} predicts {shape[0]} classes, and the data have {dataset.classes} ({shown}). Give data and model of "
            f"the same classes: a last layer with {dataset.outputs} outputs."
        )
    raise RequestError(
        f"{who} has outputs of shape {tuple(shape)}, and the data need {needed} with task={dataset.task.name} "
        f"({shown}). Give another model, or state another task."
    )
