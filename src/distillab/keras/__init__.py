"""Distillation as Keras users know it: a model to compile, fit and evaluate, on every Keras backend."""

from distillab.keras.distiller import Distiller
from distillab.keras.schedule import AlphaSchedule
from distillab.keras.stored import with_teacher_logits
from distillab.keras.teachers import combined

__all__ = ["AlphaSchedule", "Distiller", "combined", "with_teacher_logits"]
