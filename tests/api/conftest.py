"""Latencies are measured briefly."""

from __future__ import annotations

import pytest

from distillab.engine import latency as latency_module


@pytest.fixture(autouse=True)
def quick_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency_module, "SECONDS", 0.01)
