"""Tokenizers: the same texts make the same file, padding and length lie inside it, and damage is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from distillab.data.tokenizer import KINDS, Tokenizer, read_tokenizer, train_tokenizer
from distillab.errors import RequestError

tokenizers = pytest.importorskip("tokenizers")

WORDS = ["the", "cat", "sat", "on", "a", "mat", "while", "dogs", "barked", "at", "naïve", "écoliers", "in", "東京"]
RNG = np.random.default_rng(0)
TEXTS = [" ".join(RNG.choice(WORDS, count)) for count in RNG.integers(1, 21, 400)]


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return train_tokenizer(TEXTS, kind=request.param, vocabulary=400)


def test_the_file_gives_what_the_students_read(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    library = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    texts = ["the cat", "dogs barked at the mat " * 30, "never seen: ☃"]
    ids = np.array([one.ids for one in library.encode_batch(texts)])
    np.testing.assert_array_equal(ids, tokenizer.encode(texts))
    assert ids.shape == (3, tokenizer.length)
    assert (tokenizer.padding, library.padding["pad_id"], library.truncation["max_length"]) == (0, 0, tokenizer.length)
    assert (ids[0] > 0).sum() < tokenizer.length  # padded at the end
    assert ids[0, -1] == 0
    assert (ids[1] > 0).all()  # cut
    assert (ids < tokenizer.vocabulary).all()


def test_a_read_file_is_the_same_tokenizer(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    again = read_tokenizer(tmp_path / "tokenizer.json", [])
    assert (again.content, again.digest) == (tokenizer.content, tokenizer.digest)
    assert (again.length, again.vocabulary, again.padding) == (tokenizer.length, tokenizer.vocabulary, 0)
    assert read_tokenizer(str(tmp_path / "tokenizer.json"), [], length=5).encode(TEXTS).shape == (400, 5)


def test_the_same_texts_make_the_same_file_in_every_process() -> None:
    program = (
        "import sys, json\nfrom distillab.data.tokenizer import train_tokenizer, KINDS\ntexts = json.load(sys.stdin)\n"
        "print(*[train_tokenizer(texts, kind=kind, vocabulary=400).digest for kind in KINDS])"
    )
    run = [
        subprocess.run([sys.executable, "-c", program], input=json.dumps(TEXTS), text=True, capture_output=True)
        for _ in range(2)
    ]
    digests = " ".join(train_tokenizer(TEXTS, kind=kind, vocabulary=400).digest for kind in KINDS)
    assert [done.stdout.strip() for done in run] == [digests, digests], run[0].stderr


def test_the_length_is_the_95th_percentile_of_the_tokens_and_at_most_256() -> None:
    # 100 texts of 1 to 100 words of one token each: the 95th of them in order has 95
    texts = [" ".join(["cat"] * count) for count in range(1, 101)]
    assert train_tokenizer(texts).length == 96  # np.percentile of 100 numbers lies between the 95th and the 96th
    assert train_tokenizer(["cat " * 600] * 20).length == 256
    assert train_tokenizer(texts, length=7).length == 7


def test_byte_level_bpe_gives_back_every_text_and_wordpiece_small_letters() -> None:
    text = "The Naïve ☃ 東京"
    bpe, wordpiece = (train_tokenizer(TEXTS, kind=kind, vocabulary=400, length=40) for kind in KINDS)
    assert bpe._library.decode(bpe.encode([text])[0].tolist()).strip() == text
    assert (bpe.encode([text]) != bpe.encode([text.lower()])).any()
    assert (wordpiece.encode(["THE Cat"]) == wordpiece.encode(["the cat"])).all()
    unknown = wordpiece._library.token_to_id("[UNK]")
    assert unknown in wordpiece.encode(["☃"])
    assert "☃" not in wordpiece.content


@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_has_at_most_the_asked_size(kind: str) -> None:
    texts = [" ".join(RNG.choice([f"{chr(97 + i)}{chr(97 + j)}zq" for i in range(26) for j in range(26)], 9))] * 2
    assert train_tokenizer([*TEXTS, *texts], kind=kind, vocabulary=300).vocabulary <= 300


def test_a_file_that_pads_otherwise_keeps_its_padding(tmp_path: Path) -> None:
    library = tokenizers.Tokenizer.from_str(train_tokenizer(TEXTS, vocabulary=400).content)
    library.add_special_tokens(["<pad>"])
    number = library.token_to_id("<pad>")
    library.enable_padding(pad_id=number, pad_token="<pad>")
    library.enable_truncation(9)
    library.save(str(tmp_path / "other.json"))
    other = read_tokenizer(tmp_path / "other.json", TEXTS)
    assert (other.padding, other.length, other.vocabulary) == (number, 9, number + 1)
    assert other.encode(["cat"])[0, -1] == number


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "bad.json is no tokenizer of the library tokenizers, or is damaged"),
        (b'{"version": "1.0"', "is damaged"),
        (b"[1, 2]", "is damaged"),
        (b'{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}', "is damaged"),
        (b"\xff\xfe{}", "is no tokenizer: it is not UTF-8"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(RequestError, match=told):
        read_tokenizer(tmp_path / "bad.json", TEXTS)
    with pytest.raises(RequestError, match=r"nowhere\.json cannot be read: No such file"):
        read_tokenizer(tmp_path / "nowhere.json", TEXTS)


def test_a_file_without_padding_is_refused(tmp_path: Path) -> None:
    library = tokenizers.Tokenizer(tokenizers.models.WordLevel({"cat": 0, "dog": 1}, unk_token="dog"))
    library.save(str(tmp_path / "plain.json"))
    with pytest.raises(RequestError, match=r"has no padding: none of \[PAD\], <pad>.*enable_padding"):
        read_tokenizer(tmp_path / "plain.json", TEXTS)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kind": "unigram"}, "tokenizer='unigram' is not allowed: it must be bpe, wordpiece, or the path"),
        ({"vocabulary": 100}, "vocabulary=100 is not allowed: it must be a whole number from 300"),
        ({"length": 0}, "length=0 is not allowed: it must be a whole number from 1"),
    ],
)
def test_a_value_out_of_range_is_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        train_tokenizer(TEXTS, **options)  # type: ignore[arg-type]


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(RequestError, match=r"Texts need tokenizers\. Install it: pip install 'distillab\[text\]'"):
        train_tokenizer(TEXTS)
