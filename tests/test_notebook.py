"""The notebook runs from top to bottom; here with fewer students, so that it takes seconds."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "examples" / "alpha_study.ipynb"
SMALL = {
    '"seeds": 8': '"seeds": 2',
    '"epochs": 15': '"epochs": 2',
    '"epochs": 10': '"epochs": 1',
    "cnn-64-128": "cnn-4-8",
}


@pytest.fixture(scope="module")
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def outputs(notebook: nbformat.NotebookNode) -> str:
    """All that the cells print."""
    return "".join(o.text for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs if "text" in o)


def test_the_notebook_runs_from_top_to_bottom(notebook: nbformat.NotebookNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))
    small = nbformat.from_dict(notebook)
    for cell in small.cells:
        for given, less in SMALL.items():
            cell.source = cell.source.replace(given, less)
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(small, timeout=300, kernel_name="python3").execute()  # raises what a cell raises
    told = outputs(small)
    assert "14 students trained" in told
    assert "2 seeds cannot tell more" in " ".join(told.split())  # so few for the test's sake
    pictures = [
        o for cell in small.cells if cell.cell_type == "code" for o in cell.outputs if "image/png" in o.get("data", {})
    ]
    assert len(pictures) == 2


def test_the_notebook_is_kept_with_what_it_shows_and_without_a_path_of_anyones_machine(
    notebook: nbformat.NotebookNode,
) -> None:
    nbformat.validate(notebook)
    assert "Supported: alpha = " in outputs(notebook)
    text = NOTEBOOK.read_text()
    assert "/home/" not in text
    assert "/tmp/" not in text
