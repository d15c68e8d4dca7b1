"""A distillation from start to end: teachers asked, settings chosen, final students trained and judged, one shipped."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from distillab.data.labels import Array
from distillab.data.own import UNLABELLED, OwnData, read_own
from distillab.distillation.cost import cost
from distillab.distillation.request import Request
from distillab.distillation.result import Result
from distillab.distillation.students import AUTO, StudentModel, auto_candidates, find_student, shipped
from distillab.distillation.teachers import Teacher, answers, find_teachers
from distillab.distillation.verdict import judge
from distillab.distillation.workshop import Judged, Material, Trained, Workshop
from distillab.engine.devices import mesh
from distillab.errors import RequestError, WorkError
from distillab.io import replace_file
from distillab.models.answers import add_array
from distillab.report.formatting import p_value
from distillab.search.grid import (
    BEAM,
    FINALISTS,
    REPEATS,
    Evaluate,
    Found,
    Scores,
    coarse_to_fine,
    cost_of_halving,
    successive_halving,
)
from distillab.search.space import Candidate, Space, coarse
from distillab.stats import paired_t, t_interval
from distillab.study.progress import Progress, Silence
from distillab.study.provenance import now, provenance
from distillab.study.storage.store import Store
from distillab.theory import RiskCoefficients, alpha_from_endpoints, alpha_star

SEARCH_SEED = 1_000
"""Candidates are trained at seeds of their own, so that the final students' are new to their settings."""

SCREENED = 3
"""The zoo's candidates are screened in a third of the epochs."""


def distill(
    teacher: Any,
    student: Any,
    data: Any,
    out: Path | str | None = None,
    *,
    data_dir: Path | None = None,
    validation: float = 0.1,
    test: float = 0.2,
    image_size: tuple[int, int] | None = None,
    label: str | None = None,
    devices: int | None = None,
    command: str = "",
    progress: Progress | None = None,
    **settings: Any,
) -> Result:
    """Distil a model of one's own, and say whether that helped.

    Args:
        teacher: a keras.Model, a path (`.keras`, SavedModel, a folder of `.keras` files, `.npy` of stored predictions),
            `module:function`, or a list of such, whose answers are averaged.
        student: a keras.Model, a `.keras` file, `module:function`, a zoo name such as "cnn-16-32", or "auto"; of a list
            the best is taken, after a brief training of each, or by Optuna.
        data: what `read_own` takes: a path or arrays.
        out: the folder to leave everything in; None leaves nothing.
        data_dir, validation, test, image_size, label: for `read_own`.
        devices: how many to train on; by default all.
        command: what started this, for the record.
        progress: is told what happens.
        settings: fields of `Request`.

    Returns:
        The shipped student, the verdict, the numbers.

    Raises:
        RequestError: something does not fit; nothing has been written.
        WorkError: the work failed; what was recorded stays, and the same call goes on from there.
    """
    request = Request(**settings)
    progress = progress or Silence()
    own = data if isinstance(data, OwnData) else read_own(
        data, data_dir=data_dir, validation=validation, test=test, size=image_size, label=label
    )  # fmt: skip
    for note in own.notes:
        progress.note(note)
    named = list(teacher) if isinstance(teacher, (list, tuple)) else [teacher]
    teachers = find_teachers(named, own, request)
    named = list(student) if isinstance(student, (list, tuple)) else [student]
    named = auto_candidates(own, teachers, request) if named == [AUTO] else named
    models = [find_student(one, own, request) for one in named]
    grid = mesh(devices)
    with ExitStack() as stack:
        folder = _folder(out, stack)
        store = stack.enter_context(Store(folder / "study.db"))
        told = provenance(
            command=command,
            data={"name": own.dataset.name, "digest": own.dataset.digest},
            devices=grid.size,
            platform_name=grid.devices.flat[0].platform,
        )
        run = store.begin_run(now(), told)
        identity = _identity(own, teachers)

        def workshop(model: StudentModel) -> Workshop:
            return Workshop(own, model, teachers, request, store, run, grid, progress, identity)

        course = Course(own, teachers, request, folder / "logits", progress)
        workshops = [workshop(model) for model in models]
        if len(models) > 1 and request.search != "optuna":
            workshops = [course.screen(workshops)]
        result = course.finish(workshops)
        store.end_run(run, now())
        result = replace(result, provenance=told, folder=None if out is None else folder)
        if out is not None:
            _write(result, own, folder)
    return result


class Course:
    """The steps of a distillation.

    Args:
        own: the data.
        teachers: who teaches.
        request: how.
        logits: the folder that keeps their answers.
        progress: is told.
    """

    def __init__(
        self, own: OwnData, teachers: Sequence[Teacher], request: Request, logits: Path, progress: Progress
    ) -> None:
        self.own, self.teachers, self.request, self.progress = own, teachers, request, progress
        data, classes = own.dataset, own.dataset.classes
        progress.note(f"Asking {_called(teachers)}.")
        labelled = answers(teachers, data.x_train, classes, logits)
        free = answers(teachers, own.unlabelled, classes, logits) if len(own.unlabelled) else labelled[:0]
        self.test = Judged(
            "test", own.prepared(data.x_test), data.y_test, answers(teachers, data.x_test, classes, logits)
        )
        rows = own.training
        held = own.validation
        self.validation = Judged("validation", own.prepared((data.x_train, held)), data.y_train[held], labelled[held])
        inputs = own.prepared((data.x_train, rows), own.unlabelled)
        self.training = _material(inputs, data.y_train[rows], labelled[rows], free)
        self.everything = _material(own.prepared(data.x_train, own.unlabelled), data.y_train, labelled, free)
        right = float(np.mean(self.validation.teacher.argmax(-1) == self.validation.labels))
        progress.note(f"{_called(teachers)}: right on {right:.2%} of {len(own.validation):,} validation examples.")

    def screen(self, workshops: Sequence[Workshop]) -> Workshop:
        """The best of several architectures, each trained briefly with the teacher."""
        trial = self._space().middle
        epochs = max(1, round(self.request.epochs / SCREENED))
        scores = []
        for workshop in workshops:
            (one,) = workshop.train([trial], [SEARCH_SEED], self.training, self.validation, epochs=epochs)
            scores.append(one.metrics.get(self.request.metric, -np.inf))
            self.progress.note(f"{workshop.student.name}: {100 * scores[-1]:.2f} % after {epochs} epochs.")
        return workshops[int(np.argmax(scores))]

    def finish(self, workshops: Sequence[Workshop]) -> Result:
        """Choose the settings, and the architecture where there are several; train the final students, judge them."""
        found, method = self._choose(workshops)
        workshop = workshops[found.taught.student]
        seeds = list(range(self.request.seeds))
        self.progress.note(f"Chosen: {_told(found.taught)}; without a teacher: {_told(found.alone)}.")
        candidates = [found.taught, found.alone]
        final = workshop.train(candidates, seeds, self.everything, self.test, epochs=self.request.epochs, whole=True)
        student, alone = final[: len(seeds)], final[len(seeds) :]
        _check_finite(student, alone)
        verdict = judge(_logits(student), _logits(alone), self.test.teacher, self.test.labels)
        caveat = _seen(self.validation, self.test)
        effect = self._effect_of_unlabelled(workshop, found.taught, student) if len(self.own.unlabelled) else ""
        variables = student[0].variables
        if variables is None:
            raise ValueError("a final student is trained, not read from the record")
        model = shipped(workshop.student, variables, self.own)
        costs = {"student": cost(model, workshop.student.functional, self.test.inputs[0] * workshop.student.scale)}
        if len(self.teachers) == 1 and self.teachers[0].model is not None and self.teachers[0].member is not None:
            functional, _, scale = self.teachers[0].member
            costs["teacher"] = cost(self.teachers[0].model, functional, self.own.dataset.x_test[0] * scale)
        data = self.own.dataset
        return Result(
            student=model,
            verdict=verdict,
            chosen=found.taught,
            alone=found.alone,
            request=self.request,
            scores=found.scores,
            method=method,
            costs=costs,
            names={"student": workshop.student.name, "teacher": _called(self.teachers), "data": data.name},
            data={
                "labelled": len(data.y_train),
                "validation": len(self.own.validation),
                "unlabelled": len(self.own.unlabelled),
                "test": len(data.y_test),
                "class_names": list(data.class_names),
                "input_shape": list(data.input_shape),
                "reads": "as stored (bytes, 0 to 255)" if data.x_train.dtype == np.uint8 else "as they are",
                "student_gives": "probabilities" if workshop.student.softmax else "logits",
                "notes": list(self.own.notes),
            },
            unlabelled=effect,
            caveat=caveat,
        )

    def _space(self) -> Space:
        alpha = self.request.alpha
        return Space.of(None if alpha == "predicted" else alpha, self.request.temperature, self.request.learning_rate)

    def _choose(self, workshops: Sequence[Workshop]) -> tuple[Found, str]:
        """The settings of student and baseline, and how they were found."""
        request, space, workshop = self.request, self._space(), workshops[0]
        space = space._replace(losses=request.losses or ("",), students=len(workshops))
        seeds = _search_seeds(request, 1)

        def evaluate(candidates: Sequence[Candidate], epochs: int, repeats: int) -> Scores:
            seeds = _search_seeds(request, repeats)
            trained: list[Trained] = []
            for number, one in enumerate(workshops):
                wanted = [candidate for candidate in candidates if candidate.student == number]
                trained += one.train(wanted, seeds, self.training, self.validation, epochs=epochs)
            return scored(candidates, trained, request.metric)

        if request.alpha == "predicted":
            found = self._predicted(workshop, space, seeds, evaluate)
        elif request.search == "optuna":
            from distillab.search.optuna import ask_optuna

            storage = workshop.store.path.with_name("optuna.db")
            found = ask_optuna(space, evaluate, epochs=request.epochs, trials=request.trials, storage=storage)
        elif request.budget is not None and self._is_short(workshop, space, evaluate):
            found = successive_halving(space, evaluate, epochs=request.epochs)
        else:
            found = coarse_to_fine(space, evaluate, epochs=request.epochs, rounds=request.rounds)
        refined = request.alpha != "predicted" and not found.method.startswith("Successive")
        more = f", the best {FINALISTS} of either kind {REPEATS} times as many" if refined else ""
        chosen = (
            f"{found.method} chose the settings by validation {request.metric.replace('_', ' ')} (ties by likelihood): "
            f"{found.with_teacher} candidates with the teacher and {found.without} without, "
            f"{request.search_seeds} training{'s' * (request.search_seeds > 1)} each{more}."
        )
        return found, chosen

    def _predicted(self, workshop: Workshop, space: Space, seeds: Sequence[int], evaluate: Evaluate) -> Found:
        """Alpha from the students at both ends; without a teacher as many trainings."""
        request = self.request
        ends = [space.middle._replace(alpha=alpha) for alpha in (0.0, 1.0)]
        alone = [Candidate(False, alpha, 1.0, space.middle.learning_rate) for alpha in (1.0, 0.9)]
        scores = evaluate([*ends, *alone], request.epochs, 1)
        trained = workshop.train(ends, seeds, self.training, self.validation, epochs=request.epochs)
        total = np.zeros(3)
        for first, last in zip(trained[: len(seeds)], trained[len(seeds) :], strict=True):
            if first.answers is None or last.answers is None:
                raise WorkError(
                    "A student at alpha = 0 or 1 diverged, so alpha cannot be predicted. Lower --learning-rate."
                )
            target = np.eye(self.own.dataset.classes)[first.answers.labels]
            total += np.array(
                alpha_from_endpoints(first.answers.probabilities, last.answers.probabilities, target).risk
            )
        best = alpha_star(RiskCoefficients(*(total / len(seeds)).tolist())).clipped
        taught = ends[0]._replace(alpha=0.5 if np.isnan(best) else round(float(best), 3))
        better = max(scores[2:], key=lambda one: one[1])[0]
        return Found(taught, better, scores, 2, 2, 4.0, "A prediction from the students at alpha = 0 and 1")

    def _is_short(self, workshop: Workshop, space: Space, evaluate: Evaluate) -> bool:
        """Whether the budget does not hold a search from coarse to fine, by the speed of a first rung.

        Raises:
            RequestError: it does not even hold the final trainings.
        """
        request = self.request
        evaluate([space.middle], 2 if request.epochs > 1 else 1, 1)
        rates = len(space.rates[:: 2 if len(space.rates) > 2 else 1])
        grid = len(coarse(space, 1.0))
        examples = len(self.training.labels)
        per_epoch = workshop.seconds_an_example * examples
        final = 2 * request.seeds * request.epochs * per_epoch * len(self.everything.labels) / examples
        left = float(request.budget or 0) - final
        halved = 2 * request.search_seeds * cost_of_halving(rates * grid, request.epochs) * per_epoch
        if left < halved:
            raise RequestError(
                f"The budget of {request.budget:.0f} s does not hold the search and the final trainings, which need "
                f"about {halved + final:.0f} s here. Raise --budget, or lower --epochs, --seeds or --search-seeds."
            )
        moves = 6 * BEAM * request.rounds
        trained = len(space.rates) + grid + moves + FINALISTS * (REPEATS - 1)
        full = 2 * request.search_seeds * trained * request.epochs * per_epoch
        return full > left

    def _effect_of_unlabelled(self, workshop: Workshop, chosen: Candidate, student: Sequence[Trained]) -> str:
        """What the unlabelled examples gained: the same student taught on the labelled ones alone, in as many steps."""
        lessons = self.everything.labelled
        epochs = max(1, round(self.request.epochs * len(self.everything.labels) / len(lessons.labels)))
        seeds = [one.seed for one in student]
        fewer = workshop.train([chosen], seeds, lessons, self.test, epochs=epochs, whole=True)
        with_them, without = ([one.metrics.get("accuracy", np.nan) for one in of] for of in (student, fewer))
        gains = np.array(with_them) - np.array(without)
        if not np.isfinite(gains).all():
            return "What the unlabelled examples gained is not known: a student without them diverged."
        interval, test = t_interval(gains), paired_t(gains)
        interval_told = f"95 % interval {100 * interval.low:+.2f} to {100 * interval.high:+.2f}, p {p_value(test.p)}"
        return (
            f"The {len(self.own.unlabelled):,} unlabelled examples changed the test accuracy by "
            f"{100 * interval.estimate:+.2f} points ({interval_told}), against the same student taught on the labelled "
            "ones alone in as many steps."
        )


def _material(inputs: Array, y: NDArray[np.int32], logits: NDArray[np.float32], free: NDArray[np.float32]) -> Material:
    """Labelled examples, followed by those without a label."""
    none = np.full(len(free), UNLABELLED, np.int32)
    return Material(inputs, np.concatenate([y, none]), np.concatenate([logits, free]))


def _search_seeds(request: Request, repeats: int) -> list[int]:
    return [SEARCH_SEED + number for number in range(request.search_seeds * repeats)]


def scored(candidates: Sequence[Candidate], trained: Sequence[Trained], metric: str) -> Scores:
    """Each candidate's mean score over its seeds, and less its negative log-likelihood; NaN where one diverged."""
    rows = {one: [t.metrics for t in trained if t.candidate == one] for one in candidates}

    def mean(one: Candidate, name: str) -> float:
        return float(np.mean([row.get(name, np.nan) for row in rows[one]]))

    return [(one, mean(one, metric), -mean(one, "nll")) for one in candidates]


def _seen(validation: Judged, test: Judged) -> str:
    """What to say where the teacher is so much better on the validation examples that it has probably learned them."""
    known, new = ((part.teacher.argmax(-1) == part.labels) for part in (validation, test))
    shares = known.mean(), new.mean()
    spread = np.sqrt(sum(share * (1 - share) / len(right) for share, right in zip(shares, (known, new), strict=True)))
    if shares[0] - shares[1] <= max(0.02, 3 * spread):
        return ""
    return (
        f"The teacher is right on {shares[0]:.1%} of the validation examples and on {shares[1]:.1%} of the test "
        "examples: it has probably learned the validation examples. Its answers to what it has learned tell less, and "
        "make a small alpha look better than it is. Keep a validation part from it, or store answers of models that "
        "did not learn the example (cross-validation)."
    )


def _logits(trained: Sequence[Trained]) -> list[NDArray[np.float32]]:
    return [one.logits for one in trained if one.logits is not None]


def _check_finite(student: Sequence[Trained], alone: Sequence[Trained]) -> None:
    for who, trained in (("student", student), ("baseline", alone)):
        diverged = [one.seed for one in trained if not one.metrics]
        if diverged:
            raise WorkError(
                f"The {who} diverged at {len(diverged)} of {len(trained)} seeds (the first: {diverged[0]}). Lower "
                "--learning-rate."
            )


def _identity(own: OwnData, teachers: Sequence[Teacher]) -> str:
    digest = hashlib.sha256(own.dataset.digest.encode())
    for array in (own.validation, own.unlabelled):
        add_array(digest, array)
    for teacher in teachers:
        digest.update(teacher.digest.encode())
    return digest.hexdigest()


def _called(teachers: Sequence[Teacher]) -> str:
    return " + ".join(teacher.name for teacher in teachers)


def _told(one: Candidate) -> str:
    temperature = f", T = {one.temperature:g}" if one.taught else ""
    return f"alpha = {one.alpha:g}{temperature}, learning rate {one.learning_rate:g}"


def _folder(out: Path | str | None, stack: ExitStack) -> Path:
    """The folder to work in, locked.

    Raises:
        RequestError: it is something else's, or another process is at work in it.
    """
    if out is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="distillab-")))
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{folder} is a file. Choose a folder with --out.")
    strangers = (
        folder.is_dir() and not (folder / "study.db").is_file() and any(p.name != ".lock" for p in folder.iterdir())
    )
    if strangers or (folder / "study.yaml").exists():
        raise RequestError(f"{folder} holds something else already. Choose another folder with --out.")
    try:
        if not folder.exists() or not any(folder.iterdir()):
            stack.push(partial(_undo, folder))
        stack.push(partial(_told_in_a_line, folder))
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(FileLock(folder / ".lock", timeout=0))
    except Timeout as error:
        raise RequestError(f"Another process is at work in {folder}. Wait until it ends, or choose another.") from error
    except OSError as error:
        raise WorkError(f"{folder} cannot be written: {error.strerror or error}.") from error
    return folder


EXAMPLES, CALIBRATION = 1_000, 512
"""Test and training examples that are kept, for exports to be compared and calibrated on."""


def _told_in_a_line(folder: Path, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
    """Say in one line that the folder cannot be written, such as where the disk is full."""
    if isinstance(error, OSError):
        raise WorkError(f"{error.filename or folder} cannot be written: {error.strerror or error}.") from error
    return False


def _undo(folder: Path, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
    """Leave nothing of a folder that was made for a request that turned out wrong."""
    if isinstance(error, RequestError):
        shutil.rmtree(folder, ignore_errors=True)
    return False


def _write(result: Result, own: OwnData, folder: Path) -> None:
    data = own.dataset
    drawn = np.random.default_rng(0).permutation(len(data.x_train))[:CALIBRATION]
    kept: dict[str, Any] = {
        "x_train": data.x_train[drawn],
        "y_train": data.y_train[drawn],
        "x_test": data.x_test[:EXAMPLES],
        "y_test": data.y_test[:EXAMPLES],
    }
    try:
        replace_file(folder / "examples.npz", lambda temporary: np.savez_compressed(temporary, **kept))
        replace_file(folder / "student.keras", lambda temporary: result.student.save(temporary))
        text = json.dumps(result.to_json(), indent=1, default=str)
        replace_file(folder / "result.json", lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))
        replace_file(
            folder / "model_card.md", lambda temporary: temporary.write_text(result.report(), encoding="utf-8")
        )
    except OSError as error:
        raise WorkError(f"{folder} cannot be written: {error.strerror or error}.") from error
