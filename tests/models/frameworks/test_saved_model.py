"""SavedModels as teachers."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.frameworks import saved_model as module
from distillab.models.frameworks.saved_model import is_saved_model, saved_model

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="the extra `tensorflow` is not installed"
)

MAKE = """
import sys, tensorflow as tf
class Plain(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3])])
    def __call__(self, x):
        return tf.concat([x, -x], 1)
class Reader(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3])])
    def __call__(self, x):
        with tf.control_dependencies([tf.io.read_file("/etc/hostname")]):
            return tf.concat([x, -x], 1)
for name, made in (("plain", Plain()), ("reader", Reader())):
    tf.saved_model.save(made, f"{sys.argv[1]}/{name}")
"""


@needs_tensorflow
def test_a_graph_predicts_and_one_that_reads_files_is_refused(tmp_path: Path):
    subprocess.run([sys.executable, "-c", MAKE, str(tmp_path)], check=True, capture_output=True)
    assert is_saved_model(tmp_path / "plain")
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(saved_model(tmp_path / "plain")(x), np.concatenate([x, -x], 1))
    with pytest.raises(RequestError, match=r"ReadFile.*--trust"):
        saved_model(tmp_path / "reader")
    assert saved_model(tmp_path / "reader", trust=True)(x).shape == (2, 6)
    (tmp_path / "plain" / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(RequestError, match="cannot be loaded"):
        saved_model(tmp_path / "plain")


def test_without_tensorflow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"distillab\[tensorflow\]"):
        saved_model(tmp_path)
