"""Why the original study's metric reads about 93 % whatever the model does.

The study scored its models by Keras's `CategoricalAccuracy`, which wants one-hot labels, and fed it class numbers; it
then read `1 - CategoricalAccuracy` as the accuracy. What Keras computes on a batch of 32 class numbers is this:

- `y_true` has shape (32,), `y_pred` has shape (32, 10). `categorical_accuracy` takes `argmax(y_true, axis=-1)`. The
  last axis of one-hot labels is the classes; the last axis of class numbers is the *batch*. The result is one number
  of shape (): the position in the batch, 0 to 31, of the first example with the batch's largest label.
- `argmax(y_pred, axis=-1)` has shape (32,): the classes that the model answers.
- `equal` spreads the one position over the batch. An example counts as right when its answer equals that position.
- The metric adds up right examples and examples over all batches: the mean over the test set.

A batch of 32 digits nearly always holds a 9. In 72 % of the test set's batches the first one stands among the first
ten examples, so that its position is a class, and about one answer in ten equals it; in the others the position is a
class that does not exist, and nothing is right. So every model, perfect or random, has a "CategoricalAccuracy" near
0.07, and reads "1 - CategoricalAccuracy" as 0.93.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

BATCH = 32
CLASSES = 10


@pytest.fixture(scope="module")
def labels(data_dir: Path) -> np.ndarray:
    """The 10,000 real MNIST test labels, as class numbers."""
    with np.load(data_dir / "mnist.npz") as archive:
        return archive["y_test"]


def as_the_study_scored(labels: np.ndarray, answers: np.ndarray) -> float:
    """Keras's own metric, fed batch after batch as `evaluate` feeds it."""
    metric = keras.metrics.CategoricalAccuracy()
    for start in range(0, len(labels), BATCH):
        metric.update_state(labels[start : start + BATCH], one_hot(answers[start : start + BATCH]))
    return float(metric.result())


def one_hot(classes: np.ndarray) -> np.ndarray:
    return np.eye(CLASSES, dtype=np.float32)[classes]


def by_the_mechanism(labels: np.ndarray, answers: np.ndarray) -> float:
    """The same number from the explanation above, without Keras."""
    right = 0
    for start in range(0, len(labels), BATCH):
        position = labels[start : start + BATCH].argmax()
        right += np.sum(answers[start : start + BATCH] == position)
    return float(right / len(labels))


def random_answers(labels: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, CLASSES, len(labels))


def test_perfect_answers_score_0_0721(labels: np.ndarray) -> None:
    assert as_the_study_scored(labels, labels) == pytest.approx(0.0721, abs=1e-6)


def test_random_answers_score_the_same(labels: np.ndarray) -> None:
    assert as_the_study_scored(labels, random_answers(labels, 0)) == pytest.approx(0.0739, abs=1e-6)
    # The mean over all random answers: a tenth of the examples in whose batch the position is a class.
    batches = [labels[start : start + BATCH] for start in range(0, len(labels), BATCH)]
    expected = sum(len(batch) * (batch.argmax() < CLASSES) for batch in batches) / len(labels) / CLASSES
    assert expected == pytest.approx(0.0718, abs=1e-4)
    # One draw of 10,000 answers scatters by sqrt(0.0718 * 0.9 / 10,000) = 0.0026 at most: four of that.
    for seed in range(1, 4):
        assert as_the_study_scored(labels, random_answers(labels, seed)) == pytest.approx(expected, abs=0.0104)


def test_always_wrong_answers_score_the_same(labels: np.ndarray) -> None:
    assert 1 - as_the_study_scored(labels, (labels + 1) % CLASSES) == pytest.approx(0.93, abs=0.01)


def test_what_keras_computes_is_the_mechanism_and_not_an_accuracy(labels: np.ndarray) -> None:
    for answers in (labels, random_answers(labels, 1), (labels + 3) % CLASSES):
        # Keras counts in float32, exact for whole numbers below 2^24, and divides once.
        assert as_the_study_scored(labels, answers) == pytest.approx(by_the_mechanism(labels, answers), rel=2**-22)


def test_the_shapes_are_those_of_the_explanation() -> None:
    labels = np.array([3, 9, 1, 9])  # the largest label stands first at position 1
    answers = one_hot(np.array([3, 9, 1, 1]))
    matches = np.asarray(keras.metrics.categorical_accuracy(labels, answers))
    np.testing.assert_array_equal(matches, [0, 0, 1, 1])  # answers equal to 1, right or wrong


def test_one_hot_labels_or_the_sparse_metric_give_the_accuracy(labels: np.ndarray) -> None:
    """The two ways to use Keras's metrics as they are meant."""
    answers = np.where(np.arange(len(labels)) % 4 == 0, (labels + 1) % CLASSES, labels)  # three in four right
    dense, sparse = keras.metrics.CategoricalAccuracy(), keras.metrics.SparseCategoricalAccuracy()
    dense.update_state(one_hot(labels), one_hot(answers))
    sparse.update_state(labels, one_hot(answers))
    assert float(dense.result()) == float(sparse.result()) == 0.75
