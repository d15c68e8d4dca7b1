"""The commands as a user meets them: what they print, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from distillab.cli import main
from distillab.cli.options import _bytes
from distillab.study.folder import Folder
from distillab.study.spec import presets, read_spec

TINY = [
    *("--set", "dataset=synthetic"),
    *("--set", "train_size=200"),
    *("--set", "teacher={model: cnn-4-6, epochs: 1}"),
    *("--set", "student.model=cnn-2-3"),
    *("--set", "alpha=0,0.5,1"),
    *("--set", "seeds=6"),
    *("--set", "epochs=1"),
]


class Result:
    """What a command printed, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Command = Callable[..., Result]


@pytest.fixture
def distillab(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process."""

    def call(*words: str) -> Result:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        result = capsys.readouterr()
        return Result(int(ended.value.code or 0), result.out, result.err)

    return call


@pytest.mark.parametrize("group", [[], ["data"]])
def test_a_group_without_a_command_prints_its_help(group: list[str], distillab: Command) -> None:
    asked, bare = distillab(*group, "--help"), distillab(*group)
    assert (asked.code, bare.code, bare.out) == (0, 2, "")
    assert bare.err.strip() == asked.out.strip()
    assert bare.err.splitlines()[0].startswith(f"Usage: {' '.join(['distillab', *group])} [OPTIONS] COMMAND")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with pytest.raises(SystemExit) as ended:
        main(["run", "demo", *TINY, "--out", str(folder)])
    assert not ended.value.code
    return folder


def test_run_prints_the_answer_in_four_sentences(finished: Path, distillab: Command) -> None:
    result = distillab("run", "demo", *TINY, "--out", str(finished))
    assert result.code == 0
    sentences = re.split(r"(?<=[.]) (?=[A-Z])", " ".join(result.out.split()))
    assert len(sentences) == 4
    assert sentences[2].startswith("For other seeds and other test examples (6 seeds, ")
    assert re.match("Supported|Practically equivalent|Contradicted|Undecided", sentences[0])
    assert "0 of 18 students trained" in result.err


def test_report_prints_the_paths_it_has_written(finished: Path, distillab: Command) -> None:
    result = distillab("report", str(finished))
    paths = [Path(line) for line in result.out.splitlines()]
    assert paths[0] == finished / "figures" / "accuracy_vs_alpha.png"
    assert finished / "report.html" in paths
    assert all(path.is_file() and path.stat().st_size > 0 for path in paths)


def test_studies_are_compared_in_the_file_named(finished: Path, distillab: Command, tmp_path: Path) -> None:
    other = tmp_path / "tiny"
    shutil.copytree(finished, other)
    result = distillab("report", str(finished), str(other), "--out", str(tmp_path / "both.html"))
    assert (result.code, result.out.strip()) == (0, str(tmp_path / "both.html"))
    text = (tmp_path / "both.html").read_text(encoding="utf-8")
    for folder in (finished, other):  # both are called tiny: result apart by the folders they lie in
        assert f"{folder.parent.name}/tiny" in text
    result = distillab("report", str(finished), str(other), "--out", str(tmp_path))
    assert result.code == 2
    assert "is a folder. Name a file with --out" in result.err


def test_a_study_is_checked_merged_and_written_as_a_table(finished: Path, distillab: Command, tmp_path: Path) -> None:
    result = distillab("data", "check", str(finished))
    assert result.code == 0
    assert "sound; 18 students, teachers: 1, runs: " in result.out
    shutil.copytree(finished, tmp_path / "tiny")
    result = distillab("merge", str(tmp_path / "tiny"), str(finished))
    assert (result.code, result.out) == (0, f"{finished}: 0 students added, 18 were there already.\n")
    result = distillab("data", "export", str(finished), "--to", str(tmp_path / "rows.csv"))
    assert result.code == 0
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert len(lines) == 19
    assert lines[0].startswith("id,seed,alpha,state,")
    assert "test_accuracy" in lines[0]
    result = distillab("data", "export", str(finished), "--to", str(tmp_path / "epochs.csv"), "--epochs")
    assert len((tmp_path / "epochs.csv").read_text().splitlines()) == 19  # an epoch each
    with (tmp_path / "tiny" / "study.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    assert distillab("data", "check", str(tmp_path / "tiny")).code != 0


def test_a_log_begun_late_holds_the_students_of_earlier_runs(
    finished: Path, distillab: Command, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboardX", reason="pip install 'distillab[tensorboard]'")
    folder = tmp_path / "logged"
    shutil.copytree(finished, folder)
    result = distillab("run", "demo", *TINY, "--set", "seeds=7", "--out", str(folder), "--log", "tensorboard")
    assert result.code == 0
    assert "3 of 21 students trained" in result.err
    assert len(list((folder / "tensorboard").glob("alpha=*"))) == 21
    assert (folder / "tensorboard" / "figures").is_dir()


def test_answer_by_another_metric_asks_the_same_students(finished: Path, distillab: Command) -> None:
    by_accuracy, by_f1 = (
        json.loads(distillab("answer", str(finished), "--format", "json", *more).out)
        for more in ([], ["--metric", "f1_macro"])
    )
    assert (by_accuracy["metric"], by_f1["metric"]) == ("accuracy", "f1_macro")
    assert by_accuracy["settings"][0]["alphas"] != by_f1["settings"][0]["alphas"]
    assert "macro F1" in distillab("answer", str(finished), "--metric", "f1_macro").out
    refused = distillab("answer", str(finished), "--metric", "f1_makro")
    assert refused.code == 2
    assert "There is no metric to compare alphas by 'f1_makro'. Did you mean 'f1_macro'?" in refused.err


def test_answer_as_text_and_as_json_say_the_same(finished: Path, distillab: Command) -> None:
    text, machine = distillab("answer", str(finished)), distillab("answer", str(finished), "--format", "json")
    found = json.loads(machine.out)
    assert found["question"] in text.out
    assert text.code == machine.code == 0


def test_studies_lists_every_preset(distillab: Command) -> None:
    lines = distillab("studies").out.splitlines()
    assert [line.split()[0] for line in lines] == list(presets())


def test_data_lists_checks_and_finds(distillab: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISTILLAB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    listed = distillab("data", "list")
    assert "digits" in listed.out
    assert "missing" in listed.out
    assert distillab("data", "check", "digits").code == 0
    assert distillab("data", "check", "mnist").code == 1
    assert distillab("data", "path", "mnist").code == 1
    wrong = distillab("data", "check", "mnits")
    assert (wrong.code, wrong.out) == (2, "")
    assert "Did you mean 'mnist'?" in wrong.err


def test_data_path_prints_the_file(distillab: Command, data_dir: Path) -> None:
    assert distillab("data", "path", "mnist", "--data-dir", str(data_dir)).out.strip() == str(data_dir / "mnist.npz")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "dmeo"], "There is no study 'dmeo'. Did you mean 'demo'?"),
        (["run", "demo", "--set", "alpha=1.2"], "alpha=1.2 is not allowed"),
        (["run", "demo", "--set", "temperature=0"], "temperature=0 is not allowed: it must be greater than 0"),
        (["run", "demo", "--set", "seeds=0"], "seeds=0 is not allowed: it must be at least 1"),
        (["run", "demo", "--set", "batch_size=5000"], "batch_size=5000 is not allowed: it must be at most"),
        (["run", "demo", "--set", "tempreature=2"], "Did you mean 'temperature'?"),
        (["run", "demo", "--set", "epochs=many"], "epochs='many' is not allowed: it must be a whole number"),
        (["run", "demo", "--set", "dataset=mnsit"], "There is no data set 'mnsit'"),
        (["run", "demo", "--data-dir", "/no/such/folder"], "/no/such/folder"),
        (["run", "demo", "--devices", "0"], "devices=0 is not allowed"),
        (["run", "demo", "--executor", "moon"], "moon"),
        (["answer", "/no/such/folder"], "There is no folder '/no/such/folder'"),
        (["report", "/no/such/folder"], "There is no folder '/no/such/folder'"),
        (["report", "/no/such/folder", "/nor/this"], "There is no folder '/no/such/folder'"),
        (["report", "/no/such/folder", "/no/such/folder"], "folder is given twice. Name each study once."),
        (["report", "/no/such/folder", "--out", "one.html"], "There is no folder '/no/such/folder'"),
        (["report"], "Missing argument 'DIR...'"),
        (["merge", "/no/such/folder", "/nor/this"], "There is no folder '/no/such/folder'"),
        (["data", "export", "/no/such/folder", "--to", "rows.csv"], "There is no folder '/no/such/folder'"),
        (["data", "export", "/no/such/folder", "--to", "rows.xls"], "a name that ends in .csv or .parquet"),
        (["run", "demo", "--log", "paper"], "paper"),
        (["run", "demo", "--address", "auto"], "--address is for a cluster. Add --executor ray"),
        (["run", "demo", "--part", "3/2"], "--part='3/2' is not allowed: it must be K/N with K from 1 to N"),
        (["run", "demo", "--part", "half"], "--part='half' is not allowed"),
        (["run", "demo", "--worker-cpus", "2"], "--worker-cpus is for a cluster"),
        (["run", "demo", "--executor", "ray", "--worker-cpus", "0"], "0 is not in the range x>=1"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_a_wrong_request_gets_one_clear_line_and_exit_2(
    distillab: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Sequence[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = distillab(*words)
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err
    assert result.out == ""
    assert not list(tmp_path.iterdir())


def test_a_truncated_data_file_gets_one_clear_line(distillab: Command, data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "mnist.npz").write_bytes((data_dir / "mnist.npz").read_bytes()[:100_000])
    result = distillab("run", "alpha", "--data-dir", str(tmp_path), "--out", str(tmp_path / "out"))
    assert result.code == 2
    assert result.err.startswith("distillab: ")
    assert "mnist.npz" in result.err
    assert not (tmp_path / "out").exists()


def test_a_corrupt_store_is_refused_and_left(distillab: Command, finished: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text((finished / "study.yaml").read_text())
    (tmp_path / "study.db").write_bytes(b"x" * 5000)
    for words in (["answer", str(tmp_path)], ["run", "demo", *TINY, "--out", str(tmp_path)]):
        result = distillab(*words)
        assert result.code == 2
        assert "study.db is corrupt or not a distillab study" in result.err
    assert (tmp_path / "study.db").read_bytes() == b"x" * 5000


def test_an_unforeseen_fault_is_one_line_and_its_traceback_comes_with_debug(
    distillab: Command, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by surprise")

    monkeypatch.setattr("distillab.api.study.analyse", broken)
    plain, debug = distillab("answer", str(finished)), distillab("--debug", "answer", str(finished))
    assert plain.code == debug.code == 1
    assert plain.err.startswith("distillab: ZeroDivisionError: by surprise")
    assert "Traceback" not in plain.err
    assert "Traceback" in debug.err


@pytest.mark.parametrize("words", [[], ["run"], ["answer"], ["report"], ["data"], ["studies"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = f"""
import sys
from distillab.cli import main
try:
    main({[*words, "--help"]!r})
except SystemExit as ended:
    assert not ended.code
heavy = [name for name in ("keras", "jax", "altair", "numpy", "scipy", "pydantic") if name in sys.modules]
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert "Usage: distillab" in done.stdout


def test_answering_imports_no_engine_and_no_drawing(tmp_path: Path) -> None:
    study = tmp_path / "study"
    with Folder(study).write(read_spec({"dataset": "digits"})):
        pass
    code = f"""
import sys
from distillab.cli import main
try:
    main(["answer", {str(study)!r}])
except SystemExit as ended:
    assert not ended.code
heavy = [name for name in ("keras", "jax", "altair", "sklearn", "pandas", "scipy.stats") if name in sys.modules]
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert "No verdict" in done.stdout


@pytest.mark.parametrize(
    ("size", "read"), [("1000", 1000), ("4GiB", 4 * 2**30), ("500MB", 500_000_000), ("1.5 kb", 1500)]
)
def test_sizes_are_read_in_bytes(size: str, read: int) -> None:
    assert _bytes(size) == read


@pytest.mark.parametrize("size", ["", "0", "much", "-1GB", "4 bananas"])
def test_a_size_that_is_none_is_refused_before_anything_is_written(
    size: str, distillab: Command, tmp_path: Path
) -> None:
    result = distillab("run", "demo", "--memory", size, "--out", str(tmp_path / "x"))
    assert result.code == 2
    assert result.err.startswith(
        f"distillab: --memory={size!r} is not allowed: it must be a number of bytes, or a size"
    )
    assert not (tmp_path / "x").exists()


def test_a_quick_run_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, distillab: Command
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        "dataset: synthetic\ntrain_size: 200\nteacher: {model: cnn-4-6, epochs: 1}\nstudent: {model: cnn-2-3}\n"
        "alpha: [0, 0.5, 1]\nseeds: 20\nquick: {seeds: 1, epochs: 1, alpha: [0, 1], teacher.batch_size: 32}\n"
    )
    result = distillab("run", "mine.yaml", "--quick")
    assert result.code == 0
    assert "2 of 2 students trained" in result.err
    assert [path.name for path in Path("runs").iterdir()] == ["mine-quick"]


def test_a_study_without_a_quick_size_says_how_to_give_one(tmp_path: Path, distillab: Command) -> None:
    (tmp_path / "mine.yaml").write_text("dataset: digits\n")
    result = distillab("run", str(tmp_path / "mine.yaml"), "--quick")
    assert result.code == 2
    assert "gives no quick size. Add a line such as 'quick: {seeds: 2, epochs: 1}'." in result.err


def test_thousands_of_students_are_trained_only_when_asked_for_twice(tmp_path: Path, distillab: Command) -> None:
    result = distillab("run", "demo", *TINY, "--set", "seeds=2001", "--out", str(tmp_path / "many"))
    assert result.code == 2
    assert "Add --yes to train them all, or shorten an axis." in result.err
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "many").exists()


def test_publish_writes_a_page_and_prints_its_paths(finished: Path, tmp_path: Path, distillab: Command) -> None:
    result = distillab("publish", str(finished), "--to", str(tmp_path / "pages"))
    assert result.code == 0
    paths = [Path(line) for line in result.out.splitlines()]
    assert paths[0].name == "tiny.md"
    assert paths[-1].name == "README.md"
    assert all(path.is_file() for path in paths)


def test_publish_takes_no_two_folders_of_one_name(finished: Path, tmp_path: Path, distillab: Command) -> None:
    result = distillab(
        "publish", str(finished), str(tmp_path / "other" / finished.name), "--to", str(tmp_path / "pages")
    )
    assert result.code == 2
    assert "DIR='tiny' is not allowed: it must be given once" in result.err
    assert not (tmp_path / "pages").exists()


def test_answer_by_a_metric_of_which_less_is_better(finished: Path, distillab: Command) -> None:
    result = distillab("answer", str(finished), "--metric", "nll")
    assert result.code == 0
    assert "test nats" in result.out
