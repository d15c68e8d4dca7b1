"""The examples in the docstrings are true, and answering needs no heavy library."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize("name", ["analysis.labels", "report.formatting", "report.rendering"])
def test_the_examples_are_true(name):
    assert doctest.testmod(importlib.import_module(f"distillab.{name}")).failed == 0


def test_neither_analysis_nor_the_reports_modules_import_what_is_slow():
    code = (
        "import sys, distillab.analysis, distillab.report\n"
        "print([name for name in ('keras', 'jax', 'tensorflow', 'altair') if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"
