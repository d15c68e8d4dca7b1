"""Theory: closed forms for what alpha should be."""

from distillab.theory.label_noise import flip_threshold

__all__ = ["flip_threshold"]
