"""Pages for a repository: made from the run's folder alone, whole tables, and a table of all pages."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from tests.rows import Rows

from distillab.errors import RequestError
from distillab.report.publish import publish
from distillab.study.folder import Folder
from distillab.study.settings import Settings


def hump(alpha: float, seed: int) -> float:
    return 0.9 + 0.03 * (alpha == 0.5) - 0.01 * alpha + 0.001 * ((seed * 7 + round(alpha * 10)) % 5)


def half(settings: Settings, seed: int) -> float:
    return 0.5 - 0.1 * settings.alpha + 0.01 * seed


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory):
    """Makes a study's folder from its keys."""

    def make(name: str = "small", **keys: object) -> Folder:
        rows = Rows
        spec = rows.spec(seeds=6, **keys)
        folder = Folder(tmp_path_factory.mktemp("runs") / name)
        facts = {
            "command": f"distillab run {name}",
            "data": {"name": "digits", "digest": "d" * 8, "classes": ["a|b", "c"]},
            "versions": {"keras": "3"},
            "machine": {"cores": 2},
            "commit": None,
        }
        with folder.write(spec) as store:
            run = store.begin_run("then", facts)
            for teacher in rows.teachers().values():
                settings = {"model": "cnn-2-3", "labels": "clean", "epochs": 1}
                store.add_teacher(dataclasses.replace(teacher, settings=settings))
            counts = [[30, 2], [4, 64]]
            trials = [dataclasses.replace(trial, confusion=counts) for trial in rows.trials(spec, hump, shares=half)]
            store.add_cohort(trials, run=run, students=len(trials), examples=100, seconds=2.0)
        return folder

    return make


@pytest.fixture(scope="module")
def written(study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """The smallest study, published."""
    return publish(study(), tmp_path_factory.mktemp("pages"))


def test_a_page_holds_answer_tables_protocol_and_provenance(written: tuple[Path, ...]) -> None:
    names = [path.name for path in written]
    assert names == ["small.md", "small_accuracy_vs_alpha.png", "small_denoising.png", "README.md"]
    page = written[0].read_text()
    assert "**Answer.** Supported: alpha = 0.5 beats labels alone" in page
    for heading in ("Results", "Every alpha", "Wrong labels", "Caveats", "Protocol"):
        assert f"\n## {heading}\n\n" in page
    assert "| **0.5** * | 6 |" in page
    assert "- Command: `distillab run small`" in page
    assert "`docs" not in page


def test_every_picture_that_a_page_shows_lies_beside_it(study, tmp_path: Path) -> None:
    page, *_ = publish(study(temperature=[1, 3]), tmp_path / "pages")
    shown = re.findall(r"!\[[\w\\]+\]\((.*?)\)", page.read_text())
    assert shown == ["small_accuracy_vs_alpha.png", "small_alpha_across.png", "small_denoising.png"]
    assert all((page.parent / name).read_bytes().startswith(b"\x89PNG") for name in shown)


def test_the_lines_of_a_table_have_as_many_cells_as_its_head(study, tmp_path: Path) -> None:
    page = publish(study(noise={"rate": [0.1, 0.2]}, temperature=[1, 3]), tmp_path / "pages")[0].read_text()
    tables = re.findall(r"(?:^\|.*\|$\n?)+", page, flags=re.MULTILINE)
    assert len(tables) > 5
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.strip().splitlines()}) == 1


def test_classes_are_counted_and_named_with_their_bars_escaped(written: tuple[Path, ...]) -> None:
    """Precision of the first class 30/34, recall 30/32, F1 60/66; the same at every alpha."""
    page = written[0].read_text()
    assert "| a\\|b | 88.24 | 88.24 | 88.24 | 93.75 | 93.75 | 93.75 | 90.91 | 90.91 | 90.91 |" in page


def test_the_table_of_pages_has_a_row_for_each_and_keeps_the_others(study, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    publish(study("b"), pages)
    publish(study("a", temperature=[1, 3]), pages)
    (pages / "notes.md").write_text("# Notes\n\nNo study.\n")
    publish(study("c"), pages)
    rows = [line for line in (pages / "README.md").read_text().splitlines() if line.startswith("| [")]
    assert [re.findall(r"\[(\w+)\]\(\1\.md\)", row)[0] for row in rows] == ["a", "b", "c"]
    assert "at every temperature" in rows[0]
    assert "The chosen alpha is 0.5 at 1 and 0.5 at 3 (not shown to change)" in rows[0]
    assert "The chosen alpha is 0.5 at every temperature." in (pages / "a.md").read_text()


def test_the_same_folder_gives_the_same_bytes(study, tmp_path: Path) -> None:
    folder = study(temperature=[1, 3])
    first = [path.read_bytes() for path in publish(folder, tmp_path / "pages")]
    assert [path.read_bytes() for path in publish(folder, tmp_path / "pages")] == first


def test_a_folder_without_a_student_is_refused(tmp_path: Path, rows) -> None:
    folder = Folder(tmp_path / "none")
    with folder.write(rows.spec()):
        pass
    with pytest.raises(RequestError, match="holds no trained student"):
        publish(folder, tmp_path / "pages")
    assert not (tmp_path / "pages").exists()


def test_what_publish_did_not_write_is_not_written_over(study, tmp_path: Path) -> None:
    for name, text in (("README.md", "# My project\n"), ("small.md", "# Notes\n")):
        to = tmp_path / name
        to.mkdir()
        (to / name).write_text(text)
        with pytest.raises(RequestError, match=f"{name} was not made by 'distillab publish'. Choose another folder"):
            publish(study(), to)
        assert {path.name: path.read_text() for path in to.iterdir()} == {name: text}


def test_a_folder_called_as_the_table_has_no_page(study, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"A study in a folder called 'README' has no page"):
        publish(study("README"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_written_again_over_itself(study, tmp_path: Path) -> None:
    folder = study()
    before = {path: path.read_bytes() for path in publish(folder, tmp_path)}
    assert {path: path.read_bytes() for path in publish(folder, tmp_path)} == before


def test_whatever_a_study_calls_itself_is_plain_text(study, tmp_path: Path) -> None:
    folder = study(question="<script>alert(1)</script> *a* | `b`")
    page = publish(folder, tmp_path)[0].read_text()
    assert page.startswith("# \\<script\\>alert(1)\\</script\\> \\*a\\* \\| \\`b\\`\n")
    assert not re.search(r"(?<!\\)<script", page.partition("## Specification")[0])
    assert "| \\<script\\>alert(1)" in (tmp_path / "README.md").read_text()
