"""Speed of distilling models of token ids and of features: the engine beside Keras's `fit` on JAX, interleaved.

    python benchmarks/inputs.py [ROUNDS]

Both learn 0.5 cross-entropy + 0.5 T^2 KL from the same stored logits, with Adam, from the same numbers. `fit` trains
one student on all cores; the engine trains one on all cores (one student), and one on each core at once (side by side).
A round measures each in turn, an epoch after the one that compiles; median and range over the rounds are of seconds
for one student's epoch. Writes docs/results/inputs.md and benchmarks/results/inputs.json.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
CORES = len(os.sched_getaffinity(0))
os.environ["JAX_NUM_CPU_DEVICES"] = str(CORES)

import keras
import numpy as np
from keras import layers, ops

from distillab.engine.devices import mesh
from distillab.engine.functional import Functional
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Epoch, Examples, Recipe, Student
from distillab.models import build

N, BATCH, CLASSES, LENGTH, VOCABULARY, FEATURES, EPOCHS = 8192, 32, 4, 64, 4000, 40, 3
RESULTS = Path(__file__).parents[1] / "docs" / "results"
FIGURES = Path(__file__).parent / "results"


def bag_of_embeddings() -> keras.Model:
    """A mean of embeddings of 32 numbers."""
    ids = keras.Input((LENGTH,), dtype="int32")
    mean = layers.GlobalAveragePooling1D()(layers.Embedding(VOCABULARY, 32)(ids))
    return keras.Model(ids, layers.Dense(CLASSES)(mean))


def textcnn() -> keras.Model:
    """Convolutions over 3, 4 and 5 tokens, 64 filters each, of embeddings of 32 numbers."""
    ids = keras.Input((LENGTH,), dtype="int32")
    embedded = layers.Embedding(VOCABULARY, 32)(ids)
    found = [layers.GlobalMaxPooling1D()(layers.Conv1D(64, size, activation="relu")(embedded)) for size in (3, 4, 5)]
    return keras.Model(ids, layers.Dense(CLASSES)(layers.Concatenate()(found)))


class Positions(layers.Layer):
    """A number for each position, which is learned."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.table = self.add_weight(shape=shape[1:], initializer="random_normal")

    def call(self, x: Any) -> Any:
        return x + self.table


def transformer() -> keras.Model:
    """Two blocks of width 32 with two heads."""
    ids = keras.Input((LENGTH,), dtype="int32")
    x = Positions()(layers.Embedding(VOCABULARY, 32)(ids))
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(2, 16)(y, y)])
        y = layers.Dense(64, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(32)(y)])
    return keras.Model(ids, layers.Dense(CLASSES)(layers.GlobalAveragePooling1D()(x)))


MODELS: dict[str, Callable[[], keras.Model]] = {
    "bag of embeddings": bag_of_embeddings,
    "TextCNN": textcnn,
    "transformer": transformer,
    "mlp-64-32 on 40 features": lambda: build("mlp-64-32", (FEATURES,), CLASSES),
}


def data(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, labels and a teacher's logits, at random: speed does not depend on what they say."""
    rng = np.random.default_rng(0)
    x: np.ndarray = rng.integers(0, VOCABULARY, (N, LENGTH)).astype(np.int32)
    if "features" in name:
        x = rng.standard_normal((N, FEATURES), dtype=np.float32)
    return x, rng.integers(0, CLASSES, N), rng.normal(size=(N, CLASSES)).astype(np.float32)


def of_fit(make: Callable[[], keras.Model], x: np.ndarray, y: np.ndarray, logits: np.ndarray) -> Callable[[], float]:
    """A function that trains an epoch by `fit` and returns its seconds for one student."""

    def loss(told: Any, z: Any) -> Any:
        labels, teacher = ops.cast(told[:, 0], "int32"), told[:, 1:] / 2
        hard = keras.losses.sparse_categorical_crossentropy(labels, z, from_logits=True)
        p = ops.softmax(teacher)
        soft = 4 * ops.sum(p * (ops.log_softmax(teacher) - ops.log_softmax(z / 2)), axis=-1)
        return 0.5 * hard + 0.5 * soft

    model, packed = make(), np.concatenate([y[:, None].astype(np.float32), logits], axis=1)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    model.fit(x, packed, batch_size=BATCH, epochs=1, verbose=0)

    def epoch() -> float:
        begin = time.perf_counter()
        model.fit(x, packed, batch_size=BATCH, epochs=1, verbose=0)
        return time.perf_counter() - begin

    return epoch


def of_engine(
    make: Callable[[], keras.Model], x: np.ndarray, y: np.ndarray, logits: np.ndarray, students: int
) -> Callable[[], float]:
    """The same by the engine: the later epochs of a training."""
    functional = Functional(make())
    examples = Examples(x, x[:0], x[:0], logits[None], 1.0)
    trainer = CohortTrainer(
        functional, examples, Recipe(EPOCHS, BATCH), mesh=mesh(students), capacity=students, threads=students == 1
    )
    cohort = [Student(0.5, 2.0, 1e-3, k, functional.initial(k), y, y[:0]) for k in range(students)]

    def epoch() -> float:
        marks: list[float] = []

        def mark(_: Epoch) -> None:
            marks.append(time.perf_counter())

        trainer.train(cohort, on_epoch=mark)
        return (marks[-1] - marks[0]) / (EPOCHS - 1) / students

    return epoch


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    load, figures = [os.getloadavg()[0]], dict[str, dict[str, list[float]]]()
    for name, make in MODELS.items():
        arrays = data(name)
        ways = {
            "fit": of_fit(make, *arrays),
            "one student": of_engine(make, *arrays, 1),
            "side by side": of_engine(make, *arrays, CORES),
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, epoch in ways.items():
                times[way].append(epoch())
        figures[name] = times
        load.append(os.getloadavg()[0])
        print(
            name, {way: f"{median(of):.3f} ({min(of):.3f} to {max(of):.3f})" for way, of in times.items()}, flush=True
        )
    machine = f"{platform.processor() or platform.machine()}, {CORES} cores, Python {platform.python_version()}"
    result = {"machine": machine, "load": load, "rounds": rounds, "seconds": figures}
    FIGURES.joinpath("inputs.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    RESULTS.joinpath("inputs.md").write_text(page(result), encoding="utf-8")


def page(result: dict[str, Any]) -> str:
    """The figures as a table."""
    low, high = min(result["load"]), max(result["load"])
    lines = [
        "# Speed on token ids and features",
        "",
        f"Measured by `benchmarks/inputs.py`: seconds for one student's epoch of {N:,} examples in batches of {BATCH}, "
        f"median and range of {result['rounds']} interleaved rounds, compilation left out. Token ids: {LENGTH} of a "
        f"vocabulary of {VOCABULARY:,}. Machine: {result['machine']}; load {low:.1f} to {high:.1f} while it ran "
        f"(about {CORES} is this benchmark's own).",
        "",
        "| model | Keras `fit` | engine, one student | engine, side by side | gain |",
        "|---|---|---|---|---|",
    ]
    for name, times in result["seconds"].items():
        cells = [f"{median(of):.3f} ({min(of):.3f} to {max(of):.3f})" for of in times.values()]
        gain = median(times["fit"]) / median(times["side by side"])
        lines.append(f"| {name} | {' | '.join(cells)} | {gain:.1f} x |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
