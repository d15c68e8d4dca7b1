"""How a user's models are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from distillab.models.preparation import Layout, Normalisation

Scale = Literal["raw", "unit"]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How a user's models are read.

    Args:
        teacher_input: (H, W) that images are resized to for the teacher.
        teacher_scale, student_scale: `raw`: inputs as stored; `unit`: inputs times the data's scale (1/255 for bytes);
            None: raw for a model that begins with Rescaling or Normalization or reads bytes, otherwise unit.
        teacher_normalise: mean and standard deviation of each channel, or of all, for the teacher's inputs once scaled.
        teacher_layout: of images, for a teacher of another framework: a name in `models.preparation.LAYOUTS`; None:
            as the model's own shape shows.
        teacher_classes: names of the teacher's classes in the order of its outputs; None: its own names if it has
            them, otherwise the data's order.
        anyway: whether a teacher that seems useless may teach; None: it may, with a warning.
        warm_start: whether a student starts from the weights in its file.
        modules: Python modules or files that define the models' custom layers.
        trust: whether code in model files may run.
    """

    teacher_input: tuple[int, int] | None = None
    teacher_scale: Scale | None = None
    student_scale: Scale | None = None
    teacher_normalise: Normalisation | None = None
    teacher_layout: Layout | None = None
    teacher_classes: tuple[str, ...] | None = None
    anyway: bool | None = None
    warm_start: bool = False
    modules: tuple[str, ...] = ()
    trust: bool = False
