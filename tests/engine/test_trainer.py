"""The cohort engine: students do not meet, nothing is compiled twice, and the mathematics is that of a plain loop."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from distillab.engine.batches import batched_logits
from distillab.engine.devices import mesh
from distillab.engine.functional import Functional
from distillab.engine.randomness import epoch_order
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Epoch, Examples, Recipe, Student
from distillab.losses import LOSSES
from distillab.models import build

N, V, M, C = 70, 20, 30, 4  # N is no multiple of the batch: the last batch is partly padding
RECIPE = Recipe(epochs=2, batch_size=16)


@pytest.fixture(scope="module")
def examples() -> Examples:
    rng = np.random.default_rng(0)

    def images(count: int) -> np.ndarray:
        return rng.integers(0, 256, (count, 8, 8, 1)).astype(np.uint8)

    teacher = rng.normal(scale=3, size=(2, N, C)).astype(np.float32)
    return Examples(images(N), images(V), images(M), teacher, 1 / 255)


@pytest.fixture(scope="module")
def model() -> Functional:
    return Functional(build("cnn-3-5", (8, 8, 1), C))


def student(model: Functional, seed: int, **differences: object) -> Student:
    rng = np.random.default_rng(seed)
    settings: dict[str, object] = {
        "alpha": 0.3,
        "temperature": 3.0,
        "learning_rate": 0.01,
        "seed": seed,
        "initial": model.initial(seed),
        "labels": rng.integers(0, C, N),
        "validation_labels": rng.integers(0, C, V),
    }
    return Student(**(settings | differences))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shared(model: Functional, examples: Examples) -> CohortTrainer:
    """Four slots on two devices; a trainer keeps nothing between cohorts, so the tests share it."""
    return trainer(model, examples)


@pytest.fixture(scope="module")
def solo(model: Functional, examples: Examples) -> CohortTrainer:
    """One slot on one device."""
    return trainer(model, examples, capacity=1, mesh=mesh(1))


def trainer(model: Functional, examples: Examples, **options: object) -> CohortTrainer:
    settings: dict[str, object] = {"mesh": mesh(), "capacity": 4}
    return CohortTrainer(model, examples, RECIPE, **(settings | options))  # type: ignore[arg-type]


def results(shared: CohortTrainer, students: list[Student]) -> list[tuple[bytes, ...]]:
    """Everything that each student leaves behind, to the bit."""
    epochs: list[Epoch] = []
    outcome = shared.train(students, on_epoch=epochs.append)
    columns = [outcome.test_logits, outcome.validation_logits, *jax.tree.leaves(outcome.variables)]
    for epoch in epochs:
        columns += list(epoch[1:])
    return [tuple(np.ascontiguousarray(column[k]).tobytes() for column in columns) for k in range(len(students))]


def four(model: Functional) -> list[Student]:
    return [student(model, seed, alpha=alpha) for seed in (0, 1) for alpha in (0.0, 1.0)]


def test_a_student_in_a_cohort_equals_the_same_student_alone_bit_for_bit(
    model: Functional, shared: CohortTrainer, solo: CohortTrainer
) -> None:
    together = results(shared, four(model))
    for slot, alone in enumerate(four(model)):
        assert results(solo, [alone]) == [together[slot]]


def test_one_device_equals_two_bit_for_bit(model: Functional, examples: Examples, shared: CohortTrainer) -> None:
    assert shared.mesh.size == 2
    assert results(trainer(model, examples, mesh=mesh(1)), four(model)) == results(shared, four(model))


def test_a_students_slot_does_not_matter(model: Functional, shared: CohortTrainer) -> None:
    forwards, backwards = results(shared, four(model)), results(shared, four(model)[::-1])
    assert forwards == backwards[::-1]


def test_a_cohort_that_leaves_slots_empty_gives_the_same_results(model: Functional, shared: CohortTrainer) -> None:
    assert results(shared, four(model)[:1]) == results(shared, four(model))[:1]
    assert results(shared, four(model)[:3]) == results(shared, four(model))[:3]


@pytest.mark.parametrize(("count", "taken"), [(1, [1, 0]), (2, [1, 1]), (3, [2, 1]), (4, [2, 2])])
def test_the_devices_share_a_small_cohort_evenly(shared: CohortTrainer, count: int, taken: list[int]) -> None:
    assert shared._students_per_device(count).tolist() == taken
    slots = shared._slots_of(count)
    each = shared.capacity // 2
    assert [int(np.sum(slots // each == device)) for device in range(2)] == taken
    assert all(slot % each < taken[slot // each] for slot in slots)


def test_students_side_by_side_equal_students_in_turn(
    model: Functional, examples: Examples, shared: CohortTrainer
) -> None:
    turn, side = (each.train(four(model)) for each in (shared, trainer(model, examples, mapping="vmap")))
    # float32 sums of up to 80 products in another order, over 10 Adam steps of 0.01
    np.testing.assert_allclose(turn.test_logits, side.test_logits, atol=2e-3)


def test_new_numbers_compile_nothing(model: Functional, shared: CohortTrainer) -> None:
    shared.train(four(model))
    with counted_compilations() as count:
        shared.train([student(model, 5, alpha=0.77, temperature=9.0, learning_rate=0.002)] * 4)
    assert count == [0]


def test_a_new_shape_does_compile(model: Functional, examples: Examples) -> None:
    with counted_compilations() as count:
        trainer(model, examples, capacity=2).train(four(model)[:2])
    assert count[0] > 0


def test_alpha_one_ignores_the_teacher(model: Functional, shared: CohortTrainer) -> None:
    pair = [student(model, 0, alpha=1.0, teacher=teacher) for teacher in (0, 1)]
    outcome = shared.train(pair)
    np.testing.assert_array_equal(outcome.test_logits[0], outcome.test_logits[1])


def test_alpha_zero_ignores_the_labels(model: Functional, shared: CohortTrainer) -> None:
    pair = [student(model, 0, alpha=0.0, labels=np.full(N, label)) for label in (0, 1)]
    outcome = shared.train(pair)
    np.testing.assert_array_equal(outcome.test_logits[0], outcome.test_logits[1])


def test_a_student_that_diverges_is_recorded_and_leaves_its_neighbours_alone(
    model: Functional, shared: CohortTrainer
) -> None:
    well = four(model)
    ill = student(model, 9, learning_rate=1e38)
    epochs: list[Epoch] = []
    shared.train([well[0], ill, *well[1:3]], on_epoch=epochs.append)
    assert epochs[0].finite_steps[1] < shared.steps
    assert np.isfinite(epochs[0].last_finite_loss[1])
    assert epochs[1].finite_steps[1] == 0
    assert all(epoch.finite_steps[0] == shared.steps for epoch in epochs)
    together = results(shared, [well[0], ill, *well[1:3]])
    assert [together[0], *together[2:]] == results(shared, well[:3])


def test_training_equals_a_plain_loop_in_float64(examples: Examples) -> None:
    """An independent reference: softmax regression, its gradient by hand, Adam and the cosine as in their papers."""
    model = Functional(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(C)]))
    reference = student(model, 3, teacher=1)
    engine = trainer(model, examples, capacity=1).train([reference])
    weights = [np.asarray(w, np.float64) for w in reference.initial.trainable]
    x = examples.x_train.reshape(N, -1) / 255.0
    targets, soft = (
        np.eye(C)[reference.labels],
        softmax(examples.teacher_logits[1].astype(np.float64) / reference.temperature),
    )
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    steps = -(-N // RECIPE.batch_size)
    step = 0
    for epoch in range(RECIPE.epochs):
        order = epoch_order(reference.seed, epoch, N, N)
        for start in range(0, N, RECIPE.batch_size):
            rows = order[start : start + RECIPE.batch_size]
            z = x[rows] @ weights[0] + weights[1]
            T, alpha = reference.temperature, reference.alpha
            # d/dz of alpha CE + (1 - alpha) T^2 KL
            g = alpha * (softmax(z) - targets[rows]) + (1 - alpha) * T * (softmax(z / T) - soft[rows])
            g /= len(rows)
            rate = reference.learning_rate * 0.5 * (1 + np.cos(np.pi * step / (steps * RECIPE.epochs)))
            step += 1
            for k, gradient in enumerate((x[rows].T @ g, g.sum(0))):
                first, second = moments[k]
                first[:] = 0.9 * first + 0.1 * gradient
                second[:] = 0.999 * second + 0.001 * gradient**2
                direction = first * np.sqrt(1 - 0.999**step) / (1 - 0.9**step) / (np.sqrt(second) + 1e-7)
                weights[k] = weights[k] - rate * direction
    expected = examples.x_test.reshape(M, -1) / 255.0 @ weights[0] + weights[1]
    # float32 against float64 over 10 steps of at most 0.01: rounding of 1e-7 a step, grown by Adam's division
    np.testing.assert_allclose(engine.test_logits[0], expected, atol=1e-4)


def test_the_epochs_record_is_the_mean_over_its_steps(model: Functional, shared: CohortTrainer) -> None:
    epochs: list[Epoch] = []
    shared.train([student(model, 0, learning_rate=1e-12)], on_epoch=epochs.append)
    only = epochs[0]
    np.testing.assert_allclose(only.loss, 0.3 * only.label_loss + 0.7 * only.distillation_loss, rtol=1e-5)
    assert 0 <= only.validation_accuracy[0] <= 1


def test_a_cohort_larger_than_its_slots_is_refused(model: Functional, shared: CohortTrainer) -> None:
    with pytest.raises(ValueError, match="5 students does not fit 4 slots"):
        shared.train([student(model, 0)] * 5)


def test_moving_statistics_and_dropout_belong_to_each_student(examples: Examples) -> None:
    layers = keras.layers
    model = Functional(
        keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Flatten(),
                layers.Dense(6),
                layers.BatchNormalization(),
                layers.Dropout(0.3),
                layers.Dense(C),
            ]
        )
    )
    students = [student(model, seed) for seed in (0, 1)]
    together = trainer(model, examples).train(students)
    before, after = students[0].initial.fixed, together.variables.fixed
    assert any(not np.array_equal(old, new[0]) for old, new in zip(before, after, strict=True))
    alone = trainer(model, examples, capacity=1, mesh=mesh(1)).train(students[1:])
    for both, single in zip(jax.tree.leaves(together.variables), jax.tree.leaves(alone.variables), strict=True):
        np.testing.assert_array_equal(both[1], single[0])


@pytest.mark.parametrize("count", [0, 1, 249, 250, 251, 600])
def test_predictions_in_batches_equal_predictions_at_once(count: int) -> None:
    inputs = jnp.arange(count * 3, dtype=jnp.float32).reshape(count, 3)
    np.testing.assert_array_equal(batched_logits(lambda rows: rows * 2, inputs), inputs * 2)


@pytest.mark.parametrize("mapping", ["loop", "vmap"])
def test_the_footprint_is_the_compilers_own_account(model: Functional, examples: Examples, mapping: str) -> None:
    shared = trainer(model, examples, mesh=mesh(1), mapping=mapping)
    need = shared.footprint(student(model, 0))
    arrays = (examples.x_train, examples.x_validation, examples.x_test, examples.teacher_logits)
    assert need.shared == sum(array.nbytes for array in arrays)
    # Weights, two moments of each, labels and order, in and out: 4 bytes a number
    weights = sum(w.size for w in student(model, 0).initial.trainable)
    assert need.slot == pytest.approx(2 * 4 * (3 * weights + N + V + 80), rel=0.02)
    patches = 4 * 16 * 2 * 2 * 27  # of the second convolution alone: 16 images, 2 * 2 places, 27 numbers
    assert patches < need.working < 100 * patches
    assert need.students(need.bytes(7)) == 7
    assert need.students(need.bytes(7) - 1) == 6
    assert need.students(need.shared) == 0
    growth = need.bytes(8) - need.bytes(7)
    assert growth == need.slot + (need.working if mapping == "vmap" else 0)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class counted_compilations:  # noqa: N801 - reads as a function
    """Counts what XLA compiles while it is open."""

    _counts: list[list[int]] = []  # noqa: RUF012 - JAX's listeners cannot be taken away one by one

    def __enter__(self) -> list[int]:
        if not self._counts:
            jax.monitoring.register_event_duration_secs_listener(self._count)
        self.count = [0]
        self._counts.append(self.count)
        return self.count

    def __exit__(self, *_: object) -> None:
        self._counts[-1:] = [[0]]

    @classmethod
    def _count(cls, event: str, seconds: float, **_: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            cls._counts[-1][0] += 1


@pytest.mark.parametrize("loss", ["kl", "decoupled", "dist"])  # one of each kind: plain, of labels, of weights
def test_a_loss_is_averaged_over_the_batches_as_they_come(model: Functional, examples: Examples, loss: str) -> None:
    """A student that stands still: what is recorded is the loss of its first predictions, batch by batch."""
    still = student(model, 3, learning_rate=0.0, alpha=0.4)
    epochs: list[Epoch] = []
    shared = CohortTrainer(model, examples, Recipe(epochs=1, batch_size=16, loss=loss), mesh=mesh(1), capacity=1)
    shared.train([still], on_epoch=epochs.append)
    z = np.asarray(model(still.initial, jnp.asarray(examples.x_train) * examples.scale, training=True).logits)
    order = epoch_order(3, 0, N, N)
    soft = np.mean(
        [
            np.mean(LOSSES[loss](z[rows], examples.teacher_logits[0][rows], still.labels[rows], temperature=3.0))
            for rows in np.split(np.asarray(order), range(16, N, 16))
        ]
    )
    np.testing.assert_allclose(
        epochs[0].distillation_loss[0], soft, rtol=1e-4
    )  # float32 means of at most 16 terms, in other orders
    np.testing.assert_allclose(
        epochs[0].loss[0], 0.4 * epochs[0].label_loss[0] + 0.6 * epochs[0].distillation_loss[0], rtol=1e-5
    )


def test_trained_students_predict_their_training_inputs_on_request(
    model: Functional, examples: Examples, shared: CohortTrainer
) -> None:
    students = four(model)[:3]
    outcome = shared.train(students, predict_training=True)
    assert outcome.train_predictions is not None
    assert outcome.train_predictions.shape == (3, N)
    for slot in range(3):
        variables = jax.tree.map(lambda leaf, k=slot: leaf[k], outcome.variables)
        logits = model(variables, jnp.asarray(examples.x_train) * examples.scale, training=False).logits
        np.testing.assert_array_equal(outcome.train_predictions[slot], np.argmax(logits, axis=-1))
    assert shared.train(students).train_predictions is None


def test_evaluating_students_on_the_way_does_not_change_them(
    model: Functional, examples: Examples, shared: CohortTrainer
) -> None:
    students, epochs = four(model), []
    stages = list(shared.stages(students, [0.01, 0.6, 1.0, 2], on_epoch=epochs.append))
    assert [stop for stop, _ in stages] == [0.01, 0.6, 1.0, 2]
    whole: list[Epoch] = []
    end = shared.train(students, on_epoch=whole.append)
    np.testing.assert_array_equal(stages[-1][1].test_logits, end.test_logits)
    for joined, plain in zip(epochs, whole, strict=True):
        for ours, theirs in zip(joined[1:], plain[1:], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_stop_after_an_epoch_is_the_end_of_a_training_of_that_length(model: Functional, examples: Examples) -> None:
    constant = Recipe(epochs=2, batch_size=16, schedule="constant")
    longer = CohortTrainer(model, examples, constant, mesh=mesh(), capacity=4)
    shorter = CohortTrainer(model, examples, replace(constant, epochs=1), mesh=mesh(), capacity=4)
    (stop, first), _ = longer.stages(four(model), [1])
    assert stop == 1
    np.testing.assert_array_equal(first.test_logits, shorter.train(four(model)).test_logits)


def test_stops_at_the_same_step_are_both_reported(model: Functional, shared: CohortTrainer) -> None:
    stages = list(shared.stages([student(model, 0)], [1.2, 1.21]))
    assert [stop for stop, _ in stages] == [1.2, 1.21, 2.0]
    np.testing.assert_array_equal(stages[0][1].test_logits, stages[1][1].test_logits)


def test_a_student_that_diverges_between_stops_is_recorded_as_without_them(
    model: Functional, shared: CohortTrainer
) -> None:
    ill = student(model, 1, learning_rate=1e30)
    whole: list[Epoch] = []
    parts: list[Epoch] = []
    shared.train([ill], on_epoch=whole.append)
    list(shared.stages([ill], [0.2, 0.4, 0.8], on_epoch=parts.append))
    assert whole[0].finite_steps[0] < shared.steps
    for expected, joined in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(joined.finite_steps, expected.finite_steps)
        np.testing.assert_array_equal(joined.last_finite_loss, expected.last_finite_loss)


def test_an_example_without_label_counts_for_the_teacher_alone(model: Functional, examples: Examples) -> None:
    unlabelled = replace(RECIPE, unlabelled=True)
    rng = np.random.default_rng(3)
    given = rng.integers(0, C, N)
    known = rng.random(N) < 0.5
    partial = np.where(known, given, -1)
    shared = CohortTrainer(model, examples, unlabelled, mesh=mesh(), capacity=4)
    distilled = [student(model, 0, alpha=0.0, labels=labels) for labels in (partial, given)]
    outcome = shared.train(distilled)
    np.testing.assert_array_equal(*outcome.test_logits)  # at alpha = 0 no label matters, known or not

    epochs: list[Epoch] = []
    still = [student(model, 0, alpha=1.0, labels=labels, learning_rate=0.0) for labels in (partial, given)]
    start = shared.train(still, on_epoch=epochs.append)
    logits = np.asarray(
        model(still[0].initial, jnp.asarray(examples.x_train, jnp.float32) / 255, training=False).logits
    )
    costs = -np.asarray(jax.nn.log_softmax(logits))[np.arange(N), given]
    # Four full batches of 16 and one of 6: a row of the last counts 16/6 of the others in the mean over the steps.
    order, share = epoch_order(0, 0, N, 80)[:N], np.repeat([1 / 16, 1 / 6], [64, 6]) / 5
    expected = np.sum(share * (costs * known * N / known.sum())[order])
    np.testing.assert_allclose(epochs[0].label_loss[0], expected, rtol=1e-5)
    assert start.test_logits.shape == (2, M, C)


def test_with_every_label_there_nothing_changes(model: Functional, examples: Examples) -> None:
    plain = CohortTrainer(model, examples, RECIPE, mesh=mesh(), capacity=4).train(four(model))
    masked = CohortTrainer(model, examples, replace(RECIPE, unlabelled=True), mesh=mesh(), capacity=4).train(
        four(model)
    )
    # the same sums in a program of another shape: a few roundings of float32 a step
    np.testing.assert_allclose(masked.test_logits, plain.test_logits, rtol=1e-3, atol=1e-3)


def test_an_epoch_compiles_once_where_no_example_is_kept_for_validation(model: Functional, examples: Examples) -> None:
    without = replace(examples, x_validation=examples.x_validation[:0])
    trained = trainer(model, without)
    trained.train([student(model, seed, validation_labels=np.empty(0, np.int64)) for seed in range(4)])
    assert [program._cache_size() for program in trained._epoch_programs.values()] == [1]
