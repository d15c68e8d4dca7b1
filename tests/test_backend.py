"""KERAS_BACKEND is checked before Keras is imported and before anything is written."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from distillab.backend import check_backend, need_jax
from distillab.errors import RequestError

RUN_JAX = "Run with KERAS_BACKEND=jax"


@pytest.fixture
def without_keras(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process that has not imported Keras, where JAX alone is installed."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("tensorflow", "torch") else "found")
    return monkeypatch


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        (
            "tensorflow",
            f"KERAS_BACKEND=tensorflow is set, and TensorFlow is not installed. {RUN_JAX}, or install "
            "distillab[tensorflow].",
        ),
        ("torch", f"KERAS_BACKEND=torch is set, and PyTorch is not installed. {RUN_JAX}, or install distillab[torch]."),
        ("jaxx", f"KERAS_BACKEND='jaxx' is not allowed: it must be jax, tensorflow or torch. {RUN_JAX}, or unset it."),
        (
            "openvino",
            f"KERAS_BACKEND='openvino' is not allowed: it must be jax, tensorflow or torch. {RUN_JAX}, or unset it.",
        ),
    ],
)
def test_a_backend_that_cannot_be_used_is_refused(without_keras, backend, message):
    without_keras.setenv("KERAS_BACKEND", backend)
    with pytest.raises(RequestError) as refusal:
        check_backend()
    assert str(refusal.value) == message


@pytest.mark.parametrize("backend", ["jax", ""])
def test_jax_is_used_where_it_is_asked_for_or_nothing_is(without_keras, backend):
    without_keras.setenv("KERAS_BACKEND", backend)
    check_backend()
    need_jax("A study")


@pytest.mark.parametrize("installed", [True, False])
def test_what_needs_jax_refuses_another_backend_installed_or_not(without_keras, installed):
    without_keras.setenv("KERAS_BACKEND", "torch")
    if installed:
        without_keras.setattr(importlib.util, "find_spec", lambda name: "found")
        check_backend()
    with pytest.raises(RequestError, match=rf"KERAS_BACKEND=torch is set, and a study needs JAX\. {RUN_JAX}\."):
        need_jax("A study")


def test_what_needs_jax_refuses_keras_that_already_runs_on_another_backend(monkeypatch):
    import keras

    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    check_backend()
    message = "A study needs Keras on JAX, and Keras runs on torch. Set KERAS_BACKEND=jax before"
    with pytest.raises(RequestError, match=message):
        need_jax("A study")


PROGRAM = """
import json, sys
from contextlib import redirect_stderr
from io import StringIO
from distillab.cli import main
results = {}
for words in json.loads(sys.argv[1]):
    with redirect_stderr(StringIO()) as err:
        try:
            main(words)
        except SystemExit as ended:
            results[" ".join(words)] = ended.code or 0, err.getvalue()
import distillab
for name in ("Distiller", "distill", "losses.kl", "Study.run"):
    try:
        value = distillab
        for part in name.split("."):
            value = getattr(value, part)
        if name == "Study.run":
            value({"dataset": "digits", "seeds": 2}, "study")
    except distillab.errors.RequestError as error:
        results[name] = 2, str(error)
assert "keras" not in sys.modules
print("\\n" + json.dumps(results))
"""
NEED_JAX = (
    ["run", "demo", "--out", "out"],
    ["distill", "--teacher", "t.keras", "--student", "linear", "--data", "digits", "--out", "out"],
    ["export", "t.keras", "--to", "onnx", "--out", "t.onnx"],
)
NEED_NO_KERAS = (["--help"], ["run", "--help"], ["studies"], ["data", "check", "digits"])


def test_commands_say_so_before_they_write_and_those_without_keras_work(tmp_path: Path) -> None:
    environment = os.environ | {"KERAS_BACKEND": "jaxx"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([*NEED_JAX, *NEED_NO_KERAS])],
        capture_output=True, text=True, check=False, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    message = f"KERAS_BACKEND='jaxx' is not allowed: it must be jax, tensorflow or torch. {RUN_JAX}, or unset it."
    for words in NEED_JAX:
        assert results.pop(" ".join(words)) == [2, f"distillab: {message}\n"]
    for words in NEED_NO_KERAS:
        assert results.pop(" ".join(words)) == [0, ""]
    assert results == {name: [2, message] for name in ("Distiller", "distill", "losses.kl", "Study.run")}
    assert list(tmp_path.iterdir()) == []


def test_an_empty_variable_means_jax_whatever_keras_json_says(tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')
    environment = os.environ | {"KERAS_BACKEND": "", "KERAS_HOME": str(tmp_path)}
    command = "import distillab, keras, sys; sys.exit(keras.config.backend() != 'jax')"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
