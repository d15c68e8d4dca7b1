"""Theory: closed forms for what alpha should be, and the simulations that check them.

Every function raises `RequestError` for an argument whose shape does not fit or that is out of its stated range.
"""

from distillab.theory.from_data import Endpoints, alpha_cp, alpha_from_endpoints
from distillab.theory.independent import independent_teacher_risk, least_squares_alpha, least_squares_risk
from distillab.theory.label_noise import (
    clean_posterior,
    finite_teacher_accuracy,
    flip_threshold,
    label_energy,
    noisy_posterior,
    smoothing,
)
from distillab.theory.risk import (
    AlphaStar,
    NoiseLaw,
    RiskCoefficients,
    Split,
    alpha_star,
    in_words,
    noise_law,
    risk_coefficients,
    risk_split,
)
from distillab.theory.scalar import memorising_teacher_alpha, scalar_risk
from distillab.theory.smoothers import descent, pooled, residual_variance, ridge, ridge_weights
from distillab.theory.teachers import LinearTeacher, fixed, independent_labels, memorising, pooled_labels, same_labels

__all__ = [
    "AlphaStar",
    "Endpoints",
    "LinearTeacher",
    "NoiseLaw",
    "RiskCoefficients",
    "Split",
    "alpha_cp",
    "alpha_from_endpoints",
    "alpha_star",
    "clean_posterior",
    "descent",
    "finite_teacher_accuracy",
    "fixed",
    "flip_threshold",
    "in_words",
    "independent_labels",
    "independent_teacher_risk",
    "label_energy",
    "least_squares_alpha",
    "least_squares_risk",
    "memorising",
    "memorising_teacher_alpha",
    "noise_law",
    "noisy_posterior",
    "pooled",
    "pooled_labels",
    "residual_variance",
    "ridge",
    "ridge_weights",
    "risk_coefficients",
    "risk_split",
    "same_labels",
    "scalar_risk",
    "smoothing",
]
