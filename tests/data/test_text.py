"""Data sets of texts: from arrays, tables and folders to token ids, with the raw texts beside them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from distillab.data import Dataset, ReadOptions, read_data
from distillab.data.forms import ModelInput
from distillab.data.frame import read_frame
from distillab.data.label_column import read_labels
from distillab.data.text import is_texts
from distillab.errors import RequestError

pytest.importorskip("tokenizers")

RNG = np.random.default_rng(0)
COMMON = ["the", "a", "of", "and", "with", "very", "to"]
KINDS = {"cats": ["cat", "purr", "meow", "milk", "fur"], "dogs": ["dog", "bark", "bone", "leash", "fetch"]}
LABELS = RNG.choice(list(KINDS), 200).tolist()
TEXTS = [" ".join(RNG.choice(KINDS[label] + COMMON, RNG.integers(4, 13))) for label in LABELS]
NUMBERS = np.array([label == "dogs" for label in LABELS], int)


def write(path: Path, header: list[str], rows: list[list[object]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows(rows)
    return path


PAIRS: list[list[object]] = [[text, label] for text, label in zip(TEXTS, LABELS, strict=True)]


def assert_texts_behind_ids(data: Dataset) -> None:
    """Each part's token ids are those of its texts, and its texts have the labels that they had."""
    assert data.text is not None
    of = dict(zip(TEXTS, LABELS, strict=True))
    for part, labels in (("train", data.y_train), ("test", data.y_test)):
        texts = getattr(data.text, part)
        ids = getattr(data, f"x_{part}")
        assert ids.dtype == np.int32
        np.testing.assert_array_equal(data.text.tokenizer.encode(texts), ids)
        assert [data.class_names[label] for label in labels] == [of[text] for text in texts]
    assert sorted((*data.text.train, *data.text.test)) == sorted(TEXTS)


def test_every_form_of_the_same_texts_is_the_same_data(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"text": text, "kind": label}) for text, label in PAIRS)
    (tmp_path / "a.jsonl").write_text(lines)
    files = [
        write(tmp_path / "a.csv", ["text", "kind"], PAIRS),
        write(tmp_path / "a.tsv", ["text", "kind"], PAIRS, "\t"),
        tmp_path / "a.jsonl",
    ]
    read = [read_data(file) for file in files]
    for data in read:
        assert_texts_behind_ids(data)
        assert "The column 'text' is read as text." in data.notes
        assert data.class_names == ("cats", "dogs")
    assert len({data.digest for data in read}) == 1
    arrays = [read_data((texts, NUMBERS)) for texts in (TEXTS, np.array(TEXTS), np.array(TEXTS, object), tuple(TEXTS))]
    assert {data.digest for data in arrays} == {read[0].digest}


def test_a_table_of_parquet_is_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": TEXTS, "kind": LABELS}), tmp_path / "a.parquet")
    assert_texts_behind_ids(read_data(tmp_path / "a.parquet"))


def test_the_tokenizer_sees_no_text_for_validation_or_testing() -> None:
    names = ["".join(chr(97 + digit) for digit in (row // 26, row % 26, 25 - row % 26)) for row in range(len(TEXTS))]
    data = read_data(([f"{name} " * 10 for name in names], NUMBERS), ReadOptions(vocabulary=100_000))
    assert data.text is not None
    known = {token.removeprefix("Ġ") for token in data.text.tokenizer._library.get_vocab()}
    trained = {data.text.train[row].split()[0] for row in data.training}
    assert trained <= known
    assert not (set(names) - trained) & known


def test_a_folder_of_texts_is_read_with_and_without_parts(tmp_path: Path) -> None:
    for row, (text, label) in enumerate(PAIRS):
        for folder in (
            tmp_path / "flat" / str(label),
            tmp_path / "parts" / ("test" if row % 4 else "train") / str(label),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{row:03}.txt").write_text(str(text), encoding="utf-8")
    (tmp_path / "parts" / "unlabelled").mkdir()
    (tmp_path / "parts" / "unlabelled" / "x.txt").write_text("a cat with a bone")
    flat, parts = read_data(tmp_path / "flat"), read_data(tmp_path / "parts")
    for data in (flat, parts):
        assert_texts_behind_ids(data)
    assert (len(parts.y_train), len(parts.y_test)) == (50, 150)
    assert parts.text is not None
    assert parts.text.unlabelled == ("a cat with a bone",)
    ids = next(flat.example_ids.of("test"))
    assert ids[0].endswith(".txt")
    assert flat.text is not None
    assert (tmp_path / "flat" / ids[0]).read_text() == flat.text.test[0]


def test_a_raw_text_is_found_by_its_ids() -> None:
    data = read_data((TEXTS, NUMBERS), ReadOptions(length=2))
    text = data.text
    assert text is not None
    found = text.of(data.x_test)
    np.testing.assert_array_equal(text.tokenizer.encode(found), data.x_test)
    assert 0 < text.shared < len(TEXTS)  # texts of 4 to 12 words begin alike
    long = read_data((TEXTS, NUMBERS), ReadOptions(length=64)).text
    assert long is not None
    assert long.shared == 0
    assert long.of(long.tokenizer.encode(long.test)) == list(long.test)
    with pytest.raises(RequestError, match="The token ids are none of the data's"):
        text.of(np.full((1, 2), 1, np.int32))


def test_another_text_is_another_digest_even_with_the_same_ids() -> None:
    first = read_data((TEXTS, NUMBERS), ReadOptions(length=4))
    longer = [*TEXTS[:-1], f"{TEXTS[-1]} {TEXTS[-1]}"]
    data = read_data((longer, NUMBERS), ReadOptions(length=4))
    assert first.digest != data.digest


def test_labels_as_numbers_make_a_regression(tmp_path: Path) -> None:
    amounts = [[text, row + 0.5] for row, text in enumerate(TEXTS)]
    data = read_data(write(tmp_path / "a.csv", ["text", "stars"], amounts))
    assert data.task.name == "regression"
    assert data.class_names == ("stars",)


def test_a_data_set_of_texts_trains_its_tokenizer_anew_on_its_training_texts() -> None:
    whole = read_data((TEXTS, NUMBERS))
    again = read_data(whole, ReadOptions(tokenizer="wordpiece", length=5))
    assert again.text is not None
    assert "WordPiece" in again.text.tokenizer.described
    assert again.x_train.shape == (len(whole.x_train), 5)


def test_columns_are_chosen_or_asked_for(tmp_path: Path) -> None:
    both = [[text, text[::-1], label] for text, label in PAIRS]
    file = write(tmp_path / "two.csv", ["title", "body", "kind"], both)
    data = read_data(file, ReadOptions(text="body", label="kind"))
    assert "The columns beside 'body' and 'kind' are not read: 'title'." in data.notes
    with pytest.raises(RequestError, match=r"the label column is not known\. State it with --label: 'title', 'kind'"):
        read_data(file, ReadOptions(text="body"))
    with pytest.raises(RequestError, match=r"There is no column 'bodi'. Did you mean 'body'"):
        read_data(file, ReadOptions(text="bodi"))
    with pytest.raises(RequestError, match="text='kind' is not allowed: it must be another column than the label"):
        read_data(file, ReadOptions(text="kind", label="kind"))
    beside = write(tmp_path / "b.csv", ["text", "age", "label"], [[f"{t} {t}", 3, label] for t, label in PAIRS])
    with pytest.raises(
        RequestError, match=r"the column 'text' holds texts, beside 'age'. To read it alone, give --text"
    ):
        read_data(beside)


def test_a_model_of_a_fixed_length_decides_the_length() -> None:
    readers = [[ModelInput("features", (4,))], [ModelInput("ids", (9,), tokens=True, vocabulary=500)]]
    assert read_data((TEXTS, NUMBERS), readers=readers).x_train.shape[1] == 9
    assert read_data((TEXTS, NUMBERS), ReadOptions(length=5), readers=readers).x_train.shape[1] == 5


def test_a_column_of_weights_is_no_feature(tmp_path: Path) -> None:
    rows = [[text, 1 + row % 3, label] for row, (text, label) in enumerate(PAIRS)]
    file = write(tmp_path / "a.csv", ["text", "weight", "kind"], rows)
    data = read_data(file, ReadOptions(sample_weight="weight"))
    assert data.text is not None
    assert data.weights is not None
    of = {str(text): weight for text, weight, _ in rows}
    assert data.weights.tolist() == [of[text] for text in data.text.train]
    assert "The column 'text' is read as text." in data.notes
    with pytest.raises(RequestError, match="sample_weight='kind' is not allowed: it must be another column than text"):
        read_data(file, ReadOptions(text="text", label="kind", sample_weight="kind"))


def test_words_that_repeat_are_categories_and_numbers_are_features(tmp_path: Path) -> None:
    from distillab.data.text_files import text_and_label

    for values in (["new york city", "rio de janeiro"], [1.5, 2.5], ["cat", "dog"]):
        rows: list[list[object]] = [[values[row % 2], label] for row, label in enumerate(LABELS)]
        frame = read_frame(write(tmp_path / "a.csv", ["place", "label"], rows))
        assert text_and_label(frame, None, None) is None


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (["", "cats"], r"a\.csv: row 5 has no text"),
        (["  ", "cats"], r"a\.csv: row 5 has no text"),
    ],
)
def test_a_missing_text_is_named(tmp_path: Path, row: list[object], told: str) -> None:
    file = write(tmp_path / "a.csv", ["text", "kind"], [*PAIRS[:3], row, *PAIRS[3:]])
    with pytest.raises(RequestError, match=told):
        read_data(file)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"kind": "cats"}', r"a\.jsonl: row 3 has no text"),
        ('{"text": 5, "kind": "cats"}', r"a\.jsonl: row 3 holds 5, and must hold a text"),
        ('{"text": "\\ud800 a b", "kind": "cats"}', r"a\.jsonl: row 3 holds a text that is no Unicode"),
        ('"text"', r"a\.jsonl: row 3 holds 'text', and must hold an object"),
        ('{"text": "a b c", "kind": ["x"]}', r"a\.jsonl: row 3, column 'kind' holds no label"),
    ],
)
def test_a_bad_line_of_json_is_named(tmp_path: Path, line: str, told: str) -> None:
    lines = [json.dumps({"text": text, "kind": label}) for text, label in PAIRS]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines[:2], line, *lines[2:]]))
    with pytest.raises(RequestError, match=told):
        read_data(tmp_path / "a.jsonl", ReadOptions(text="text"))


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    for label in KINDS:
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.txt").write_text("a b c")
    (tmp_path / "cats" / "2.txt").write_bytes(b"caf\xe9 au lait")
    with pytest.raises(RequestError, match=r"2\.txt cannot be read as a text .*Save it as UTF-8"):
        read_data(tmp_path)
    (tmp_path / "cats" / "2.txt").write_bytes(b" \n")
    with pytest.raises(RequestError, match=r"2\.txt has no text"):
        read_data(tmp_path)


def test_an_entry_of_an_array_that_is_no_text_is_named() -> None:
    with pytest.raises(RequestError, match="x_train: row 1 has no text"):
        read_data(([TEXTS[0], None, *TEXTS[2:]], NUMBERS))
    with pytest.raises(RequestError, match="x_train: row 1 holds 5"):
        read_data(([TEXTS[0], 5, *TEXTS[2:]], NUMBERS))
    assert not is_texts(np.zeros((3, 2)))
    assert not is_texts([])


def test_labels_are_numbered_in_their_order(tmp_path: Path) -> None:
    frame = read_frame(write(tmp_path / "a.csv", ["a", "b"], [["10", 1], ["9", 2], ["", 3], ["x", 4]]))
    labels = read_labels(frame, "a")
    assert (labels.class_names, labels.y.tolist(), labels.numbers) == (("9", "10", "x"), [1, 0, -1, 2], None)
    numbers = read_labels(frame, "b").numbers
    assert numbers is not None
    assert numbers.tolist() == [1, 2, 3, 4]
