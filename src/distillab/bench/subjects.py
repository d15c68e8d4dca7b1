"""The subjects of the bench, each run in a separate process: `python -m distillab.bench.subjects NAME OPTIONS`.

Every subject gets the same random images (speed does not depend on their contents), batch size, optimiser (Adam) and
number of steps, and returns seconds without compilation. The last line of the process's output is its result as JSON.
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


def _random_data(examples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (N, 28, 28, 1), labels (N,), and teacher's logits (N, C)."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (examples, *SHAPE)).astype(np.uint8)
    labels = rng.integers(0, CLASSES, examples).astype(np.int32)
    return images, labels, rng.normal(size=(examples, CLASSES)).astype(np.float32)


def _engine(examples: int, students: int = 4, devices: int | None = None, mapping: str | None = None) -> Result:
    """This engine: a cohort with stored logits, seconds per student and epoch."""
    from distillab.engine.devices import mesh, split_host

    split_host(devices)
    from distillab.engine.functional import Functional
    from distillab.engine.trainer import CohortTrainer
    from distillab.engine.types import Examples, Recipe, Student
    from distillab.models import build

    images, labels, logits = _random_data(examples)
    model = Functional(build(STUDENT, SHAPE, CLASSES))
    data = Examples(images, images[:0], images[:1], logits[None], 1 / 255)
    epochs = 4
    grid = mesh(devices)
    trainer = CohortTrainer(model, data, Recipe(epochs, BATCH), mesh=grid, capacity=students, mapping=mapping)
    initial = model.initial(0)
    group = [
        Student(k / max(students - 1, 1), TEMPERATURE, 1e-3, k, initial, labels, labels[:0]) for k in range(students)
    ]
    result = _timed_epochs(lambda on_epoch: trainer.train(group, on_epoch=on_epoch))
    return result | {"seconds": result["seconds"] / students, "devices": grid.size}


def _distiller(examples: int) -> Result:
    """Keras's Distiller with a live teacher, on the current backend."""
    import keras

    from distillab.models import build

    teacher, student = build(TEACHER, SHAPE, CLASSES), build(STUDENT, SHAPE, CLASSES)
    distillation_loss = keras.distillation.LogitsDistillation(temperature=TEMPERATURE, loss=keras.losses.KLDivergence())
    model = keras.distillation.Distiller(
        teacher=teacher, student=student, distillation_losses=distillation_loss, student_loss_weight=ALPHA
    )
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=cross_entropy)
    images, labels, _ = _random_data(examples)
    return _fit(model, images, labels, BATCH)


def _plain(examples: int) -> Result:
    """The student alone on labels, by `model.fit`."""
    images, labels, _ = _random_data(examples)
    return _fit(_compiled(STUDENT), images, labels, BATCH)


def _stored(examples: int) -> Result:
    """The student by `model.fit`, with the teacher's stored logits appended to the labels."""
    import keras
    from keras import ops

    def loss(y: Any, z: Any) -> Any:
        label_loss = keras.losses.categorical_crossentropy(y[:, :CLASSES], z, from_logits=True)
        teacher, student = ops.softmax(y[:, CLASSES:] / TEMPERATURE), ops.softmax(z / TEMPERATURE)
        distillation_loss = keras.losses.kl_divergence(teacher, student)
        return ALPHA * label_loss + (1 - ALPHA) * TEMPERATURE**2 * distillation_loss

    images, labels, logits = _random_data(examples)
    targets = np.concatenate([np.eye(CLASSES, dtype=np.float32)[labels], logits], axis=1)
    return _fit(_compiled(STUDENT, loss), images, targets, BATCH)


def _torch_loop(examples: int) -> Result:
    """A plain PyTorch loop with stored logits."""
    import torch
    from torch.nn import functional

    images, labels, logits = _random_data(examples)
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
            distillation_loss = functional.kl_div(ours, theirs, reduction="batchmean")
            label_loss = functional.cross_entropy(z, y[rows])
            loss = ALPHA * label_loss + (1 - ALPHA) * TEMPERATURE**2 * distillation_loss
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return _timed(lambda: epoch(4 * BATCH), lambda: epoch(examples))


def _engine_teacher(examples: int) -> Result:
    """This engine's teacher: seconds of a training epoch, and of the predictions for as many images."""
    from distillab.engine.devices import split_host

    split_host()
    from distillab.engine.functional import Functional
    from distillab.engine.logits import teacher_logits
    from distillab.engine.teacher import train_teacher
    from distillab.engine.types import Examples, Recipe
    from distillab.models import build

    images, labels, _ = _random_data(examples)
    model = Functional(build(TEACHER, SHAPE, CLASSES))
    data, recipe = Examples.for_labels(images, 1 / 255, (CLASSES,)), Recipe(4, TEACHER_BATCH)
    trained: list[Any] = []

    def train(on_epoch: Callable[[Any], None]) -> None:
        trained.extend(train_teacher(model, data, labels, recipe, learning_rate=1e-3, seed=0, on_epoch=on_epoch))

    result = _timed_epochs(train)
    _, variables = trained[-1]

    def predict(count: int) -> float:
        return _seconds(lambda: teacher_logits(model, variables, images[:count], 1 / 255))

    # The time for a few images is nearly all tracing and compilation, which is subtracted.
    predict_seconds = predict(examples) - predict(2 * TEACHER_BATCH)
    return result | {"predict_seconds": predict_seconds}


def _keras_teacher(examples: int) -> Result:
    """The teacher by `model.fit` and `predict`, on the current backend."""
    model = _compiled(TEACHER)
    images, labels, _ = _random_data(examples)
    inputs = images.astype("float32") / 255
    fitted = _fit(model, images, labels, TEACHER_BATCH)
    model.predict(inputs[:256], batch_size=128, verbose=0)
    predict_seconds = _seconds(lambda: model.predict(inputs, batch_size=128, verbose=0))
    return fitted | {"predict_seconds": predict_seconds}


def _products(examples: int) -> Result:
    """The machine's speed of large float32 matrix products on all cores, and the operations of student and teacher."""
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


def _compiled(name: str, loss: Any = None) -> Any:
    """A model of the zoo as Keras trains it, by default on labels alone."""
    import keras

    from distillab.models import build

    model = build(name, SHAPE, CLASSES)
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
    return model


def _timed_epochs(train: Callable[[Callable[[Any], None]], object]) -> Result:
    """Seconds of an epoch, the median of all but the first, and the first one's excess."""
    clock = [time.perf_counter()]
    train(lambda epoch: clock.append(time.perf_counter()))
    first, *later = [after - before for before, after in itertools.pairwise(clock)]
    seconds = statistics.median(later)
    return {"seconds": seconds, "compile_seconds": first - seconds}


def _fit(model: Any, images: np.ndarray, y: np.ndarray, batch: int) -> Result:
    x, few = images.astype("float32") / 255, 4 * batch
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
        "engine": _engine,
        "distiller": _distiller,
        "plain": _plain,
        "stored": _stored,
        "torch_loop": _torch_loop,
        "engine_teacher": _engine_teacher,
        "keras_teacher": _keras_teacher,
        "products": _products,
    }
)


def _main(name: str, options: str) -> None:
    """Measure one subject, whose keyword arguments are given as JSON, and print its result."""
    result = SUBJECTS[name](**json.loads(options))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kibibytes on Linux
    sys.stdout.write("\n" + json.dumps(result | {"peak_mib": peak}) + "\n")


if __name__ == "__main__":
    _main(*sys.argv[1:3])
