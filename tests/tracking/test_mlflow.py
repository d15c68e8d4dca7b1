"""The log for MLflow, read back by MLflow: a run for the study, one inside it for each student, each once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.tracking.test_tensorboard import RECORD

from distillab.errors import WorkError
from distillab.tracking import open_tracker

pytest.importorskip("mlflow", reason="pip install 'distillab[mlflow]'")
pytest.importorskip("sqlalchemy", reason="pip install 'distillab[mlflow]'")
# MLflow, its database library and what they import warn of their own future
pytestmark = pytest.mark.filterwarnings("ignore")
OTHER = dataclasses.replace(RECORD, id="fedcba9876543210", seed=4, diverged_epoch=1, metrics={})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    place = tmp_path / "demo"
    place.mkdir()
    return place


def client(folder: Path) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def runs(folder: Path) -> dict[str, Any]:
    found = client(folder)
    experiment = found.get_experiment_by_name("demo")
    return {run.data.tags.get("distillab.trial", "study"): run for run in found.search_runs([experiment.experiment_id])}


def test_students_are_runs_inside_the_studys_each_once(folder: Path) -> None:
    open_tracker("mlflow", folder).trials([RECORD])
    open_tracker("mlflow", folder).trials([RECORD, OTHER])  # another process, later
    found = runs(folder)
    assert set(found) == {"study", RECORD.id, OTHER.id}
    for name in (RECORD.id, OTHER.id):
        assert found[name].data.tags["mlflow.parentRunId"] == found["study"].info.run_id
        assert found[name].info.status == "FINISHED"
    run = found[RECORD.id]
    assert run.data.metrics["test/accuracy"] == 0.9375
    history = client(folder).get_metric_history(run.info.run_id, "epoch/loss")
    assert [(one.step, one.value) for one in history] == [(1, 1.0), (2, 0.5)]
    assert math.isnan(run.data.metrics["epoch/label_loss"])
    assert run.data.params["noise.rate"] == "0.1"
    assert found[OTHER.id].data.params["state"] == "diverged"


def test_a_run_that_was_cut_short_is_made_anew(folder: Path) -> None:
    open_tracker("mlflow", folder).trials([RECORD])
    half = client(folder)
    study = runs(folder)["study"]
    tags = {"distillab.trial": OTHER.id, "mlflow.parentRunId": study.info.run_id}
    half.create_run(study.info.experiment_id, tags=tags)
    open_tracker("mlflow", folder).trials([OTHER])
    assert runs(folder)[OTHER.id].info.status == "FINISHED"
    assert len(half.search_runs([study.info.experiment_id])) == 3


def test_figures_are_artifacts_of_the_studys_run(folder: Path) -> None:
    tracker = open_tracker("mlflow", folder)
    tracker.trials([RECORD])
    tracker.finish({"accuracy_vs_alpha": b"\x89PNG"})
    study = runs(folder)["study"]
    assert study.info.status == "FINISHED"
    listed = client(folder).list_artifacts(study.info.run_id, "figures")
    assert [one.path for one in listed] == ["figures/accuracy_vs_alpha.png"]


def test_a_log_that_cannot_be_written_is_reported_in_one_line(folder: Path) -> None:
    (folder / "mlflow.db").write_text("this is no database, and long enough to be read as one" * 50)
    with pytest.raises(WorkError, match=r"MLflow's log of demo cannot be written: .* safe in study.db") as caught:
        open_tracker("mlflow", folder).trials([RECORD])
    assert "\n" not in str(caught.value)
