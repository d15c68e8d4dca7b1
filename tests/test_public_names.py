"""What `import distillab` offers."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import distillab

NAMES = (
    "AlphaSchedule",
    "Distillation",
    "Distiller",
    "ReadOptions",
    "Study",
    "conventions",
    "distill",
    "losses",
    "read_data",
    "store_predictions",
    "with_teacher_logits",
)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert inspect.getdoc(getattr(distillab, name))
    assert name in dir(distillab)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'student'"):
        distillab.student  # noqa: B018


def test_importing_the_package_imports_no_keras() -> None:
    command = "import sys, distillab; sys.exit('keras' in sys.modules or 'jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
