"""How a user's models are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scale = Literal["raw", "unit"]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How a user's models are read.

    Args:
        teacher_input: (H, W) that images are resized to for the teacher.
        teacher_scale, student_scale: `raw`: inputs as stored; `unit`: inputs times the data's scale (1/255 for bytes);
            None: raw for a model that begins with Rescaling or Normalization, otherwise unit.
        warm_start: whether a student starts from the weights in its file.
        modules: Python modules or files that define the models' custom layers.
        trust: whether code in model files may run.
    """

    teacher_input: tuple[int, int] | None = None
    teacher_scale: Scale | None = None
    student_scale: Scale | None = None
    warm_start: bool = False
    modules: tuple[str, ...] = ()
    trust: bool = False
