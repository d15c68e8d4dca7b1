"""Texts from the raw file to the exported student, which runs on raw texts without distillab."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.cli import main
from distillab.data.tokenizer import read_tokenizer

for name in ("tokenizers", "jax2onnx", "onnx", "onnxruntime"):
    pytest.importorskip(name)

RNG = np.random.default_rng(0)
WORDS = {"cats": ["cat", "purr", "meow", "milk", "fur"], "dogs": ["dog", "bark", "bone", "leash", "fetch"]}
PAIRS = [
    (" ".join(RNG.choice([*WORDS[kind], "the", "of", "and"], RNG.integers(5, 12))), kind)
    for kind in RNG.choice(list(WORDS), 240).tolist()
]
TEACHER = """
import numpy as np

def teacher(texts):
    counts = np.array([[sum(text.count(word) for word in words) for words in WORDS] for text in texts], float)
    return counts
"""
SMALL = (
    "--epochs 2 --seeds 2 --search-seeds 1 --rounds 0 --temperature 2 --alpha 0.5 --learning-rate 0.03 --anyway "
    "--validation 0.2"
)
PAGE = (Path(__file__).parents[2] / "docs" / "text.md").read_text(encoding="utf-8")
ADDED = """
import json, sys
found = {"ids": session.get_inputs()[0].type, "outputs": logits.tolist(), "modules": list(sys.modules)}
json.dump(found, sys.stdout)
"""
"""What the test adds to the page's program, which reads one text of its own."""


def shown(language: str) -> str:
    """The first block of a language on the page."""
    block = re.search(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    assert block is not None
    return block[1]


def command(words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(words))
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("texts")
    with (place / "pets.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "kind"])
        writer.writerows(PAIRS)
    (place / "teacher.py").write_text(f"WORDS = {list(WORDS.values())}\n{TEACHER}")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        lines = shown("sh").splitlines()
        assert [line.split()[1] for line in lines] == ["distill", "export"]
        for line in lines:
            assert command(small(line)) == 0
    return place


def small(line: str) -> str:
    """A command of the page without its program's name, on these texts, with less to train."""
    words = line.removeprefix("distillab ").replace("teacher.skops", "teacher.py:teacher")
    words = words.replace("docs.csv", "pets.csv").replace("bag-of-embeddings-32", "bag-of-embeddings-4")
    return f"{words} --vocabulary 320 {SMALL}" if words.startswith("distill ") else words


def test_a_fresh_process_answers_raw_texts_as_keras_does(folder: Path) -> None:
    texts = ["the cat and the meow", "Bark! A bone of the dog...", "☃ never seen", "milk " * 100]
    own = '["Send a message to a server."]'
    assert own in shown("python")
    program = [sys.executable, "-c", shown("python").replace(own, repr(texts)) + ADDED]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not {"keras", "jax", "distillab"} & set(found["modules"])
    assert found["ids"] == "tensor(int32)"
    student = keras.models.load_model(folder / "out" / "student.keras")
    ids = read_tokenizer(folder / "out" / "tokenizer.json", ()).encode(texts)
    np.testing.assert_allclose(found["outputs"], student.predict(ids, verbose=0), rtol=1e-5, atol=1e-5)
    assert np.argmax(found["outputs"][:2], axis=1).tolist() == [0, 1]


def test_the_folder_says_what_was_read_and_how_to_use_it(folder: Path) -> None:
    card = (folder / "out" / "model_card.md").read_text()
    assert "The column 'review' is read as text." in card
    assert re.search(r"token ids of 3\d\d \(byte-level BPE, trained on the training texts\)", card)
    assert "reads token ids of shape" in card
    assert ", which tokenizer.json makes of texts;" in card
    assert (folder / "shipped" / "tokenizer.json").read_bytes() == (folder / "out" / "tokenizer.json").read_bytes()


def test_the_same_command_again_trains_nothing_and_keeps_the_tokenizer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before = (folder / "out" / "tokenizer.json").read_bytes()
    assert command(small(shown("sh").splitlines()[0])) == 0
    assert (folder / "out" / "tokenizer.json").read_bytes() == before


def test_an_export_beside_another_tokenizer_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "other").mkdir()
    (folder / "other" / "tokenizer.json").write_text("{}")
    assert command("export out/student.keras --to onnx --out other/student.onnx") == 2
    assert "is the tokenizer of another model. Export into another folder" in capsys.readouterr().err
    assert not (folder / "other" / "student.onnx").exists()
