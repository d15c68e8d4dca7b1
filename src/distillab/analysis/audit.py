"""What an audit of labels found, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.stats import Interval, WrongLabels

FLAGGED = 0.5
"""A label with a higher probability of being wrong is flagged."""


@dataclass(frozen=True)
class Detection:
    """How well wrong labels were found where they are known.

    Args:
        precision, recall: of the flagged labels.
        average_precision: of the ranking.
        flagged, wrong: how many there are.
    """

    precision: float
    recall: float
    average_precision: float
    flagged: int
    wrong: int


@dataclass(frozen=True, eq=False)
class LabelAudit:
    """The examples of a data set with the probability that the label of each is wrong.

    Args:
        dataset: the data, its training rows being the N examples judged, labels as judged.
        ids: by example.
        doubt: the probability that the label is wrong, shape (N,).
        likeliest: the likeliest class, shape (N,).
        found: the noise and the posterior.
        method: how the teacher's predictions were made, a sentence.
        caveat: what makes them doubtful; may be empty.
        detected: by method, where labels were perturbed first.
        agreement: of the teacher with the labels, a share of the examples.
    """

    dataset: Dataset
    ids: tuple[str, ...]
    doubt: NDArray[np.float64]
    likeliest: NDArray[np.intp]
    found: WrongLabels
    method: str
    caveat: str
    detected: dict[str, Detection]
    agreement: float

    @property
    def order(self) -> NDArray[np.intp]:
        """The examples, the most suspicious first."""
        return np.argsort(-self.doubt, kind="stable")

    @property
    def flagged(self) -> int:
        """Labels that are more probably wrong than right."""
        return int((self.doubt > FLAGGED).sum())

    @property
    def commonest(self) -> float:
        """The share of the commonest label: the agreement of a teacher that always says it."""
        return float(np.bincount(self.dataset.y_train).max() / len(self.doubt))

    @property
    def at_chance(self) -> bool:
        """Whether the teacher agrees with the labels no more, by two standard errors, than a constant does."""
        constant = self.commonest
        return bool(self.agreement <= constant + 2 * np.sqrt(constant * (1 - constant) / len(self.doubt)))

    @property
    def share(self) -> Interval:
        """Of wrong labels."""
        return self.found.share
