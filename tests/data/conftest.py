"""Data tests see no folder of the machine's own: each starts with an empty cache and no DISTILLAB_DATA."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of this test, not made yet."""
    monkeypatch.delenv("DISTILLAB_DATA", raising=False)
    base = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(base))
    return base / "distillab"


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """The smallest sound contents of a user's file: grey images of three classes."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, size=(9, 4, 4), dtype=np.uint8),
        "y_train": np.arange(9) % 3,
        "x_test": rng.integers(0, 256, size=(6, 4, 4), dtype=np.uint8),
        "y_test": np.arange(6) % 3,
    }


@pytest.fixture
def save(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Callable[..., Path]:
    """Save the arrays as a file, some replaced, those set to None left out."""

    def save(name: str = "mine.npz", **changes: np.ndarray | None) -> Path:
        path = tmp_path / name
        np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})
        return path

    return save
