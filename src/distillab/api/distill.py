"""Distilling a user's model: settings searched, a student trained, compared with its baseline, and kept."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distillab.analysis.distillation import PredictedTest, example_scores, memorised
from distillab.api.finding import distillation_finding
from distillab.api.worth import check_chance, check_worth, teachers_worth
from distillab.backend import need_jax
from distillab.data import Dataset
from distillab.data.array_store import SHARE, taken
from distillab.data.columns import COLUMNS_FILE
from distillab.data.reading import ReadOptions, read_data
from distillab.data.resampling import with_resampled_rows
from distillab.data.tokenizer import TOKENIZER_FILE
from distillab.engine.augmentation import Augmentation
from distillab.errors import RequestError
from distillab.export import Exported, export_model
from distillab.export.model import Format
from distillab.io import replace_file
from distillab.models.files import read_model
from distillab.report.distillation import model_card, write_distillation_report
from distillab.report.results import read_finding
from distillab.report.text import distillation_summary, distillation_text
from distillab.report.view.distillation import DistillationView, distillation_view
from distillab.search.auto import AUTO, auto_students
from distillab.search.pipeline import Pipeline
from distillab.search.request import Request, request
from distillab.search.space import Candidate
from distillab.study.folder import Folder
from distillab.study.opening import Opened, opened, opened_teachers
from distillab.study.progress import Progress, Silence
from distillab.study.provenance import now
from distillab.study.reading_teachers import read_teachers
from distillab.study.results import KeptStudent
from distillab.study.run import RunOptions, work_in
from distillab.study.runner import Work
from distillab.study.settings import stated_by_output
from distillab.study.spec import SearchSpec
from distillab.study.storage.records import TrialResult
from distillab.study.storage.store import Store
from distillab.study.student_models import StudentModel, shipped_model, student_model
from distillab.study.teacher_models import TeacherModel
from distillab.study.teacher_trial import check_reading
from distillab.study.teachers import TeacherPredictions
from distillab.tasks.matching import check_heads
from distillab.tasks.several import described, with_options

STUDENT = "student.keras"

EXAMPLES, CALIBRATION = 1_000, 512
"""Test and training examples that are kept, for exports to be compared and calibrated on."""


class Distillation:
    """A distilled student, and the evidence.

    Args:
        finding: what was found, as plain values: the content of `answer.json`.
        folder: where everything is kept; None: nowhere.
        student: the shipped model; None: read from the folder when it is first used.
    """

    def __init__(self, finding: Mapping[str, Any], folder: Path | None = None, student: keras.Model = None) -> None:
        self.finding, self.folder, self._student = finding, folder, student

    @classmethod
    def load(cls, folder: str | Path) -> Distillation:
        """Read a finished distillation.

        Args:
            folder: made by `distillab distill`.

        Raises:
            RequestError: the folder holds no finished distillation.
        """
        opened = Folder(Path(folder))
        spec, store = opened.open()
        store.close()
        if not isinstance(spec, SearchSpec):
            raise RequestError(f"{folder} holds a study, and no distillation. Read it with Study.load.")
        return cls(read_finding(opened), opened.path)

    @property
    def student(self) -> keras.Model:
        """The shipped model: it reads inputs as the data have them, its preprocessing inside."""
        if self._student is None and self.folder is not None:
            self._student = read_model(self.folder / STUDENT)
        return self._student

    @cached_property
    def view(self) -> DistillationView:
        """The finding in words and rows."""
        return distillation_view(self.finding)

    @property
    def verdict(self) -> str:
        """The verdict in a sentence."""
        return self.view.verdict

    def summary(self) -> str:
        """The verdict, what makes it doubtful, and what a budget cut, as `distillab distill` prints it."""
        return distillation_summary(self.view)

    def text(self) -> str:
        """The finding as text, as `distillab answer` prints it."""
        return distillation_text(self.view)

    def card(self) -> str:
        """The model card, in Markdown."""
        return model_card(self.finding)

    def report(self, out: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
        """Write the page into the folder, or elsewhere.

        Args:
            out: the page's file instead.

        Returns:
            The files.

        Raises:
            RequestError: neither a folder nor a file is there to write to.
            WorkError: the file cannot be written.
        """
        if self.folder is None and out is None:
            raise RequestError("The distillation has no folder. Give report() a file, or distill() a folder.")
        return write_distillation_report(
            Folder(self.folder or Path()), self.finding, None if out is None else Path(out)
        )

    def export(self, to: Format, out: str | Path, **options: Any) -> Exported:
        """Export the student, checked against Keras.

        Args:
            to: "onnx", "litert" or "saved_model".
            out: the file to write; for "saved_model", the folder.
            options: of `distillab.export.export_model`, such as int8=True.

        Returns:
            Where it is, its size and latency, and how it compares with Keras.

        Raises:
            RequestError: the distillation has no folder, or the format is unknown.
        """
        if self.folder is None:
            raise RequestError("The distillation has no folder. Give distill() a folder, or save the student yourself.")
        return export_model(self.folder / STUDENT, to=to, out=out, **options)


def distill(
    teacher: Any,
    student: Any,
    data: Any,
    out: Path | str | None = None,
    *,
    read: ReadOptions | None = None,
    options: RunOptions | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Distillation:
    """Distil a model of one's own, and compare the student with the same student without a teacher.

    Args:
        teacher: a keras.Model; a PyTorch module, a fitted estimator, a Booster of XGBoost or LightGBM, or a function
            of inputs; a path (`.keras`, SavedModel, a folder of `.keras` files, `.npy` of stored predictions, or a file
            of another framework, see docs/teachers.md); `module:function`; or a list of such, whose centred logits
            are averaged.
        student: a keras.Model, a `.keras` file, `module:function`, a zoo name such as "cnn-16-32", or "auto"; of a list
            the best is chosen, after a brief training of each, or by Optuna.
        data: a path, arrays, or a `Dataset`; see `distillab.read_data`.
        out: the folder to keep everything in; None keeps nothing.
        read: how data are read and split.
        options: devices, memory, executor.
        progress: is notified of everything.
        settings: fields of `distillab.search.request.Request`, such as alpha=0.3 or epochs=10.

    Returns:
        The shipped student and the finding.

    Raises:
        RequestError: something does not fit; nothing has been written.
        WorkError: the work failed; what was recorded stays, and the same call continues from there.

    Example:
        >>> result = distill(teacher, "cnn-16-32", (x, y), epochs=10)  # doctest: +SKIP
        >>> result.student.save("student.keras")  # doctest: +SKIP
    """
    need_jax("A distillation")
    started, wanted = now(), request(**settings)
    options, progress = options or RunOptions(), progress or Silence()
    named = opened_teachers(_listed(teacher), wanted.options)
    architectures = [one if one == AUTO else opened(one, wanted.options) for one in _listed(student)]
    known = [one for one in (*named, *architectures) if isinstance(one, Opened)]
    dataset = _resampled(_data(data, _reading(read, options), wanted, known), wanted, named)
    dataset, wanted = _resolved(dataset, wanted)
    teachers = read_teachers(named, dataset, wanted.options)
    students = _students(architectures, dataset, teachers, wanted)
    _check(wanted, dataset, teachers)
    with _work(out, dataset, options, progress) as work:
        teacher_name = "+".join(work.models.add_teacher(one) for one in teachers)
        names = [work.models.add_student(one) for one in students]
        Pipeline(wanted, dataset, teacher_name, names, work).check()
        spec = SearchSpec(_described(wanted, teachers, students, dataset))
        work.folder.check(spec)
        work.folder.refuse_other_numerics()
        for note in _notes(teachers, students[0], dataset, wanted, started_before=bool(work.folder.recorded())):
            progress.note(note)
        with work.folder.write(spec) as store, work.runner(store, started, options.command) as runner:
            pipeline = Pipeline(wanted, dataset, teacher_name, names, work, runner)
            distillation = _distilled(pipeline, teachers, store)
            if out is not None:
                distillation.folder = work.folder.path
                _write(distillation, dataset, work.folder)
    return distillation


def _resolved(dataset: Dataset, wanted: Request) -> tuple[Dataset, Request]:
    """The request with what the task decides, and the data with the weights and alphas of their outputs."""
    wanted = wanted.resolved(dataset)
    if wanted.outputs:
        dataset = replace(dataset, task=with_options(dataset.task, wanted.outputs))
    return dataset, wanted


def _notes(
    teachers: Sequence[TeacherModel], student: StudentModel, dataset: Dataset, wanted: Request, *, started_before: bool
) -> list[str]:
    """What is said before the search: of the data, how teachers are read, and what they are worth."""
    notes = [*dataset.notes, *(one.reads for one in teachers if one.reads)]
    if started_before:
        return notes
    worth = teachers_worth(teachers, student, dataset, wanted)
    check_worth(worth, " + ".join(one.name for one in teachers), anyway=wanted.anyway)
    return [*notes, worth.in_words()]


def _distilled(pipeline: Pipeline, teachers: Sequence[TeacherModel], store: Store) -> Distillation:
    """Search, train the final students, and compare them."""
    work = pipeline.work
    pipeline.prepare_teacher()
    if len(pipeline.students) > 1 and pipeline.request.search != "optuna":
        pipeline.screen()
    found = pipeline.search(work.folder.path / "optuna.db")
    softens = pipeline.dataset.task.softens
    chosen, alone = (_named(one, softens) for one in (found.distilled, found.baseline))
    work.progress.note(f"Chosen: {chosen}; without a teacher: {alone}.")
    finals = pipeline.finals(found)
    first, baseline = (_kept(work, of[0]) for of in (finals.student, finals.baseline))
    model = shipped_model(pipeline.student(found.distilled), first.variables, pipeline.dataset)
    teacher = pipeline.teacher_predictions()
    in_units = pipeline.dataset.in_units
    others = (
        (in_units(_kept(work, one).test_logits), in_units(_kept(work, other).test_logits))
        for one, other in zip(finals.student[1:], finals.baseline[1:], strict=True)
    )
    predictions = PredictedTest(
        in_units(first.test_logits), in_units(baseline.test_logits), in_units(teacher.test), others
    )
    finding = distillation_finding(pipeline, found, finals, predictions, teachers, model)
    finding["memorised"] = _memorised(teacher, pipeline.dataset)
    return Distillation(finding | {"provenance": store.runs()[-1]}, None, model)


def _kept(work: Work, trained: TrialResult) -> KeptStudent:
    return KeptStudent.read(work.folder.student(trained.id))


def _memorised(teacher: TeacherPredictions, dataset: Dataset) -> dict[str, float] | None:
    """The teacher's scores where it has probably learned the validation examples; otherwise None."""
    parts = (teacher.validation, dataset.y_train[dataset.validation]), (teacher.test, dataset.y_test)
    learned = memorised(*(example_scores(dataset.task, outputs, dataset.targets(labels)) for outputs, labels in parts))
    return None if learned is None else learned._asdict()


def _reading(read: ReadOptions | None, options: RunOptions) -> ReadOptions:
    """How data are read: arrays larger than a share of the memory that a device may use are mapped from files."""
    read = read or ReadOptions()
    if read.memory is None and options.memory is not None:
        read = replace(read, memory=int(SHARE * options.memory))
    return read


def _data(data: Any, read: ReadOptions, wanted: Request, models: Sequence[Opened]) -> Dataset:
    """The data, read as the models read them, their task recognised where the request does not state it."""
    heads = [head for one in models if (head := one.head) is not None]
    if isinstance(data, Dataset) and data.validation is not None:
        check_heads(data.task, heads)
        return data
    readers = [inputs for one in models if (inputs := one.inputs)]
    return read_data(
        data,
        replace(read, task=wanted.task or stated_by_output(wanted.outputs) or read.task),
        heads=heads,
        readers=readers,
    )


def _resampled(dataset: Dataset, wanted: Request, teachers: Sequence[Opened]) -> Dataset:
    """The data with the unlabelled rows that the request adds."""
    stored = [one.name for one in teachers if one.is_predictions]
    if wanted.resample and stored:
        raise RequestError(
            f"resample={wanted.resample} needs teachers that predict new rows, and {stored[0]} is stored predictions. "
            "Give the model itself, or leave --resample out."
        )
    return with_resampled_rows(dataset, wanted.resample)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _students(
    sources: Sequence[Any], dataset: Dataset, teachers: Sequence[TeacherModel], wanted: Request
) -> list[StudentModel]:
    if sources == [AUTO]:
        sources = auto_students(dataset, teachers, wanted)
    return [student_model(source, dataset, wanted.options) for source in sources]


def _check(wanted: Request, dataset: Dataset, teachers: Sequence[TeacherModel]) -> None:
    if wanted.search == "optuna":
        from distillab.search.optuna import check_optuna

        check_optuna()
    augmentation = Augmentation(wanted.shift, wanted.flip)
    augmentation.check(dataset.input_shape, dataset.positions)
    if augmentation and any(teacher.live is None for teacher in teachers):
        raise RequestError(
            "Stored predictions match unaugmented images, so they cannot be used with augmentation. Leave --shift and "
            "--flip out."
        )
    for teacher in teachers:
        check_reading(teacher, dataset)
    check_chance(teachers, dataset, anyway=wanted.anyway)


@contextmanager
def _work(out: Path | str | None, dataset: Dataset, options: RunOptions, progress: Progress) -> Iterator[Work]:
    """The parts of the run; without a folder, in a temporary one."""
    with tempfile.TemporaryDirectory(prefix="distillab-") as temporary:
        folder = Folder(Path(temporary) / "out" if out is None else Path(out))
        yield work_in(folder, dataset, options, progress, trainers=4)


def _described(
    wanted: Request, teachers: Sequence[TeacherModel], students: Sequence[StudentModel], dataset: Dataset
) -> dict[str, Any]:
    """The resolved request, for `study.yaml`."""
    return {
        "data": {"name": dataset.name, "digest": dataset.digest},
        "teachers": [{"name": one.name, "digest": one.digest} for one in teachers],
        "students": [{"name": one.name, "digest": one.digest} for one in students],
        **wanted.model_dump(mode="json"),
    }


def _named(one: Candidate, softens: bool) -> str:
    temperature = f", T = {one.temperature:g}" if one.distilled and softens else ""
    return f"alpha = {one.alpha:g}{temperature}, learning rate {one.learning_rate:g}"


def _write(distillation: Distillation, dataset: Dataset, folder: Folder) -> None:
    drawn = np.random.default_rng(0).permutation(len(dataset.x_train))[:CALIBRATION]
    examples: dict[str, Any] = {
        "x_train": taken(dataset.x_train, drawn),
        "y_train": dataset.y_train[drawn],
        "x_test": dataset.x_test[:EXAMPLES],
        "y_test": dataset.y_test[:EXAMPLES],
        "task": dataset.task.name,
    }
    if dataset.task.parts:
        examples["outputs"] = json.dumps(described(dataset.task))
    text = json.dumps(distillation.finding, indent=1, default=str) + "\n"
    card, path = distillation.card(), folder.path
    replace_file(path / "examples.npz", lambda temporary: np.savez_compressed(temporary, **examples))
    if dataset.columns is not None:
        columns = dataset.columns.to_json()
        replace_file(path / COLUMNS_FILE, lambda temporary: temporary.write_text(columns, encoding="utf-8"))
    replace_file(path / STUDENT, lambda temporary: distillation.student.save(temporary))
    if dataset.text is not None:
        dataset.text.tokenizer.save(path / TOKENIZER_FILE)
    replace_file(folder.answer, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    replace_file(path / "model_card.md", lambda temporary: temporary.write_text(card, encoding="utf-8"))
