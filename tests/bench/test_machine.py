"""What a system says about its processor, and what is said where it is silent."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from distillab.bench.machine import hyper_threads, machine, processor, versions


def test_the_processor_is_named_by_its_model(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: Another\n")
    assert processor(tmp_path / "cpuinfo") == "Some CPU @ 2 GHz"
    (tmp_path / "cpuinfo").write_text("processor\t: 0\n")
    assert processor(tmp_path / "cpuinfo") == platform.machine()
    assert processor(tmp_path / "nowhere") == platform.machine()


@pytest.mark.parametrize(("siblings", "several"), [("0\n", False), ("0-1\n", True), ("0,32\n", True)])
def test_cores_that_share_a_physical_core_are_found(tmp_path: Path, siblings: str, several: bool) -> None:
    (tmp_path / "list").write_text(siblings)
    assert hyper_threads(tmp_path / "list") is several
    assert hyper_threads(tmp_path / "nowhere") is None


def test_the_record_names_cores_and_versions() -> None:
    assert machine()["cores"] >= 1
    assert {"python", "jax", "keras"} <= set(versions())
