"""Timing: enough calls, and percentiles in order."""

import time

import pytest

from distillab.engine import latency as module
from distillab.engine.latency import latency


def test_slow_calls_are_timed_a_stated_number_of_times(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SECONDS", 0.01)
    compared = latency(lambda: time.sleep(0.002))
    assert compared.calls == module.LEAST
    assert 0.002 <= compared.p50 <= compared.p99


def test_fast_calls_are_timed_no_more_than_a_stated_number_of_times():
    counted = []
    assert latency(lambda: counted.append(1)).calls == module.MOST
    assert len(counted) == module.MOST + module.WARM
