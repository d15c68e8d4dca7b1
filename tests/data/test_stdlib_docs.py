"""The docstrings of the standard library as a data set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from distillab.data import Dataset, load
from distillab.data.stdlib_docs import TOPICS, docstrings
from distillab.errors import RequestError

pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def docs() -> Dataset:
    return load("stdlib_docs")


def test_it_holds_thousands_of_texts_of_eight_topics(docs: Dataset) -> None:
    assert docs.class_names == tuple(sorted(TOPICS))
    labels = np.concatenate([docs.y_train, docs.y_test])
    assert len(labels) > 5_000
    assert np.bincount(labels).min() > 300
    assert docs.text is not None
    assert not set(docs.text.train) & set(docs.text.test)


def test_a_docstring_has_the_topic_of_its_module() -> None:
    import difflib
    import statistics

    topics = dict(zip(docstrings()[0], docstrings()[1].tolist(), strict=True))
    for module, topic in ((statistics, "numbers"), (difflib, "containers")):
        assert list(TOPICS)[topics[" ".join(str(module.__doc__).split())]] == topic


def test_it_is_the_same_in_every_process() -> None:
    program = (
        "from distillab.data import stdlib_docs\n"
        "stdlib_docs.TOPICS = {'first': 'json textwrap queue', 'second': 'email sched'}\n"
        "print(hash(stdlib_docs.docstrings()[0]), stdlib_docs.docstrings()[1].tolist())"
    )
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    run = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env).stdout
        for _ in range(2)
    ]
    assert run[0] == run[1] != ""


def test_a_python_without_its_source_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(RequestError, match="stdlib_docs needs the source of Python's standard library"):
        docstrings.__wrapped__()
