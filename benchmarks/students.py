"""Seconds per student and epoch of 60,000 MNIST-sized images: the cohort engine, keras.distillation and plain fit.

    python benchmarks/students.py [--examples N] [--students S] [--repeats R]

The same student (cnn-16-32), the same data, batch 32, Adam, one process. Keras runs on the JAX backend. Each rival
trains one student for one epoch after a short warm-up that compiles; the engine trains a cohort for `repeats` epochs
after one that compiles. Times of fewer than 60,000 examples are scaled up and say so. The inputs are random bytes:
speed does not depend on them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import time
from pathlib import Path

from distillab.engine.devices import split_host, usable_cores

BATCH = 32
FULL_EPOCH = 60_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=FULL_EPOCH)
    parser.add_argument("--students", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    split_host()
    import numpy as np

    from distillab.study.provenance import package_versions

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (arguments.examples, 28, 28, 1)).astype(np.uint8)
    y = rng.integers(0, 10, arguments.examples).astype(np.int32)
    logits = rng.normal(size=(arguments.examples, 10)).astype(np.float32)
    scale = FULL_EPOCH / arguments.examples
    rows = [
        ("this engine", *cohort(x, y, logits, arguments.students, arguments.repeats, scale)),
        ("model.fit, no teacher", *plain_fit(x, y, scale)),
        ("keras.distillation.Distiller", *keras_distiller(x, y, scale)),
    ]
    fastest = rows[0][2]
    print(f"{platform.processor() or platform.machine()}, {usable_cores()} cores; {package_versions()}")
    print(f"{arguments.students} students on {usable_cores()} devices, batch {BATCH}, {arguments.examples} examples")
    if scale != 1:
        print(f"(scaled up by {scale:g} to {FULL_EPOCH} examples)")
    print(f"{'':32}{'compile s':>10}{'s/student-epoch':>17}{'times as long':>15}")
    for name, compile_seconds, seconds in rows:
        print(f"{name:32}{compile_seconds:>10.1f}{seconds:>17.2f}{seconds / fastest:>15.1f}")
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    record = {
        "machine": f"{platform.machine()}, {usable_cores()} cores",
        "versions": package_versions(),
        "python": platform.python_version(),
        "batch": BATCH,
        "students": arguments.students,
        "examples": arguments.examples,
        "rows": [{"name": n, "compile_seconds": c, "seconds_per_student_epoch": s} for n, c, s in rows],
    }
    (results / "students.json").write_text(json.dumps(record, indent=2) + "\n")


def cohort(x, y, logits, students: int, repeats: int, scale: float) -> tuple[float, float]:
    """The engine: (seconds to compile, median seconds of an epoch per student)."""
    from distillab.engine.cohort import CohortTrainer, Examples, Recipe, Student
    from distillab.engine.devices import mesh
    from distillab.engine.functional import Functional
    from distillab.models import build

    model = Functional(build("cnn-16-32", x.shape[1:], 10))
    examples = Examples(x, x[:0], x[:1], logits[None], 1 / 255)
    trainer = CohortTrainer(model, examples, Recipe(repeats + 1, BATCH), mesh=mesh(), capacity=students)
    initial = model.initial(0)
    group = [Student(k / max(students - 1, 1), 3.0, 1e-3, k, initial, y, y[:0]) for k in range(students)]
    clock = [time.perf_counter()]
    trainer.train(group, on_epoch=lambda epoch: clock.append(time.perf_counter()))
    first, *later = [(after - before) for before, after in itertools.pairwise(clock)]
    seconds = statistics.median(later)
    return first - seconds, seconds / students * scale


def plain_fit(x, y, scale: float) -> tuple[float, float]:
    """The student alone on hard labels, by `model.fit`."""
    import keras

    from distillab.models import build

    model = build("cnn-16-32", x.shape[1:], 10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
    return _timed_fit(model, x, y, scale)


def keras_distiller(x, y, scale: float) -> tuple[float, float]:
    """Keras's own Distiller, the study's teacher answering live."""
    import keras

    from distillab.models import build

    teacher = build("cnn-256-512", x.shape[1:], 10)
    student = build("cnn-16-32", x.shape[1:], 10)
    distillation = keras.distillation.LogitsDistillation(temperature=3.0, loss=keras.losses.KLDivergence())
    distiller = keras.distillation.Distiller(
        teacher=teacher, student=student, distillation_losses=distillation, student_loss_weight=0.5
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
    return _timed_fit(distiller, x, y, scale)


def _timed_fit(model, x, y, scale: float) -> tuple[float, float]:
    inputs = x.astype("float32") / 255
    begin = time.perf_counter()
    model.fit(inputs[: 4 * BATCH], y[: 4 * BATCH], batch_size=BATCH, epochs=1, verbose=0)
    middle = time.perf_counter()
    model.fit(inputs, y, batch_size=BATCH, epochs=1, verbose=0)
    return middle - begin, (time.perf_counter() - middle) * scale


if __name__ == "__main__":
    main()
