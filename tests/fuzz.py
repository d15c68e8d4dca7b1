"""Input made at random, and what must come of it: success, or one line of error; in seconds, and nothing else.

`KINDS` holds a strategy and what reads it. `tests/test_fuzz.py` tries a few of each, `benchmarks/fuzz.py` thousands.
"""

from __future__ import annotations

import contextlib
import io
import signal
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import yaml
from hypothesis import strategies as st

from distillab.errors import DistillabError

SECONDS = 10.0
"""That a case may take; most take milliseconds, and the machine may have other work."""


class Kind(NamedTuple):
    """Cases of one kind."""

    cases: Callable[[], st.SearchStrategy[Any]]
    read: Callable[[Any], object]
    share: int
    """Of a thousand cases."""


class Hang(BaseException):
    """A case has taken too long; no error that a reader would catch."""


def check(read: Callable[[Any], object], case: Any) -> bool:
    """Read a case, and see that it ends as it should.

    Returns:
        Whether it was accepted.

    Raises:
        AssertionError: it does not: another exception, an error of several lines, or none in time.
    """
    before = signal.signal(signal.SIGALRM, _hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return read(case) is not False
    except DistillabError as error:
        text = str(error)
        assert text, "an error without a word"
        assert text.isprintable(), text
        return False
    except Hang as error:
        raise AssertionError(f"it took more than {SECONDS:g} s") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang


# --- what is damaged: sound files, made once ---


@cache
def place() -> Path:
    """A folder for this process's files."""
    return Path(tempfile.mkdtemp(prefix="distillab-fuzz-"))


@cache
def npz() -> bytes:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (12, 4, 4), dtype=np.uint8), np.arange(12) % 3
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x_train=x, y_train=y, x_test=x, y_test=y)
    return buffer.getvalue()


@cache
def table() -> bytes:
    return b"width,height,label\n" + b"".join(f"{n},{n / 7},{'abc'[n % 3]}\n".encode() for n in range(12))


@cache
def images() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for part in ("train", "test"):
            for group in "ab":
                picture = io.BytesIO()
                Image.fromarray(np.full((4, 4), ord(group), np.uint8)).save(picture, "PNG")
                member = tarfile.TarInfo(f"set/{part}/{group}/1.png")
                member.size = picture.getbuffer().nbytes
                picture.seek(0)
                archive.addfile(member, picture)
    return buffer.getvalue()


@cache
def model() -> bytes:
    from distillab.models import build

    build("mlp-3", (4,), 3).save(place() / "sound.keras")
    return (place() / "sound.keras").read_bytes()


@cache
def predictions() -> tuple[bytes, bytes]:
    from distillab.models.storing import store_predictions

    inputs = np.arange(12, dtype=np.float32)[:, None]
    store_predictions(place() / "sound.npy", inputs, np.eye(3, dtype=np.float32)[np.arange(12) % 3])
    return (place() / "sound.npy").read_bytes(), (place() / "sound.rows.npy").read_bytes()


@cache
def study() -> bytes:
    """The store of a study of four students, trained here."""
    from distillab.study.run import run_study
    from distillab.study.spec import read_spec

    tree = {"dataset": "synthetic", "train_size": 200, "alpha": [0, 1], "seeds": 2, "epochs": 1}
    tree |= {"teacher": {"model": "linear", "epochs": 1}, "student": {"model": "linear"}, "noise": {"rate": 0.2}}
    folder = place() / "study"
    run_study(read_spec(tree), folder)
    return (folder / "study.db").read_bytes()


STUDY = b"""\
question: How does alpha change the student's accuracy?
dataset: digits
train_size: [null, 1000]
noise: &noise {kind: shift, rate: [0, 0.05]}
teacher: {model: cnn-8-16, epochs: 5, labels: clean, shift: 0, flip: no}
student: {model: cnn-4-6}
alpha: [0, 0.5, 1]
temperature: !!float 3
validation:
  share: 1.0e-1
  labels: noisy
quick: {seeds: 2, epochs: 1, noise: *noise, teacher.epochs: 1}
metric: accuracy
"""

# --- damage ---

Edit = tuple[str, float, bytes]

edits: st.SearchStrategy[list[Edit]] = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "insert", "cut", "remove"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=8)
        | st.sampled_from([b"\xff" * 8, b"\0" * 8, b"9" * 8, b"-1", b"*a", b"&a ", b"["]),
    ),
    min_size=1,
    max_size=3,
)


def damaged(content: bytes, changes: Sequence[Edit]) -> bytes:
    """The content with bytes overwritten, put in, taken out, or its end cut off."""
    for how, where, what in changes:
        at = int(where * len(content))
        after = {"write": at + len(what), "insert": at, "cut": len(content), "remove": at + len(what)}[how]
        content = content[:at] + (what if how in ("write", "insert") else b"") + content[after:]
    return content


def damaged_inside(content: bytes, member: int, changes: Sequence[Edit]) -> bytes:
    """A zip archive of which one member is damaged, and the archive around it sound."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        names = old.namelist()
        for name in names:
            inner = old.read(name)
            new.writestr(name, damaged(inner, changes) if name == names[member % len(names)] else inner)
    return buffer.getvalue()


def archives(content: Callable[[], bytes]) -> st.SearchStrategy[bytes]:
    whole = content()
    outside = edits.map(lambda changes: damaged(whole, changes))
    inside = st.tuples(st.integers(0, 9), edits).map(lambda case: damaged_inside(whole, *case))
    heads = st.tuples(st.integers(0, 9), edits).map(  # where the headers are
        lambda case: damaged_inside(
            whole, case[0], [(how, where * where * where, what) for how, where, what in case[1]]
        )
    )
    return outside | inside | heads


def _file(name: str, content: bytes) -> Path:
    path = place() / name
    path.write_bytes(content)
    return path


def read_npz(content: bytes) -> None:
    from distillab.data import read_data
    from distillab.data.archive import read_dataset

    path = _file("damaged.npz", content)
    with contextlib.suppress(DistillabError):
        read_dataset(path)
    read_data(path)


def read_table(content: bytes) -> None:
    from distillab.data import read_data

    read_data(_file("damaged.csv", content))


def read_images(content: bytes) -> None:
    from distillab.data.images import read_image_dataset

    read_image_dataset(_file("damaged.tar", content))


def read_model(content: bytes) -> None:
    from distillab.models.files import read_model

    read_model(_file("damaged.keras", content))


def read_predictions(case: tuple[bytes, bytes]) -> None:
    from distillab.models.predictions import Predictions

    _file("damaged.rows.npy", case[1])
    Predictions.read(_file("damaged.npy", case[0])).of(np.arange(12, dtype=np.float32)[:, None])


def read_study(content: bytes) -> bool:
    """What a damaged store says: its answer, its page's contents, its condition."""
    folder = place() / "damaged"
    folder.mkdir(exist_ok=True)
    study()
    (folder / "study.yaml").write_bytes((place() / "study" / "study.yaml").read_bytes())
    (folder / "study.db").write_bytes(content)
    return all([give(["answer", str(folder)]), give(["data", "check", str(folder)])])


def read_text(content: bytes) -> None:
    from distillab.study.spec import load_spec

    path = str(_file("damaged.yaml", content))
    with contextlib.suppress(DistillabError):
        load_spec(path, quick=True)
    load_spec(path)


# --- studies ---

numbers = st.one_of(
    st.integers(-2, 12),
    st.floats(0, 1),
    st.floats(),
    st.sampled_from([10**9, 2**31, 2**63, 10**30, -1, 0, 1e-300, True, False, "1e400", "0x10", "1_0", "3"]),
)
words = st.one_of(
    st.sampled_from(["kl", "dist", "clean", "noisy", "own", "shift", "matrix", "margin", "adam", "cosine", "squared"]),
    st.sampled_from(["digits", "linear", "cnn-4-8", "mlp-8+linear", "accuracy", "nll", "../x", "a/b.npz", ""]),
    st.text(max_size=8),
)
values = st.recursive(
    st.none() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@cache
def keys() -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The keys of a study, and those of its groups."""
    from pydantic import BaseModel

    from distillab.study.settings import Objective, Settings

    fields = {**Objective.model_fields, **Settings.model_fields}
    groups = {
        name: tuple(field.annotation.model_fields)
        for name, field in fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    return tuple(fields), groups


CHOICES: dict[str, Sequence[Any]] = {
    "loss": ["kl", "dist", "logit_mse", "standardised"],
    "label_loss": ["cross_entropy", "squared"],
    "metric": ["accuracy", "nll", "f1_macro"],
    "optimiser": ["adam", "sgd"],
    "schedule": ["cosine", "constant"],
    "kind": ["shift", "pair", "matrix", "margin"],
    "labels": ["clean", "noisy", "own"],
    "model": ["linear", "cnn-4-8", "mlp-8", "vit-8-1"],
    "precision": ["float32", "bfloat16"],
    "flip": [True, False],
    "dataset": ["digits", "./mine.npz"],
    "question": ["Why?"],
    "matrix": [None, [[1, 0], [0.5, 0.5]], [[0.9, 0.1], [0, 1]]],
}


def likely(name: str) -> st.SearchStrategy[Any]:
    """Values that a key may have."""
    if name in CHOICES:
        return st.sampled_from(CHOICES[name])
    if name in ("alpha", "rate", "share"):
        return st.floats(0.01, 0.5)
    if name in ("temperature", "learning_rate", "margin"):
        return st.floats(1e-4, 100)
    return st.integers(1, 50)


def one_or_several(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return one | st.lists(one, min_size=1, max_size=3, unique_by=repr)


def trees() -> st.SearchStrategy[Any]:
    tops, groups = keys()
    others = [name for name in tops if name != "dataset"]

    def sound(name: str) -> st.SearchStrategy[Any]:
        if name in groups:
            return st.fixed_dictionaries({}, optional={part: one_or_several(likely(part)) for part in groups[name]})
        return one_or_several(likely(name))

    def group(name: str) -> st.SearchStrategy[Any]:
        parts = st.fixed_dictionaries({}, optional={part: likely(part) | values for part in groups[name]})
        return parts | st.lists(parts, max_size=2) | values

    def chosen(make: Callable[[str], st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
        some = st.lists(st.sampled_from(others), max_size=5, unique=True)
        return some.flatmap(lambda names: st.fixed_dictionaries({name: make(name) for name in names}))

    def wild(name: str) -> st.SearchStrategy[Any]:
        return group(name) if name in groups else likely(name) | values

    calm = chosen(sound).map(lambda tree: {"dataset": "digits"} | tree)
    one_wrong = st.tuples(calm, st.sampled_from(others).flatmap(lambda name: wild(name).map(lambda v: {name: v})))
    named = st.tuples(values, chosen(wild)).map(lambda two: {"dataset": two[0]} | two[1])
    strange = st.tuples(calm, st.dictionaries(words, values, max_size=2))
    together = (one_wrong | strange).map(lambda two: two[0] | two[1])
    return calm | calm | together | named | values


def read_tree(tree: Any) -> None:
    from distillab.study.spec import read_spec

    spec = read_spec(tree)
    assert read_spec(spec.to_mapping()) == spec
    assert read_spec(yaml.safe_load(spec.to_yaml())) == spec


def overrides() -> st.SearchStrategy[list[str]]:
    tops, groups = keys()
    dotted = [f"{group}.{part}" for group, parts in groups.items() for part in parts]
    written = values.map(lambda value: yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).strip())
    key = st.sampled_from([*tops, *dotted]) | st.text(max_size=12)

    def sound(name: str) -> st.SearchStrategy[str]:
        written = likely(name.split(".")[-1]).map(lambda value: yaml.safe_dump([value], default_flow_style=True))
        return written.map(lambda text: f"{name}={text.strip()}")  # an axis of one value

    one_value = ("question", "dataset", "seeds", "metric", "margin")
    axes = [*dotted, *(name for name in tops if name not in groups and name not in one_value)]
    plain = st.sampled_from(axes).flatmap(sound)
    value = (
        written
        | st.text(max_size=20)
        | st.sampled_from(["*a", "&a [*a]", "!!int x", "!!python/name:os", "1,2", ",", "[,"])
    )
    return st.lists(plain | plain | st.tuples(key, value).map("=".join) | st.text(max_size=10), min_size=1, max_size=3)


def read_overrides(given: list[str]) -> None:
    from distillab.study.spec import load_spec

    load_spec("demo", given)


# --- commands: such as are refused, or cheap ---


def arguments() -> st.SearchStrategy[list[str]]:
    anything = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
    names = anything | st.sampled_from(
        ["nowhere", "nowhere.npz", "nowhere.keras", ".", "/", "..", "x" * 300, "digits", "mnist"]
    )
    amounts = anything | numbers.map(str) | st.sampled_from(["4GiB", "1/2", "3/2", "15m", "8x8", "nan", "search"])
    flags = [
        *(
            "--out",
            "--set",
            "--data-dir",
            "--address",
            "--worker-cpus",
            "--worker-gpus",
            "--part",
            "--devices",
            "--memory",
        ),
        *(
            "--log",
            "--executor",
            "--format",
            "--metric",
            "--to",
            "--data",
            "--teacher",
            "--student",
            "--alpha",
            "--seed",
        ),
        *("--temperature", "--budget", "--size", "--latency", "--teacher-input", "--image-size", "--seeds", "--trials"),
    ]
    more = st.lists(
        st.tuples(st.sampled_from(flags), amounts | names).map(list)
        | st.sampled_from(["--quick", "--yes", "--int8", "--trust", "--epochs", "--flip", "--warm-start"]).map(
            lambda f: [f]
        )
        | anything.map(lambda word: [word]),
        max_size=4,
    ).map(lambda lists: [word for several in lists for word in several])
    # A study or a teacher that does not exist comes first, so that nothing is ever trained.
    starts = st.sampled_from(
        [
            *(["run", "nowhere.yaml"], ["run", "dmeo"], ["answer"], ["report"], ["merge"], ["merge", "nowhere"]),
            *(["publish", "nowhere"], ["publish"], ["data"], ["data", "check"], ["data", "path"], ["data", "export"]),
            *(["export", "nowhere.keras"], ["studies"], ["theory", "nothing"], ["bench", "nothing"], [], ["fly"]),
            ["distill", "--data", "nowhere.npz", "--teacher", "nowhere.keras"],
        ]
    )
    return st.tuples(starts, st.lists(names, max_size=2), more).map(_safely)


def _safely(parts: tuple[list[str], list[str], list[str]]) -> list[str]:
    start, several, more = parts
    if start[:1] == ["distill"]:
        return [*start, *more, "--data", "nowhere.npz"]  # of what comes twice the second counts
    if start[:1] in (["theory"], ["bench"]):
        return [*start, *more]
    return [*start, *several, *more]


def give(words: list[str]) -> bool:
    """Give a command; what it prints must be as it should. Whether it was done."""
    from distillab.cli import main

    err = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            main(words)
    except SystemExit as ended:
        code = int(ended.code or 0)
    told = err.getvalue()
    assert code in (0, 1, 2), f"exit {code}: {told}"
    assert "Traceback" not in told, told
    assert "bug in distillab" not in told, told
    assert all(one.isprintable() or one in "\n\t" for one in told), told
    assert sum(line.startswith(("distillab: ", "Error: ")) for line in told.splitlines()) <= 1, told
    return code == 0


def _damaged(content: Callable[[], bytes]) -> Callable[[], st.SearchStrategy[bytes]]:
    def cases() -> st.SearchStrategy[bytes]:
        whole = content()
        return edits.map(lambda changes: damaged(whole, changes))

    return cases


def _predictions() -> st.SearchStrategy[tuple[bytes, bytes]]:
    answers, rows = predictions()
    return st.tuples(
        edits.map(lambda changes: damaged(answers, changes)),
        st.just(rows) | edits.map(lambda changes: damaged(rows, changes)),
    )


KINDS: dict[str, Kind] = {
    "studies": Kind(trees, read_tree, 200),
    "overrides": Kind(overrides, read_overrides, 150),
    "commands": Kind(arguments, give, 150),
    "study files": Kind(_damaged(lambda: STUDY), read_text, 100),
    "npz": Kind(lambda: archives(npz), read_npz, 120),
    "tables": Kind(_damaged(table), read_table, 80),
    "image archives": Kind(_damaged(images), read_images, 60),
    "predictions": Kind(_predictions, read_predictions, 60),
    "study.db": Kind(_damaged(study), read_study, 40),
    "models": Kind(lambda: archives(model), read_model, 40),
}


def shares(cases: int) -> Iterator[tuple[str, int]]:
    """How many cases of each kind, of so many in all."""
    assert sum(kind.share for kind in KINDS.values()) == 1_000
    for name, kind in KINDS.items():
        yield name, -(-cases * kind.share // 1_000)


def timed(read: Callable[[Any], object], spent: list[float], taken: list[bool]) -> Callable[[Any], None]:
    """`check`, noting what each case takes, and whether it was accepted."""

    def one(case: Any) -> None:
        begin = time.perf_counter()
        try:
            taken.append(check(read, case))
        finally:
            spent.append(time.perf_counter() - begin)

    return one
