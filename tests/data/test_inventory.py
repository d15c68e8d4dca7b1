"""The inventory: what is at hand, what is not, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from distillab.data import LOADERS, check, find, inventory
from distillab.errors import RequestError
from distillab.tasks import TASKS


def test_without_files_some_sets_are_embedded_and_the_published_ones_are_missing(tmp_path: Path) -> None:
    entries = inventory(tmp_path)
    assert {entry.name: entry.status for entry in entries} == {
        "digits": "embedded",
        "mnist": "missing",
        "fashion_mnist": "missing",
        "cifar10": "missing",
        "synthetic": "embedded",
        "breast_cancer": "embedded",
        "diabetes": "embedded",
        "stdlib_docs": "embedded",
        "digits-multilabel": "embedded",
        "digits-segmentation": "embedded",
        "mnist-multilabel": "missing",
    }
    assert [entry.name for entry in entries] == list(LOADERS)
    assert {entry.task for entry in entries} == set(TASKS)
    assert "put mnist.npz into" in entries[-1].do
    missing = entries[1]
    assert missing.path is None
    assert missing.do == (
        "With internet it is downloaded at first use. Without: "
        f"put mnist.npz into {tmp_path}, or set DISTILLAB_DATA to a folder that holds it."
    )


def test_real_files_are_present(data_dir: Path) -> None:
    entries = {name: check(name, data_dir) for name in ("mnist", "fashion_mnist")}
    assert entries["mnist"].status == entries["fashion_mnist"].status == "present"
    assert entries["mnist"].path == data_dir / "mnist.npz"
    assert entries["mnist"].do == ""


def test_a_damaged_file_is_an_answer_and_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "mnist.npz").write_bytes(b"PK, but no more than that")
    entry = check("mnist", tmp_path)
    assert (entry.status, entry.path) == ("damaged", tmp_path / "mnist.npz")
    assert "mnist.npz: found no whole .npz archive" in entry.do
    assert "Move the file away" in entry.do


def test_a_users_own_file_is_checked_too(save, tmp_path: Path) -> None:
    path = save()
    assert check(path).status == "present"
    assert check(save(y_test=None)).status == "damaged"
    assert check(tmp_path / "nowhere.npz").status == "missing"


def test_find_says_which_file_would_be_read(tmp_path: Path, save) -> None:
    assert find("digits") is None
    assert find("mnist", tmp_path) is None
    (tmp_path / "mnist.npz").touch()
    assert find("mnist", tmp_path) == tmp_path / "mnist.npz"
    path = save()
    assert find(path) == path


@pytest.mark.parametrize("ask", [check, find])
def test_an_unknown_name_and_a_folder_that_is_not_there_are_refused(ask, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="There is no data set 'minst'"):
        ask("minst")
    with pytest.raises(RequestError, match=r"data_dir=.* is not allowed"):
        ask("digits", tmp_path / "nowhere")
