"""What a bench measures: cells, each of which compares subjects that do the same work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distillab.bench.work import BATCH, TEACHER_BATCH
from distillab.errors import not_allowed
from distillab.models.zoo import ARCHITECTURES, parse

STUDENT, TEACHER = "cnn-16-32", "cnn-256-512"
STUDENTS = (STUDENT, "cnn-64-128", "resnet-16-32-64", "vit-32-2", "gru-32")
QUICK_STUDENTS = (STUDENT, "vit-32-2")
SIZES = ((28, 28, 1), (32, 32, 3))
COHORTS = (4, 16, 64, 200)

ENGINE = "this engine"
LABELS_ALONE = "fit on labels alone on jax"


@dataclass(frozen=True)
class Subject:
    """One thing to time.

    Args:
        name: for people.
        worker: its process, a name in `workers.BACKENDS`.
        kind: a name in `serve.KINDS`.
        options: of that function, plain values.
    """

    name: str
    worker: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """Subjects that are compared with each other; the first is this engine's.

    Args:
        group: "student", "teacher", "scaling", "devices" or "mapping".
        name: for people.
        subjects: what to time.
        batch: examples of a step.
        repeats: timings of each subject at most; None: as many as the bench has.
    """

    group: str
    name: str
    subjects: tuple[Subject, ...]
    batch: int = BATCH
    repeats: int | None = None


FLOOR = Subject("matrix products alone", "jax", "products")
"""A worker whose processor is not split, so that a product uses all cores."""


def check_students(names: Sequence[str]) -> None:
    """Check that the names are of students that classify images.

    Args:
        names: of the zoo.

    Raises:
        RequestError: one of them is not, or is there twice.
    """
    if len(set(names)) < len(names):
        raise not_allowed("--students", ",".join(names), "different names")
    for name in names:
        entry = ARCHITECTURES[parse(name)[0]]
        if entry.tokens or entry.maps:
            raise not_allowed("--students", name, "a student that classifies images", f"For example {STUDENT}.")


def plan(
    students: Sequence[str], backends: Sequence[str], *, quick: bool = False, devices: int = 1, gpu: bool = False
) -> list[Cell]:
    """List the cells of a bench.

    Args:
        students: names of the zoo.
        backends: of Keras, those that are installed.
        quick: students only, at one size.
        devices: of the engine.
        gpu: whether a GPU does the work.
    """
    sizes = SIZES[:1] if quick else SIZES
    cells = [_student_cell(name, shape, backends) for name in students for shape in sizes]
    if not quick:
        cells += [*_teacher_cells(backends), _scaling(), *([_devices(devices)] if devices > 1 else []), _mapping(gpu)]
    return cells


def _student_cell(name: str, shape: tuple[int, ...], backends: Sequence[str]) -> Cell:
    options = {"model": name, "shape": list(shape)}
    subjects = [Subject(ENGINE, "engine", "cohort", options)]
    subjects += [Subject(f"fit with stored logits on {b}", b, "fit", options) for b in backends]
    if "torch" in backends:
        subjects.append(Subject("PyTorch loop", "pytorch", "torch loop", options))
        subjects.append(Subject("PyTorch loop, compiled", "pytorch", "torch loop", options | {"compiled": True}))
    if (name, shape) == (STUDENT, SIZES[0]):
        live = options | {"teacher": TEACHER}
        subjects += [Subject(f"keras.distillation on {b}", b, "distiller", live) for b in backends]
        subjects.append(Subject(LABELS_ALONE, "jax", "fit on labels", options))
    return Cell("student", title(name, shape), tuple(subjects))


def _teacher_cells(backends: Sequence[str]) -> list[Cell]:
    options = {"model": TEACHER, "shape": list(SIZES[0])}
    fit = options | {"batch": TEACHER_BATCH}
    training = [Subject(f"fit on {b}", b, "fit on labels", fit) for b in backends]
    predictions = [Subject(f"predict on {b}", b, "predict", options) for b in backends]
    name = title(TEACHER, SIZES[0])
    return [
        Cell(
            "teacher",
            f"teacher {name}, training",
            (Subject(ENGINE, "engine", "teacher", options), *training),
            TEACHER_BATCH,
            repeats=2,
        ),
        Cell(
            "teacher",
            f"teacher {name}, predictions",
            (Subject(ENGINE, "engine", "predictions", options), *predictions),
            TEACHER_BATCH,
            repeats=2,
        ),
    ]


def _scaling() -> Cell:
    return _cohorts("scaling", "students in a cohort", {f"{count} students": {"students": count} for count in COHORTS})


def _devices(devices: int) -> Cell:
    counts = {f"{n} of {devices} devices": {"devices": n, "students": 4 * devices} for n in range(1, devices + 1)}
    return _cohorts("devices", "devices", counts)


def _mapping(gpu: bool) -> Cell:
    ways: dict[str, dict[str, Any]] = {
        "in turn (loop)": {"mapping": "loop"},
        "side by side (vmap)": {"mapping": "vmap"},
    }
    if gpu:
        ways["side by side, XLA's convolutions"] = {"mapping": "vmap", "lowered": False}
    return _cohorts("mapping", "students of a device", {name: {"students": 8} | way for name, way in ways.items()})


def _cohorts(group: str, what: str, ways: Mapping[str, Mapping[str, Any]]) -> Cell:
    options = {"model": STUDENT, "shape": list(SIZES[0])}
    subjects = tuple(Subject(name, "engine", "cohort", {**options, **way}) for name, way in ways.items())
    return Cell(group, f"{title(STUDENT, SIZES[0])}, {what}", subjects)


def title(name: str, shape: Sequence[int]) -> str:
    """Name a student with the size of its images.

    Args:
        name: of the zoo.
        shape: (H, W, C).
    """
    return f"{name} {'x'.join(map(str, shape))}"
