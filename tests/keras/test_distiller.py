"""The Distiller: Keras's own training, with the loss of the formula, on whatever backend runs the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import log_softmax, softmax
from tests.keras.conftest import C, F, classifier, compiled, weights_of

from distillab import Distiller

Problem = tuple[np.ndarray, np.ndarray]


def dense_logits(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """A dense model's logits in float64 NumPy."""
    weights = [np.asarray(weight, np.float64) for weight in model.get_weights()]
    z = x.astype(np.float64)
    while len(weights) > 2:
        z, weights = np.tanh(z @ weights[0] + weights[1]), weights[2:]
    return z @ weights[0] + weights[1]


def cross_entropy(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -log_softmax(z, axis=-1)[np.arange(len(y)), y]


def kl(z_s: np.ndarray, z_t: np.ndarray, T: float) -> np.ndarray:
    p, q = softmax(z_t / T, axis=-1), softmax(z_s / T, axis=-1)
    return T**2 * np.sum(p * np.log(p / q), axis=-1)


ROOM = 1e-5  # float32 sums of 64 terms of size 1


@pytest.mark.parametrize(("alpha", "T"), [(0.1, 3.0), (0.7, 1.0), (0.0, 5.0), (1.0, 2.0)])
def test_the_losses_are_those_of_the_formula(
    student: keras.Model, teacher: keras.Model, problem: Problem, alpha: float, T: float
) -> None:
    x, y = problem
    distiller = compiled(student, teacher, alpha=alpha, temperature=T, metrics=["accuracy"])
    logs = distiller.evaluate(x, y, verbose=0, return_dict=True, batch_size=16)
    z_s, z_t = dense_logits(student, x), dense_logits(teacher, x)
    hard, soft = cross_entropy(z_s, y).mean(), kl(z_s, z_t, T).mean()
    expected = {
        "loss": alpha * hard + (1 - alpha) * soft,
        "student_loss": hard,
        "distillation_loss": soft,
        "accuracy": np.mean(z_s.argmax(-1) == y),
        "agreement": np.mean(z_s.argmax(-1) == z_t.argmax(-1)),
    }
    assert set(logs) == set(expected)
    for name, value in expected.items():
        assert logs[name] == pytest.approx(value, abs=ROOM * T**2), name


def test_a_step_follows_the_gradient_worked_by_hand(
    student: keras.Model, teacher: keras.Model, problem: Problem
) -> None:
    """For a linear student: dL/dz = alpha (q_1 - y) + (1 - alpha) T (q_T - p_T), and dL/dW = x' dL/dz / B."""
    x, y = problem
    alpha, T, rate = 0.3, 2.0, 0.1
    z_s, z_t = dense_logits(student, x), dense_logits(teacher, x)
    slope = alpha * (softmax(z_s, axis=-1) - np.eye(C)[y])
    slope += (1 - alpha) * T * (softmax(z_s / T, axis=-1) - softmax(z_t / T, axis=-1))
    kernel, bias = weights_of(student)
    expected = [kernel - rate * x.T @ slope / len(x), bias - rate * slope.mean(0)]
    compiled(student, teacher, rate=rate, alpha=alpha, temperature=T).train_on_batch(x, y)
    for got, wanted in zip(weights_of(student), expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=ROOM)


def test_the_call_of_the_keras_example_gives_that_examples_loss(
    student: keras.Model, teacher: keras.Model, problem: Problem
) -> None:
    class Example(keras.Model):
        """The distiller of the well-known example (keras.io, Borup 2020, in its Keras 3 form)."""

        def __init__(self, student: keras.Model, teacher: keras.Model) -> None:
            super().__init__()
            self.student, self.teacher = student, teacher

        def loss_of(self, y: Any, x: Any, hard: Any, soft: Any, alpha: float, T: float) -> Any:
            z_t, z_s = self.teacher(x, training=False), self.student(x)
            distance = soft(ops.softmax(z_t / T, axis=1), ops.softmax(z_s / T, axis=1)) * T**2
            return alpha * hard(y, z_s) + (1 - alpha) * distance

    x, y = problem
    hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for soft in (keras.losses.KLDivergence(), keras.losses.CategoricalCrossentropy(), keras.losses.MeanSquaredError()):
        expected = float(ops.convert_to_numpy(Example(student, teacher).loss_of(y, x, hard, soft, 0.1, 10)))
        distiller = Distiller(student=student, teacher=teacher)
        distiller.compile(
            optimizer=keras.optimizers.Adam(),
            metrics=[keras.metrics.SparseCategoricalAccuracy()],
            student_loss_fn=hard,
            distillation_loss_fn=soft,
            alpha=0.1,
            temperature=10,
        )
        logs = distiller.evaluate(x, y, verbose=0, return_dict=True, batch_size=64)
        assert logs["loss"] == pytest.approx(expected, rel=1e-5)
        assert "sparse_categorical_accuracy" in logs


def test_the_teacher_predicts_in_inference_mode_and_never_changes(problem: Problem) -> None:
    x, y = problem
    layers = keras.layers
    teacher = keras.Sequential(
        [keras.Input((F,)), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(C)], name="teacher"
    )
    teacher.layers[0].trainable = False
    flags = [layer.trainable for layer in [teacher, *teacher.layers]]
    before = [np.array(ops.convert_to_numpy(variable)) for variable in teacher.variables]
    still = compiled(classifier(3), teacher, rate=0.0)
    losses = still.fit(x, y, epochs=2, verbose=0, shuffle=False).history["distillation_loss"]
    assert losses[0] == losses[1]  # no dropout, no moving averages
    compiled(classifier(3), teacher).fit(x, y, verbose=0)
    assert [layer.trainable for layer in [teacher, *teacher.layers]] == flags
    for now, then in zip(teacher.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(now), then)
    assert np.isfinite(teacher.predict(x, verbose=0)).all()


def test_only_the_students_weights_are_trained_and_counted(
    student: keras.Model, teacher: keras.Model, problem: Problem
) -> None:
    distiller = compiled(student, teacher)
    assert [id(v) for v in distiller.trainable_variables] == [id(v) for v in student.trainable_variables]
    distiller.fit(*problem, verbose=0)
    assert distiller.teacher is teacher
    assert distiller.student is student


def test_setting_alpha_or_the_temperature_compiles_nothing_and_takes_effect(
    student: keras.Model, teacher: keras.Model, problem: Problem
) -> None:
    x, y = problem
    distiller = compiled(student, teacher, rate=0.0, alpha=0.2, temperature=3)
    distiller.evaluate(x, y, verbose=0)
    function = distiller.test_function
    traces = []
    original = distiller.compute_loss
    distiller.compute_loss = lambda *a, **k: traces.append(1) or original(*a, **k)  # type: ignore[method-assign]
    z_s, z_t = dense_logits(student, x), dense_logits(teacher, x)
    for alpha, T in [(0.9, 3.0), (0.9, 1.5), (0.0, 1.5)]:
        distiller.alpha, distiller.temperature = alpha, T
        assert (distiller.alpha, distiller.temperature) == (alpha, T)
        loss = distiller.evaluate(x, y, verbose=0, return_dict=True)["loss"]
        expected = alpha * cross_entropy(z_s, y).mean() + (1 - alpha) * kl(z_s, z_t, T).mean()
        assert loss == pytest.approx(expected, abs=ROOM * 9)
    assert distiller.test_function is function
    if keras.backend.backend() != "torch":  # which runs the Python anew for every batch
        assert not traces


def test_sample_weights_and_class_weights_count_as_in_keras(
    student: keras.Model, teacher: keras.Model, problem: Problem
) -> None:
    x, y = problem
    weights = np.random.default_rng(5).random(len(y)).astype(np.float32)
    z_s, z_t = dense_logits(student, x), dense_logits(teacher, x)
    each = 0.4 * cross_entropy(z_s, y) + 0.6 * kl(z_s, z_t, 2.0)
    distiller = compiled(student, teacher, rate=0.0, alpha=0.4, temperature=2)
    logs = distiller.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True, batch_size=64)
    assert logs["loss"] == pytest.approx(np.mean(weights * each), abs=ROOM)
    by_class = {0: 0.5, 1: 2.0, 2: 1.0, 3: 0.0}
    logs = distiller.fit(x, y, class_weight=by_class, verbose=0, batch_size=64).history
    assert logs["loss"][0] == pytest.approx(np.mean([by_class[k] for k in y] * each), abs=ROOM)


def test_masked_positions_of_a_sequence_do_not_count(problem: Problem) -> None:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((5, 7, F)).astype(np.float32)
    x[:, 5:] = 0.0  # padding
    y = rng.integers(0, C, (5, 7))

    def tagger(seed: int) -> keras.Model:
        model = keras.Sequential([keras.Input((7, F)), keras.layers.Masking(0.0), keras.layers.Dense(C)])
        draw = np.random.default_rng(seed)
        model.set_weights([draw.normal(size=weight.shape) for weight in model.get_weights()])
        return model

    student, teacher = tagger(1), tagger(2)
    logs = compiled(student, teacher, alpha=0.4, temperature=2).evaluate(x, y, verbose=0, return_dict=True)
    z_s, z_t = (dense_logits(model, x[:, :5]).reshape(-1, C) for model in (student, teacher))
    assert logs["student_loss"] == pytest.approx(cross_entropy(z_s, y[:, :5].ravel()).mean(), abs=ROOM)
    assert logs["distillation_loss"] == pytest.approx(kl(z_s, z_t, 2.0).mean(), abs=ROOM)


def test_the_losses_that_layers_add_are_added_and_the_teachers_are_not(problem: Problem) -> None:
    x, y = problem

    def decaying(seed: int) -> keras.Model:
        model = keras.Sequential(
            [keras.Input((F,)), keras.layers.Dense(C, kernel_regularizer=keras.regularizers.L2(0.1))]
        )
        draw = np.random.default_rng(seed)
        model.set_weights([draw.normal(size=weight.shape) for weight in model.get_weights()])
        return model

    student, teacher = decaying(1), decaying(2)
    logs = compiled(student, teacher, alpha=0.4, temperature=2).evaluate(x, y, verbose=0, return_dict=True)
    penalty = 0.1 * np.sum(weights_of(student)[0].astype(np.float64) ** 2)
    mixed = 0.4 * logs["student_loss"] + 0.6 * logs["distillation_loss"]
    assert logs["loss"] == pytest.approx(mixed + penalty, abs=ROOM)


def test_labels_may_be_one_hot_or_a_column(student: keras.Model, teacher: keras.Model, problem: Problem) -> None:
    x, y = problem
    losses = [
        compiled(student, teacher, metrics=["accuracy"], distillation_loss="decoupled").evaluate(
            x, labels, verbose=0, return_dict=True
        )
        for labels in (y, y[:, None], np.eye(C, dtype=np.float32)[y])
    ]
    for other in losses[1:]:
        assert other == pytest.approx(losses[0], abs=ROOM)


def test_without_labels_the_teacher_alone_counts(student: keras.Model, teacher: keras.Model, problem: Problem) -> None:
    x, _ = problem
    distiller = compiled(student, teacher, task="categorical", alpha=0.25, temperature=2)
    logs = distiller.fit(x, verbose=0, batch_size=64).history
    assert logs["student_loss"] == [0.0]
    assert logs["loss"][0] == pytest.approx(0.75 * logs["distillation_loss"][0], rel=1e-6)


class Batches(keras.utils.PyDataset):
    """A problem in batches of 16."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__()
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x) // 16

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(16 * batch, 16 * batch + 16)
        return self.x[rows], self.y[rows]


def as_arrays(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {"x": x, "y": y, "batch_size": 16, "shuffle": False}


def as_pydataset(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {"x": Batches(x, y), "shuffle": False}


def as_generator(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while True:
            yield from (Batches(x, y)[batch] for batch in range(4))

    return {"x": batches(), "steps_per_epoch": 4, "shuffle": False}


def as_tensorflow(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    tf = pytest.importorskip("tensorflow")
    return {"x": tf.data.Dataset.from_tensor_slices((x, y)).batch(16), "shuffle": False}


def as_torch(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    examples = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    return {"x": torch.utils.data.DataLoader(examples, batch_size=16), "shuffle": False}


@pytest.mark.parametrize("form", [as_pydataset, as_generator, as_tensorflow, as_torch])
def test_data_of_every_kind_train_the_same_student(form: Any, teacher: keras.Model, problem: Problem) -> None:
    student, other = classifier(2), classifier(2)
    logs = compiled(student, teacher).fit(**as_arrays(*problem), epochs=2, verbose=0).history
    others = compiled(other, teacher).fit(**form(*problem), epochs=2, verbose=0).history
    for name in ("loss", "student_loss", "distillation_loss", "agreement"):
        np.testing.assert_allclose(others[name], logs[name], rtol=1e-5)
    for a, b in zip(weights_of(student), weights_of(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras on PyTorch takes one step at a time")
def test_several_steps_per_execution_train_the_same_student(teacher: keras.Model, problem: Problem) -> None:
    student, other = classifier(2), classifier(2)
    compiled(student, teacher).fit(**as_arrays(*problem), epochs=2, verbose=0)
    compiled(other, teacher, steps_per_execution=3).fit(**as_arrays(*problem), epochs=2, verbose=0)
    for a, b in zip(weights_of(student), weights_of(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_eager_running_trains_the_same_student(teacher: keras.Model, problem: Problem) -> None:
    student, other = classifier(2), classifier(2)
    compiled(student, teacher).fit(**as_arrays(*problem), verbose=0)
    compiled(other, teacher, run_eagerly=True).fit(**as_arrays(*problem), verbose=0)
    for a, b in zip(weights_of(student), weights_of(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_early_stopping_restores_the_best_student(teacher: keras.Model, problem: Problem) -> None:
    student = classifier(2)
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=1, restore_best_weights=True)
    distiller = compiled(student, teacher, rate=1e-3)
    x, y = problem
    seen = []
    remember = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["val_loss"]))
    spoil = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(distiller.optimizer, "learning_rate", -1.0 if epoch else 1e-3)
    )
    distiller.fit(x, y, validation_data=(x, y), epochs=9, verbose=0, callbacks=[remember, spoil, stop])
    assert len(seen) == 2
    assert distiller.evaluate(x, y, verbose=0, return_dict=True)["loss"] == pytest.approx(seen[0], abs=ROOM)


def test_a_checkpoint_goes_on_where_the_training_stopped(
    teacher: keras.Model, problem: Problem, tmp_path: Path
) -> None:
    path = tmp_path / "distiller.keras"
    whole, part = classifier(2), classifier(2)
    arrays = as_arrays(*problem)

    def distiller(student: keras.Model) -> Distiller:
        made = Distiller(student, teacher)
        made.compile(keras.optimizers.Adam(0.05), alpha=0.3, temperature=2, distillation_loss="reverse_kl")
        return made

    distiller(whole).fit(**arrays, epochs=4, verbose=0)
    distiller(part).fit(**arrays, epochs=2, verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(path)])
    again = keras.models.load_model(path)
    assert again.teacher is None
    again = Distiller(again.student, teacher)
    loaded = keras.models.load_model(path)
    again.compile(loaded.optimizer, alpha=loaded.alpha, temperature=2, distillation_loss="reverse_kl")
    assert loaded.alpha == 0.3
    assert loaded.optimizer.iterations == 8


def test_the_teacher_is_saved_only_when_asked(teacher: keras.Model, problem: Problem, tmp_path: Path) -> None:
    x, y = problem
    for save in (False, True):
        distiller = Distiller(classifier(2), teacher, save_teacher=save)
        distiller.compile("adam", alpha=0.3, temperature=2)
        distiller.fit(x, y, verbose=0)
        distiller.save(tmp_path / f"{save}.keras")
    without, together = (keras.models.load_model(tmp_path / f"{save}.keras") for save in (False, True))
    assert without.teacher is None
    assert (tmp_path / "False.keras").stat().st_size < (tmp_path / "True.keras").stat().st_size
    for a, b in zip(weights_of(together.teacher), weights_of(teacher), strict=True):
        np.testing.assert_array_equal(a, b)
    expected = distiller.evaluate(x, y, verbose=0, return_dict=True)
    assert together.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(expected, abs=ROOM)


def test_a_loaded_distiller_trains_on_with_its_optimisers_state(
    teacher: keras.Model, problem: Problem, tmp_path: Path
) -> None:
    arrays = as_arrays(*problem)
    whole, part = (Distiller(classifier(2), teacher, save_teacher=True) for _ in range(2))
    for distiller, epochs in ((whole, 4), (part, 2)):
        distiller.compile(keras.optimizers.Adam(0.05), alpha=0.3, temperature=2, distillation_loss="reverse_kl")
        distiller.fit(**arrays, epochs=epochs, verbose=0)
    part.save(tmp_path / "part.keras")
    again = keras.models.load_model(tmp_path / "part.keras")
    again.fit(**arrays, epochs=2, verbose=0)
    for a, b in zip(weights_of(again.student), weights_of(whole.student), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_distiller_of_ones_own_loss_is_loaded_uncompiled(
    student: keras.Model, teacher: keras.Model, problem: Problem, tmp_path: Path
) -> None:
    def mine(student_logits: Any, teacher_logits: Any, labels: Any, *, temperature: Any) -> Any:
        return ops.mean(ops.abs(student_logits - teacher_logits), axis=-1)

    distiller = compiled(student, teacher, distillation_loss=mine)
    logs = distiller.evaluate(*problem, verbose=0, return_dict=True)
    gap = np.abs(dense_logits(student, problem[0]) - dense_logits(teacher, problem[0])).mean()
    assert logs["distillation_loss"] == pytest.approx(gap, abs=ROOM)
    distiller.save(tmp_path / "mine.keras")
    assert not keras.models.load_model(tmp_path / "mine.keras").compiled


def test_the_student_is_a_plain_model_to_save(
    student: keras.Model, teacher: keras.Model, problem: Problem, tmp_path: Path
) -> None:
    x, y = problem
    distiller = compiled(student, teacher)
    distiller.fit(x, y, verbose=0)
    distiller.student.save(tmp_path / "student.keras")
    loaded = keras.models.load_model(tmp_path / "student.keras")
    assert type(loaded) is keras.Sequential
    np.testing.assert_allclose(loaded.predict(x, verbose=0), distiller.predict(x, verbose=0), atol=1e-6)


def test_a_student_ending_in_softmax_learns_as_one_of_logits_and_predicts_probabilities(
    teacher: keras.Model, problem: Problem
) -> None:
    x, y = problem
    of_logits, of_probabilities = classifier(2), classifier(2, ending="softmax", name="sure")
    compiled(of_logits, teacher).fit(**as_arrays(x, y), verbose=0)
    with pytest.warns(UserWarning, match="The student 'sure' ends in softmax"):
        distiller = Distiller(of_probabilities, teacher)
    meant = keras.losses.SparseCategoricalCrossentropy()  # of probabilities, as this student gives them
    distiller.compile(keras.optimizers.SGD(0.1), loss=meant, metrics=[keras.metrics.SparseCategoricalCrossentropy()])
    distiller.fit(**as_arrays(x, y), verbose=0)
    for a, b in zip(weights_of(of_logits), weights_of(of_probabilities), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(distiller.predict(x, verbose=0), of_probabilities.predict(x, verbose=0), atol=1e-6)
    logs = distiller.evaluate(x, y, verbose=0, return_dict=True)
    assert logs["sparse_categorical_crossentropy"] == pytest.approx(logs["student_loss"], abs=ROOM)


def test_a_teacher_ending_in_softmax_is_softened_once(student: keras.Model, problem: Problem) -> None:
    x, y = problem
    of_logits, of_probabilities = classifier(1, hidden=8), classifier(1, hidden=8, ending="softmax", name="sure")
    expected = compiled(student, of_logits).evaluate(x, y, verbose=0, return_dict=True)
    with pytest.warns(UserWarning, match="The teacher 'sure' ends in softmax"):
        distiller = compiled(student, of_probabilities)
    assert distiller.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(expected, abs=ROOM)


def test_the_teacher_may_have_inputs_of_its_own(student: keras.Model, problem: Problem) -> None:
    x, y = problem
    wide = keras.Sequential([keras.Input((2 * F,)), keras.layers.Dense(C)])
    distiller = Distiller(student, wide, teacher_inputs=lambda x: ops.concatenate([x, -x], axis=-1))
    distiller.compile(keras.optimizers.SGD(0.1), temperature=2)
    logs = distiller.evaluate(x, y, verbose=0, return_dict=True)
    kernel, bias = weights_of(wide)
    z_t = np.concatenate([x, -x], axis=-1).astype(np.float64) @ kernel + bias
    assert logs["distillation_loss"] == pytest.approx(kl(dense_logits(student, x), z_t, 2.0).mean(), abs=ROOM)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_computes_and_full_precision_learns(policy: str, problem: Problem) -> None:
    x, y = problem
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        student, teacher = classifier(2), classifier(1, hidden=8)
        distiller = compiled(student, teacher, rate=0.5)
        losses = distiller.fit(x, y, epochs=4, verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy(previous)
    assert losses[-1] < losses[0]
    assert {keras.backend.standardize_dtype(v.dtype) for v in student.variables} == {"float32"}
    whole = compiled(classifier(2), classifier(1, hidden=8), rate=0.5).fit(x, y, epochs=4, verbose=0)
    # bfloat16 has 8 bits of mantissa: logits of size 1 to 3 are off by up to 0.01, and T^2 KL by a few of those.
    np.testing.assert_allclose(losses[0], whole.history["loss"][0], rtol=0.05)


def test_a_bfloat16_teacher_may_teach_a_float32_student(student: keras.Model, problem: Problem) -> None:
    teacher = keras.Sequential([keras.Input((F,)), keras.layers.Dense(C, dtype="bfloat16")])
    logs = compiled(student, teacher).fit(*problem, verbose=0).history
    assert np.isfinite(logs["loss"]).all()


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="what JAX's compiled step is given")
def test_a_teacher_that_learns_between_two_fits_is_used_as_it_is(student: keras.Model, problem: Problem) -> None:
    x, y = problem
    teacher = classifier(1, hidden=8)
    distiller = compiled(student, teacher, rate=0.0, temperature=2)
    distiller.evaluate(x, y, verbose=0)
    teacher.set_weights([0.5 * weight for weight in teacher.get_weights()])
    logs = distiller.evaluate(x, y, verbose=0, return_dict=True)
    assert logs["distillation_loss"] == pytest.approx(
        kl(dense_logits(student, x), dense_logits(teacher, x), 2.0).mean(), abs=ROOM
    )


def test_callbacks_may_be_given_by_position(student: keras.Model, teacher: keras.Model, problem: Problem) -> None:
    seen = []
    remember = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    compiled(student, teacher).fit(Batches(*problem), None, None, 2, 0, [remember])
    assert seen == [0, 1]


def test_an_adapter_is_trained_and_the_frozen_weights_and_the_kernel_under_it_stay(
    teacher: keras.Model, problem: Problem, tmp_path: Path
) -> None:
    x, y = problem
    frozen = keras.layers.Dense(5, activation="tanh", trainable=False)
    adapted = keras.layers.Dense(C, activation="softmax")
    student = keras.Sequential([keras.Input((F,)), frozen, adapted])
    frozen.set_weights([np.full((F, 5), 0.1), np.zeros(5)])
    adapted.set_weights([np.full((5, C), 0.2), np.zeros(C)])
    adapted.enable_lora(2, lora_alpha=4)
    with pytest.warns(UserWarning, match="softmax"):
        distiller = Distiller(student, teacher)
    distiller.compile(keras.optimizers.SGD(0.5), alpha=0.3)
    losses = distiller.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(ops.convert_to_numpy(frozen.kernel), np.full((F, 5), 0.1, np.float32))
    np.testing.assert_array_equal(ops.convert_to_numpy(adapted._kernel), np.full((5, C), 0.2, np.float32))
    assert ops.convert_to_numpy(adapted.lora_kernel_b).any()
    distiller.student.save(tmp_path / "student.keras")
    loaded = keras.models.load_model(tmp_path / "student.keras")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), student.predict(x, verbose=0), atol=1e-5)
