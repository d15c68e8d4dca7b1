"""The rooms of the package, from the ground up: a room imports what lies below it, and nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "distillab"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE
FLOORS = (
    ("errors", "io"),
    ("losses", "metrics", "stats", "theory", "conventions"),
    ("data", "models"),
    ("engine",),
    ("keras",),
    ("study",),
    ("search",),
    ("analysis",),
    ("report", "export", "bench"),
    ("distillation", "tracking"),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def violations(source: Path) -> list[str]:
    """Every import in a source tree that does not run downward, as `file:line: room imports room`."""
    found = []
    for path in sorted(source.rglob("*.py")):
        inside = path.relative_to(source)
        room = inside.parts[0].removesuffix(".py")
        if room == "__init__":
            room = ""  # the package itself: below all, for every import of a room runs it first
        for line, imported in _imported_rooms(path, inside):
            if not _runs_downward(room, imported):
                found.append(f"{inside.as_posix()}:{line}: {room or PACKAGE} imports {imported}")
    return found


def _runs_downward(room: str, imported: str) -> bool:
    if imported in (room, "", "__version__"):
        return True
    return room in FLOOR_OF and imported in FLOOR_OF and FLOOR_OF[imported] < FLOOR_OF[room]


def _imported_rooms(path: Path, inside: Path) -> Iterator[tuple[int, str]]:
    """The rooms that a module imports, wherever in it: at its top, inside functions, for types alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [PACKAGE, *inside.parts[: len(inside.parts) - node.level]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == PACKAGE:
                yield node.lineno, rest.partition(".")[0]


def test_imports_run_downward_only() -> None:
    assert violations(SOURCE) == []


def test_every_room_has_its_floor() -> None:
    rooms = {path.name.removesuffix(".py") for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__"} <= set(FLOOR_OF)


@pytest.mark.parametrize(
    ("place", "line", "found"),
    [
        ("stats/sample.py", "from distillab.engine import cohort", "stats imports engine"),
        ("stats/sample.py", "from distillab import engine", "stats imports engine"),
        ("stats/sample.py", "import distillab.engine.trainer as c", "stats imports engine"),
        ("stats/sample.py", "import os, distillab.study", "stats imports study"),
        ("stats/sample.py", "from ..engine import cohort", "stats imports engine"),
        ("stats/sample.py", "from .. import engine", "stats imports engine"),
        ("stats/deep/sample.py", "from ...engine.cohort import Student", "stats imports engine"),
        ("stats/sample.py", "def f():\n    from distillab.engine import cohort", "stats imports engine"),
        ("stats/sample.py", "from distillab.metrics import nll", "stats imports metrics"),  # a neighbour on its floor
        ("errors.py", "from distillab import io", "errors imports io"),
        ("__init__.py", "from distillab.losses import LOSSES", "distillab imports losses"),
        ("report/page.py", "from distillab.cli import main", "report imports cli"),
        ("report/page.py", "from distillab.export import onnx", "report imports export"),
        ("analysis/finding.py", "from distillab.report import page", "analysis imports report"),
        ("newroom/thing.py", "from distillab.errors import unknown", "newroom imports errors"),
    ],
)
def test_an_import_that_runs_upward_is_found(tmp_path: Path, place: str, line: str, found: str) -> None:
    planted = tmp_path / place
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(f"import json\n{line}\n")
    assert [text.split(": ", 1)[1] for text in violations(tmp_path)] == [found]


def test_imports_that_run_downward_are_not_found(tmp_path: Path) -> None:
    lines = {
        "stats/t_test.py": "from distillab.stats.sample import Sample\nfrom .sample import mean\nfrom . import sample",
        "engine/cohort.py": "import numpy\nfrom distillab.losses import LOSSES\nfrom ..errors import unknown",
        "cli/run.py": "from distillab import __version__\nfrom distillab.report import page\nimport distillab.export",
        "__main__.py": "from distillab.cli import main",
        "report/page.py": "import distillab\nfrom distillab.analysis import analyse\nimport distillabour.cli",
    }
    for place, text in lines.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    assert violations(tmp_path) == []


LIGHT = ("analysis", "report", "stats", "data", "models", "study.spec", "study.trials", "study.storage.store", "cli")
"""What answers, draws, lists and helps must start at once; Keras and JAX take seconds to import."""


def test_reading_a_study_needs_neither_keras_nor_jax() -> None:
    program = f"""
import importlib, sys
for module in {LIGHT}:
    importlib.import_module("{PACKAGE}." + module)
    heavy = {{"keras", "jax", "tensorflow", "torch"}} & set(sys.modules)
    if heavy:
        sys.exit(f"{PACKAGE}.{{module}} imports {{sorted(heavy)}}")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
