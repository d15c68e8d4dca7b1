"""What the bench measures, each in a process of its own: `python -m distillab.bench.subjects NAME OPTIONS`.

Every subject sees the same random images (speed does not depend on their contents), batch size, optimiser (Adam) and
number of steps, and returns seconds, compilation apart. The last line that the process prints is its result as JSON.
"""

from __future__ import annotations

import itertools
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

STUDENT, TEACHER = "cnn-16-32", "cnn-256-512"
SHAPE, CLASSES = (28, 28, 1), 10
BATCH, TEACHER_BATCH = 32, 64
TEMPERATURE, ALPHA = 3.0, 0.5

Result = dict[str, float]


def material(examples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random images, labels, and teacher's logits."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (examples, *SHAPE)).astype(np.uint8)
    labels = rng.integers(0, CLASSES, examples).astype(np.int32)
    return images, labels, rng.normal(size=(examples, CLASSES)).astype(np.float32)


def engine(examples: int, students: int = 4, devices: int | None = None, mapping: str | None = None) -> Result:
    """This engine: a cohort with stored logits, seconds a student and epoch."""
    from distillab.engine.devices import mesh, split_host

    split_host(devices)
    from distillab.engine.functional import Functional
    from distillab.engine.trainer import CohortTrainer
    from distillab.engine.types import Examples, Recipe, Student
    from distillab.models import build

    images, labels, logits = material(examples)
    model = Functional(build(STUDENT, SHAPE, CLASSES))
    data = Examples(images, images[:0], images[:1], logits[None], 1 / 255)
    epochs = 4
    grid = mesh(devices)
    trainer = CohortTrainer(model, data, Recipe(epochs, BATCH), mesh=grid, capacity=students, mapping=mapping)
    initial = model.initial(0)
    group = [
        Student(k / max(students - 1, 1), TEMPERATURE, 1e-3, k, initial, labels, labels[:0]) for k in range(students)
    ]
    clock = [time.perf_counter()]
    trainer.train(group, on_epoch=lambda epoch: clock.append(time.perf_counter()))
    first, *later = [after - before for before, after in itertools.pairwise(clock)]
    seconds = statistics.median(later)
    return {"seconds": seconds / students, "compile_seconds": first - seconds, "devices": grid.size}


def distiller(examples: int) -> Result:
    """Keras's own Distiller with the teacher live, on whatever backend Keras runs."""
    import keras
    from distillab.models import build

    teacher, student = build(TEACHER, SHAPE, CLASSES), build(STUDENT, SHAPE, CLASSES)
    soft = keras.distillation.LogitsDistillation(temperature=TEMPERATURE, loss=keras.losses.KLDivergence())
    model = keras.distillation.Distiller(
        teacher=teacher, student=student, distillation_losses=soft, student_loss_weight=ALPHA
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=_cross_entropy())
    images, labels, _ = material(examples)
    return _fit(model, images.astype("float32") / 255, labels, BATCH)


def plain(examples: int) -> Result:
    """The student alone on labels, by `model.fit`."""
    import keras
    from distillab.models import build

    model = build(STUDENT, SHAPE, CLASSES)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=_cross_entropy())
    images, labels, _ = material(examples)
    return _fit(model, images.astype("float32") / 255, labels, BATCH)


def stored(examples: int) -> Result:
    """The student by `model.fit`, with the teacher's stored logits beside the labels."""
    import keras
    from distillab.models import build
    from keras import ops

    def loss(y: Any, z: Any) -> Any:
        hard = keras.losses.categorical_crossentropy(y[:, :CLASSES], z, from_logits=True)
        soft = keras.losses.kl_divergence(ops.softmax(y[:, CLASSES:] / TEMPERATURE), ops.softmax(z / TEMPERATURE))
        return ALPHA * hard + (1 - ALPHA) * TEMPERATURE**2 * soft

    model = build(STUDENT, SHAPE, CLASSES)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
    images, labels, logits = material(examples)
    targets = np.concatenate([np.eye(CLASSES, dtype=np.float32)[labels], logits], axis=1)
    return _fit(model, images.astype("float32") / 255, targets, BATCH)


def torch_loop(examples: int) -> Result:
    """A plain PyTorch loop with stored logits."""
    import torch
    from torch.nn import functional

    images, labels, logits = material(examples)
    x = torch.from_numpy(images.astype("float32").transpose(0, 3, 1, 2) / 255).contiguous()
    y, t = torch.from_numpy(labels.astype(np.int64)), torch.from_numpy(logits)
    student = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, stride=2, padding=1),
        torch.nn.LeakyReLU(0.2),
        torch.nn.ZeroPad2d((0, 1, 0, 1)),
        torch.nn.MaxPool2d(2, stride=1),
        torch.nn.Conv2d(16, 32, 3, stride=2, padding=1),
        torch.nn.Flatten(),
        torch.nn.Linear(7 * 7 * 32, CLASSES),
    )
    optimiser = torch.optim.Adam(student.parameters(), lr=1e-3)

    def epoch(count: int) -> None:
        order = torch.randperm(count)
        for rows in order.split(BATCH):
            z = student(x[rows])
            ours, theirs = functional.log_softmax(z / TEMPERATURE, -1), functional.softmax(t[rows] / TEMPERATURE, -1)
            soft = functional.kl_div(ours, theirs, reduction="batchmean")
            loss = ALPHA * functional.cross_entropy(z, y[rows]) + (1 - ALPHA) * TEMPERATURE**2 * soft
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return _timed(lambda: epoch(4 * BATCH), lambda: epoch(examples))


def engine_teacher(examples: int) -> Result:
    """This engine's teacher: seconds of a training epoch, and of the answers over as many images."""
    from distillab.engine.devices import split_host

    split_host()
    from distillab.engine.functional import Functional
    from distillab.engine.logits import teacher_logits
    from distillab.engine.teacher import train_teacher
    from distillab.engine.types import Recipe
    from distillab.models import build

    images, labels, _ = material(examples)
    model = Functional(build(TEACHER, SHAPE, CLASSES))
    clock = [time.perf_counter()]
    *_, (_, variables) = train_teacher(
        model,
        images,
        labels,
        scale=1 / 255,
        classes=CLASSES,
        recipe=Recipe(4, TEACHER_BATCH),
        learning_rate=1e-3,
        seed=0,
        on_epoch=lambda epoch: clock.append(time.perf_counter()),
    )
    first, *later = [after - before for before, after in itertools.pairwise(clock)]
    seconds = statistics.median(later)

    def answering(count: int) -> float:
        return _seconds(lambda: teacher_logits(model, variables, images[:count], 1 / 255))

    # What a few images take is nearly all tracing and compiling, which the many need as well.
    answers = answering(examples) - answering(2 * TEACHER_BATCH)
    return {"seconds": seconds, "compile_seconds": first - seconds, "answer_seconds": answers}


def keras_teacher(examples: int) -> Result:
    """The teacher by `model.fit` and `predict`, on whatever backend Keras runs."""
    import keras
    from distillab.models import build

    model = build(TEACHER, SHAPE, CLASSES)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=_cross_entropy())
    images, labels, _ = material(examples)
    inputs = images.astype("float32") / 255
    fitted = _fit(model, inputs, labels, TEACHER_BATCH)
    model.predict(inputs[:256], batch_size=128, verbose=0)
    answers = _seconds(lambda: model.predict(inputs, batch_size=128, verbose=0))
    return fitted | {"answer_seconds": answers}


def products(examples: int) -> Result:
    """The machine's rate of large float32 matrix products on all cores, and the student's and teacher's needs."""
    import jax
    import jax.numpy as jnp

    from distillab.engine.flops import training_flops
    from distillab.engine.functional import Functional
    from distillab.models import build

    del examples
    side = 2048
    a = jnp.asarray(np.random.default_rng(0).normal(size=(side, side)).astype(np.float32))
    multiply = jax.jit(lambda a: a @ a)
    multiply(a).block_until_ready()
    best = min(_seconds(lambda: multiply(a).block_until_ready()) for _ in range(10))
    student, teacher = (Functional(build(name, SHAPE, CLASSES)) for name in (STUDENT, TEACHER))
    return {
        "seconds": best,
        "flops_per_second": 2 * side**3 / best,
        "student_flops": training_flops(student, BATCH) / BATCH,
        "teacher_flops": training_flops(teacher, TEACHER_BATCH) / TEACHER_BATCH,
    }


def _cross_entropy() -> Any:
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _fit(model: Any, x: np.ndarray, y: np.ndarray, batch: int) -> Result:
    few = 4 * batch
    return _timed(
        lambda: model.fit(x[:few], y[:few], batch_size=batch, epochs=1, verbose=0),
        lambda: model.fit(x, y, batch_size=batch, epochs=1, verbose=0),
    )


def _timed(warm: Callable[[], object], work: Callable[[], object]) -> Result:
    first = _seconds(warm)
    return {"seconds": statistics.median(_seconds(work) for _ in range(2)), "compile_seconds": first}


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


SUBJECTS: Mapping[str, Callable[..., Result]] = MappingProxyType(
    {
        "engine": engine,
        "distiller": distiller,
        "plain": plain,
        "stored": stored,
        "torch_loop": torch_loop,
        "engine_teacher": engine_teacher,
        "keras_teacher": keras_teacher,
        "products": products,
    }
)


def main(name: str, options: str) -> None:
    """Measure one subject and print what it took."""
    result = SUBJECTS[name](**json.loads(options))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kibibytes on Linux
    sys.stdout.write("\n" + json.dumps(result | {"peak_mib": peak}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
