"""The search of a distillation: candidates become trials of a study, and the best ones its final trainings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.errors import RequestError, WorkError
from distillab.losses import DEFAULT_TEMPERATURE, DISTILLATION_LOSSES
from distillab.metrics.metric import METRICS, Metric, metric_named
from distillab.search.budget import Budget, Cost
from distillab.search.grid import SearchResult, grid_search
from distillab.search.request import Request
from distillab.search.space import Candidate, Score, Space
from distillab.study.clean_labels import CleanLabels, clean_labels
from distillab.study.runner import Runner, Work
from distillab.study.settings import Augment, Evaluated, Output, Settings, Student, Teacher, ensemble
from distillab.study.splits import split
from distillab.study.storage.records import TrialResult, ValidationPredictions
from distillab.study.student_models import StudentModel
from distillab.study.teachers import TeacherPredictions
from distillab.study.trials import Trial, trial
from distillab.tasks.evaluation import evaluate
from distillab.theory import RiskCoefficients, alpha_from_endpoints, alpha_star

SEARCH_SEED = 1_000
"""The first seed of candidates; final students have other seeds, for which nothing was chosen."""

SCREENING = 3
"""Several architectures are screened in a third of the epochs."""


class Finals(NamedTuple):
    """The final trainings, seed by seed."""

    student: list[TrialResult]
    baseline: list[TrialResult]
    labelled: list[TrialResult]
    """The student trained on the labelled examples alone, where there are unlabelled ones."""


class Pipeline:
    """Trains candidates and final students of a distillation.

    Args:
        request: what is wanted.
        dataset: the data, with fixed validation rows.
        teacher, students: names of the teacher and the architectures, as in `Settings`.
        work: the parts of the run.
        runner: trains trials; None: the request is only checked.
    """

    def __init__(
        self,
        request: Request,
        dataset: Dataset,
        teacher: str,
        students: Sequence[str],
        work: Work,
        runner: Runner | None = None,
    ) -> None:
        self.request, self.dataset, self.work, self._runner = request, dataset, work, runner
        self.teacher, self.students = teacher, list(students)
        costs = self._cost(final=False), self._cost(final=True)
        self.clean: CleanLabels | None = None
        """The likely clean labels of the validation examples, once the first candidates are trained."""
        self.budget = Budget(request.budget, *costs, request.seeds, request.epochs)

    @property
    def metric(self) -> Metric:
        """Chooses among the candidates."""
        return metric_named(self.request.metric or self.dataset.task.metrics_of(bool(self.dataset.positions))[0])

    @property
    def loss(self) -> str:
        """The distillation loss where a candidate has none of its own."""
        return self.request.loss or self.dataset.task.losses[0]

    @property
    def space(self) -> Space:
        """The values that the search chooses from."""
        request = self.request
        alpha = None if request.alpha == "predicted" else request.alpha
        fixed = request.temperature if self.dataset.task.softens else DEFAULT_TEMPERATURE
        space = Space.of(alpha, fixed, request.learning_rate)
        return space._replace(losses=request.losses or ("",), students=len(self.students))

    def settings(
        self, candidate: Candidate, evaluate: Evaluated, *, epochs: int | None = None, unlabelled: bool = True
    ) -> Settings:
        """The settings of a candidate's training.

        A training without unlabelled examples, such as the baseline's, takes as many steps as one with them.

        Args:
            candidate: its numbers.
            evaluate: "validation" for the search, "test" for the final trainings.
            epochs: passes over the data; by default those of the request, as the budget allows.
            unlabelled: whether a distilled student trains on the unlabelled examples too.
        """
        request, epochs = self.request, self.budget.epochs if epochs is None else epochs
        unlabelled = unlabelled and candidate.distilled and len(self.dataset.unlabelled) > 0
        labelled = len(self.dataset.y_train) if evaluate == "test" else len(self.dataset.training)
        if not unlabelled:
            epochs = max(1, round(epochs * (labelled + len(self.dataset.unlabelled)) / labelled))
        task = self.dataset.task
        return Settings(
            dataset=self.dataset.name,
            task=task.name,
            teacher=Teacher(model=self.teacher),
            target="teacher" if candidate.distilled else "uniform",
            student=Student(model=self.students[candidate.student]),
            loss=(candidate.loss or self.loss) if candidate.distilled else task.losses[0],  # plain: it smooths labels
            label_loss=request.label_loss or task.label_losses[0],
            alpha=candidate.alpha,
            temperature=candidate.temperature if task.softens else DEFAULT_TEMPERATURE,
            epochs=epochs,
            batch_size=request.batch_size,
            learning_rate=candidate.learning_rate,
            optimiser=request.optimiser,
            schedule=request.schedule,
            augmentation=Augment(shift=request.shift, flip=request.flip),
            evaluate=evaluate,
            unlabelled=unlabelled,
            outputs=request.outputs if candidate.distilled else _weights(request.outputs),
        )

    def screen(self) -> None:
        """Keep the best of several architectures, each trained briefly with the teacher."""
        epochs = max(1, round(self.budget.epochs / SCREENING))
        candidates = [self.space.middle._replace(student=index) for index in range(len(self.students))]
        results = self._train([(self.settings(c, "validation", epochs=epochs), SEARCH_SEED, c) for c in candidates])
        metric = self.metric
        scores = [metric.sign * result.metrics.get(("validation", metric.name), np.nan) for result in results]
        scores = [-np.inf if np.isnan(score) else score for score in scores]
        for name, score in zip(self.students, scores, strict=True):
            called = self.work.models.student(Student(model=name)).name
            self.work.progress.note(f"{called}: {metric.shown(metric.sign * score)} after {epochs} epochs.")
        self.students = [self.students[int(np.argmax(scores))]]

    def search(self, storage: str | os.PathLike[str] | None) -> SearchResult:
        """Choose the settings of student and baseline on the validation examples.

        Args:
            storage: the file that Optuna keeps; None: in memory.
        """
        if self.request.alpha == "predicted":
            return self._predicted()
        if self.request.search == "optuna":
            from distillab.search.optuna import optuna_search

            return optuna_search(self.space, self._evaluate, trials=self.request.trials, storage=storage)
        return grid_search(self.space, self._evaluate, rounds=self.request.rounds)

    def finals(self, result: SearchResult) -> Finals:
        """Train the final students and baselines on all training examples; their students are kept.

        Args:
            result: of the search.

        Raises:
            WorkError: one diverged.
        """
        count = self.budget.seeds
        kinds = [(result.distilled, True), (result.baseline, True)]
        if len(self.dataset.unlabelled):
            kinds.append((result.distilled, False))
        wanted = [
            (self.settings(candidate, "test", unlabelled=unlabelled), seed, candidate)
            for candidate, unlabelled in kinds
            for seed in range(count)
        ]
        results = self._train(wanted, keep=True)
        finals = Finals(results[:count], results[count : 2 * count], results[2 * count :])
        _check_finite(finals)
        return finals

    def check(self) -> None:
        """Reject a request that the data cannot carry, before anything is trained.

        Raises:
            RequestError: the message names the option.
        """
        split(self.dataset, self.settings(self.space.middle, "validation"))
        split(self.dataset, self.settings(self.space.plain, "validation"))
        incomplete = len(self.dataset.unlabelled) > 0 or self.dataset.partly_labelled
        for loss in self.request.losses or (self.loss,):
            if incomplete and DISTILLATION_LOSSES[loss].needs_labels:
                default = self.dataset.task.losses[0]
                raise RequestError(f"The loss {loss} needs every label. With missing labels choose {default}.")

    @property
    def runner(self) -> Runner:
        """Trains trials."""
        if self._runner is None:
            raise ValueError("a pipeline without a runner trains nothing")
        return self._runner

    def student(self, candidate: Candidate) -> StudentModel:
        """The architecture of a candidate.

        Args:
            candidate: its numbers.
        """
        return self.work.models.student(Student(model=self.students[candidate.student]))

    def prepare_teacher(self) -> None:
        """Compute and store the teacher's predictions for the validation examples, and report its accuracy."""
        names = ensemble(self.teacher)
        called = " + ".join(self.work.models.teacher(name).name for name in names)
        self.work.progress.note(f"Predicting with {called}.")
        data, predictions = self.dataset, self.teacher_predictions("validation")
        labels = data.y_train[data.validation]
        metrics = evaluate(data.task, data.in_units(predictions.validation), labels)
        shown = self.metric.shown(metrics[self.metric.name])
        self.work.progress.note(f"{called}: {shown} on {len(labels):,} validation examples.")

    def teacher_predictions(self, evaluate: Evaluated = "all") -> TeacherPredictions:
        """The teacher's predictions for the validation and, unless only they are evaluated, the test examples.

        Args:
            evaluate: as in `Settings.evaluate`.
        """
        settings = self.settings(self.space.middle, "validation").model_copy(update={"evaluate": evaluate})
        rows = split(self.dataset, settings)
        return self.runner.teachers.predictions(settings, rows, training=False)

    def _cost(self, *, final: bool) -> Cost:
        def cost(students: int, epochs: float) -> float:
            labelled = len(self.dataset.y_train) if final else len(self.dataset.training)
            settings = self.settings(self.space.middle, "test" if final else "validation", epochs=1)
            student = self.work.models.student(settings.student).functional
            examples = labelled + len(self.dataset.unlabelled)
            return self.work.costs.seconds(students, epochs, examples, settings, student=student)

        return cost

    def _evaluate(self, candidates: Sequence[Candidate], repeats: int) -> list[Score]:
        """Mean validation scores over the search's seeds, of as many candidates as the budget holds."""
        count = self.budget.affordable(self.request.search_seeds * repeats, len(candidates))
        if count < len(candidates):
            candidates = _shortened(candidates, count)
        return self._scores(candidates, repeats)

    def _seeds(self, repeats: int = 1) -> range:
        return range(SEARCH_SEED, SEARCH_SEED + self.request.search_seeds * repeats)

    def _scores(self, candidates: Sequence[Candidate], repeats: int) -> list[Score]:
        seeds, each = self._seeds(repeats), self.request.search_seeds * repeats
        results = self._train([(self.settings(c, "validation"), seed, c) for c in candidates for seed in seeds])
        rows = [results[i : i + each] for i in range(0, len(results), each)]
        metric, tie = self.metric, METRICS[self.dataset.task.tie]
        clean = self._clean_scores(rows)
        return [
            Score(candidate, metric.sign * _mean(row, metric.name), tie.sign * _mean(row, tie.name), repeats, score)
            for candidate, row, score in zip(candidates, rows, clean, strict=True)
        ]

    @property
    def _chooses_clean(self) -> bool:
        return self.request.choose == "robust" and self.clean is not None and self.clean.choose

    def _clean_scores(self, rows: Sequence[Sequence[TrialResult]]) -> list[float | None]:
        """How well candidates predict the likely clean labels; None of each where the metric chooses.

        The clean labels are estimated once, from the first candidates: every score of a search is by the same ones.
        """
        if self.clean is not None and not self._chooses_clean:
            return [None] * len(rows)
        stored = self.runner.store.validation()
        kept = [[stored.predictions.get(result.id) for result in row] for row in rows]
        known = [one for row in kept for one in row if one is not None]
        if self.clean is None and known:
            settings = self.settings(self.space.middle, "validation")
            teacher = self._trial(settings, SEARCH_SEED, self.space.middle).teacher
            if (examples := stored.examples.get((teacher, settings.validation_rows))) is not None:
                self.clean = clean_labels(known, examples)
        if self.clean is None or not self._chooses_clean:
            return [None] * len(rows)
        return [
            float(np.mean(self.clean.score([one.probabilities for one in row if one is not None])))
            if all(one is not None for one in row)
            else np.nan
            for row in kept
        ]

    def _train(self, wanted: Sequence[tuple[Settings, int, Candidate]], *, keep: bool = False) -> list[TrialResult]:
        """Train what is missing, and return the results in order."""
        trials = [self._trial(*training) for training in wanted]
        missing = self.runner.missing(trials, keep=keep)
        for _ in self.runner.run(trials, self.work.plan(missing), keep=keep) if missing else ():
            pass  # recorded by the runner
        results = {result.id: result for result in self.runner.store.trials(epochs=False)}
        return [results[trial.id] for trial in trials]

    def _trial(self, settings: Settings, seed: int, candidate: Candidate) -> Trial:
        coordinates = {
            "distilled": candidate.distilled,
            "evaluate": settings.evaluate,
            "student": self.work.models.student(settings.student).name,
            "epochs": settings.epochs,
        }
        return trial(settings, seed, self.dataset.digest, coordinates)

    def _predicted(self) -> SearchResult:
        """Alpha from the students at alpha = 0 and 1; the baseline gets as many trainings."""
        space = self.space
        ends = [space.middle._replace(alpha=alpha) for alpha in (0.0, 1.0)]
        baselines = [space.plain, space.plain._replace(alpha=0.9)]
        scores = self._scores([*ends, *baselines], 1)
        seeds = self._seeds()
        trials = [self._trial(self.settings(end, "validation"), seed, end) for end in ends for seed in seeds]
        stored = self.runner.store.validation_predictions()
        predictions = [stored.get(trial.id) for trial in trials]
        target = self.clean.posterior[0] if self.clean is not None and scores[0].clean is not None else None
        alpha = _predicted_alpha(predictions[: len(seeds)], predictions[len(seeds) :], self.dataset.classes, target)
        better = max(scores[2:], key=lambda score: score.choosing).candidate
        method = "A prediction from the students at alpha = 0 and 1"
        return SearchResult(ends[0]._replace(alpha=alpha), better, scores, method, repeated=False)


def _weights(outputs: Mapping[str, Output]) -> dict[str, Output]:
    """What is stated of outputs, without their alphas: a baseline listens to no teacher."""
    return {name: output.model_copy(update={"alpha": None}) for name, output in outputs.items()}


def _predicted_alpha(
    first: Sequence[ValidationPredictions | None],
    last: Sequence[ValidationPredictions | None],
    classes: int,
    clean: NDArray[np.float64] | None,
) -> float:
    """The alpha of least squared error to the validation labels, from the students at alpha = 0 and 1.

    `clean` has the probabilities of the clean classes, (V, C), where these take the place of the labels.
    """
    total = np.zeros(3)
    for at_zero, at_one in zip(first, last, strict=True):
        if at_zero is None or at_one is None:
            raise WorkError(
                "A student at alpha = 0 or 1 diverged, so alpha cannot be predicted. Lower --learning-rate."
            )
        target = np.eye(classes)[at_zero.labels] if clean is None else clean
        total += np.array(alpha_from_endpoints(at_zero.probabilities, at_one.probabilities, target).risk)
    best = alpha_star(RiskCoefficients(*(total / len(first)).tolist())).clipped
    return 0.5 if np.isnan(best) else round(float(best), 3)


def _shortened(candidates: Sequence[Candidate], count: int) -> list[Candidate]:
    """The first candidates of both kinds, as many of either."""
    kinds = [[each for each in candidates if each.distilled is kind] for kind in (True, False)]
    if not all(kinds):
        return list(candidates[:count])
    return [*kinds[0][: count // 2], *kinds[1][: count // 2]]


def _mean(results: Sequence[TrialResult], metric: str) -> float:
    return float(np.mean([result.metrics.get(("validation", metric), np.nan) for result in results]))


def _check_finite(finals: Finals) -> None:
    for kind, results in (("student", finals.student), ("baseline", finals.baseline)):
        diverged = [result.seed for result in results if not result.metrics]
        if diverged:
            raise WorkError(
                f"The {kind} diverged at {len(diverged)} of {len(results)} seeds (the first: {diverged[0]}). Lower "
                "--learning-rate."
            )
