"""The map of the source names what is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "distillab"
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_path_of_the_map_exists():
    paths = {path for path in re.findall(r"`([a-z_0-9]+/[a-z_0-9/.]*)`", MAP) if not path.startswith("tests/")}
    assert len(paths) > 30
    assert [path for path in sorted(paths) if not (SOURCE / path).exists()] == []


def test_every_name_that_follows_a_path_is_defined_there():
    named = re.findall(r"`([a-z_0-9/]+\.py)` `(\w+)(?:\.\w+)?(?:\([^`]*\))?`", MAP)
    assert len(named) > 8
    missing = [
        f"{path}: {name}"
        for path, name in named
        if not re.search(rf"^(?:def|class) {name}\b", (SOURCE / path).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert missing == []


def test_every_room_is_on_the_map():
    rooms = {path.stem for path in SOURCE.iterdir() if path.suffix in ("", ".py")} - {
        "__init__",
        "__main__",
        "__pycache__",
    }
    picture = MAP.split("```text")[1].split("```")[0]
    assert {room for room in rooms if not re.search(rf"\b{room}\b", picture)} - {"py"} == set()
