"""A log for MLflow: a run for the study, and a nested run for each student."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from distillab.errors import RequestError, WorkError
from distillab.study.storage.records import TrialResult
from distillab.tracking import name_of, scalars_of, settings_of

STUDY, TRIAL, PARENT = "distillab.study", "distillab.trial", "mlflow.parentRunId"
MOST_METRICS, MOST_PARAMETERS, LONGEST = 1000, 100, 6000
"""MLflow's limits: metrics and parameters per request, and characters per parameter."""


class MLflow:
    """Runs in an experiment named after the study: in `mlflow.db` of its folder, or at MLFLOW_TRACKING_URI.

    Args:
        folder: the study's folder.

    Raises:
        RequestError: MLflow is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read once, when MLflow is imported
        try:
            import mlflow.tracking  # noqa: F401
            import sqlalchemy  # noqa: F401
        except ImportError as error:
            raise RequestError(
                f"--log mlflow needs {error.name or 'mlflow'}. Install it: pip install 'distillab[mlflow]'"
            ) from error
        self.folder = Path(folder).resolve()

    def trials(self, results: Sequence[TrialResult]) -> None:
        """Create a run for each student that has none.

        Args:
            results: the students' results.
        """
        with _writing(self.folder):
            for result in results:
                if result.id not in self._logged:
                    self._log(result)
                    self._logged.add(result.id)

    def finish(self, figures: Mapping[str, bytes]) -> None:
        """Add the figures to the study's run, and end it.

        Args:
            figures: PNG files by name.
        """
        with _writing(self.folder), tempfile.TemporaryDirectory() as temporary:
            for name, png in figures.items():
                path = Path(temporary) / f"{name}.png"
                path.write_bytes(png)
                self._client.log_artifact(self._study, str(path), "figures")
            self._client.set_terminated(self._study)

    def _log(self, result: TrialResult) -> None:
        from mlflow.entities import Metric, Param

        client, now = self._client, _now()
        tags = {TRIAL: result.id, PARENT: self._study}
        run = client.create_run(self._experiment, start_time=now, tags=tags, run_name=name_of(result)).info.run_id
        parameters = [Param(key, str(value)[:LONGEST]) for key, value in settings_of(result).items()]
        for first in range(0, len(parameters), MOST_PARAMETERS):
            client.log_batch(run, params=parameters[first : first + MOST_PARAMETERS])
        metrics = [Metric(name, value, now, epoch) for name, value, epoch in scalars_of(result)]
        for first in range(0, len(metrics), MOST_METRICS):
            client.log_batch(run, metrics=metrics[first : first + MOST_METRICS])
        client.set_terminated(run)

    @cached_property
    def _client(self) -> Any:
        from mlflow.tracking import MlflowClient

        self.folder.mkdir(parents=True, exist_ok=True)
        return MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.folder / 'mlflow.db'}")

    @cached_property
    def _experiment(self) -> str:
        name = self.folder.name
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        artifacts = None if os.environ.get("MLFLOW_TRACKING_URI") else (self.folder / "mlflow-artifacts").as_uri()
        return str(self._client.create_experiment(name, artifact_location=artifacts))

    @cached_property
    def _study(self) -> str:
        """The run of the study, created if there is none."""
        runs = self._client.search_runs([self._experiment], f"tags.`{STUDY}` = 'yes'")
        new = {"tags": {STUDY: "yes"}, "run_name": self.folder.name}
        run = runs[0] if runs else self._client.create_run(self._experiment, **new)
        return str(run.info.run_id)

    @cached_property
    def _logged(self) -> set[str]:
        """The identities of the students in the log; incomplete runs are deleted from it."""
        logged: set[str] = set()
        token, query = None, f"tags.`{PARENT}` = '{self._study}'"
        while True:
            page = self._client.search_runs([self._experiment], query, page_token=token)
            for run in page:
                if run.info.status == "FINISHED":
                    logged.add(run.data.tags[TRIAL])
                else:
                    self._client.delete_run(run.info.run_id)
            token = page.token
            if not token:
                return logged


def _now() -> int:
    return int(1000 * time.time())


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn a failure to write into a one-line error."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OSError, MlflowException, SQLAlchemyError) as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WorkError(
            f"MLflow's log of {folder.name} cannot be written: {line}. The results are safe in study.db: the same "
            "command again logs what is missing."
        ) from error
