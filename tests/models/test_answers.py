"""Answers as JSON lines: labels by name, the remaining mass spread evenly, faults named with their line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.answer_folder import is_answer_folder, read_answer_folder
from distillab.models.answers import Answers, read_answers
from distillab.models.top_k import dense_rows

NAMES = ["bird", "cat", "dog", "red fox", "owl"]


def read(folder: Path, *lines: object, names: list[str] = NAMES) -> Answers:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "a.jsonl").write_text(text)
    return read_answers([folder / "a.jsonl"], names)


def probabilities(answers: Answers, classes: int = 5) -> np.ndarray:
    logits = dense_rows(answers.top, classes).astype(np.float64)
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


def test_classes_that_are_not_named_share_the_remaining_mass_by_hand(tmp_path: Path):
    # Named 0.6 and 0.1 of five classes: 0.3 remains for three, 0.1 each.
    answers = read(tmp_path, {"id": 17, "probabilities": {"cat": 0.6, "owl": 0.1}})
    assert answers.rows == {"17": 0}
    np.testing.assert_allclose(probabilities(answers), [[0.1, 0.6, 0.1, 0.1, 0.1]], rtol=1e-6)


def test_lines_that_name_fewer_classes_than_others_keep_their_meaning(tmp_path: Path):
    answers = read(
        tmp_path,
        {"id": "a", "scores": {"owl": 0.5, "dog": 0.2, "cat": 0.1}},
        {"id": "b", "label": "bird", "probability": 0.6},
        {"text": "c", "answers": {"dog": 0.2, "bird": 0.2}},
        "",
        {"id": "d", "label": "Red_Fox", "confidence": 1},
    )
    assert answers.rows == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert answers.top.classes.shape == (4, 3)
    assert all(len(set(row)) == 3 for row in answers.top.classes.tolist())
    expected = [[0.1, 0.1, 0.2, 0.1, 0.5], [0.6, 0.1, 0.1, 0.1, 0.1], [0.2, 0.2, 0.2, 0.2, 0.2], [0, 0, 0, 1, 0]]
    np.testing.assert_allclose(probabilities(answers), expected, atol=1e-6)


def test_all_classes_may_be_named(tmp_path: Path):
    answers = read(
        tmp_path,
        {"id": 1, "probabilities": {"no": 0.25, "yes": 0.75}},
        {"id": 2, "label": "yes", "probability": 0.9},
        names=["yes", "no"],
    )
    np.testing.assert_allclose(probabilities(answers, 2), [[0.75, 0.25], [0.9, 0.1]], rtol=1e-6)


def test_the_order_of_classes_and_of_labels_changes_nothing(tmp_path: Path):
    rng = np.random.default_rng(0)
    lines = []
    for row in range(30):
        named = rng.permutation(5)[: rng.integers(1, 5)]
        chances = rng.dirichlet(np.ones(len(named) + 1))[:-1]
        lines.append({"id": row, "probabilities": dict(zip([NAMES[n] for n in named], chances.tolist(), strict=True))})
    order = rng.permutation(5)
    reversed_lines = [{**line, "probabilities": dict(reversed(line["probabilities"].items()))} for line in lines]
    straight = probabilities(read(tmp_path, *lines))
    permuted = probabilities(read(tmp_path, *reversed_lines, names=[NAMES[n] for n in order]))
    np.testing.assert_allclose(permuted, straight[:, order], rtol=1e-5)
    for line, chances in zip(lines, straight, strict=True):
        for label, chance in line["probabilities"].items():
            np.testing.assert_allclose(chances[NAMES.index(label)], chance, rtol=1e-5, atol=2e-7)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "a.jsonl, line 2 is not JSON"),
        ("[" * 100_000, "a.jsonl, line 2 is not JSON"),
        ("[1]", "line 2 names no example"),
        ({"probabilities": {"cat": 1}}, "line 2 names no example"),
        ({"id": True, "probabilities": {"cat": 1}}, "line 2 names no example"),
        ({"id": 1.5, "probabilities": {"cat": 1}}, "line 2 names no example"),
        ({"id": 1}, 'line 2 holds no answer: it must hold "probabilities"'),
        ({"id": 1, "probabilities": {}}, "line 2 holds no answer"),
        ({"id": 1, "probabilities": [0.1]}, "line 2 holds no answer"),
        ({"id": 1, "label": "cat"}, "the probability of 'cat' is None, not a number from 0 to 1"),
        ({"id": 1, "label": "wolf", "probability": 1}, "'wolf' is none of the classes 'bird', 'cat', 'dog'"),
        ({"id": 1, "probabilities": {"cat": 0.7, "dog": 0.302}}, "line 2: the probabilities sum to 1.002"),
        ({"id": 1, "probabilities": {"cat": -0.1}}, "line 2: the probability of 'cat' is -0.1"),
        ('{"id": 1, "probabilities": {"cat": NaN}}', "line 2: the probability of 'cat' is nan"),
        ({"id": 1, "probabilities": {"cat": "0.5"}}, "line 2: the probability of 'cat' is '0.5'"),
        ({"id": 1, "probabilities": {"cat": 0.1, "Cat": 0.2}}, "line 2: two labels are the class 'cat'"),
        ({"id": "0", "label": "cat", "probability": 1}, "line 2: there is an earlier answer to '0'"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, line: object, message: str):
    with pytest.raises(RequestError, match=message):
        read(tmp_path, {"id": 0, "label": "cat", "probability": 0.5}, line)


def test_an_empty_or_unreadable_file_is_refused(tmp_path: Path):
    with pytest.raises(RequestError, match=r"a\.jsonl holds no answers"):
        read(tmp_path, "")
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(RequestError, match=r"a\.jsonl cannot be read .* Save it as JSON lines in UTF-8"):
        read_answers([tmp_path / "a.jsonl"], NAMES)
    with pytest.raises(RequestError, match=r"b\.jsonl cannot be read \(.*No such file"):
        read_answers([tmp_path / "b.jsonl"], NAMES)


def test_a_folder_names_the_classes_of_its_columns(tmp_path: Path):
    assert not is_answer_folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"1": "dog", "0": "cat"}}))
    assert not is_answer_folder(tmp_path)
    (tmp_path / "b.jsonl").touch()
    (tmp_path / "a.jsonl").touch()
    assert is_answer_folder(tmp_path)
    read = read_answer_folder(tmp_path)
    assert read.names == ("cat", "dog")
    assert [file.name for file in read.lines] == ["a.jsonl", "b.jsonl"]
    (tmp_path / "predictions.npy").touch()
    with pytest.raises(RequestError, match=r"holds both predictions\.npy and a\.jsonl"):
        read_answer_folder(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id2label": {"1": "a"}}', '{"id2label": 3}'])
def test_a_folder_without_names_of_classes_is_refused(tmp_path: Path, text: str):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RequestError, match='does not name the classes: it must hold "id2label"'):
        read_answer_folder(tmp_path)
