"""Settings of several outputs: which trials they make, which programs, and which teachers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from distillab.errors import RequestError
from distillab.study.settings import Settings
from distillab.study.spec import Spec, read_spec
from distillab.study.trials import group_key, study_trials, teacher_identity, trial


def of(outputs: dict[str, Any] | None = None, **more: Any) -> Settings:
    return Settings(dataset="d", task="several", **({} if outputs is None else {"outputs": outputs}), **more)


def test_what_is_stated_of_outputs_is_part_of_a_trials_identity_and_nothing_is_none() -> None:
    plain = trial(of(), 0, "data", {}).id
    assert trial(of({}), 0, "data", {}).id == plain
    assert trial(of({"age": {"alpha": 0.5}}), 0, "data", {}).id != plain
    assert trial(of({"age": {"weight": 2}}), 0, "data", {}).id != plain
    assert "outputs" not in of().model_dump()
    assert hash(of({"age": {"alpha": 0.5}})) == hash(of({"age": {"alpha": 0.5}}))


def test_other_outputs_are_another_program_and_other_weights_another_teacher() -> None:
    plain, fixed, weighed = of(), of({"age": {"alpha": 0.5}}), of({"age": {"weight": 2}})
    assert len({group_key(settings) for settings in (plain, fixed, weighed)}) == 3
    teachers = [teacher_identity(settings, "data") for settings in (plain, fixed, weighed)]
    assert teachers[0] == teachers[1] != teachers[2]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"outputs": {"age": {"alpha": 1.5}}}, r"outputs\.age\.alpha=1\.5 is not allowed: it must be at most 1"),
        ({"outputs": {"age": {"weight": -1}}}, r"outputs\.age\.weight=-1 is not allowed: it must be at least 0"),
        ({"outputs": {"age": {"temperature": 1}}}, r"outputs\.age\.temperature"),
        ({"task": "binary", "outputs": {"age": {"alpha": 0.5}}}, "outputs is not allowed with task=binary"),
        ({"noise": {"rate": 0.1}}, "Label noise is not defined for task=several"),
        ({"metric": "age.mea"}, "metric='mea' is not allowed: it must be one of"),
    ],
)
def test_a_wrong_value_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_spec({"dataset": "d.npz", "task": "several", **keys})


def test_a_study_file_states_outputs_and_is_written_as_it_was_read() -> None:
    tree = {"dataset": "d.npz", "task": "several", "alpha": [0, 1], "outputs": {"age": {"alpha": 0.5}}, "seeds": 1}
    spec = read_spec(tree)
    assert spec.objective.metric == "score"
    assert read_spec({**tree, "metric": "age.r2"}).objective.metric == "age.r2"
    again = read_spec(yaml.safe_load(spec.to_yaml()))
    assert isinstance(again, Spec)
    assert again == spec
    several = read_spec({**tree, "outputs": [{}, {"age": {"alpha": 0.5}}]})
    assert len(list(study_trials(several, "data"))) == 4


def test_a_study_trains_students_of_several_outputs(tmp_path: Path) -> None:
    from distillab import Study

    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3)).astype(np.float32)
    labels = {"age": x[:, 0] + 40, "income": (x[:, 1] > 0).astype(int)}
    parts = {"train": slice(0, 60), "test": slice(60, 90)}
    arrays = {f"x_{part}": x[rows] for part, rows in parts.items()}
    arrays |= {f"y_{part}_{name}": of[rows] for part, rows in parts.items() for name, of in labels.items()}
    np.savez(tmp_path / "d.npz", **arrays)
    study, _ = Study.run(
        {
            "dataset": str(tmp_path / "d.npz"),
            "task": "several",
            "outputs": {"age": {"alpha": 0.5, "task": "regression"}, "income": {"task": "binary"}},
            "teacher": {"model": "mlp-8", "epochs": 1, "batch_size": 16},
            "student": {"model": "mlp-2"},
            "alpha": [0, 1],
            "epochs": 1,
            "seeds": 1,
        },
        tmp_path / "out",
    )
    names = {name for one in study.results.trials for _, name in one.metrics}
    assert {"score", "age.r2", "income.auroc"} <= names
