"""The rooms of the package, from the ground up: a room imports what lies below it, and nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = "distillab"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE
FLOORS = (
    ("errors", "io"),
    ("backend",),
    ("losses", "metrics", "stats", "theory", "conventions"),
    ("tasks",),
    ("data", "models"),
    ("engine",),
    ("keras",),
    ("study",),
    ("search",),
    ("analysis",),
    ("report", "export", "bench", "tracking"),
    ("api",),
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
    for line, name in _imports(path, inside):
        yield line, name.partition(".")[0]


def _imported_modules(path: Path, inside: Path) -> Iterator[str]:
    for _, name in _imports(path, inside):
        yield name


def _imports(path: Path, inside: Path) -> Iterator[tuple[int, str]]:
    """What a module imports of the package, with its line."""
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
                yield node.lineno, rest


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


def cycles(source: Path) -> list[list[str]]:
    """Every import cycle between modules, imports inside functions and for types alone included."""
    modules = {_module(path.relative_to(source)): path for path in sorted(source.rglob("*.py"))}
    graph = {
        name: {found for line in _imported_modules(path, path.relative_to(source)) if (found := _known(line, modules))}
        - {name}
        for name, path in modules.items()
    }
    return sorted(sorted(part) for part in _strongly_connected(graph) if len(part) > 1)


def _module(inside: Path) -> str:
    return ".".join(inside.with_suffix("").parts).removesuffix(".__init__")


def _known(name: str, modules: Mapping[str, Path]) -> str | None:
    """The module that an imported name lies in: the longest part of it that is one; packages pass names on."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        found = ".".join(parts[:length])
        if found in modules:
            return None if modules[found].name == "__init__.py" else found
    return None


def _strongly_connected(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Tarjan's algorithm (1972): groups of modules that reach each other."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = [stack.pop()]
            while part[-1] != node:
                part.append(stack.pop())
            found.append(part)

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_no_modules_import_each_other_in_a_cycle() -> None:
    assert cycles(SOURCE) == []


@pytest.mark.parametrize(
    "line", ["from distillab.stats.one import x", "def f():\n    from distillab.stats.one import x"]
)
def test_a_cycle_inside_a_room_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "stats").mkdir()
    (tmp_path / "stats" / "one.py").write_text("from distillab.stats import two\n")
    (tmp_path / "stats" / "two.py").write_text("import distillab.stats.three as three\n")
    (tmp_path / "stats" / "three.py").write_text(f"import json\n{line}\n")
    assert cycles(tmp_path) == [["stats.one", "stats.three", "stats.two"]]


LIGHT = (
    *("tasks", "analysis", "report", "stats", "data", "models"),
    *("study.spec", "study.trials", "study.storage.store", "cli"),
)
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
