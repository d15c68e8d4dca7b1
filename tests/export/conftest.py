"""What the tests of export share: the extra's packages, and short timings."""

from __future__ import annotations

import keras
import pytest

from distillab.engine import latency
from distillab.export.onnx import NEEDS


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips a test where export cannot run, and times briefly where it can."""
    for name in NEEDS:
        pytest.importorskip(name, reason="the extra `onnx` is not installed")
    if keras.backend.backend() != "jax":
        pytest.skip("export works from the JAX backend")
    monkeypatch.setattr(latency, "SECONDS", 0.01)
