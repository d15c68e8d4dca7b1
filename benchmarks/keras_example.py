"""The distillation of MNIST in the well-known Keras example, with distillab's Distiller and with Keras's.

    python benchmarks/keras_example.py --mnist mnist.npz --teacher runs/alpha/teachers/NAME.keras

Student, optimiser, batch size, alpha = 0.1 and T = 10 are the example's (keras.io, "Knowledge Distillation", Borup
2020); the teacher is read from a file, so that all use the same one. KERAS_BACKEND chooses the backend. Prints a line
of JSON for each method: accuracy on the 10,000 test images and seconds, without the first batches (compilation).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import distillab

import keras  # isort: skip - after distillab, which chooses the backend
import numpy as np

ALPHA, TEMPERATURE, BATCH = 0.1, 10, 32


def student() -> keras.Model:
    """The example's student."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            layers.Conv2D(16, (3, 3), strides=(2, 2), padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.MaxPooling2D(pool_size=(2, 2), strides=(1, 1), padding="same"),
            layers.Conv2D(32, (3, 3), strides=(2, 2), padding="same"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def of_distillab(teacher: keras.Model) -> keras.Model:
    """distillab's Distiller, called as in the example."""
    distiller = distillab.Distiller(student=student(), teacher=teacher)
    distiller.compile(
        optimizer=keras.optimizers.Adam(),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
        student_loss_fn=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        distillation_loss_fn=keras.losses.KLDivergence(),
        alpha=ALPHA,
        temperature=TEMPERATURE,
    )
    return distiller


def of_keras(teacher: keras.Model) -> keras.Model:
    """Keras's own Distiller, with the loss that makes it T^2 KL."""
    soft = keras.distillation.LogitsDistillation(temperature=TEMPERATURE, loss=keras.losses.KLDivergence())
    distiller = keras.distillation.Distiller(
        teacher=teacher, student=student(), distillation_losses=soft, student_loss_weight=ALPHA
    )
    distiller.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    return distiller


def measured(
    make: Callable[[keras.Model], keras.Model], teacher: keras.Model, data: Any, epochs: int
) -> dict[str, Any]:
    """Train one way and test it."""
    x, y, x_test, y_test = data
    distiller = make(teacher)
    few = {"inputs": x["inputs"][:64], "teacher_logits": x["teacher_logits"][:64]} if isinstance(x, dict) else x[:64]
    begin = time.perf_counter()
    distiller.fit(few, y[:64], batch_size=BATCH, verbose=0)
    compiled = time.perf_counter()
    distiller.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    seconds = time.perf_counter() - compiled
    accuracy = np.mean(distiller.student.predict(x_test, batch_size=500, verbose=0).argmax(-1) == y_test)
    return {
        "accuracy": float(accuracy),
        "seconds_per_epoch": seconds / epochs,
        "first_batches_seconds": compiled - begin,
    }


def main() -> None:
    """Measure every way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", required=True, help="Keras's mnist.npz")
    parser.add_argument("--teacher", required=True, help="a .keras file")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--examples", type=int, default=60000)
    options = parser.parse_args()
    with np.load(options.mnist) as arrays:
        x, y = arrays["x_train"][: options.examples], arrays["y_train"][: options.examples]
        x_test, y_test = arrays["x_test"], arrays["y_test"]
    x, x_test = (images[..., None].astype("float32") / 255 for images in (x, x_test))
    teacher = keras.models.load_model(options.teacher, compile=False)
    begin = time.perf_counter()
    carrying = distillab.with_teacher_logits(x, teacher, cache=None)
    answering = time.perf_counter() - begin
    ways = {
        "distillab.Distiller": (of_distillab, x),
        "distillab.Distiller, stored logits": (of_distillab, carrying),
        "keras.distillation.Distiller": (of_keras, x),
    }
    for name, (make, inputs) in ways.items():
        result = measured(make, teacher, (inputs, y, x_test, y_test), options.epochs)
        if inputs is carrying:
            result["answering_seconds"] = answering
        line = {"way": name, "backend": keras.backend.backend(), "epochs": options.epochs, **result}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
