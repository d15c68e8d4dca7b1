"""Shifting images: every move is one that was allowed, all are equally likely, and nothing else changes."""

from __future__ import annotations

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np

from distillab.engine.augmentation import shift
from distillab.engine.randomness import step_key


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """An independent reference: roll, and clear what came in from the other side."""
    out = np.roll(image, (down, right), (0, 1))
    rows, columns = np.arange(len(image)), np.arange(image.shape[1])
    out[~np.isin(rows - down, rows)] = 0
    out[:, ~np.isin(columns - right, columns)] = 0
    return out


def test_every_image_is_moved_by_an_allowed_step_and_all_steps_are_equally_likely() -> None:
    image = np.random.default_rng(0).uniform(1, 2, (5, 6, 2)).astype(np.float32)
    count = 1800
    answers = np.asarray(shift(jax.random.key(1), jnp.repeat(jnp.asarray(image)[None], count, 0), 1))
    references = {(d, r): moved(image, d, r) for d in (-1, 0, 1) for r in (-1, 0, 1)}
    found = Counter(
        next(step for step, reference in references.items() if np.array_equal(answer, reference)) for answer in answers
    )
    # 1,800 draws of 9 steps: 200 each, standard deviation 13.3; 5 of them allowed
    assert set(found) == set(references)
    assert all(abs(number - 200) < 67 for number in found.values())


def test_the_same_key_gives_the_same_shift_and_another_step_another() -> None:
    batch = jnp.arange(64 * 25.0).reshape(64, 5, 5, 1)
    first, again, later = (shift(step_key("shift", 3, step), batch, 2) for step in (0, 0, 1))
    assert bool((first == again).all())
    assert not bool((first == later).all())


def test_no_shift_changes_nothing() -> None:
    batch = jnp.ones((2, 3, 3, 1))
    assert shift(jax.random.key(0), batch, 0) is batch
