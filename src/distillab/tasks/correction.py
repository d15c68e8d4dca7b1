"""The logit of one class corrected after training, for a class that the training examples lacked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def corrected(logits: NDArray[np.float32], column: int, amount: float) -> NDArray[np.float32]:
    """Add a number to the logit of one class, as a larger bias of the last layer does.

    Args:
        logits: shape (N, C).
        column: the class, 0 to C - 1.
        amount: in nats.

    Returns:
        A new array, shape (N, C).

    Example:
        >>> corrected(np.array([[1.0, 2.0]]), 0, 3.5).tolist()
        [[4.5, 2.0]]
    """
    raised = logits.copy()
    raised[:, column] += amount
    return raised


def prior_correction(logits: NDArray[np.floating], column: int, share: float) -> float:
    """The number to add to the logit of one class so that it is predicted for a given share of the inputs.

    The margin of an input is how far the class is behind the best other one. Raised by b, the class is predicted where
    the margin is less than b: b lies midway between the margins of the last input that is to get the class and the
    first that is not. No label is looked at.

    Args:
        logits: shape (N, C), N >= 1.
        column: the class, 0 to C - 1.
        share: of the inputs, between 0 and 1, both excluded; the nearest whole number of inputs, but 1 to N - 1.

    Returns:
        The number in nats; with a single input, its margin.

    Example:
        >>> round(prior_correction(np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 4.0], [0.0, 9.0]]), 0, 0.5), 6)
        3.0

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 3, where the bias
    of the withheld class is "much too low"; Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier
    to new a priori probabilities", 2002, for why a constant in the logit is a change of the prior.
    """
    margins = np.sort(_margins(logits, column))
    wanted = min(max(round(share * len(margins)), 1), len(margins) - 1)
    return float(margins[max(wanted - 1, 0) : wanted + 1].mean())


def best_correction(logits: NDArray[np.floating], labels: NDArray[np.integer], column: int) -> float:
    """The number to add to the logit of one class so that most predictions are right, by the labels.

    It tries every place between the inputs' margins; of equally good ones it takes that nearest to 0.

    Args:
        logits: shape (N, C), N >= 1.
        labels: class numbers, shape (N,).
        column: the class, 0 to C - 1.

    Returns:
        The number in nats. What it is chosen on, it flatters: on the test set this is the published protocol, and no
        estimate of how well a student does.

    Example:
        >>> logits = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 4.0]])
        >>> round(best_correction(logits, np.array([0, 0, 1]), 0), 6)
        3.0

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 3 ("increased by
    3.5, which optimizes overall performance on the test set").
    """
    margins = _margins(logits, column)
    others = np.delete(np.arange(logits.shape[1]), column)
    right_without = others[np.delete(logits, column, axis=1).argmax(axis=1)] == labels
    order = np.argsort(margins, kind="stable")
    # With the class given to the first k inputs: those of its own become right, the others wrong.
    gained = (labels == column)[order].astype(int) - right_without[order].astype(int)
    right = np.concatenate([[0], np.cumsum(gained)])
    ascending = margins[order]
    places = np.concatenate([[ascending[0] - 1], (ascending[:-1] + ascending[1:]) / 2, [ascending[-1] + 1]])
    apart = np.concatenate([[True], ascending[:-1] < ascending[1:], [True]])  # equal margins go together
    amounts = _nearest_to_zero(places, ascending)
    best = np.flatnonzero(apart & (right == right[apart].max()))
    return float(min(amounts[best], key=abs))


def _nearest_to_zero(places: NDArray[np.floating], ascending: NDArray[np.floating]) -> NDArray[np.floating]:
    """The places, but 0 where it lies between the same margins: no correction, where none is better."""
    low, high = np.concatenate([[-np.inf], ascending]), np.concatenate([ascending, [np.inf]])
    return np.where((low < 0) & (high > 0), 0.0, places)


def _margins(logits: NDArray[np.floating], column: int) -> NDArray[np.float64]:
    """How far one class is behind the best of the others, shape (N,)."""
    wide = logits.astype(np.float64)
    return np.asarray(np.delete(wide, column, axis=1).max(axis=1) - wide[:, column])
