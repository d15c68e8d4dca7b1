"""What a bench measures."""

from __future__ import annotations

import pytest

from distillab.bench.plan import ENGINE, LABELS_ALONE, SIZES, STUDENT, STUDENTS, check_students, plan
from distillab.bench.serve import KINDS
from distillab.bench.workers import BACKENDS
from distillab.errors import RequestError

ALL = ("jax", "tensorflow", "torch")


def test_five_students_at_two_sizes_are_compared_on_every_backend() -> None:
    cells = [cell for cell in plan(STUDENTS, ALL, devices=2) if cell.group == "student"]
    assert len(cells) == len(STUDENTS) * len(SIZES) == 10
    for cell in cells:
        names = [subject.name for subject in cell.subjects]
        fits = [f"fit with stored logits on {backend}" for backend in ALL]
        assert names[:6] == [ENGINE, *fits, "PyTorch loop", "PyTorch loop, compiled"]
        live = [*(f"keras.distillation on {backend}" for backend in ALL), LABELS_ALONE]
        assert names[6:] == (live if cell.name == f"{STUDENT} 28x28x1" else [])


def test_what_is_not_installed_is_not_planned() -> None:
    workers = {subject.worker for cell in plan(STUDENTS, ["jax"], devices=2) for subject in cell.subjects}
    assert workers == {"engine", "jax"}


def test_every_subject_has_a_name_a_worker_and_a_kind() -> None:
    cells = plan(STUDENTS, ALL, devices=2, gpu=True)
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        assert len({subject.name for subject in cell.subjects}) == len(cell.subjects)
        assert {subject.worker for subject in cell.subjects} <= set(BACKENDS)
        assert {subject.kind for subject in cell.subjects} <= set(KINDS)


def test_a_quick_bench_measures_students_at_one_size_only() -> None:
    assert [cell.name for cell in plan(["vit-32-2"], ALL, quick=True, devices=2)] == ["vit-32-2 28x28x1"]


def test_xlas_own_convolutions_are_compared_on_a_gpu_alone() -> None:
    for gpu in (False, True):
        cell = next(cell for cell in plan([STUDENT], ["jax"], gpu=gpu) if cell.group == "mapping")
        assert any(subject.options.get("lowered") is False for subject in cell.subjects) is gpu


@pytest.mark.parametrize("name", ["textcnn-8-8", "unet-8-16"])
def test_a_student_that_does_not_classify_images_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match=f"--students='{name}' is not allowed: it must be a student that classifies"):
        check_students([name])
