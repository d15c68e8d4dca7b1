"""What holds weights small: a decay in the gradient, and a largest norm of the weights that enter a unit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def decayed(gradient: Any, weights: Any, decay: float) -> Any:
    """Add the gradient of an L2 penalty.

    Formula: `g + decay * w`, the gradient of `loss + decay / 2 * sum(w^2)`. It passes through the optimiser like the
    rest of the gradient, as `weight_decay` of PyTorch's SGD and Adam does; AdamW's, which passes it by, is another.

    Args:
        gradient, weights: trees of arrays of the same shapes; biases decay too, as in PyTorch.
        decay: >= 0.

    Returns:
        A tree like `gradient`.

    Example:
        >>> decayed([jnp.array([1.0])], [jnp.array([4.0])], 0.5)[0].tolist()
        [3.0]

    Source: Krogh and Hertz, "A Simple Weight Decay Can Improve Generalization", 1991, equation 1.
    """
    return jax.tree.map(lambda slope, weight: slope + decay * weight, gradient, weights)


def constrained(weights: Any, largest: float) -> Any:
    """Scale the weights that enter a unit down to a largest norm; smaller ones stay.

    Formula: `w * min(1, largest / |w|)` for the vector w of all weights that enter one unit.

    Args:
        weights: a tree of arrays. Those of two or more axes are kernels, their last axis the units, as in Keras;
            biases and scales are left as they are.
        largest: the norm, > 0.

    Returns:
        A tree like `weights`.

    Example:
        >>> constrained([jnp.array([[3.0, 0.3], [4.0, 0.4]])], 1.0)[0].round(3).tolist()
        [[0.6..., 0.3...], [0.8..., 0.4...]]

    Source: Srebro and Shraibman, "Rank, Trace-Norm and Max-Norm", 2005; as a constraint of each unit of a network with
    dropout in Hinton, Srivastava, Krizhevsky, Sutskever and Salakhutdinov, "Improving neural networks by preventing
    co-adaptation of feature detectors", 2012, section 2.
    """

    def of_units(kernel: jax.Array) -> jax.Array:
        if kernel.ndim < 2:
            return kernel
        square = jnp.sum(kernel**2, axis=tuple(range(kernel.ndim - 1)), keepdims=True)
        # Never divides by the norm of a unit whose weights are all zero.
        return kernel * (largest / jnp.sqrt(jnp.maximum(square, largest**2)))

    return jax.tree.map(of_units, weights)
