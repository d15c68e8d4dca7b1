"""Distillation as Keras users know it: a model to compile, fit and evaluate, on every Keras backend."""

from distillab.keras.distiller import Distiller
from distillab.keras.schedule import AlphaSchedule
from distillab.keras.teacher_logits import with_teacher_logits

__all__ = ["AlphaSchedule", "Distiller", "with_teacher_logits"]
