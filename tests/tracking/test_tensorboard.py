"""The log for TensorBoard: every student once, with the store's numbers, whatever was interrupted."""

from __future__ import annotations

import builtins
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillab.errors import RequestError, WorkError
from distillab.study.storage.records import TrialResult
from distillab.tracking import name_of, open_tracker

pytest.importorskip("tensorboardX", reason="pip install 'distillab[tensorboard]'")
RECORD = TrialResult(
    id="0123456789abcdef",
    seed=3,
    alpha=0.25,
    coordinates={"alpha": 0.25},
    settings={"alpha": 0.25, "noise": {"rate": 0.1, "matrix": None}, "dataset": "digits"},
    teacher="t",
    epochs=[(1.0, 0.5, 0.25, 0.75), (0.5, float("nan"), 0.125, 0.875)],
    metrics={("test", "accuracy"): 0.9375, ("validation", "accuracy"): 0.8125},
)


def events(place: Path) -> list[Any]:
    """Everything in a run's file: records of a length, its check, the event, its check."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = place.glob("events.*")
    data, found = io.BytesIO(path.read_bytes()), []
    while head := data.read(12):
        (length,) = struct.unpack("<Q", head[:8])
        found.append(Event.FromString(data.read(length)))
        data.read(4)
    return found


def scalars(place: Path) -> dict[tuple[str, int], float]:
    return {
        (value.tag, event.step): value.simple_value
        for event in events(place)
        for value in event.summary.value
        if value.HasField("simple_value")
    }


def test_a_student_is_a_run_with_its_numbers(tmp_path: Path) -> None:
    open_tracker("tensorboard", tmp_path).trials([RECORD])
    found = scalars(tmp_path / "tensorboard" / name_of(RECORD))
    assert found["epoch/loss", 1] == 1.0
    assert found["epoch/loss", 2] == 0.5
    assert np.isnan(found["epoch/label_loss", 2])
    assert found["epoch/validation_accuracy", 2] == 0.875
    assert found["test/accuracy", 2] == 0.9375
    assert len(found) == 2 * 4 + 2


def test_its_settings_are_hyper_parameters(tmp_path: Path) -> None:
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    open_tracker("tensorboard", tmp_path).trials([RECORD])
    message: dict[str, Any] = {}
    for event in events(tmp_path / "tensorboard" / name_of(RECORD)):
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "hparams":
                content = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                message |= dict(content.session_start_info.hparams.items())
    assert message["alpha"].number_value == 0.25
    assert message["noise.rate"].number_value == 0.1
    assert message["noise.matrix"].string_value == "none"
    assert message["state"].string_value == "finished"


def test_a_student_is_logged_once_however_often_it_is_given(tmp_path: Path) -> None:
    open_tracker("tensorboard", tmp_path).trials([RECORD])
    (path,) = (tmp_path / "tensorboard" / name_of(RECORD)).iterdir()
    before = path.stat().st_mtime_ns
    open_tracker("tensorboard", tmp_path).trials([RECORD])
    assert [one.stat().st_mtime_ns for one in path.parent.iterdir()] == [before]


def test_what_was_left_half_written_is_written_anew(tmp_path: Path) -> None:
    half = tmp_path / "tensorboard" / f".{name_of(RECORD)}"
    half.mkdir(parents=True)
    (half / "events.out").write_text("half")
    open_tracker("tensorboard", tmp_path).trials([RECORD])
    assert not half.exists()
    assert scalars(tmp_path / "tensorboard" / name_of(RECORD))


def test_the_figures_of_the_last_run_are_there(tmp_path: Path) -> None:
    from PIL import Image

    tracker = open_tracker("tensorboard", tmp_path)
    for width in (4, 6):
        buffer = io.BytesIO()
        Image.new("RGB", (width, 3), "red").save(buffer, format="PNG")
        tracker.finish({"accuracy_vs_alpha": buffer.getvalue()})
    images = [value for event in events(tmp_path / "tensorboard" / "figures") for value in event.summary.value]
    assert [(image.tag, image.image.width, image.image.height) for image in images] == [("accuracy_vs_alpha", 6, 3)]


def test_a_log_that_cannot_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    with pytest.raises(WorkError, match=r"cannot be written: .* The results are safe in study.db") as caught:
        open_tracker("tensorboard", tmp_path).trials([RECORD])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "package"), [("tensorboard", "tensorboardX"), ("mlflow", "mlflow")])
def test_without_its_library_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: Any, package: str
) -> None:
    real = builtins.__import__

    def without(module: str, *args: Any, **kwargs: Any) -> Any:
        if module.partition(".")[0] == package:
            raise ImportError(module, name=module)
        return real(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RequestError, match=rf"--log {name} needs .*pip install 'distillab\[{name}\]'"):
        open_tracker(name, tmp_path)
    assert not list(tmp_path.iterdir())
