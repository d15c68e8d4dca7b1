"""The mean over a loss's last axis, in the precision of its values."""

from __future__ import annotations

from keras import backend, ops

from distillab.losses.signature import Array


def mean_of_last(values: Array, *, keepdims: bool = False) -> Array:
    """Average over the last axis; Keras's own mean rounds float64 to float32 on JAX.

    Args:
        values: shape (..., C), of a float type.
        keepdims: whether the last axis stays, with length 1.

    Returns:
        Shape (...) or (..., 1), of the type of `values`.

    Example:
        >>> import numpy as np
        >>> float(mean_of_last(np.array([1.0, 2.0, 6.0])))
        3.0
    """
    values = ops.convert_to_tensor(values)
    if backend.standardize_dtype(values.dtype) == "float64":
        return ops.sum(values, axis=-1, keepdims=keepdims) / values.shape[-1]
    return ops.mean(values, axis=-1, keepdims=keepdims)
