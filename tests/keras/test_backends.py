"""The same distillation on every backend that is installed: losses step by step, from the same weights and data."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import json, sys
import keras
import numpy as np
from distillab import AlphaSchedule, Distiller, with_teacher_logits

rng = np.random.default_rng(0)
x = rng.standard_normal((160, 8, 8, 1)).astype("float32")
y = rng.integers(0, 5, 160)


def model(width, seed):
    layers = keras.layers
    made = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(width, 3, strides=2, padding="same"), layers.LeakyReLU(0.2),
        layers.MaxPooling2D(2, strides=1, padding="same"), layers.BatchNormalization(), layers.Flatten(),
        layers.Dense(5)])
    draw = np.random.default_rng(seed)
    vectors = lambda size: 0.5 + np.abs(draw.normal(scale=0.2, size=size))  # a variance must not be negative
    made.set_weights([vectors(w.shape) if w.ndim == 1 else draw.normal(scale=0.3, size=w.shape)
                      for w in made.get_weights()])
    return made


def losses(**options):
    distiller = Distiller(model(3, 1), model(9, 2))
    distiller.compile(keras.optimizers.Adam(0.01), alpha=0.3, temperature=3, metrics=["accuracy"], **options)
    rows = [slice(8 * k, 8 * k + 8) for k in range(20)]
    return [distiller.train_on_batch(x[part], y[part], return_dict=True)["loss"] for part in rows]


stored = with_teacher_logits(x, model(9, 2), cache=None)["teacher_logits"]
losses_by_name = {name: [float(v) for v in losses(distillation_loss=name)] for name in sys.argv[1].split(",")}
losses_by_name["example"] = [float(v) for v in losses(distillation_loss_fn=keras.losses.KLDivergence())]
losses_by_name["stored"] = np.asarray(stored, "float64").ravel().tolist()
print("\\n" + json.dumps({"backend": keras.backend.backend(), "losses_by_name": losses_by_name}))
"""
NAMES = "kl,reverse_kl,jensen_shannon,logit_mse,decoupled,dist,standardised,teacher_free"
INSTALLED = [name for name in ("jax", "tensorflow", "torch") if importlib.util.find_spec(name)]


def run(backend: str) -> dict[str, list[float]]:
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, NAMES], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout.splitlines()[-1])
    assert output["backend"] == backend
    losses_by_name: dict[str, list[float]] = output["losses_by_name"]
    return losses_by_name


@pytest.mark.skipif(len(INSTALLED) < 2, reason="one backend alone is installed; make test-backends has all three")
def test_the_losses_of_twenty_steps_agree_on_every_backend() -> None:
    first, *others = (run(backend) for backend in INSTALLED)
    for other in others:
        for name, losses in first.items():
            # The bound: 1e-4 over 20 steps of Adam in float32, relative where a loss is above 1.
            np.testing.assert_allclose(other[name], losses, rtol=1e-4, atol=1e-4, err_msg=name)
