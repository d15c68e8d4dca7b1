"""What docs/security.md promises: nothing read is run, nothing listens, nothing is written but where it was asked for.

What the pages of a report escape is tested beside them.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from distillab.cli import main

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "distillab"

UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}

LISTENING = {"socketserver", "http", "xmlrpc", "wsgiref", "asyncio", "multiprocessing"}

OWN_FILE = {("export/tensorflow_process.py", "load_model")}
"""Calls that read what this program has just written: a model that is admitted already, in a folder of its own."""


TRUSTED = {("models/frameworks/sklearn.py", "joblib")}
"""Modules that unpickle what the user trusts by name, with --trust; tests/models/frameworks hold that."""

OTHER_READER = {("models/frameworks/boosting.py", "load_model")}
"""Calls of that name that are no Keras: XGBoost reads numbers from JSON."""


def faults(text: str, where: str = "") -> list[str]:
    """What a module does that nothing in distillab may do, as `line: what`."""
    return [f"{node.lineno}: {told}" for node in ast.walk(ast.parse(text)) for told in _faults(node, where)]


def _faults(node: ast.AST, where: str) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        named = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
        for name in named:
            if name.split(".")[0] in UNPICKLING | LISTENING and (where, name) not in TRUSTED:
                yield f"imports {name}"
    if not isinstance(node, ast.Call):
        return
    called, last = ast.unparse(node.func), ast.unparse(node.func).split(".")[-1]
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    if called in ("eval", "exec", "compile", "os.system", "os.popen", "pandas.read_pickle", "pd.read_pickle"):
        yield f"calls {called}"
    if called in ("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "yaml.unsafe_load_all"):
        yield f"calls {called}: use distillab.study.yaml"
    if (
        last in ("load", "read_array")
        and called.split(".")[0] in ("np", "numpy")
        and given.get("allow_pickle") != "False"
    ):
        yield f"calls {called} without allow_pickle=False"
    safe = (
        given.get("safe_mode") in ("True", "not trust") or (where, last) in OWN_FILE | OTHER_READER
    )  # `trust` is the user's flag
    if last in ("load_model", "deserialize_keras_object") and not safe:
        yield f"calls {called} without safe_mode=True"
    if last == "enable_unsafe_deserialization":
        yield f"calls {called}"
    if given.get("shell", "False") != "False":
        yield f"calls {called} through a shell"
    if last in ("extractall", "extract") and given.get("filter") != "'data'":
        yield f"calls {called} without the data filter"
    elsewhere = called.endswith(("primitive.bind", "signature.bind"))  # JAX's, and that of a function's arguments
    if last in ("bind", "serve_forever", "create_server") and not elsewhere:
        yield f"calls {called}: a port is opened"
    if last in ("ElementTree", "fromstring", "XML") and "etree" in called.lower():
        yield f"calls {called}: XML of a stranger's"


def test_nothing_that_is_read_is_run_and_nothing_listens() -> None:
    found = [
        f"{path.relative_to(SOURCE).as_posix()}:{told}"
        for path in sorted(SOURCE.rglob("*.py"))
        for told in faults(path.read_text(encoding="utf-8"), path.relative_to(SOURCE).as_posix())
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "import http.server",
        "eval(text)",
        "os.system(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "keras.models.load_model(path)",
        "keras.models.load_model(path, safe_mode=False)",
        "keras.config.enable_unsafe_deserialization()",
        "subprocess.run(text, shell=True)",
        "archive.extractall(place)",
        "server.bind(('', 80))",
    ],
)
def test_what_may_not_be_done_is_found(line: str) -> None:
    assert len(faults(line)) == 1


def test_what_may_be_done_is_not_found() -> None:
    lines = (
        "np.load(path, allow_pickle=False)",
        "keras.models.load_model(path, safe_mode=not trust)",
        "re.compile(text)",
    )
    assert [faults(line) for line in lines] == [[], [], []]


def test_trust_is_off_unless_it_is_asked_for() -> None:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                words = dict(zip([one.arg for one in node.args.kwonlyargs], node.args.kw_defaults, strict=True))
                default = words.get("trust")
                assert default is None or ast.unparse(default) == "False", f"{path}:{node.lineno}"


# --- what a stranger's files can make happen ---


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, inside another that nothing may touch."""
    work = tmp_path / "outside" / "work"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return work


def given(words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(words))
    return int(ended.value.code or 0)


def _all(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*")}


TINY = (
    "train_size: 200\nteacher: {model: linear, epochs: 1}\nstudent: {model: linear}\n"
    "alpha: [0, 1]\nseeds: 1\nepochs: 1\n"
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made")
    (place / "tiny.yaml").write_text("dataset: synthetic\n" + TINY)
    assert given(f"run {place}/tiny.yaml --out {place}/tiny") == 0
    return place / "tiny"


def test_a_study_writes_into_its_folder_and_nowhere_else(study: Path, here: Path) -> None:
    import numpy as np

    outside = here.parent
    x, y = np.random.default_rng(0).random((400, 4), np.float32), np.arange(400) % 2
    np.savez(outside / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    (here / "mine.yaml").write_text(
        "question: ../../../question\ndataset: ../data.npz\n" + TINY.replace("train_size: 200", "batch_size: 9")
    )
    before = _all(outside)
    assert given("run mine.yaml --out new") == 0  # data are read where they lie
    assert given("report new") == 0
    assert given("publish new --to pages") == 0
    assert given("data export new --to rows.csv") == 0
    made = _all(outside) - before
    assert made
    assert all(name.startswith(("work/new", "work/pages", "work/rows.csv")) for name in made), made
    assert "work/pages/new.md" in made


@pytest.mark.parametrize(
    ("key", "value"),
    [("student.model", "../x"), ("teacher.model", "/tmp/x"), ("loss", "../kl"), ("metric", "../accuracy")],
)
def test_no_name_in_a_study_is_a_path(here: Path, capsys: pytest.CaptureFixture[str], key: str, value: str) -> None:
    assert given(f"run demo --set {key}={value} --out new") == 2
    assert _all(here) == set()


def test_a_stranger_in_a_folder_of_teachers_stays_there(study: Path, here: Path) -> None:
    """Merging copies files by their own names, and what a link names is left alone."""
    for name in ("ours", "theirs"):
        shutil.copytree(study, name)
    secret = here.parent / "secret.keras"
    secret.write_text("kept")
    shutil.rmtree("ours/teachers")
    (here / "ours/teachers").mkdir()
    (name,) = (path.name for path in Path("theirs/teachers").glob("*.keras"))
    Path("ours/teachers", name).symlink_to(secret)
    before = _all(here.parent)
    assert given("merge ours theirs") == 0
    assert secret.read_text() == "kept"
    assert all(name.startswith("work/ours/") for name in _all(here.parent) - before)


def test_a_page_is_named_after_its_folder_whatever_the_study_says(study: Path, here: Path) -> None:
    shutil.copytree(study, "it")
    text = Path("it/study.yaml").read_text()
    Path("it/study.yaml").write_text(re.sub(r"question: .*", "question: ../../evil", text))
    before = _all(here.parent)
    assert given("publish it --to pages") == 0
    assert all(name.startswith("work/pages") for name in _all(here.parent) - before)


def test_an_archive_is_read_and_never_unpacked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import io

    from PIL import Image

    picture = io.BytesIO()
    Image.new("L", (4, 4)).save(picture, "PNG")
    with tarfile.open("data.tar", "w") as archive:
        for part in ("train", "test"):
            for group in ("a", "b"):
                member = tarfile.TarInfo(f"../../{part}/{group}/1.png")
                member.size = len(picture.getvalue())
                archive.addfile(member, io.BytesIO(picture.getvalue()))
    before = _all(here.parent)
    assert given("data check ./data.tar") == 0
    assert _all(here.parent) == before


def test_a_study_file_that_asks_for_python_gets_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tags = ("object/apply:os.mkdir ['made']", "object/new:os.mkdir ['made']", "module:os", "name:os.system")
    for tag in tags:
        Path("study.yaml").write_text(f"dataset: !!python/{tag}\n")
        assert given("run study.yaml") == 2
        assert given(f"run demo --set {shlex.quote(f'dataset=!!python/{tag}')}") == 2
    assert _all(here) == {"study.yaml"}


# --- docs/security.md ---


def test_the_audit_names_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[^A-Za-z0-9_.-]", one, maxsplit=1)[0].lower() for one in asked}
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    table = text.partition("## Dependencies")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    told = {name.strip().lower() for row in rows[1:] for name in row.split("|")[1].split(",")}
    assert told == names
    assert "pip-audit -r constraints.txt" in text
