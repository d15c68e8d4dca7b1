"""A study in a notebook: what it shows is escaped, and there however little there is; its tables are the rows."""

from __future__ import annotations

import base64
import builtins
import math
import re

import pytest
from tests.report.test_page import hump, store_study

import distillab
from distillab.api.study import Study
from distillab.errors import RequestError
from distillab.study.folder import Folder


@pytest.fixture
def study(rows, tmp_path) -> Study:
    spec = rows.spec(noise={"rate": [0, 0.1]}, seeds=3)
    folder = Folder(tmp_path / "study")
    store_study(folder, spec, rows.trials(spec, hump, diverged={(0.5, 1)}), rows.teachers())
    return Study.load(folder.path)


def test_it_is_found_in_the_package():
    assert distillab.Study is Study


def test_the_table_has_a_row_a_student_and_the_stores_numbers(study):
    table = study.to_pandas()
    assert list(table.columns[:7]) == ["id", "seed", "alpha", "noise.rate", "state", "diverged_epoch", "teacher"]
    assert len(table) == len(study.results.trials) == 18
    by_id = table.set_index("id")
    for trial in study.results.trials:
        row = by_id.loc[trial.id]
        assert (row["seed"], row["alpha"]) == (trial.seed, trial.alpha)
        assert row["noise.rate"] == trial.settings["noise"]["rate"]
        if trial.diverged_epoch is None:
            assert row["test_accuracy"] == trial.metrics["test", "accuracy"]
        else:
            assert (row["state"], row["diverged_epoch"]) == ("diverged", trial.diverged_epoch + 1)
            assert math.isnan(row["test_accuracy"])


def test_epochs_have_a_row_each(study):
    table = study.epochs_to_pandas()
    assert len(table) == sum(len(trial.epochs) for trial in study.results.trials)
    trial = study.results.trials[0]
    mine = table[table["id"] == trial.id]
    assert mine["epoch"].tolist() == [1, 2]
    assert mine[["loss", "label_loss", "distillation_loss", "validation_accuracy"]].to_numpy().tolist() == [
        list(e) for e in trial.epochs
    ]


def test_a_notebook_shows_the_answer_and_the_key_figure(study):
    shown = study._repr_html_()
    assert shown.count("<tr>") == 3  # the head and two settings
    for finding in study.answer().settings:
        assert finding.label in shown
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]+)"', shown)
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert repr(study) == '<Study "How does alpha change the student\'s accuracy?": 2 settings, 18 of 18 students>'


def test_what_a_study_calls_itself_is_escaped(rows, tmp_path):
    folder = Folder(tmp_path / "study")
    store_study(folder, rows.spec(question="<script>alert(1)</script>"), [], {})
    shown = Study.load(folder.path)._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "The study is not finished: 9 missing." in shown


def test_an_empty_study_has_empty_tables(rows, tmp_path):
    folder = Folder(tmp_path / "study")
    store_study(folder, rows.spec(), [], {})
    study = Study.load(str(folder.path))
    assert (len(study.to_pandas()), len(study.epochs_to_pandas())) == (0, 0)
    assert "alpha" in study.to_pandas().columns


def test_figures_are_those_of_the_report(study):
    assert study.figures == ("accuracy_vs_alpha", "learning_curves", "alpha_across")
    figure = study.figure("learning_curves")
    assert len(figure.concat) == 2  # a panel for each setting
    with pytest.raises(RequestError, match=r"accuracy_vs_alpha"):
        study.figure("acuracy_vs_alpha")


def test_without_pandas_it_says_what_to_install(study, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RequestError, match=r"needs pandas. Install it: pip install 'distillab\[pandas\]'"):
        study.to_pandas()


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(RequestError, match="holds no study"):
        Study.load(tmp_path)
