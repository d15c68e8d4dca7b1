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
FRESH = """
import json, sys
import numpy as np, onnxruntime, tokenizers

tokenizer = tokenizers.Tokenizer.from_file("shipped/tokenizer.json")
session = onnxruntime.InferenceSession("shipped/student.onnx")
ids = np.array([one.ids for one in tokenizer.encode_batch(json.load(sys.stdin))], np.int32)
outputs = session.run(None, {session.get_inputs()[0].name: ids})[0]
json.dump({"ids": session.get_inputs()[0].type, "outputs": outputs.tolist(), "modules": list(sys.modules)}, sys.stdout)
"""


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
        words = "distill --teacher teacher.py:teacher --student bag-of-embeddings-4 --data pets.csv --out out"
        assert command(f"{words} --vocabulary 320 {SMALL}") == 0
        assert command("export out/student.keras --to onnx --out shipped/student.onnx") == 0
    return place


def test_a_fresh_process_answers_raw_texts_as_keras_does(folder: Path) -> None:
    texts = ["the cat and the meow", "Bark! A bone of the dog...", "☃ never seen", "milk " * 100]
    program = [sys.executable, "-c", FRESH]
    done = subprocess.run(program, cwd=folder, input=json.dumps(texts), capture_output=True, text=True)
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
    words = "distill --teacher teacher.py:teacher --student bag-of-embeddings-4 --data pets.csv --out out"
    assert command(f"{words} --vocabulary 320 {SMALL}") == 0
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
