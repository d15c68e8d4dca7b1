"""Distillation as Keras users know it: a model to compile, fit and evaluate, on every Keras backend."""

from distillab.backend import check_backend

check_backend()  # Keras is imported next

from distillab.keras.distiller import Distiller  # noqa: E402
from distillab.keras.schedule import AlphaSchedule  # noqa: E402
from distillab.keras.teacher_logits import with_teacher_logits  # noqa: E402

__all__ = ["AlphaSchedule", "Distiller", "with_teacher_logits"]
