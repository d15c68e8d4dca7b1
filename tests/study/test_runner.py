"""Running studies: what is missing is trained, nothing twice, and every refusal comes before anything is written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from distillab.data import load
from distillab.engine.trainer import CohortTrainer
from distillab.errors import RequestError, WorkError
from distillab.study import folder as folder_module
from distillab.study.folder import Folder
from distillab.study.run import run_study
from distillab.study.settings import OF_PROBABILITIES
from distillab.study.spec import Spec, read_spec
from distillab.study.splits import draw_labels, split
from distillab.study.storage.merge import merge
from distillab.study.storage.records import KEPT_ALPHAS, TeacherResult, TrialResult
from distillab.study.storage.store import Store
from distillab.study.trials import NUMERICS

Make = Callable[..., Spec]


DENOISING = {"recovered", "memorised", "teacher_recovered", "teacher_memorised"}


MATRIX = (0.7 * np.eye(10) + 0.3 * np.roll(np.eye(10), 3, axis=1)).tolist()


class Listener:
    """Notes what a run tells, and may interrupt it."""

    def __init__(self, *, stop_at: int | None = None) -> None:
        self.events: list[tuple[object, ...]] = []
        self.stop_at = stop_at

    def note(self, text: str) -> None:
        self.events.append(("note", text))

    def teacher(self, name: str, epoch: int, epochs: int, loss: float | None) -> None:
        self.events.append(("teacher", epoch, epochs))

    def students(self, trained: float, students: int, at_work: int) -> None:
        self.events.append(("students", trained, students, at_work))
        if trained == self.stop_at:
            raise KeyboardInterrupt


def results(folder: Path) -> dict[str, list[object]]:
    with Store(folder / "study.db", read_only=True) as store:
        return store.results()


@pytest.fixture(scope="module")
def finished(tiny: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies") / "finished"
    run_study(tiny(), folder)
    return folder


def test_a_finished_study_holds_every_trial_with_its_metrics(finished: Path) -> None:
    with Store(finished / "study.db", read_only=True) as store:
        trials = store.trials()
        (teacher,) = store.teachers().values()
        (run,) = store.runs()
    assert sorted((trial.seed, trial.alpha) for trial in trials) == [(s, a) for s in range(3) for a in (0, 0.5, 1)]
    for trial in trials:
        assert trial.diverged_epoch is None
        assert len(trial.epochs) == 2
        assert 0 <= trial.metrics["test", "accuracy"] <= 1
        assert {split for split, _ in trial.metrics} == {"train", "test", "validation"}
    assert teacher.examples == 180
    assert run["finished"] is not None
    assert {"keras", "jax", "numpy", "distillab", "python"} <= set(run["versions"])
    assert (finished / "teachers" / f"{teacher.id}.keras").is_file()


def test_the_same_command_again_trains_nothing(finished: Path, tiny: Make) -> None:
    before = results(finished)
    listener = Listener()
    summary = run_study(tiny(), finished, progress=listener)
    assert (summary.trained, summary.trials) == (0, 9)
    assert listener.events == []
    assert results(finished) == before


def test_an_interrupted_study_goes_on_to_the_same_results(finished: Path, tiny: Make, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_study(tiny(), tmp_path / "s", slots=1, progress=Listener(stop_at=4))
    with Store(tmp_path / "s" / "study.db", read_only=True) as store:
        assert len(store.done()) == 4
    listener = Listener()
    summary = run_study(tiny(), tmp_path / "s", progress=listener)
    assert summary.trained == 5
    assert "teacher" not in {event[0] for event in listener.events}
    assert results(tmp_path / "s") == results(finished)


def test_more_seeds_continue_a_study(finished: Path, tiny: Make, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "s")
    assert run_study(tiny(seeds=4), tmp_path / "s").trained == 3
    more = {row[0] for row in results(tmp_path / "s")["trials"]}
    assert {row[0] for row in results(finished)["trials"]} < more
    assert len(more) == 12


def test_another_study_in_the_folder_is_refused_by_the_key_that_differs(finished: Path, tiny: Make) -> None:
    before = results(finished)
    with pytest.raises(RequestError, match=r"holds another study: it differs in noise\.rate, temperature"):
        run_study(tiny(temperature=5, noise={"rate": 0.2}), finished)
    assert results(finished) == before


def test_a_folder_with_other_things_in_it_is_refused(tiny: Make, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RequestError, match="is not empty and holds no study"):
        run_study(tiny(), tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_is_refused(tiny: Make, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(RequestError, match="is a file"):
        run_study(tiny(), tmp_path / "out")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"batch_size": 181}, "batch_size=181 is not allowed"),
        ({"train_size": 10**6}, "train_size=1000000 is not allowed"),
        ({"dataset": "mnits"}, "There is no data set 'mnits'. Did you mean 'mnist'"),
        ({"dataset": "nowhere.npz"}, "nowhere.npz"),
    ],
)
def test_a_study_that_cannot_run_leaves_nothing_behind(
    tiny: Make, tmp_path: Path, keys: dict[str, object], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        run_study(tiny(**keys), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_loss_that_reads_labels_is_refused_where_some_are_missing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)).astype(np.float32), rng.normal(size=(60, 2))
    y[3, 1] = np.nan
    np.savez(tmp_path / "partly.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    tree = {"dataset": str(tmp_path / "partly.npz"), "task": "regression", "loss": "bounded", "margin": 0.1}
    spec = read_spec({**tree, "student": {"model": "linear"}, "teacher": {"model": "linear"}, "batch_size": 8})
    with pytest.raises(RequestError, match=r"bounded needs every label, and some of partly.* Set loss to squared"):
        run_study(spec, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_images_are_needed_for_convolutions(tiny: Make, tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32), np.arange(300) % 3
    np.savez(tmp_path / "table.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(RequestError, match=r"reads images .* Choose an mlp"):
        run_study(tiny(dataset=str(tmp_path / "table.npz")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_second_process_is_told_and_leaves(finished: Path, tiny: Make, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "s")
    held = FileLock(tmp_path / "s" / ".lock")
    ready, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with held:
            ready.set()
            leave.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(RequestError, match="Another process is at work in"):
            run_study(tiny(seeds=4), tmp_path / "s")
    finally:
        leave.set()
        other.join()
    assert results(tmp_path / "s") == results(finished)


def test_a_full_disk_is_told_in_one_line(tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, write: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(folder_module, "replace_file", full)
    with pytest.raises(WorkError, match=r"study\.db cannot be written: No space left on device"):
        run_study(tiny(), tmp_path / "out")


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_told_in_one_line(tiny: Make, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(WorkError, match="cannot be written: Permission denied"):
        run_study(tiny(), tmp_path / "out")


def test_a_teacher_that_was_exchanged_is_refused(finished: Path, tiny: Make, tmp_path: Path) -> None:
    from distillab.engine.functional import Functional, write_variables
    from distillab.models import build

    shutil.copytree(finished, tmp_path / "s")
    (path,) = (tmp_path / "s" / "teachers").glob("*.keras")
    model = build("cnn-4-6", (12, 12, 1), 10)
    write_variables(model, Functional(model).initial(77)).save(path)
    with pytest.raises(WorkError, match="is not the teacher that this study's students learned from"):
        run_study(tiny(seeds=4), tmp_path / "s")


def test_a_damaged_teacher_is_refused(finished: Path, tiny: Make, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "s")
    (path,) = (tmp_path / "s" / "teachers").glob("*.keras")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WorkError, match=r"cannot be read as a Keras model .* Delete it"):
        run_study(tiny(seeds=4), tmp_path / "s")
    path.unlink()
    assert run_study(tiny(seeds=4), tmp_path / "s").trained == 3


def test_students_that_diverge_are_recorded_and_the_rest_finishes(tiny: Make, tmp_path: Path) -> None:
    spec = tiny(learning_rate=[0.001, 1e38], seeds=1, alpha=[0.5, 1])
    summary = run_study(spec, tmp_path / "s")
    assert (summary.trained, summary.diverged) == (4, 2)
    with Store(tmp_path / "s" / "study.db", read_only=True) as store:
        ill = [trial for trial in store.trials() if trial.diverged_epoch is not None]
    assert {trial.coordinates["learning_rate"] for trial in ill} == {1e38}
    for trial in ill:
        assert trial.diverged_epoch == 0
        assert trial.metrics == {}
        assert trial.last_finite_loss is not None
        assert np.isfinite(trial.last_finite_loss)
        assert len(trial.epochs) == 2


def test_a_teacher_that_diverges_stops_the_study_with_advice(tiny: Make, tmp_path: Path) -> None:
    spec = tiny(teacher={"model": "cnn-4-6", "epochs": 1, "learning_rate": 1e38})
    with pytest.raises(WorkError, match=r"teacher cnn-4-6 diverged: .* Lower teacher\.learning_rate=1e\+38"):
        run_study(spec, tmp_path / "s")


def test_each_teacher_of_an_axis_teaches_its_own_students(tiny: Make, tmp_path: Path) -> None:
    spec = tiny(teacher=[{"model": "cnn-4-6", "epochs": 1}, {"model": "mlp-5", "epochs": 1, "labels": "noisy"}])
    listener = Listener()
    run_study(spec, tmp_path / "s", progress=listener)
    with Store(tmp_path / "s" / "study.db", read_only=True) as store:
        teachers, trials = store.teachers(), store.trials()
    assert {teacher.settings["model"] for teacher in teachers.values()} == {"cnn-4-6", "mlp-5"}
    for trial in trials:
        described = trial.settings["teacher"]
        assert teachers[trial.teacher].settings == described | {"name": described["model"]}
    assert len(list((tmp_path / "s" / "predictions").glob("*.npy"))) == 6


def test_the_answer_does_not_depend_on_the_order_of_work(finished: Path, tiny: Make, tmp_path: Path) -> None:
    run_study(tiny(), tmp_path / "s", slots=1, devices=1)
    assert results(tmp_path / "s") == results(finished)


def test_folder_refuses_to_read_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="There is no folder"):
        Folder(tmp_path / "none").read()
    with pytest.raises(RequestError, match=r"holds no study: study\.yaml is missing"):
        Folder(tmp_path).read()


def test_a_study_in_little_memory_trains_fewer_at_a_time_with_the_same_results(
    finished: Path, tiny: Make, tmp_path: Path
) -> None:
    listener = Listener()
    # The compiler asks for 206,000 bytes of examples, 147,000 to work in, and 12,000 a student: room for one a device.
    run_study(tiny(), tmp_path / "little", memory=370_000, progress=listener)
    notes = [text for kind, *rest in listener.events if kind == "note" for text in rest if "at a time" in str(text)]
    assert len(notes) == 1
    assert results(tmp_path / "little") == results(finished)


def test_memory_for_not_even_one_student_is_an_error_that_says_what_is_needed(tiny: Make, tmp_path: Path) -> None:
    with pytest.raises(
        WorkError, match=r"One student needs .* MiB on its device, and 0\.0 MiB are allowed. Raise --mem"
    ):
        run_study(tiny(), tmp_path / "none", memory=1000)


def test_running_out_of_memory_halves_the_cohort_and_goes_on(
    finished: Path, tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = CohortTrainer.stages
    tried: list[int] = []

    def small_device(self: CohortTrainer, students: list[object], *more: object, **options: object) -> object:
        tried.append(len(students))
        if len(students) > 3:
            raise MemoryError("RESOURCE_EXHAUSTED")
        return stages(self, students, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(CohortTrainer, "stages", small_device)
    listener = Listener()
    run_study(tiny(), tmp_path / "small", progress=listener)
    assert tried[:2] == [1, 9]  # the teacher, then all students at once
    assert max(tried[-3:]) <= 3
    assert any("Memory ran out with 9 students; continuing with 4" in str(event) for event in listener.events)
    assert results(tmp_path / "small") == results(finished)


def test_memory_that_never_suffices_is_an_error(tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = CohortTrainer.stages

    def room_for_a_teacher_alone(
        self: CohortTrainer, students: list[object], *more: object, **options: object
    ) -> object:
        if self.mesh.size > 1:
            raise MemoryError
        return stages(self, students, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(CohortTrainer, "stages", room_for_a_teacher_alone)
    with pytest.raises(WorkError, match=r"Memory ran out with 2 students\. Lower batch_size, or use fewer --devices"):
        run_study(tiny(), tmp_path / "never")


def test_a_student_is_trained_once_and_measured_at_several_epochs(tiny: Make, tmp_path: Path) -> None:
    spec = tiny(snapshot=[1, 2], schedule="constant")
    listener = Listener()
    assert run_study(spec, tmp_path / "once", progress=listener).trained == 18
    assert {event[2] for event in listener.events if event[0] == "students"} == {9}  # nine students for eighteen trials
    run_study(tiny(epochs=[1, 2], schedule="constant"), tmp_path / "twice")

    def measured(folder: str, key: str) -> dict[tuple[object, ...], object]:
        with Store(tmp_path / folder / "study.db", read_only=True) as store:
            return {(t.seed, t.alpha, t.settings[key]): (t.metrics, t.epochs) for t in store.trials()}

    assert measured("once", "snapshot") == measured("twice", "epochs")


def test_snapshots_of_a_teacher_are_taken_from_one_training(tiny: Make, tmp_path: Path) -> None:
    teacher = {"model": "cnn-4-6", "epochs": 2, "batch_size": 20, "schedule": "constant"}
    spec = tiny(teacher=teacher | {"snapshot": [0.25, 1, 2]}, seeds=1)
    listener = Listener()
    run_study(spec, tmp_path / "snapshots", progress=listener)
    assert [event for event in listener.events if event[0] == "teacher"] == [
        ("teacher", epoch, 2) for epoch in range(3)
    ]
    run_study(tiny(teacher=teacher | {"epochs": [1, 2]}, seeds=1), tmp_path / "trainings")

    def teachers_of(folder: str, key: str) -> dict[object, TeacherResult]:
        with Store(tmp_path / folder / "study.db", read_only=True) as store:
            return {teacher.settings[key]: teacher for teacher in store.teachers().values()}

    snapshots, trainings = teachers_of("snapshots", "snapshot"), teachers_of("trainings", "epochs")
    for epoch in (1, 2):
        assert snapshots[epoch].weights == trainings[epoch].weights
        assert snapshots[epoch].losses == pytest.approx(trainings[epoch].losses, rel=1e-6)
    assert snapshots[0.25].losses == []  # no epoch was whole yet
    assert len({teacher.weights for teacher in snapshots.values()}) == 3


def test_a_teacher_lost_between_its_file_and_its_record_comes_back_the_same(tiny: Make, tmp_path: Path) -> None:
    spec = tiny()
    run_study(spec, tmp_path / "undisturbed")
    shutil.copytree(tmp_path / "undisturbed" / "teachers", tmp_path / "stopped" / "teachers")
    shutil.copy(tmp_path / "undisturbed" / "study.yaml", tmp_path / "stopped")
    run_study(spec, tmp_path / "stopped")
    assert results(tmp_path / "stopped") == results(tmp_path / "undisturbed")


def test_several_teachers_answer_together_and_are_trained_once_each(tiny: Make, tmp_path: Path) -> None:
    teacher = {"model": ["cnn-4-6", "cnn-4-6+mlp-8"], "epochs": 1}
    listener = Listener()
    run_study(tiny(teacher=teacher, seeds=1), tmp_path / "study", progress=listener)
    assert sum(event == ("teacher", 1, 1) for event in listener.events) == 2
    with Store(tmp_path / "study" / "study.db", read_only=True) as store:
        teachers = store.teachers().values()
        (first, second) = (
            {t.teacher for t in store.trials() if t.settings["teacher"]["model"] == m} for m in teacher["model"]
        )
    assert sorted(teacher.settings["model"] for teacher in teachers) == ["cnn-4-6", "cnn-4-6+mlp-8", "mlp-8"]
    assert len(first) == len(second) == 1
    assert first != second


@pytest.mark.slow
def test_a_live_ensemble_of_one_teacher_and_itself_is_that_teacher(tiny: Make, tmp_path: Path) -> None:
    """Mean and centring change nothing that a student learns from; the numbers agree to rounding."""
    changed = {"augmentation": {"shift": 1}, "seeds": 1, "alpha": 0.0}
    for model in ("mlp-8", "mlp-8+mlp-8"):
        run_study(tiny(teacher={"model": model, "epochs": 1}, **changed), tmp_path / model)
    single, double = (
        [epoch[0] for epoch in _only_trial(tmp_path / model).epochs] for model in ("mlp-8", "mlp-8+mlp-8")
    )
    np.testing.assert_allclose(single, double, rtol=1e-4)


def _only_trial(folder: Path) -> TrialResult:
    with Store(folder / "study.db", read_only=True) as store:
        (trial,) = store.trials()
        return trial


def test_noise_by_a_matrix_makes_the_share_of_labels_wrong_that_it_says(tiny: Make, tmp_path: Path) -> None:
    data = load("synthetic")
    settings = tiny(noise={"kind": "matrix", "matrix": MATRIX}).base
    rows = split(data, settings)
    labels = draw_labels(data, settings, rows, seed=0)
    wrong = labels.train[labels.changed]
    np.testing.assert_array_equal(wrong, (labels.clean[labels.changed] + 3) % 10)  # three places on, and nowhere else
    assert labels.changed.mean() == pytest.approx(0.3, abs=0.03)
    run_study(tiny(noise={"kind": "matrix", "matrix": MATRIX}, seeds=1), tmp_path / "study")
    with Store(tmp_path / "study" / "study.db", read_only=True) as store:
        assert all({name for part, name in t.metrics if part == "train"} == DENOISING for t in store.trials())


def test_noise_by_margin_follows_what_the_teacher_finds_hard(tiny: Make, tmp_path: Path) -> None:
    """The wrong labels are where the teacher's own lead is smaller than elsewhere."""
    run_study(tiny(noise={"kind": "margin", "rate": 0.1}, seeds=1), tmp_path / "study")
    data, settings = load("synthetic"), tiny(noise={"kind": "margin", "rate": 0.1}).base
    rows = split(data, settings)
    logits = np.random.default_rng(0).normal(size=(len(rows.used), 10)).astype(np.float32) * 3
    drawn = draw_labels(data, settings, rows, seed=0, logits=logits)
    own = logits[np.isin(rows.used, rows.train)]
    lead = own[np.arange(len(own)), drawn.clean] - np.where(np.eye(10)[drawn.clean] == 1, -np.inf, own).max(axis=1)
    assert lead[drawn.changed].mean() < lead[~drawn.changed].mean() - 2
    with Store(tmp_path / "study" / "study.db", read_only=True) as store:
        assert all({name for part, name in t.metrics if part == "train"} == DENOISING for t in store.trials())


def test_a_matrix_for_another_number_of_classes_is_refused_before_anything_is_written(
    tiny: Make, tmp_path: Path
) -> None:
    with pytest.raises(
        RequestError, match=r"len\(noise\.matrix\)=2 is not allowed: it must be 10, the classes of synthetic"
    ):
        run_study(tiny(noise={"kind": "matrix", "matrix": [[1, 0], [0, 1]]}), tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_a_students_test_answers_are_counted(finished: Path) -> None:
    with Store(finished / "study.db", read_only=True) as store:
        trials, confusions = store.trials(), store.confusions()
    assert set(confusions) == {trial.id for trial in trials}
    for trial in trials:
        counts = np.array(confusions[trial.id])
        assert counts.sum() == 1000
        assert counts.trace() / 1000 == pytest.approx(trial.metrics["test", "accuracy"], abs=1e-12)


def test_the_validation_answers_of_both_ends_and_the_middle_are_kept(finished: Path) -> None:
    """They give the metrics that were computed from the whole logits, to the three digits of a half."""
    with Store(finished / "study.db", read_only=True) as store:
        trials, answers = {trial.id: trial for trial in store.trials()}, store.validation_predictions()
    assert set(answers) == {name for name, trial in trials.items() if trial.alpha in KEPT_ALPHAS}
    assert answers
    for name, kept in answers.items():
        p = kept.probabilities.astype(np.float64)
        brier = np.mean(np.sum((p - np.eye(p.shape[1])[kept.labels]) ** 2, axis=1))
        assert brier == pytest.approx(trials[name].metrics["validation", "brier"], abs=2e-3)
        accuracy = trials[name].metrics["validation", "accuracy"]
        assert np.mean(p.argmax(axis=1) == kept.labels) == pytest.approx(accuracy, abs=0.01)


def test_students_of_squared_error_answer_with_their_outputs(tiny: Make, tmp_path: Path) -> None:
    """Their Brier score is that of the outputs themselves, which are kept as they are."""
    keys = {"loss": "logit_mse", "label_loss": "squared", "seeds": 1, "epochs": 3}
    run_study(tiny(**keys), tmp_path / "squared")
    with Store(tmp_path / "squared" / "study.db", read_only=True) as store:
        trials, answers = {trial.id: trial for trial in store.trials()}, store.validation_predictions()
    assert answers
    for name, kept in answers.items():
        outputs = kept.probabilities.astype(np.float64)
        assert (outputs.sum(axis=1) != 1).any()
        brier = np.mean(np.sum((outputs - np.eye(10)[kept.labels]) ** 2, axis=1))
        assert brier == pytest.approx(trials[name].metrics["validation", "brier"], abs=2e-3)
        assert not {metric for _, metric in trials[name].metrics} & OF_PROBABILITIES


@pytest.mark.slow
def test_training_sizes_can_be_an_axis(tiny: Make, tmp_path: Path) -> None:
    """Every size has rows and a teacher of its own."""
    summary = run_study(tiny(train_size=[100, 200], seeds=1), tmp_path / "sizes")
    assert summary.trained == 6
    with Store(tmp_path / "sizes" / "study.db") as store:
        assert len(store.teachers()) == 2


def test_changed_images_are_answered_live_and_stored_logits_of_them_are_not_kept(tiny: Make, tmp_path: Path) -> None:
    spec = tiny(augmentation={"shift": 1, "flip": True}, seeds=2)
    run_study(spec, tmp_path / "one")
    run_study(spec, tmp_path / "again", slots=1)
    assert results(tmp_path / "one") == results(tmp_path / "again")
    plain = tiny(seeds=2)
    run_study(plain, tmp_path / "plain")
    kept, fewer = (len(list((tmp_path / name / "predictions").glob("*.npy"))) for name in ("plain", "one"))
    assert fewer == kept - 1  # the training images': they differ in every epoch


@pytest.mark.parametrize("shifts", [[1, 0], pytest.param([0, 1], marks=pytest.mark.slow)])
def test_changed_and_unchanged_images_in_either_order_give_the_same_students(
    tiny: Make, tmp_path: Path, shifts: list[int]
) -> None:
    """Students of images without augmentation learn from the predictions for them, whoever was trained before."""
    run_study(tiny(augmentation={"shift": shifts}, seeds=1), tmp_path / "both")
    run_study(tiny(seeds=1), tmp_path / "plain")

    def soft(folder: str) -> dict[float, list[float]]:
        with Store(tmp_path / folder / "study.db", read_only=True) as store:
            trials = [trial for trial in store.trials() if trial.settings["augmentation"]["shift"] == 0]
        return {trial.alpha: [epoch[2] for epoch in trial.epochs] for trial in trials}

    assert soft("both") == soft("plain")


def test_labels_made_wrong_by_margin_go_with_changed_images(tiny: Make, tmp_path: Path) -> None:
    noise = {"kind": ["shift", "margin"], "rate": 0.1}
    assert run_study(tiny(noise=noise, augmentation={"shift": 1}, seeds=1), tmp_path / "both").trained == 6


def test_students_of_labels_alone_are_on_record_as_in_company(tiny: Make, tmp_path: Path) -> None:
    """The teacher's term of a student at alpha = 1 is the same whether others in its cohort listen or not."""
    changed = {"augmentation": {"shift": 1}, "seeds": 1}
    run_study(tiny(alpha=[0, 1], **changed), tmp_path / "company")
    run_study(tiny(alpha=1, **changed), tmp_path / "alone")
    with Store(tmp_path / "company" / "study.db", read_only=True) as store:
        (in_company,) = (trial for trial in store.trials() if trial.alpha == 1)
    assert _only_trial(tmp_path / "alone").epochs == in_company.epochs


def test_a_folder_of_other_data_is_refused(
    finished: Path, tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished, tmp_path / "study")
    before = results(tmp_path / "study")
    monkeypatch.setattr("distillab.study.trials.NUMERICS", 0)  # every identity is another one, as with other data
    with pytest.raises(
        RequestError, match=r"holds 9 students of this study that were trained on other data\. They cannot"
    ):
        run_study(tiny(seeds=4), tmp_path / "study")
    assert results(tmp_path / "study") == before


def noted(folder: Path, numerics: dict[str, int]) -> None:
    """Note other numerics for every run of a folder."""
    with closing(sqlite3.connect(folder / "study.db")) as connection, connection:
        (text,) = connection.execute("SELECT provenance FROM runs").fetchone()
        provenance = json.loads(text)
        assert provenance.pop("numerics") == NUMERICS
        connection.execute("UPDATE runs SET provenance = ?", [json.dumps(provenance | numerics)])


def test_a_run_of_other_numerics_that_trained_nothing_is_no_obstacle(
    finished: Path, tiny: Make, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "study")
    with closing(sqlite3.connect(tmp_path / "study" / "study.db")) as connection, connection:
        connection.execute("INSERT INTO runs (started, provenance) VALUES ('2020-01-01T00:00:00Z', '{}')")
    assert run_study(tiny(seeds=4), tmp_path / "study").trained == 3


def test_results_of_different_numerics_are_not_merged(finished: Path, tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        shutil.copytree(finished, tmp_path / name)
    noted(tmp_path / "theirs", {"numerics": 3})
    before = results(tmp_path / "ours")
    with pytest.raises(RequestError, match="hold results of different versions of the engine's numerics"):
        merge(Folder(tmp_path / "ours"), Folder(tmp_path / "theirs"))
    assert results(tmp_path / "ours") == before


@pytest.mark.parametrize(("recorded", "called"), [({"numerics": 3}, "version 3"), ({}, "an earlier version")])
def test_a_folder_of_other_numerics_is_refused_and_named(
    finished: Path, tiny: Make, tmp_path: Path, recorded: dict[str, int], called: str
) -> None:
    shutil.copytree(finished, tmp_path / "study")
    noted(tmp_path / "study", recorded)
    before = results(tmp_path / "study")
    with pytest.raises(
        RequestError, match=f"holds results of {called} of the engine's numerics; .* version {NUMERICS}"
    ):
        run_study(tiny(seeds=4), tmp_path / "study")
    assert results(tmp_path / "study") == before


def test_images_that_are_none_cannot_be_changed(tiny: Make, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="shift=99 is not allowed"):
        run_study(tiny(augmentation={"shift": 99}), tmp_path / "far")
    assert not (tmp_path / "far").exists()


def test_students_in_half_precision_train_and_are_told_apart(tiny: Make, tmp_path: Path) -> None:
    spec = tiny(student={"model": "cnn-2-3", "precision": ["float32", "bfloat16"]}, seeds=1)
    run_study(spec, tmp_path / "both")
    with Store(tmp_path / "both" / "study.db") as store:
        losses = {trial.settings["student"]["precision"]: trial.metrics["test", "nll"] for trial in store.trials()}
    assert losses["float32"] != losses["bfloat16"]
    # bfloat16 keeps 8 bits: a few parts in a hundred after 24 steps
    assert abs(losses["float32"] - losses["bfloat16"]) < 0.1 * losses["float32"]


def test_what_becomes_of_wrong_labels_is_recorded_where_there_are_any(tiny: Make, tmp_path: Path) -> None:
    good = {"model": "cnn-8-12", "epochs": 60, "batch_size": 16, "learning_rate": 0.01}
    large = {"student": {"model": "mlp-64"}, "epochs": 40, "learning_rate": 0.003}
    run_study(tiny(noise={"rate": [0.0, 0.2]}, alpha=[0, 1], seeds=2, teacher=good, **large), tmp_path)
    with Store(tmp_path / "study.db", read_only=True) as store:
        trials = store.trials()
    shares_of = {
        (trial.settings["noise"]["rate"], trial.alpha, trial.seed): {
            name: value for (part, name), value in trial.metrics.items() if part == "train"
        }
        for trial in trials
    }
    for (rate, alpha, seed), shares in shares_of.items():
        assert set(shares) == (DENOISING if rate else set())
        if rate:
            assert 0 <= shares["recovered"] + shares["memorised"] <= 1
            # One draw of labels and one teacher for both alphas.
            other = shares_of[rate, 1 - alpha, seed]
            assert shares["teacher_recovered"] == other["teacher_recovered"]
    for seed in range(2):  # trained on the wrong labels alone, a large student learns them; from the teacher it cannot
        labels_alone, teacher_alone = shares_of[0.2, 1.0, seed], shares_of[0.2, 0.0, seed]
        assert labels_alone["memorised"] > teacher_alone["memorised"]
        assert labels_alone["recovered"] < teacher_alone["recovered"]


def test_a_linear_student_under_plain_descent_is_linear_in_alpha(tiny: Make, tmp_path: Path) -> None:
    """Squared error, one dense layer, no momentum: the student in the middle lies on the line between the ends."""
    keys = {"student": {"model": "linear"}, "optimiser": "sgd", "learning_rate": 0.05}
    run_study(tiny(loss="logit_mse", label_loss="squared", seeds=1, epochs=3, **keys), tmp_path / "line")
    with Store(tmp_path / "line" / "study.db", read_only=True) as store:
        trials, answers = store.trials(), store.validation_predictions()
    ends = {trial.alpha: answers[trial.id].probabilities.astype(np.float64) for trial in trials}
    way = np.abs(ends[1.0] - ends[0.0]).max()
    assert way > 0.1
    # A half holds eleven bits: three numbers, each rounded by at most 2^-11 of the largest.
    room = 2 * 2.0**-11 * max(np.abs(end).max() for end in ends.values())
    np.testing.assert_allclose(ends[0.5], (ends[0.0] + ends[1.0]) / 2, rtol=0, atol=room)


def test_every_student_answers_the_same_few_training_examples(tiny: Make, tmp_path: Path) -> None:
    run_study(tiny(seeds=2), tmp_path / "one")
    with Store(tmp_path / "one" / "study.db", read_only=True) as store:
        trials, shown, teachers, bins = (
            store.trials(),
            store.example_predictions(),
            store.teacher_example_predictions(),
            store.reliability(),
        )
        ((name, examples),) = store.examples().items()
    assert set(shown) == set(bins) == {trial.id for trial in trials}
    assert set(teachers) == {(trial.teacher, name) for trial in trials}
    for trial in trials:
        predictions = shown[trial.id]
        assert predictions.examples == name
        assert predictions.logits.shape == next(iter(teachers.values())).shape == (len(examples.labels), 10)
        away = sum(count * abs(right - sure) for count, sure, right in bins[trial.id])
        assert away / sum(count for count, *_ in bins[trial.id]) == pytest.approx(
            trial.metrics["test", "ece_width"], abs=2e-6
        )
    noisy = [trial for trial in trials if trial.settings["noise"]["rate"] > 0]
    assert any((shown[trial.id].labels != examples.labels).any() for trial in noisy)
    for trial in noisy:  # the training set is so small that all of it is shown
        wrong = shown[trial.id].labels != examples.labels
        answers = shown[trial.id].logits.argmax(1)
        assert np.mean(answers[wrong] == examples.labels[wrong]) == trial.metrics["train", "recovered"]
