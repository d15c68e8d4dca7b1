"""Distillation as Keras users know it: a model to compile, fit and evaluate, on every Keras backend."""

from distillab.distiller.distiller import Distiller
from distillab.distiller.schedule import AlphaSchedule
from distillab.distiller.stored import with_teacher_logits
from distillab.distiller.teachers import combined

__all__ = ["AlphaSchedule", "Distiller", "combined", "with_teacher_logits"]
