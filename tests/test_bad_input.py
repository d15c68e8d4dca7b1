"""Bad input of every kind, a row each: what is given, the line that comes back, and the exit code.

Of every row the same is asked: one line of error, no traceback, and every file as it was before. What single modules
refuse is tested beside them; here whole commands meet what users and strangers give them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import re
import shlex
import shutil
import sqlite3
import struct
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from distillab.cli import main

TINY = (
    "dataset: synthetic\ntrain_size: 200\nteacher: {model: linear, epochs: 1}\nstudent: {model: linear}\n"
    "alpha: [0, 1]\nseeds: 1\nepochs: 1\n"
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A bad input.

    Args:
        name: in a few words.
        words: the command line; `study.yaml` is a file of `text`.
        told: what the line of error must match.
        code: 2 where the request is wrong, 1 where the work fails.
        text: of the study file.
    """

    name: str
    words: str
    told: str
    code: int = 2
    text: str | bytes = ""


def spec(name: str, text: str | bytes, told: str) -> Row:
    return Row(name, "run study.yaml --out new", told, text=text)


def key(name: str, override: str, told: str) -> Row:
    return Row(name, f"run tiny.yaml --out new --set {shlex.quote(override)}", told)


def data(name: str, file: str, told: str, *, code: int = 2) -> Row:
    """Data for a study."""
    return Row(name, f"run tiny.yaml --out new --set dataset={file}", told, code)


def own(
    name: str, more: str, told: str, *, teacher: str = "teacher.keras", student: str = "linear", code: int = 2
) -> Row:
    """Something wrong with a distillation; of what comes twice the second counts."""
    words = f"distill --teacher {teacher} --student {student} --data features.npz --out new --epochs 1 {more}"
    return Row(name, words, told, code)


LAUGHS = "quick:\n  a: &a {x: 1, y: 2}\n" + "".join(
    f"  a{n}: &a{n} {{x: *a{n - 1 if n else ''}, y: *a{n - 1 if n else ''}}}\n" for n in range(30)
)
MERGES = "quick:\n  a: &a {x: 1}\n" + "".join(
    f"  a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}' if n else '*a'] * 9)}], k{n}: 1}}\n" for n in range(30)
)

SPECS = [
    spec("empty file", "", r"study\.yaml is not a study: it holds NoneType"),
    spec("a list", "- dataset: digits", "it holds list, and must hold keys and values"),
    spec("a word", "digits", "it holds str"),
    spec("binary", b"\x00\x01\x02\x03", r"study\.yaml is not a YAML file: unacceptable character"),
    spec("not UTF-8", b"dataset: dig\xefts", "is not a YAML file: 'utf-8' codec"),
    spec("unclosed bracket", "dataset: digits\nalpha: [0, 1", "is not a YAML file: while parsing a flow sequence"),
    spec("a tab", "dataset: digits\nnoise:\n\trate: 0.1", "is not a YAML file: while scanning"),
    spec("two documents", "dataset: digits\n---\ndataset: digits", "expected a single document"),
    spec(
        "a Python object", "dataset: !!python/object/apply:os.system ['touch new']", "could not determine a constructor"
    ),
    spec("a Python name", "dataset: !!python/name:os.system", "could not determine a constructor"),
    spec("a key twice", "dataset: digits\nseeds: 2\nseeds: 3", "the key 'seeds' appears twice"),
    spec("a key twice in a group", "dataset: digits\nnoise: {rate: 0, rate: 1}", "the key 'rate' appears twice"),
    spec("nested a thousand deep", f"dataset: digits\nalpha: {'[' * 2000}{']' * 2000}", "nested too deeply"),
    spec("billions of values in a few lines", f"{LAUGHS}dataset: digits\nalpha: *a29", r"alpha={'x': .* \.\.\. is not"),
    spec("billions of keys in a few lines", f"{MERGES}dataset: digits", "a group has more than 10,000 keys"),
    spec("a group in itself", "dataset: digits\nnoise: &a {rate: *a}", r"noise\.rate=.* is not allowed"),
    spec("a list in itself", "dataset: digits\nalpha: &a [*a]", r"alpha=\[+.* is not allowed"),
    spec("a date in the 13th month", "dataset: 2026-13-01", "month must be in 1..12"),
    spec("a date for a number", "dataset: digits\nalpha: 2026-12-01", r"alpha=datetime\.date.* must be a number"),
    spec("a float that is none", "dataset: digits\nalpha: !!float half", "could not convert string to float"),
    spec("5,000 digits", f"dataset: digits\nseeds: {'9' * 5000}", "Exceeds the limit"),
    spec(
        "5,000 digits in hexadecimal", f"dataset: digits\nseeds: 0x{'f' * 5000}", "seeds=0xf+.* at most 2,147,483,647"
    ),
    spec("an escape in a word", r'dataset: "\e[31mred"', r"There is no data set '\\x1b\[31mred'"),
    spec("an escape in a key", "dataset: digits\n" + r'"\e]0;title\a": 1', r"There is no key '\\x1b\]0;title\\x07'"),
    spec("lines in a word", 'dataset: digits\nloss: "kl\\nkl"', r"loss='kl\\nkl' is not allowed"),
    spec("a NUL in a path", r'dataset: "./a\0b.npz"', r"a\\x00b\.npz: the file cannot be read"),
    spec("a dataset and a number", "dataset: [digits, 3]", "dataset=3 is not allowed: it must be a word"),
    spec(
        "a robust choice without classes",
        "dataset: diabetes\nchoose: robust",
        "choose='robust' .* metric with task=reg",
    ),
    spec(
        "a robust choice without a teacher",
        "dataset: digits\nchoose: robust\nloss: teacher_free",
        "choose='robust' is not allowed: it must be metric with loss=teacher_free",
    ),
    spec("no dataset", "seeds: 3", "names no dataset. Add a line such as 'dataset: digits'"),
    spec("a misspelt key", "dataset: digits\ntemprature: 3", "no key 'temprature'. Did you mean 'temperature'"),
    spec("a misspelt key in a group", "dataset: digits\nstudent: {modle: linear}", "Did you mean 'student.model'"),
]

AUDITS = [
    Row("no teacher for the audit", "data labels features.npz --out new", "Missing option '--teacher'"),
    Row("no teacher of that name", "data labels features.npz --teacher mlpp-4 --out new", "no .*'mlpp-4'|mlpp-4"),
    Row(
        "more folds than examples", "data labels features.npz --teacher linear --folds 9999 --out new", "folds=9999 is"
    ),
    Row(
        "one fold", "data labels features.npz --teacher linear --folds 1 --out new", "folds=1 is not allowed: .* from 2"
    ),
    Row(
        "noise without a rate",
        "data labels features.npz --teacher linear --perturb shift --out new",
        "--perturb='shift' is not allowed: it must be a kind of label noise and its rate",
    ),
    Row(
        "an unknown noise",
        "data labels features.npz --teacher linear --perturb worms:0.1 --out new",
        "no kind of label noise 'worms'",
    ),
    Row(
        "no epochs of an audit",
        "data labels features.npz --teacher linear --epochs 0 --out new",
        "epochs=0 is not allowed: it must be a whole number >= 1",
    ),
    Row(
        "a negative seed of an audit",
        "data labels features.npz --teacher linear --seed -1 --out new",
        "seed=-1 is not allowed: it must be a whole number >= 0",
    ),
    Row(
        "a learning rate of an audit that is no number",
        "data labels features.npz --teacher linear --learning-rate nan --out new",
        "learning_rate=nan is not allowed: it must be a finite number > 0",
    ),
    Row("a file for the audit", "data labels features.npz --teacher linear --out tiny.yaml", "tiny.yaml is a file"),
    Row(
        "one class for the audit",
        "data labels ./one.npz --teacher linear --out new",
        "Every labelled example is of class 0; there must be at least 2",
    ),
    Row("numbers for classes", "data labels diabetes --teacher linear --out new", "needs classes, one an example"),
]

VALUES = [
    key("no value", "alpha", "must be KEY=VALUE, such as --set seeds=3"),
    key("another choice", "choose=best", "choose='best' is not allowed: it must be one of 'metric', 'robust'"),
    key("more trusted than validation examples", "validation.trusted=90", r"validation\.trusted=90 .* at most \d+"),
    key("an empty value", "alpha=", "alpha=None is not allowed: it must be a number"),
    key("an empty axis", "alpha=[]", "must be a value, or a list of at least one"),
    key("a repeating axis", "alpha=0.5,5e-1", "must be a list without repetitions"),
    key("a list of lists", "alpha=[[0, 1], [0.5]]", r"alpha=\[0, 1\] is not allowed: it must be a number"),
    key("yes for a number", "temperature=yes", "temperature=True is not allowed: it must be a number, not a yes or no"),
    key("a number for a yes", "teacher.flip=2", r"teacher\.flip=2 is not allowed"),
    key("infinity", "temperature=.inf", "temperature=inf is not allowed: it must be a finite number"),
    key("a number beyond floats", "learning_rate=1e400", "learning_rate='1e400' is not allowed: .* a finite number"),
    key("an alpha below 0", "alpha=-0.5", "alpha=-0.5 is not allowed: it must be at least 0. Set extend to true"),
    key("an alpha beyond 1 on an axis", "alpha=[0, 1, 1.5]", "alpha=1.5 .* it must be at most 1. Set extend to true"),
    key("extended alphas of probabilities", "extend=true", "extend is not allowed with label_loss=cross_entropy and"),
    key("not a number on an axis", "alpha=[0, .nan]", "alpha=nan is not allowed: it must be a finite number"),
    key("zero epochs", "epochs=0", "epochs=0 is not allowed: it must be at least 1"),
    key("a negative seed", "teacher.seed=-1", r"teacher\.seed=-1 is not allowed: it must be at least 0"),
    key("too large a seed", f"teacher.seed={2**63}", r"teacher\.seed=9223372036854775808 is not allowed"),
    key("a million seeds", "seeds=1000000", "has 2,000,000 trials, more than 1,000,000. Shorten an axis"),
    key("a key of many dots", f"teacher.{'a.' * 3000}b=1", "a key has one dot at most"),
    key("a key that is a dot", ".=1", r"There is no key ''"),
    key("a key of a value", "alpha.rate=1", r"alpha={'rate': 1} is not allowed"),
    key("three brackets too many", "alpha=]]]", "its value is not YAML"),
    key("a model with an absurd width", "student.model=mlp-99999999", "at most 256 numbers of at most 16,384"),
    key("a model of absurd size", "student.model=mlp-16384-16384-16384", "of at most 1,073,741,824 weights"),
    key("a model of absurd depth", "student.model=vit-8-4000", "of at most 256 blocks"),
    key("a model's name as a path", "student.model=../../etc/passwd", "There is no architecture '../../etc/passwd'"),
    key("a thousand teachers", f"teacher.model={'+'.join(['linear'] * 1000)}", "at most 100 names"),
    key("noise of too few classes", "noise={kind: matrix, matrix: [[1, 0], [0, 1]]}", r"len\(noise\.matrix\)=2 .* 10"),
    key("two data sets", "dataset=digits,synthetic", "must be a single data set"),
    key(
        "a withheld class that is not there", "transfer.withheld=10", "must be the number of a class of .* from 0 to 9"
    ),
    key("a withheld class by a word", "transfer.withheld=three", r"transfer\.withheld='three' .* a whole number"),
    key("a correction of no class", "transfer.correction=prior", "not allowed without transfer.withheld"),
    key(
        "a transfer set of too many", "transfer.size=3000", "transfer.size=3000 is not allowed: it must be at most 2000"
    ),
    key("a resolution that does not divide", "student.resolution=5", "must be a divisor of .*, the images' sides"),
    key("dropout of a linear teacher", "teacher.dropout=0.5", "dropout is not allowed with linear. .* defined for mlp"),
    key("all labels smoothed away", "teacher.label_smoothing=1", "label_smoothing=1.* must be less than 1"),
    key("a negative decay", "weight_decay=-1", "weight_decay=-1.* must be at least 0"),
    key("a norm of zero", "teacher.max_norm=0", r"teacher\.max_norm=0.* must be greater than 0"),
    key("a snapshot after the end", "snapshot=2", "at most epochs=1, the length of the training"),
    key("batches larger than the data", "batch_size=5000", "batch_size=5000 is not allowed: it must be at most 180"),
    key("more examples than there are", "train_size=3000", "train_size=3000 is not allowed: it must be at most 2000"),
    key("fewer examples than classes", "train_size=5", "large enough to keep an example of every class"),
    key("images moved out of sight", "augmentation.shift=12", "shift=12 is not allowed: it must be less than 12"),
]


def task(name: str, override: str, told: str, *, preset: str = "binary") -> Row:
    """A study whose settings do not fit its task."""
    return Row(name, f"run {preset} --quick --out new --set {override}", told)


def head(name: str, more: str, told: str, teacher: str = "sigmoid.keras") -> Row:
    """A distillation whose task does not fit its models or labels."""
    return own(name, more, told, teacher=teacher)


TASKS = [
    task("no such task", "task=regresion", "Did you mean 'regression'"),
    task("another task than the data's", "task=multilabel", "task='multilabel' is not allowed: it must be binary"),
    task("a loss that the task lacks", "loss=dist", "loss='dist' .* defined for task=binary: kl, cross_entropy"),
    task("a label loss that it lacks", "label_loss=squared", "label_loss='squared' .* task=binary: cross_entropy"),
    task("noise that it lacks", "noise.kind=shift", "noise.kind='shift' .* task=binary: symmetric, one_sided, margin"),
    task("a metric that it lacks", "metric=accuracy", "no metric of task=regression 'accuracy'", preset="regression"),
    task("a temperature for numbers", "temperature=2", "temperature=2 is not allowed .*Leave", preset="regression"),
    task("temperatures for numbers", "temperature=1,2", "temperature=.1, 2. is not allowed", preset="regression"),
    task("maps that move", "augmentation.shift=1", "labels at every position", preset="segmentation"),
    task("a map for one label", "student.model=unet-2-4", "outputs of shape .* and the data need", preset="demo"),
    task(
        "one label for a map", "student.model=cnn-2-4", "outputs of shape .* and the data need", preset="segmentation"
    ),
    head("classes for one sigmoid", "", "ends in one sigmoid, and there are labels such as 2"),
    head(
        "classes for several sigmoids", "", "class number an example, and the model ends in several", "sigmoids.keras"
    ),
    head("a task against the model", "--data yesno.npz --task multilabel", "softmax", "softmax.keras"),
    head("several ones on a softmax", "--data multihot.npz", "several ones a row, or none", "softmax.keras"),
    head("rows of zeros", "--data zeros.npz", "several ones a row, or none", "softmax.keras"),
    head("real numbers for one-hot", "--data real.npz", "real numbers, no distribution", "softmax.keras"),
    head("one positive label", "--data onepositive.npz", "positive"),
    head("three words for one sigmoid", "--data iris.csv --label b", "ends in one sigmoid"),
    head("no positive label", "--data negatives.npz", "positive"),
    head("equal numbers", "--data equal.npz", "labels of 'y' are all 2.5: there is nothing to learn", "number.keras"),
    head("a temperature for a number", "--data numbers.npz --temperature 2", "temperature=2", "number.keras"),
    head("a loss for classes", "--data numbers.npz --loss kl", "loss='kl' .* squared, absolute", "number.keras"),
    head("a metric of classes", "--data numbers.npz --metric accuracy", "metric='accuracy'", "number.keras"),
    head("an alpha that nobody predicts", "--data numbers.npz --alpha predicted", "alpha='predicted'", "number.keras"),
]

DATA = [
    data("no such file", "./nowhere.npz", r"nowhere\.npz: the file cannot be read .*No such file"),
    data("an empty file", "./empty.npz", "found no whole .npz archive"),
    data("cut in half", "./cut.npz", "found no whole .npz archive, expected one; it may be cut short"),
    data("a text", "./text.npz", "found no whole .npz archive"),
    data("a folder called .npz", "./folder.npz", "found the classes none in train"),
    data("no arrays", "./none.npz", "x_train is missing; found none"),
    data("pickled objects", "./pickle.npz", "y_train cannot be read, found damage or Python objects"),
    data("a header that claims a terabyte", "./claims.npz", "x_train cannot be read, found damage"),
    data("a header of nonsense", "./nonsense.npz", "x_train cannot be read, found damage"),
    data("words for labels", "./words.npz", "y_train.dtype='<U1' is not allowed: it must be an integer type"),
    data("words for inputs", "./wordy.npz", "x_train.dtype='<U1' is not allowed: it must be uint8"),
    data("NaN", "./nan.npz", "x_train='from nan to nan' is not allowed: it must be finite"),
    data("labels too few", "./short.npz", r"len\(y_train\)=59 is not allowed: it must be 60"),
    data("a label left out", "./gap.npz", "No training example has label 1; number the classes from 0"),
    data("a negative label", "./negative.npz", r"y_train\[0\]=-2 is not allowed"),
    data("one class", "./one.npz", "0 everywhere"),
    data("zero examples", "./zero.npz", r"x_train.shape=\(0, 4\) is not allowed"),
    data("other features in the test", "./differs.npz", r"x_test.shape\[1:\]=\(3,\) is not allowed"),
    data("encrypted", "./locked.npz", "x_train cannot be read, found damage .*encrypted"),
    data("a folder without images", "./teachers/", "found the classes none in train"),
    data("a class that the test lacks", "./lacks/", "found the classes a, b in train and a in test"),
    data("a text called .png", "./fake/", r"a/1\.png cannot be read as an image"),
    data("images of two sizes", "./sizes/", "has 5 x 5 pixels, .* has 4 x 4"),
    data("an archive cut in half", "./cut.tar.gz", "the archive cannot be read"),
    data("an archive that is none", "./text.tar", "the archive cannot be read"),
    data("links in an archive", "./links.tar", "found the classes none in train"),
    data("an image of a terabyte in an archive", "./giant.tar", "has 1,099,511,627,776 bytes; an image may have"),
    Row("named data nowhere", "run alpha --data-dir nowhere --out new", "data_dir='nowhere' .* a folder that exists"),
    Row("a file for the data folder", "run alpha --data-dir text.npz --out new", "data_dir='text.npz' is not allowed"),
    Row(
        "another file's name", "run alpha --data-dir impostor --out new", r"mnist\.npz: .*(expected|not).*Move the file"
    ),
    Row("a check of nothing", "data check ''", "There is no data set ''"),
    Row("a check of a misspelt name", "data check cifar", "no data set 'cifar'. Did you mean 'cifar10'"),
    Row("the path of a name too long", f"data path {'x' * 300}", "File name too long"),
]


def text(name: str, more: str, told: str, *, teacher: str = "counts.py:counts", student: str = "textcnn-4-4") -> Row:
    """Something wrong with texts, or with what reads them."""
    return own(name, f"--data reviews.csv {more}", told, teacher=teacher, student=student)


TEXTS = [
    text("a text that is missing", "--data gap.csv", r"gap\.csv: row 4 has no text"),
    text("texts that are not UTF-8", "--data latin-reviews.csv", r"latin-reviews.csv cannot be read as CSV \(line 62"),
    text(
        "a line that is a list", "--data list.jsonl", r"list\.jsonl: row 2 holds \['a', 'x'\], and must hold an object"
    ),
    text(
        "a number for a text",
        "--data number.jsonl --text review",
        r"number\.jsonl: row 2 holds 7, and must hold a text",
    ),
    text("a text file that is empty", "--data letters", r"letters/y/1\.txt has no text"),
    text("a column of texts that is not there", "--text revew", "no column 'revew'. Did you mean 'review'"),
    text("the label for the text", "--text label --label label", "text='label' is not allowed"),
    text("a tokenizer cut in half", "--tokenizer damaged.json", r"damaged\.json is no tokenizer .* or is damaged"),
    text("a tokenizer that is not UTF-8", "--tokenizer latin.json", r"latin\.json is no tokenizer: it is not UTF-8"),
    text("no tokenizer", "--tokenizer nowhere.json", r"The tokenizer nowhere\.json cannot be read: No such file"),
    text("a tokenizer of no kind", "--tokenizer unigram", "The tokenizer unigram cannot be read"),
    text("a vocabulary for a given one", "--tokenizer damaged.json --vocabulary 500", "vocabulary=500 is not allowed"),
    text("a vocabulary of ten", "--vocabulary 10", "vocabulary=10 is not allowed: it must be a whole number from 300"),
    text("texts of no token", "--length 0", "length=0 is not allowed: it must be a whole number from 1"),
    text(
        "numbers for texts",
        "--data features.npz --text a",
        "text='a' names a column of a table, and .* is none",
    ),
    text(
        "numbers for a student of texts", "--data features.npz", "textcnn-4-4 reads token ids", teacher="teacher.keras"
    ),
    text("texts for a student of images", "", "cnn-4-8 reads numbers, and the inputs are token", student="cnn-4-8"),
    text(
        "a teacher of fewer words",
        "",
        "knows the token ids from 0 to 19, and the example .* Give the tok",
        teacher="reader.keras",
    ),
    text("a teacher of another length", "--length 9", r"reads inputs of shape \(6,\), and", teacher="reader.keras"),
    text(
        "a function of neither", "", "give a row of numbers for each text or row of token ids", teacher="fail.py:fail"
    ),
]

OWN = [
    own("no such shard", "--data 'none-{00..01}.tar'", r"none-00\.tar: the shard cannot be read .No such file"),
    own("shards backwards", "--data 'a-{3..1}.tar'", r"the range \{3\.\.1\} is not one of 1 to"),
    own("weights of no table", "--sample-weight w", r"sample_weight='w' names a column of a table"),
    own("a table that is not UTF-8", "--data latin.csv", "cannot be read as CSV"),
    own("a table without rows", "--data header.csv", "holds no table: it must have a header, a row"),
    own("a table without header", "--data bare.csv", r"bare\.csv has no header: its first row, '1,2,0', holds values"),
    own("a table with a hole", "--data ragged.csv", "row 3 has 2 fields, and the header has 3"),
    own("a word for a feature", "--data wordy.csv", "row 2, column 'a' holds 'tall'"),
    own("a table with a name twice", "--data twice.csv", "two columns are called 'a'"),
    own(
        "a table with a quotation mark left open", "--data quoted.csv", r"cannot be read as CSV \(row 3: unexpected end"
    ),
    own("dates for a feature", "--data dates.csv", "row 2, column 'day' holds '2020-01-02': dates are no features"),
    own("thousands in a number", "--data thousands.csv", "row 3, column 'a' holds '1,234', which is no plain number"),
    own("units in a number", "--data units.csv", "row 2, column 'a' holds '3 kg', which is no plain number"),
    own("names for a feature", "--data names.csv", "one of 60 different words in 60 rows: they name the examples"),
    own("several columns for a label", "--data labels.csv", "several columns may be the label. State it with --label"),
    own("words without a label column", "--data jobs.csv", "no column is called label, target, class or y. State it"),
    own("a column of every value missing", "--data hollow.csv", "hollow.csv holds no features beside the label"),
    own(
        "a line that is no object", "--data pairs.jsonl", r"pairs\.jsonl: row 2 holds \[1, 2\], and must hold an object"
    ),
    own("a line cut in half", "--data cut.jsonl", r"cut\.jsonl: row 2 is no JSON"),
    own("numbers and words in a key", "--data mixed.jsonl", "row 2, column 'a' holds 'x', and the column has numbers"),
    own("lists in a key", "--data nested.jsonl", r"row 1, column 'a' holds \[1\], and must hold a number"),
    own(
        "a text called .parquet",
        "--data text.parquet",
        r"text\.parquet (cannot be read as Parquet|is a Parquet file and needs pyarrow)",
    ),
    own("fewer rows than none", "--resample=-1", "resample=-1 is not allowed: it must be .*0"),
    own("rows that nobody labels", "--resample 5", "needs teachers that predict new rows", teacher="other.npy"),
    own("a table's wrong label column", "--data good.csv --label lable", "no column 'lable'. Did you mean 'label'"),
    own("labels of odd numbers", "--data odd.csv", "reads inputs of shape"),
    own("no data", "--data nowhere.csv", "cannot be read as CSV .*No such file"),
    own("escapes in a name", "--data './\x1b[31mred.csv'", r"\\x1b\[31mred\.csv cannot be read as CSV"),
    own("data of another kind", "--data data.json", "There are no data 'data.json'. Give an .npz"),
    own("labels between classes", "--data halves.npz", "Labels such as 0.5 are one real number an example"),
    own(
        "a label of two billion",
        "--data billions.npz",
        "No labelled example is of class 1, and the largest is 2147483645",
    ),
    own("an output of one", "--output 'age: alpha=0.5'", "outputs=age: the data have one output"),
    own("an output without a number", "--output 'age: alpha=half'", "must be with a number for alpha"),
    own("an output of nothing", "--output age", "must be a name with alpha, weight or both"),
    own("an alpha of an output beyond 1", "--output 'age: alpha=2'", r"outputs\.age\.alpha=2\.0 is not allowed"),
    own("an output twice", "--output 'a: alpha=1' --output 'a: alpha=0'", "must be given once for each output"),
    own("tasks for one output", "--task label=binary", "must be a single task: the data have labels of one output"),
    own("no labels", "--data unlabelled.npz", "No example has a label"),
    own("too few for a test part", "--data few.npz", "share=.* is not allowed"),
    own("an endless share", "--test nan", "test=nan is not allowed: it must be a number between 0 and 1"),
    own("a share of nothing", "--validation 0", "validation=0.0 is not allowed"),
    own("no teacher", "", "There is no model file nowhere.keras", teacher="nowhere.keras"),
    own("an empty folder of teachers", "", "holds neither .keras files nor a SavedModel", teacher="teachers"),
    own("a text called .keras", "", "text.keras is no whole .keras file", teacher="text.keras"),
    own("a pickle for a teacher", "", "model.pkl is a pickle, which can run any code", teacher="model.pkl"),
    own("an archive called .keras", "", "hollow.keras cannot be loaded", teacher="hollow.keras"),
    own("a teacher cut in half", "", "cut.keras is no whole .keras file", teacher="cut.keras"),
    own("code in a teacher", "", "holds Python code .a Lambda layer.* Pass --trust", teacher="lambda.keras"),
    own("a teacher of other classes", "", "predicts 5 classes, and the data have 3", teacher="wide.keras"),
    own(
        "a teacher of other inputs", "", r"reads inputs of shape \(7,\), and the data have \(4,\)", teacher="long.keras"
    ),
    own("predictions without digests", "", "needs lonely.rows.npy next to it", teacher="lonely.npy"),
    own("predictions that are an archive", "", "zipped.npy cannot be read", teacher="zipped.npy"),
    own("pickled predictions", "", "pickled.npy cannot be read, found damage or Python objects", teacher="pickled.npy"),
    own("a top k without its remaining mass", "", "top.rest.npy is missing", teacher="top.npy"),
    own(
        "answers with another label", "", "answers.jsonl, line 2: the label 'wolf' is none of", teacher="answers.jsonl"
    ),
    own("answers to some examples", "", "has no answer for 89 of 90 examples", teacher="few.jsonl"),
    own("answers that are not there", "", "There are no stored answers nowhere.jsonl", teacher="nowhere.jsonl"),
    own("predictions of other inputs", "", "examples have no stored prediction", teacher="other.npy"),
    own("a module that is not there", "", "nowhere cannot be imported", teacher="nowhere:model"),
    own("a student of other classes", "", "The student wide.keras predicts 5 classes", student="wide.keras"),
    own("a student without a limit", "", "needs a limit: --size, --latency or --flops", student="auto"),
    own("a student of no size", "--size lots", "size='lots' is not allowed", student="auto"),
    own("a student of less than nothing", "--size=-5%", "size='-5%' is not allowed", student="auto"),
    own("a student of undefined size", "--size nan", "size='nan' is not allowed", student="auto"),
    own("images for a table's student", "", "reads images", student="cnn-4-8"),
    own("an alpha of two words", "--alpha 'a b'", "must be a number, 'search' or 'predicted'"),
    own("an alpha beyond numbers", "--alpha 1e400", "alpha=inf is not allowed: it must be a finite number"),
    own(
        "a temperature that is none", "--temperature nan", "temperature=nan is not allowed: it must be a finite number"
    ),
    own("an endless budget", f"--budget {'9' * 400}m", "budget=inf is not allowed"),
    own("a size of many digits", f"--image-size {'9' * 5000}x1", "must be height x width, such as 224x224"),
    own(
        "PyTorch in the name of ONNX",
        "",
        "script.onnx holds a TorchScript model.* Rename it to script.pt",
        teacher="script.onnx",
    ),
    own(
        "ONNX in the name of Keras",
        "",
        "graph.keras holds an ONNX model.* Rename it to graph.onnx",
        teacher="graph.keras",
    ),
    own("an operator that nobody knows", "", "ONNX Runtime cannot load wizard.onnx: .*Wizardry", teacher="wizard.onnx"),
    own(
        "a pickle of PyTorch", "", "weights.pt is a pickle of torch.save, which can run any code", teacher="weights.pt"
    ),
    own("a table of text for trees", "", "notes.txt is no LightGBM model", teacher="notes.txt"),
    own(
        "classes of other names", "--teacher-classes animals.txt", "0 of the 3 classes of the data match the teacher's"
    ),
    own("no file of classes", "--teacher-classes nowhere.txt", "nowhere.txt cannot be read: No such file"),
    own("one class in a file", "--teacher-classes one.txt", "one.txt holds 1 names, and must hold at least two"),
    own("a class too few", "--teacher-classes two.txt", "--teacher-classes names 2 classes, and the teacher"),
    own(
        "a layout of features",
        "--teacher-layout nchw",
        "teacher_layout='nchw' is not allowed: .*the data are not images",
        teacher="guess.py:guess",
    ),
    own(
        "a layout for a Keras teacher",
        "--teacher-layout nchw",
        "teacher_layout='nchw' is not allowed: .*left out for a Keras",
    ),
    own(
        "a normalisation of nonsense",
        "--teacher-normalise cifar",
        "teacher_normalise='cifar' is not allowed: .*imagenet",
    ),
    own("a normalisation by nothing", "--teacher-normalise 0.5/0", "teacher_normalise='0.5/0' is not allowed"),
    own(
        "a teacher at chance",
        "--data many.npz",
        "guess is at chance: accuracy .* validation examples.* --anyway",
        teacher="guess.py:guess",
    ),
    own(
        "a teacher that fails",
        "",
        "The function fail.py:fail fails for float32 inputs of shape .4,.: .no.",
        teacher="fail.py:fail",
    ),
    own("no epochs", "--epochs 0", "epochs=0 is not allowed: it must be at least 1"),
    own("two losses for a grid", "--loss kl --loss dist", r"losses=\('kl', 'dist'\) is not allowed"),
    own("a folder of something else", "--out strangers", "strangers is not empty and holds no study"),
    own("a folder of a study", "--out tiny", "tiny holds another study: it differs in search"),
    own("a file for a folder", "--out text.npz", "text.npz is a file. Choose a folder with --out"),
    own("a folder in a file", "--out text.npz/new", "text.npz", code=1),
]

FOLDERS = [
    Row("a study over another", "run tiny.yaml --out tiny --set epochs=2", "holds another study: it differs in epochs"),
    Row("a study into a file", "run tiny.yaml --out text.npz", "text.npz is a file. Choose a folder with --out"),
    Row("a study among strangers", "run tiny.yaml --out strangers", "is not empty and holds no study"),
    Row("a study whose name is too long", f"run {'x' * 300}.yaml", "File name too long"),
    Row("a folder for a study", "run teachers/", "There is no study file 'teachers/'"),
    Row("the answer of a file", "answer text.npz", "There is no folder 'text.npz'"),
    Row("the answer of an empty folder", "answer teachers", "holds no study: study.yaml is missing"),
    Row("the answer of half a study", "answer half", "holds no study: study.db is missing"),
    Row("the answer of a newer version", "answer newer", "has schema 999, and this distillab reads schema 4"),
    Row("the answer of another's database", "answer foreign", "is not a distillab study"),
    Row("the answer of a damaged file", "answer damaged", r"study\.db is corrupt or not a distillab study"),
    Row("the answer of a schema of no letters", "answer unspeakable", r"study\.db is corrupt or not a distillab study"),
    Row(
        "the answer of rows of words",
        "answer swapped",
        r"study\.db is corrupt: the table trials has values of",
    ),
    Row("the answer of a damaged study file", "answer scribbled", r"scribbled/study\.yaml is not a YAML file"),
    Row("the answer by no metric", "answer tiny --metric acuracy", "Did you mean 'accuracy'"),
    Row("the answer in another form", "answer tiny --format yaml", "'yaml' is not one of 'text', 'json'"),
    Row("the report of a damaged file", "report damaged", r"study\.db is corrupt or not a distillab study"),
    Row("the report of nothing", "report nowhere", "There is no folder 'nowhere'"),
    Row("the answer of a broken distillation", "answer distilled", r"distilled/answer\.json is not the finding"),
    Row("the answer of an unfinished distillation", "answer searched", "The distillation in searched is not finished"),
    Row("a table of a distillation", "data export distilled --to rows.csv", "holds a distillation, and a study is"),
    Row("a study over a distillation", "run tiny.yaml --out distilled", "holds another study: it differs in search"),
    Row("a merge with a distillation", "merge tiny distilled", "holds a distillation, and a study is needed"),
    Row("a page of a distillation", "publish distilled --to new", "holds a distillation, and a study is needed"),
    Row("a broken distillation", "report distilled", r"distilled/answer\.json is not the finding of a distillation"),
    Row("a study with itself", "report tiny ./tiny --out new", "tiny is given twice"),
    Row("a merge with itself", "merge tiny ./tiny", "cannot be merged with itself"),
    Row("a merge with nothing", "merge tiny nowhere", "There is no folder 'nowhere'"),
    Row("a merge with another study", "merge tiny other", "hold different studies: they differ in temperature"),
    Row("a merge with a damaged file", "merge tiny damaged", r"study\.db is corrupt or not a distillab study"),
    Row("a merge with a newer version", "merge tiny newer", "has schema 999"),
    Row("a page of an empty folder", "publish teachers --to new", "holds no study: study.yaml is missing"),
    Row("a page over a stranger's", "publish tiny --to strangers", r"strangers/tiny\.md was not made by"),
    Row("a page into a file", "publish tiny --to text.npz", r"text\.npz is a file"),
    Row("a table of another kind", "data export tiny --to rows.xls", "a name that ends in .csv or .parquet"),
    Row("a table into a file's folder", "data export tiny --to text.npz/rows.csv", "cannot be written", 1),
    Row("the check of a damaged study", "data check damaged", r"study\.db is corrupt or not a distillab study"),
    Row("theory from a negative seed", "theory --seed -1", "-1 is not in the range x>=0"),
    Row("theory into a file", "theory --quick --out text.npz", r"text\.npz is a file"),
    Row("a record into a folder", "bench --quick --out teachers", "is a directory"),
    Row("a record into a file's folder", "bench --quick --out text.npz/new.json", r"text\.npz is a file"),
    Row("a bench of nothing", "bench --quick --students ''", "There is no architecture ''"),
    Row("a bench of a misspelt student", "bench --students cnn-16-32,vti-32-2", "Did you mean 'vit'"),
    Row("a bench of a student of texts", "bench --students textcnn-8-8", "must be a student that classifies images"),
    Row("a bench of a student twice", "bench --students linear,linear", "must be different names"),
    Row("a bench without repeats", "bench --repeats 0", "0 is not in the range 1<=x<=100"),
    Row("a bench on the moon", "bench --device moon", "'moon' is not one of 'cpu', 'gpu'"),
]

FLAGS = [
    Row(
        "part 3 of 2", "run demo --out new --part 3/2", "--part='3/2' is not allowed: it must be K/N with K from 1 to N"
    ),
    Row("a part of many digits", f"run demo --out new --part {'9' * 5000}/{'9' * 5000}", "must be K/N with K from 1"),
    Row("memory in words", "run demo --out new --memory lots", "--memory='lots' is not allowed"),
    Row("memory beyond numbers", f"run demo --out new --memory {'9' * 400}kB", "--memory=.* is not allowed"),
    Row(
        "no device", "run tiny.yaml --out new --devices 0", "devices=0 is not allowed: it must be a whole number from 1"
    ),
    Row("a billion devices", "run tiny.yaml --out new --devices 1000000000", "devices=1000000000 is not allowed"),
    Row("GPUs without a cluster", "run demo --out new --worker-gpus 1", "--worker-gpus is for a cluster"),
    Row("an address without a cluster", "run demo --out new --address auto", "--address is for a cluster"),
    Row("a cluster on the moon", "run demo --out new --executor moon", "'moon' is not one of 'local', 'ray'"),
    Row("a model of nothing", "export nowhere.keras --to onnx --out new.onnx", "There is no model file nowhere.keras"),
    Row("a model as a drawing", "export teacher.keras --to svg --out new", "'svg' is not one of"),
    Row("a model under a wrong name", "export teacher.keras --to onnx --out new.txt", r"new\.txt.* is not allowed"),
    Row("code in a model", "export lambda.keras --to onnx --out new.onnx", "holds Python code .a Lambda layer"),
    Row(
        "bytes without data", "export teacher.keras --to onnx --int8 --out new.onnx", "--int8 is calibrated on training"
    ),
    Row("bytes for SavedModel", "export teacher.keras --to saved_model --int8 --data digits --out new", "--int8"),
    Row("other data than the model's", "export teacher.keras --to onnx --out new.onnx --data digits", "shape"),
    Row("no such command", "\x1b[31mfly", r"No such command '\\x1b\[31mfly'"),
    Row("one word too many", "answer tiny '\x1b[2J\nsecond'", r"unexpected extra argument \(\\x1b\[2J\\nsecond\)"),
    Row("no such option", "studies '--\x1b[31m'", r"No such option '?--\\x1b\[31m'?"),
    Row("a name with lines", "run 'de\nmo'", r"There is no study 'de\\nmo'. Did you mean 'demo'"),
    Row("an invisible name", "run 'demo\u202e'", r"There is no study 'demo\\u202e'"),
]

ROWS = [*SPECS, *AUDITS, *VALUES, *TASKS, *DATA, *OWN, *TEXTS, *FOLDERS, *FLAGS]


def call(words: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(words)
    told = capfd.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_bad_input_gets_one_line_and_leaves_everything_as_it_was(
    row: Row, place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    Path("study.yaml").write_bytes(row.text if isinstance(row.text, bytes) else row.text.encode())
    before = _contents(place)
    code, out, err = call(shlex.split(row.words), capfd)
    (line,) = _lines(err)
    assert re.search(row.told, line), err
    assert (code, out) == (row.code, "")
    assert line.isprintable()
    assert len(line) < 2_200
    assert _contents(place) == before


def test_there_are_enough_rows_and_each_has_a_name_of_its_own() -> None:
    assert len(ROWS) >= 80
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_that_may_not_be_read_is_named(place, capfd, monkeypatch) -> None:
    monkeypatch.chdir(place)
    shutil.copy("good.npz", "secret.npz")
    Path("secret.npz").chmod(0)
    code, _, err = call(shlex.split("run tiny.yaml --out new --set dataset=./secret.npz"), capfd)
    assert code == 2
    assert "secret.npz: the file cannot be read" in err


def test_a_cluster_that_does_not_answer_is_told_with_what_starts_one(place, capfd, monkeypatch) -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    monkeypatch.chdir(place)
    for address, told in (
        ("127.0.0.1:1", "Nothing answers at 127.0.0.1:1"),
        ("half", "--address='half' is not allowed"),
    ):
        code, _, err = call(shlex.split(f"run tiny.yaml --out new --executor ray --address {address}"), capfd)
        assert code == 2
        assert told in _lines(err)[0]
        assert not Path("new").exists()


def test_without_ray_it_says_what_to_install(place, capfd, monkeypatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = call(shlex.split("run tiny.yaml --out new --executor ray"), capfd)
    assert code == 2
    assert "pip install 'distillab[ray]'" in _lines(err)[0]
    assert not Path("new").exists()


def _lines(err: str) -> list[str]:
    """The lines of error; click's usage stands before its own."""
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line and not line.startswith("The data have no test part: ")]
    if lines[0].startswith("Usage: "):
        lines = [line for line in lines if line.startswith("Error: ")]
    return lines


def _contents(place: Path) -> dict[str, str]:
    files = (path for path in place.rglob("*") if path.name != ".lock")
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "a folder" for path in files
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of everything that can be wrong, and a study and a model that are right."""
    here, before = tmp_path_factory.mktemp("place"), Path.cwd()
    cache = pytest.MonkeyPatch()
    cache.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    cache.delenv("DISTILLAB_DATA", raising=False)
    os.chdir(here)
    try:
        _archives()
        _image_folders()
        _tables()
        _texts()
        _models()
        _foreign_models()
        _predictions()
        _folders()
        yield here
    finally:
        os.chdir(before)
        cache.undo()


def _archives() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 4)).astype(np.float32), np.arange(60) % 3
    good: dict[str, Any] = {"x_train": x, "y_train": y, "x_test": x[:30], "y_test": y[:30]}
    np.savez("good.npz", **good)
    content = Path("good.npz").read_bytes()
    Path("empty.npz").write_bytes(b"")
    Path("cut.npz").write_bytes(content[: len(content) // 2])
    Path("text.npz").write_text("these are no numbers\n")
    Path("folder.npz").mkdir()
    Path("impostor").mkdir()
    shutil.copy("good.npz", "impostor/mnist.npz")
    np.savez("none.npz")
    changes: dict[str, dict[str, Any]] = {
        "pickle": {"y_train": np.array([{}] * 60, dtype=object)},
        "words": {"y_train": np.array(list("abc") * 20)},
        "wordy": {"x_train": np.array([list("abcd")] * 60)},
        "nan": {"x_train": np.where(x == x[0, 0], np.nan, x)},
        "short": {"y_train": y[:59]},
        "gap": {"y_train": np.where(y == 1, 2, y)},
        "negative": {"y_train": y - 2 * (np.arange(60) == 0)},
        "one": {"y_train": 0 * y},
        "zero": {"x_train": x[:0], "y_train": y[:0]},
        "differs": {"x_test": x[:30, :3]},
    }
    for name, change in changes.items():
        np.savez(f"{name}.npz", **(good | change))
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s, 4), }"
    for name, text in (("claims", header % 2**36), ("nonsense", header % f"{10**30}")):
        with zipfile.ZipFile(f"{name}.npz", "w") as archive:
            archive.writestr("x_train.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
            for array in ("y_train", "x_test", "y_test"):
                archive.writestr(f"{array}.npy", b"")
    locked = bytearray(content)
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = locked.find(mark)
        while place >= 0:
            locked[place + flags] |= 1
            place = locked.find(mark, place + 1)
    Path("locked.npz").write_bytes(locked)
    np.savez("features.npz", **good)
    np.savez("halves.npz", x=x, y=y / 2)
    np.savez("billions.npz", x=x, y=np.where(y == 1, 2**31 - 3, y))
    np.savez("unlabelled.npz", x=x, y=np.full(60, -1))
    np.savez("few.npz", x=x[:3], y=y[:3])
    rows = np.eye(3)[y]
    labels = {
        "yesno": y % 2, "multihot": np.minimum(1, rows + rows[::-1]), "zeros": np.where(y[:, None] == 1, 0, rows),
        "real": 9 * rng.random((60, 3)), "onepositive": np.arange(60) == 7, "negatives": np.zeros(60, int),
        "equal": np.full(60, 2.5), "numbers": rng.normal(size=60),
    }  # fmt: skip
    for name, of in labels.items():
        np.savez(f"{name}.npz", x=x, y=of)


def _png(path: Path, side: int = 4) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((side, side), np.uint8)).save(path)


def _image_folders() -> None:
    for folder in ("lacks", "fake", "sizes"):
        for part in ("train", "test"):
            for group in ("a", "b"):
                if (folder, part, group) != ("lacks", "test", "b"):
                    _png(Path(folder, part, group, "1.png"))
    Path("fake/train/a/1.png").write_text("no image")
    _png(Path("sizes/test/b/2.png"), side=5)
    with tarfile.open("cut.tar.gz", "w:gz") as archive:
        archive.add("lacks")
    content = Path("cut.tar.gz").read_bytes()
    Path("cut.tar.gz").write_bytes(content[: len(content) // 2])
    Path("text.tar").write_text("these are no images\n" * 100)
    with tarfile.open("links.tar", "w") as archive:
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE)):
            link = tarfile.TarInfo(f"train/a/{number}.png")
            link.type, link.linkname = kind, "/etc/passwd"
            archive.addfile(link)
    giant = tarfile.TarInfo("train/a/1.png")
    giant.size = 2**40
    Path("giant.tar").write_bytes(giant.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)


def _tables() -> None:
    tables = {
        "good": b"a,b,label\n1,2,x\n3,4,y\n",
        "iris": b"a,b\n" + b"1,x\n2,y\n3,z\n" * 9,
        "latin": "a,b,label\n1,2,caf\u00e9\n3,4,y\n".encode("latin-1"),
        "header": b"a,b,label\n",
        "bare": b"1,2,0\n3,4,1\n",
        "ragged": b"a,b,label\n1,2,x\n3,4\n",
        "wordy": b"a,b,label\ntall,2,x\n3,4,y\n",
        "odd": b"a,b,label\n" + b"1,2,--5\n3,4,y\n5,6,-\n" * 20,
    }
    tables |= {
        "twice": b"a,a,label\n1,2,x\n3,4,y\n",
        "quoted": b'a,b,label\n1,2,x\n3,"4,y\n',
        "dates": b"day,label\n2020-01-02,x\n2021-03-04,y\n",
        "thousands": b'a,label\n1,x\n"1,234",y\n',
        "units": b"a,label\n3 kg,x\n4 kg,y\n",
        "names": b"a,label\n" + b"".join(b"n%d,%d\n" % (row, row % 2) for row in range(60)),
        "labels": b"class,y,a\n1,2,3\n4,5,6\n",
        "jobs": b"job,kind\nbaker,x\ncook,y\n",
        "hollow": b"a,label\n,x\n?,y\n",
    }
    for name, content in tables.items():
        Path(f"{name}.csv").write_bytes(content)
    lines = {
        "pairs": '{"a": 1, "label": 0}\n[1, 2]\n',
        "cut": '{"a": 1, "label": 0}\n{"a": 1, "la',
        "mixed": '{"a": 1, "label": 0}\n{"a": "x", "label": 1}\n',
        "nested": '{"a": [1], "label": 0}\n{"a": [2], "label": 1}\n',
    }
    for name, text in lines.items():
        Path(f"{name}.jsonl").write_text(text)
    Path("text.parquet").write_text("no table")
    Path("data.json").write_text("{}")


def _texts() -> None:
    lines = [f"a text of {kind} and {kind} number {row},{kind}" for row in range(20) for kind in "xyz"]
    Path("reviews.csv").write_text("\n".join(["review,label", *lines]))
    Path("gap.csv").write_text("\n".join(["review,label", *lines[:2], "  ,x", *lines[2:]]))
    Path("latin-reviews.csv").write_bytes(
        "\n".join(["review,label", *lines, "du caf\u00e9 au lait,x"]).encode("latin-1")
    )
    Path("list.jsonl").write_text('{"review": "a b c d", "label": "x"}\n["a", "x"]\n')
    Path("number.jsonl").write_text('{"review": "a b c d", "label": "x"}\n{"review": 7, "label": "y"}\n')
    Path("damaged.json").write_text('{"version": "1.0", "model": {"type": "BPE"')
    Path("latin.json").write_bytes(b'{"version": "\xe9"}')
    for kind in "xyz":
        Path("letters", kind).mkdir(parents=True)
        Path("letters", kind, "1.txt").write_text("a text")
    Path("letters/y/1.txt").write_text("\n")
    Path("counts.py").write_text("def counts(texts):\n    return [[t.count(k) for k in 'xyz'] for t in texts]\n")


def _models() -> None:
    import keras

    from distillab.models import build

    for name, shape, classes in (("teacher", 4, 3), ("wide", 4, 5), ("long", 7, 3)):
        build("linear", (shape,), classes).save(f"{name}.keras")
    for name, outputs, last in (("sigmoid", 1, "sigmoid"), ("sigmoids", 3, "sigmoid"), ("softmax", 3, "softmax")):
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(outputs, last)]).save(f"{name}.keras")
    build("linear", (4,), 1).save("number.keras")
    build("bag-of-embeddings-2", (6,), 3, vocabulary=20).save("reader.keras")
    layers = [keras.Input((4,)), keras.layers.Lambda(lambda x: 2 * x, output_shape=(4,)), keras.layers.Dense(3)]
    keras.Sequential(layers).save("lambda.keras")
    content = Path("teacher.keras").read_bytes()
    Path("cut.keras").write_bytes(content[: len(content) // 2])
    Path("text.keras").write_text("no model")
    Path("model.pkl").write_bytes(b"\x80\x04N.")
    with zipfile.ZipFile("hollow.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    Path("teachers").mkdir()


def _foreign_models() -> None:
    import onnx

    float_, value = onnx.TensorProto.FLOAT, onnx.helper.make_tensor_value_info
    shapes = [value("x", float_, ["n", 4])], [value("y", float_, ["n", 3])]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Wizardry", ["x"], ["y"])], "g", *shapes)
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="wizard")
    for name in ("wizard.onnx", "graph.keras"):
        onnx.save(model, name)
    for name, members in (("script.onnx", ("data.pkl", "constants.pkl")), ("weights.pt", ("data.pkl",))):
        with zipfile.ZipFile(name, "w") as archive:
            for member in members:
                archive.writestr(f"net/{member}", b"\x80\x02N.")
    Path("notes.txt").write_text("no trees\n")
    for name, names in (("animals", "cat\ndog\nfox\n"), ("one", "cat\n"), ("two", "cat\ndog\n")):
        Path(f"{name}.txt").write_text(names)
    Path("guess.py").write_text("import numpy as np\ndef guess(x):\n    return np.tile([9.0, 0.0, 0.0], (len(x), 1))\n")
    Path("fail.py").write_text("def fail(x):\n    raise KeyError('no')\n")
    rng = np.random.default_rng(1)
    np.savez("many.npz", x=rng.standard_normal((300, 4)).astype(np.float32), y=np.arange(300) % 3)


def _predictions() -> None:
    from distillab.models.storing import store_predictions

    logits = np.eye(3, dtype=np.float32)[np.arange(60) % 3]
    store_predictions("other.npy", np.ones((60, 4)) * np.arange(60)[:, None], logits)
    np.save("lonely.npy", logits)
    with np.load("features.npz") as arrays:
        for name in ("zipped", "pickled"):
            store_predictions(f"{name}.npy", arrays["x_train"], logits)
        store_predictions("top.npy", arrays["x_train"], logits, top_k=1)
    Path("top.rest.npy").unlink()
    line = '{"id": 0, "label": "%s", "probability": 0.9}\n'
    Path("answers.jsonl").write_text(line % "0" + (line % "wolf").replace("0,", "1,"))
    Path("few.jsonl").write_text(line % "0")
    shutil.copy("good.npz", "zipped.npy")
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}] * 60, dtype=object), allow_pickle=True)
    Path("pickled.npy").write_bytes(buffer.getvalue())


def _folders() -> None:
    Path("tiny.yaml").write_text(TINY)
    with pytest.raises(SystemExit) as ended:
        main(["run", "tiny.yaml", "--out", "tiny"])
    assert not ended.value.code
    for name in ("half", "newer", "foreign", "damaged", "scribbled", "other", "unspeakable", "swapped"):
        shutil.copytree("tiny", name)
    Path("half/study.db").unlink()
    _execute("newer/study.db", "PRAGMA user_version = 999")
    Path("foreign/study.db").unlink()
    _execute("foreign/study.db", "CREATE TABLE theirs (id)")
    Path("damaged/study.db").write_bytes(b"x" * 5000)
    content = Path("unspeakable/study.db").read_bytes()
    Path("unspeakable/study.db").write_bytes(content.replace(b"CREATE TABLE teachers", b"CREATE TABL\x80 teachers"))
    _execute("swapped/study.db", "UPDATE trials SET alpha = 'much'")
    Path("scribbled/study.yaml").write_text("dataset: [")
    other = Path("other/study.yaml")
    other.write_text(other.read_text().replace("temperature: 3.0", "temperature: 4.0"))
    Path("strangers").mkdir()
    Path("strangers/tiny.md").write_text("# Mine\n")
    for name in ("distilled", "searched"):
        Path(name).mkdir()
        shutil.copy("tiny/study.db", f"{name}/study.db")
        Path(f"{name}/study.yaml").write_text("search: {epochs: 1}\n")
    Path("distilled/answer.json").write_text("[1, 2]")


def _execute(path: str, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
