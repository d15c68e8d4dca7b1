"""The losses beside other libraries' own: SciPy, Keras, and PyTorch where it is installed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import expit, softmax
from scipy.special import huber as scipy_huber
from scipy.stats import entropy, zscore

from distillab.losses import (
    LOSSES,
    absolute_error,
    huber,
    label_binary_cross_entropy,
    label_cross_entropy,
    losses_for,
    squared_error,
)

EPSILON = 2.0**-23
T = 3.0


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    student, teacher = (2 * rng.standard_normal((2, 8, 5))).astype(np.float32)
    return student, teacher, rng.integers(0, 5, 8)


def value(name: str) -> np.ndarray:
    return np.asarray(LOSSES[name](*drawn(), temperature=T))


def softened() -> tuple[np.ndarray, np.ndarray]:
    student, teacher, _ = drawn()
    return tuple(softmax(z.astype(np.float64) / T, axis=-1) for z in (student, teacher))  # type: ignore[return-value]


# A sum of five products of float32 times T^2 = 9.
ROOM = 16 * EPSILON * T**2 * 5


def test_scipys_entropies() -> None:
    q, p = softened()
    np.testing.assert_allclose(value("kl"), T**2 * entropy(p, q, axis=-1), atol=ROOM)
    np.testing.assert_allclose(value("reverse_kl"), T**2 * entropy(q, p, axis=-1), atol=ROOM)
    np.testing.assert_allclose(value("cross_entropy"), T**2 * (entropy(p, axis=-1) + entropy(p, q, axis=-1)), atol=ROOM)
    np.testing.assert_allclose(value("generalised"), T**2 * entropy(p, 0.1 * p + 0.9 * q, axis=-1), atol=ROOM)


def test_scipys_jensen_shannon_distance_squared() -> None:
    q, p = softened()
    np.testing.assert_allclose(value("jensen_shannon"), T**2 * jensenshannon(p, q, axis=-1) ** 2, atol=ROOM)


def test_scipys_z_scores() -> None:
    student, teacher, _ = drawn()
    q, p = (softmax(zscore(z.astype(np.float64), axis=-1) / T, axis=-1) for z in (student, teacher))
    np.testing.assert_allclose(value("standardised"), T**2 * entropy(p, q, axis=-1), atol=ROOM)


def test_kerass_losses_of_probabilities_and_labels() -> None:
    student, teacher, labels = drawn()
    q, p = (p.astype(np.float32) for p in softened())
    # Keras clips probabilities at 1e-7 and rounds them before the logarithm.
    np.testing.assert_allclose(value("kl"), T**2 * np.asarray(keras.losses.kl_divergence(p, q)), atol=10 * ROOM)
    expected = keras.losses.sparse_categorical_crossentropy(labels, student, from_logits=True)
    np.testing.assert_allclose(label_cross_entropy(student, labels), expected, atol=ROOM)
    np.testing.assert_allclose(
        value("logit_mse"), np.asarray(keras.losses.mean_squared_error(teacher, student)) / 2, atol=ROOM
    )


def test_pytorchs_losses() -> None:
    torch: Any = pytest.importorskip("torch")
    functional = torch.nn.functional
    student, teacher, labels = drawn()
    z_s, z_t, y = torch.tensor(student).double(), torch.tensor(teacher).double(), torch.tensor(labels)
    log_q, log_p = functional.log_softmax(z_s / T, -1), functional.log_softmax(z_t / T, -1)

    def kl(log_q: Any, log_p: Any) -> Any:
        return functional.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)

    np.testing.assert_allclose(value("kl"), T**2 * kl(log_q, log_p), atol=ROOM)
    np.testing.assert_allclose(value("reverse_kl"), T**2 * kl(log_p, log_q), atol=ROOM)
    soft = functional.cross_entropy(z_s / T, log_p.exp(), reduction="none")
    np.testing.assert_allclose(value("cross_entropy"), T**2 * soft, atol=ROOM)
    np.testing.assert_allclose(
        label_cross_entropy(student, labels), functional.cross_entropy(z_s, y, reduction="none"), atol=ROOM
    )

    # Decoupled: the pair (label, rest) from summed probabilities, and the others with the label's logit at -inf.
    def pair(log_probabilities: Any) -> Any:
        target = log_probabilities.exp().gather(1, y[:, None])
        return torch.cat([target, 1 - target], 1).log()

    at = functional.one_hot(y, 5).bool()
    others = [functional.log_softmax((z / T)[~at].reshape(-1, 4), -1) for z in (z_s, z_t)]
    expected = T**2 * (kl(pair(log_q), pair(log_p)) + 8 * kl(*others))
    np.testing.assert_allclose(value("decoupled"), expected, atol=9 * ROOM)

    q, p = log_q.exp(), log_p.exp()
    inter = torch.stack([1 - torch.corrcoef(torch.stack(rows))[0, 1] for rows in zip(q, p, strict=True)])
    intra = 1 - torch.stack([torch.corrcoef(torch.stack(c))[0, 1] for c in zip(q.T, p.T, strict=True)]).mean()
    np.testing.assert_allclose(value("dist"), T**2 * (inter + intra), atol=10 * ROOM)


# Independent labels and real outputs.


def of_task(task: str, name: str) -> np.ndarray:
    student, teacher, _ = drawn()
    return np.asarray(losses_for(task)[name](student, teacher, temperature=T))


def both_outcomes() -> tuple[np.ndarray, np.ndarray]:
    """The softened probabilities of 0 and 1, a last axis of length 2."""
    student, teacher, _ = drawn()
    return tuple(np.stack([expit(-z / T), expit(z / T)], -1) for z in (student.astype(float), teacher.astype(float)))  # type: ignore[return-value]


def test_scipys_entropies_of_independent_labels() -> None:
    q, p = both_outcomes()
    np.testing.assert_allclose(of_task("multilabel", "kl"), T**2 * entropy(p, q, axis=-1).mean(-1), atol=ROOM)
    np.testing.assert_allclose(of_task("multilabel", "reverse_kl"), T**2 * entropy(q, p, axis=-1).mean(-1), atol=ROOM)
    soft = (entropy(p, axis=-1) + entropy(p, q, axis=-1)).mean(-1)
    np.testing.assert_allclose(of_task("multilabel", "cross_entropy"), T**2 * soft, atol=ROOM)
    distance = jensenshannon(p, q, axis=-1) ** 2
    np.testing.assert_allclose(of_task("multilabel", "jensen_shannon"), T**2 * distance.mean(-1), atol=ROOM)
    mixed = entropy(p, 0.1 * p + 0.9 * q, axis=-1)
    np.testing.assert_allclose(of_task("multilabel", "generalised"), T**2 * mixed.mean(-1), atol=ROOM)


def test_scipys_huber_function() -> None:
    student, teacher, _ = drawn()
    expected = scipy_huber(1.0, (student.astype(float) - teacher))
    np.testing.assert_allclose(huber(student, teacher), expected, atol=ROOM)
    np.testing.assert_allclose(of_task("regression", "huber"), expected.mean(-1), atol=ROOM)


def test_kerass_losses_of_independent_labels_and_real_outputs() -> None:
    student, teacher, _ = drawn()
    y = (teacher > 0).astype(np.float32)
    ours = np.asarray(label_binary_cross_entropy(student, y)).mean(-1)
    np.testing.assert_allclose(ours, keras.losses.binary_crossentropy(y, student, from_logits=True), atol=ROOM)
    np.testing.assert_allclose(ours.mean(), keras.losses.BinaryCrossentropy(from_logits=True)(y, student), atol=ROOM)
    for function, theirs in (
        (huber, keras.losses.huber),
        (squared_error, keras.losses.mean_squared_error),
        (absolute_error, keras.losses.mean_absolute_error),
    ):
        np.testing.assert_allclose(np.asarray(function(student, teacher)).mean(-1), theirs(teacher, student), atol=ROOM)
    np.testing.assert_allclose(
        np.asarray(huber(student, teacher)).mean(), keras.losses.Huber()(teacher, student), atol=ROOM
    )


def test_pytorchs_losses_of_independent_labels_and_real_outputs() -> None:
    torch: Any = pytest.importorskip("torch")
    functional = torch.nn.functional
    student, teacher, _ = drawn()
    z_s, z_t = torch.tensor(student).double(), torch.tensor(teacher).double()
    y = (z_t > 0).double()
    expected = torch.nn.BCEWithLogitsLoss(reduction="none")(z_s, y)
    np.testing.assert_allclose(label_binary_cross_entropy(student, y.numpy()), expected, atol=ROOM)

    def log_outcomes(z: Any) -> Any:
        return torch.stack([functional.logsigmoid(-z / T), functional.logsigmoid(z / T)], -1)

    kl = functional.kl_div(log_outcomes(z_s), log_outcomes(z_t), reduction="none", log_target=True).sum(-1).mean(-1)
    np.testing.assert_allclose(of_task("multilabel", "kl"), T**2 * kl, atol=ROOM)
    np.testing.assert_allclose(
        huber(student, teacher), functional.smooth_l1_loss(z_s, z_t, reduction="none"), atol=ROOM
    )
