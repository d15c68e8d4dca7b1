"""The losses beside other libraries' own: SciPy, Keras, and PyTorch where it is installed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import entropy, zscore

from distillab.losses import LOSSES, label_cross_entropy

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
