"""Where a distillation's students are trained: candidates and final students, in cohorts, each recorded at once."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from numpy.typing import NDArray

from distillab.data.labels import Array
from distillab.data.own import UNLABELLED, OwnData
from distillab.distillation.request import MASKABLE, Request
from distillab.distillation.students import StudentModel
from distillab.distillation.teachers import Teacher
from distillab.engine.augmentation import Augmentation
from distillab.engine.devices import inside, out_of_memory
from distillab.engine.functional import Variables
from distillab.engine.teacher import live_teacher
from distillab.engine.trainer import CohortTrainer, chunks
from distillab.engine.types import Epoch, Examples, LiveTeacher, Outcome, Recipe, Student
from distillab.errors import RequestError, WorkError, not_allowed
from distillab.metrics import all_metrics
from distillab.models.digests import add_array, architecture
from distillab.search.space import Candidate
from distillab.study.progress import Progress
from distillab.study.storage.predictions import ValidationPredictions, validation_predictions
from distillab.study.storage.records import TrialResult
from distillab.study.storage.store import Store

SEATS = {"loop": 8, "vmap": 64}
VERSION = 2
"""Of how trainings are done; part of their identities."""


@dataclass(frozen=True)
class Trained:
    """One training.

    Args:
        candidate: its numbers.
        seed: its seed.
        metrics: of its answers to the examples that judge it; empty where it diverged.
        answers: to the validation examples, where they are kept.
        logits: to the examples that judge it, shape (M, C); None where it was read from the record.
        variables: its weights; None where it was read from the record.
    """

    candidate: Candidate
    seed: int
    metrics: dict[str, float]
    answers: ValidationPredictions | None = None
    logits: NDArray[np.float32] | None = None
    variables: Variables | None = None


@dataclass(frozen=True)
class Material:
    """Examples that a group of students learns from.

    Args:
        inputs: as prepared, shape (N, ...).
        labels: shape (N,); -1 for none, after all that are known.
        teacher: logits, shape (N, C).
    """

    inputs: Array
    labels: NDArray[np.int32]
    teacher: NDArray[np.float32]

    @cached_property
    def labelled(self) -> Material:
        """Those with a label."""
        known = int(np.count_nonzero(self.labels != UNLABELLED))  # they come first
        if known == len(self.labels):
            return self
        return Material(self.inputs[:known], self.labels[:known], self.teacher[:known])


class Judged(NamedTuple):
    """Examples that judge students."""

    split: str
    """"validation" or "test"."""
    inputs: Array
    """As prepared, shape (M, ...)."""
    labels: NDArray[np.int32]
    teacher: NDArray[np.float32]
    """Logits, shape (M, C)."""


class Workshop:
    """Trains students of one architecture.

    Args:
        own: the data.
        student: the architecture.
        teachers: who teaches; asked live where images change.
        request: how.
        store: keeps the records.
        run: its number in the store.
        grid: the devices.
        progress: is told.
        identity: of all that decides results besides the candidate: data, teachers.
    """

    def __init__(
        self,
        own: OwnData,
        student: StudentModel,
        teachers: Sequence[Teacher],
        request: Request,
        store: Store,
        run: int,
        grid: Mesh,
        progress: Progress,
        identity: str,
    ) -> None:
        self.own, self.student, self.teachers, self.request = own, student, teachers, request
        self.store, self.run, self.grid, self.progress = store, run, grid, progress
        self.augmentation = Augmentation(request.shift, request.flip)
        self.augmentation.check(own.dataset.input_shape)
        if self.augmentation and any(teacher.member is None for teacher in teachers):
            raise RequestError(
                "Augmented images are answered by the teacher as they change, and stored predictions or a model "
                "that JAX cannot run answer none. Leave --shift and --flip out."
            )
        self.identity = hashlib.sha256(identity.encode())
        self.identity.update(json.dumps(architecture(student.functional.model), sort_keys=True).encode())
        if student.warm is not None:
            for array in (*student.warm.trainable, *student.warm.fixed):
                add_array(self.identity, array)
        self.seconds, self.student_epochs = 0.0, 0.0
        self._recorded = {trial.id: trial for trial in store.trials()}
        self._answers = store.answers()
        self._trainers: dict[tuple[object, ...], CohortTrainer] = {}
        self._initial: dict[int, Variables] = {}

    def train(
        self,
        candidates: Sequence[Candidate],
        seeds: Sequence[int],
        material: Material,
        judged: Judged,
        *,
        epochs: int,
        whole: bool = False,
    ) -> list[Trained]:
        """Train every candidate at every seed.

        Args:
            candidates: what to train.
            seeds: of each.
            material: to learn from; a student without a teacher learns from its labelled examples, in as many steps.
            judged: what they are judged by.
            epochs: passes over the material.
            whole: whether weights and answers are wanted, so that a record does not do.

        Returns:
            Every candidate at every seed, in order.
        """
        groups: dict[tuple[str, bool], list[tuple[Candidate, int]]] = {}
        for candidate in dict.fromkeys(candidates):
            # Where every label is there, both kinds learn from the same examples, and in one cohort.
            all_of_it = candidate.taught or material.labelled is material
            groups.setdefault((self._loss(candidate), all_of_it), []).extend((candidate, seed) for seed in seeds)
        found: dict[tuple[Candidate, int], Trained] = {}
        for (loss, all_of_it), wanted in groups.items():
            lessons = material if all_of_it else material.labelled
            passes = max(1, round(epochs * len(material.labels) / len(lessons.labels)))
            missing = []
            for candidate, seed in wanted:
                known = None if whole else self._known(candidate, seed, lessons, judged.split, passes)
                if known is None:
                    missing.append((candidate, seed))
                else:
                    found[candidate, seed] = known
            for one in self._train(missing, lessons, judged, passes, loss):
                found[one.candidate, one.seed] = one
        return [found[candidate, seed] for candidate in candidates for seed in seeds]

    def _loss(self, candidate: Candidate) -> str:
        """Of the teacher's term; a student without a teacher has its smoothing from the plain divergence."""
        return (candidate.loss or self.request.loss) if candidate.taught else "kl"

    def _known(self, candidate: Candidate, seed: int, lessons: Material, split: str, epochs: int) -> Trained | None:
        name = self._name(candidate, seed, lessons, split, epochs)
        record = self._recorded.get(name)
        if record is None:
            return None
        metrics = {metric: value for (where, metric), value in record.metrics.items() if where == split}
        return Trained(candidate, seed, metrics, self._answers.get(name))

    def _train(
        self,
        wanted: Sequence[tuple[Candidate, int]],
        lessons: Material,
        judged: Judged,
        epochs: int,
        loss: str,
    ) -> list[Trained]:
        if not wanted:
            return []
        trainer = self._trainer(lessons, judged, epochs, loss, len(wanted))
        live = self._live(lessons)
        found: list[Trained] = []
        for part in chunks(wanted, trainer.capacity):
            seated = [self._seat(candidate, seed, lessons, judged) for candidate, seed in part]
            history: list[Epoch] = []
            marks = [time.perf_counter()]

            def listen(
                epoch: Epoch, at_work: int = len(part), before: int = len(found),
                history: list[Epoch] = history, marks: list[float] = marks,
            ) -> None:  # fmt: skip
                history.append(epoch)
                marks.append(time.perf_counter())
                if len(history) < epochs:  # those that are trained are recorded first
                    self.progress.students(before + at_work * len(history) / epochs, len(wanted), at_work)

            self.progress.students(len(found), len(wanted), len(part))
            try:
                outcome = trainer.train(seated, on_epoch=listen, live=live)
            except (MemoryError, jax.errors.JaxRuntimeError) as error:
                if not out_of_memory(error):
                    raise
                raise WorkError(
                    f"Memory ran out with {len(part)} students. Lower --batch-size, or use fewer --devices."
                ) from error
            self._note_speed(marks, len(part), len(lessons.labels))
            trained = [
                self._judge(place, part[place], history, outcome, trainer.steps, judged) for place in range(len(part))
            ]
            records = [
                self._record(one, history, place, lessons, judged.split, epochs) for place, one in enumerate(trained)
            ]
            self.store.add_cohort(
                [record for record in records if record.id not in self._recorded],
                run=self.run,
                students=len(part),
                examples=len(lessons.labels) * epochs,
                seconds=marks[-1] - marks[0],
            )
            found += trained
            self._recorded |= {record.id: record for record in records}
            self._answers |= {record.id: record.answers for record in records if record.answers is not None}
        return found

    def _note_speed(self, marks: Sequence[float], students: int, examples: int) -> None:
        """Remember what an example of an epoch costs, leaving out a first epoch that may have been compiled."""
        spans = np.diff(marks)
        counted = spans[1:] if len(spans) > 1 else spans
        self.seconds += float(counted.sum())
        self.student_epochs += students * len(counted) * examples

    @property
    def seconds_an_example(self) -> float:
        """Of one student in one epoch, as measured by this run, or else on record; NaN before any training."""
        if self.student_epochs:
            return self.seconds / self.student_epochs
        seconds, examples = self.store.cost()
        return seconds / examples if examples else math.nan

    def _trainer(
        self,
        lessons: Material,
        judged: Judged,
        epochs: int,
        loss: str,
        count: int,
    ) -> CohortTrainer:
        seats = SEATS[inside(self.grid.devices.flat[0].platform)] * self.grid.size
        capacity = seats if self.grid.devices.flat[0].platform == "cpu" else min(seats, count)
        key = (id(lessons.inputs), id(judged.inputs), epochs, loss, capacity)
        if key not in self._trainers:
            nothing = np.zeros_like(lessons.teacher)
            masked = bool((lessons.labels == UNLABELLED).any())
            if masked and loss not in MASKABLE:
                raise RequestError(f"The loss {loss} needs every label. With unlabelled examples choose kl.")
            if len(lessons.labels) < self.request.batch_size:
                most = f"at most {len(lessons.labels)}, the training examples"
                raise not_allowed("batch_size", self.request.batch_size, most)
            self._trainers[key] = CohortTrainer(
                self.student.functional,
                Examples(
                    lessons.inputs,
                    judged.inputs[:0],
                    judged.inputs,
                    np.stack([lessons.teacher, nothing]),
                    self.student.scale,
                ),
                Recipe(
                    epochs=epochs,
                    batch_size=self.request.batch_size,
                    loss=loss,
                    optimiser=self.request.optimiser,
                    schedule=self.request.schedule,
                    augmentation=self.augmentation,
                    unlabelled=masked,
                ),
                mesh=self.grid,
                capacity=capacity,
            )
        return self._trainers[key]

    def _live(self, lessons: Material) -> LiveTeacher | None:
        if not self.augmentation:
            return None
        members = [teacher.member for teacher in self.teachers if teacher.member is not None]
        scales = {scale for *_, scale in members}
        if len(scales) > 1:
            raise RequestError("Teachers of differently scaled inputs cannot answer augmented images together.")
        ask = live_teacher(
            [[(functional, variables) for functional, variables, _ in members]],
            lessons.inputs,
            scales.pop(),
            self.augmentation,
        )
        nothing = np.zeros_like(lessons.teacher)
        return lambda teacher, seed, epoch: ask(0, seed, epoch) if teacher == 0 else nothing

    def _seat(
        self,
        candidate: Candidate,
        seed: int,
        lessons: Material,
        judged: Judged,
    ) -> Student:
        if seed not in self._initial:
            self._initial[seed] = self.student.warm or self.student.functional.initial(seed)
        return Student(
            alpha=candidate.alpha,
            temperature=candidate.temperature,
            learning_rate=candidate.learning_rate,
            seed=seed,
            initial=self._initial[seed],
            labels=lessons.labels,
            validation_labels=judged.labels[:0],
            teacher=0 if candidate.taught else 1,
        )

    def _judge(
        self,
        place: int,
        which: tuple[Candidate, int],
        history: Sequence[Epoch],
        outcome: Outcome,
        steps: int,
        judged: Judged,
    ) -> Trained:
        candidate, seed = which
        variables: Variables = jax.tree.map(lambda leaf: leaf[place], outcome.variables)
        logits = outcome.test_logits[place]
        finite = all(epoch.finite_steps[place] == steps for epoch in history) and bool(np.isfinite(logits).all())
        metrics = dict(all_metrics(logits, judged.labels, judged.teacher)) if finite else {}
        kept = (
            validation_predictions(candidate.alpha, logits, judged.labels)
            if finite and judged.split == "validation"
            else None
        )
        return Trained(candidate, seed, metrics, kept, logits, variables)

    def _record(
        self, one: Trained, history: Sequence[Epoch], place: int, lessons: Material, split: str, epochs: int
    ) -> TrialResult:
        name = self._name(one.candidate, one.seed, lessons, split, epochs)
        broken = next((epoch for epoch in history if not np.isfinite(epoch.loss[place])), None)
        finite = [
            float(epoch.last_finite_loss[place]) for epoch in history if np.isfinite(epoch.last_finite_loss[place])
        ]
        return TrialResult(
            id=name,
            seed=one.seed,
            alpha=one.candidate.alpha,
            coordinates={"taught": one.candidate.taught, "part": split, "epochs": epochs},
            settings={
                "student": {"model": self.student.name},
                **one.candidate._asdict(),
                "epochs": epochs,
                "batch_size": self.request.batch_size,
                "loss": self._loss(one.candidate),
            },
            teacher="teacher",
            epochs=[(float(e.loss[place]), float(e.hard[place]), float(e.soft[place]), math.nan) for e in history],
            metrics={(split, metric): value for metric, value in one.metrics.items()},
            answers=one.answers,
            diverged_epoch=None if one.metrics else (history[-1] if broken is None else broken).epoch,
            last_finite_loss=finite[-1] if finite else None,
        )

    def _name(self, candidate: Candidate, seed: int, lessons: Material, split: str, epochs: int) -> str:
        """A training's identity: of everything that decides its result."""
        digest = self.identity.copy()
        request = {
            key: value
            for key, value in asdict(self.request).items()
            if key in ("batch_size", "optimiser", "schedule", "shift", "flip")
        }
        told = [
            VERSION,
            *candidate[:4],
            self._loss(candidate),
            seed,
            split,
            epochs,
            len(lessons.labels),
            self.student.scale,
            request,
        ]
        digest.update(json.dumps(told, sort_keys=True).encode())
        return digest.hexdigest()[:16]
