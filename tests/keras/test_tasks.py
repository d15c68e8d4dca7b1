"""Every task, on any backend: loss and gradient of a batch are those of formulas in NumPy float64."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import expit, log_softmax, softmax

from distillab import AlphaSchedule, Distiller, with_teacher_logits
from distillab.errors import RequestError

Array = np.ndarray
B, F, C, T, ALPHA = 12, 5, 3, 2.0, 0.3
ROOM = 1e-5  # float32 sums of some dozens of terms of size 1


class Term(NamedTuple):
    """A term of the loss at each position, and its slope with respect to the student's outputs there."""

    value: Array
    slope: Array


# The formulas. Each gives the values of the entries of a batch, and their derivatives by hand.


def cross_entropy(z: Array, y: Array) -> Term:
    one_hot = np.eye(z.shape[-1])[np.where(y < 0, 0, y)]
    return Term(-np.sum(one_hot * log_softmax(z, axis=-1), -1), softmax(z, axis=-1) - one_hot)


def kl(z: Array, t: Array) -> Term:
    p, q = softmax(t / T, axis=-1), softmax(z / T, axis=-1)
    return Term(T**2 * np.sum(p * (log_softmax(t / T, axis=-1) - log_softmax(z / T, axis=-1)), -1), T * (q - p))


def bernoulli(z: Array, y: Array) -> Term:
    """-y log q - (1 - y) log(1 - q) with q = sigmoid(z), whose slope is q - y."""
    return Term(np.logaddexp(0, z) - y * z, expit(z) - y)


def bernoulli_kl(z: Array, t: Array) -> Term:
    p, q = expit(t / T), expit(z / T)
    value = T**2 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
    return Term(value.mean(-1), T * (q - p) / z.shape[-1])


def squared(z: Array, y: Array) -> Term:
    return Term((z - y) ** 2, 2 * (z - y))


def absolute(z: Array, y: Array) -> Term:
    return Term(np.abs(z - y), np.sign(z - y))


def huber(z: Array, y: Array) -> Term:
    d = z - y
    return Term(np.where(np.abs(d) <= 1, d**2 / 2, np.abs(d) - 0.5), np.clip(d, -1, 1))


def to_teacher(error: Callable[[Array, Array], Term]) -> Callable[[Array, Array], Term]:
    def term(z: Array, t: Array) -> Term:
        value, slope = error(z, t)
        return Term(value.mean(-1), slope / z.shape[-1])

    return term


def bounded(z: Array, t: Array, y: Array) -> Term:
    """The squared error where it is larger than the teacher's: Chen et al. 2017, equation 4."""
    student, teacher = ((outputs - y) ** 2 for outputs in (z, t))
    active = (student.mean(-1) > teacher.mean(-1)) * 1.0
    return Term(active * student.mean(-1), active[..., None] * 2 * (z - y) / z.shape[-1])


def linear(
    inputs: tuple[int, ...], outputs: int, seed: int, *, before: Any = (), ending: str | None = None
) -> keras.Model:
    """A model with one dense layer at the end, the same at every position, with weights drawn by NumPy."""
    model = keras.Sequential([keras.Input(inputs), *before, layers.Dense(outputs, activation=ending)])
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def step(student: keras.Model, teacher: Any, x: Array, y: Any, weights: Any = None, **options: Any) -> tuple[Any, Any]:
    """The logs of a batch and the gradient of each of the student's weights: a step of rate 1, backwards."""
    own = {name: options.pop(name) for name in ("task", "ignore_class") if name in options}
    distiller = Distiller(student, teacher, **own)
    distiller.compile(keras.optimizers.SGD(1.0), alpha=ALPHA, **options)
    before = [np.array(weight, np.float64) for weight in student.get_weights()]
    logs = distiller.fit(x, y, sample_weight=weights, batch_size=len(x), verbose=0).history
    after = [np.array(weight, np.float64) for weight in student.get_weights()]
    return {name: values[0] for name, values in logs.items()}, [b - a for b, a in zip(before, after, strict=True)]


def check(got: Any, x: Array, label: Term, soft: Term, known: Any = 1, weights: Any = 1, mask: Any = 1) -> None:
    """Compare with the formula: label_loss is a mean over the entries that are known, distillation_loss over positions.

    `x` are the inputs of the last layer, `known` has the shape of `label.value`, `weights` and `mask` of `soft.value`.
    """
    logs, (kernel, bias) = got
    positions = np.broadcast_to(np.asarray(mask, float), soft.value.shape)
    of_labels = np.asarray(known, float) * (positions[..., None] if label.value.ndim > positions.ndim else positions)
    of_labels = np.broadcast_to(of_labels, label.value.shape) / np.broadcast_to(of_labels, label.value.shape).sum()
    of_teacher = positions / positions.sum()
    weight = np.broadcast_to(np.asarray(weights, float), soft.value.shape)
    entry = weight[..., None] if label.value.ndim > weight.ndim else weight
    student_loss = np.sum(of_labels * entry * np.where(of_labels > 0, label.value, 0))
    distillation_loss = np.sum(of_teacher * weight * soft.value)
    assert logs["student_loss"] == pytest.approx(student_loss, abs=ROOM, rel=ROOM)
    assert logs["distillation_loss"] == pytest.approx(distillation_loss, abs=ROOM, rel=ROOM)
    mixed = ALPHA * student_loss + (1 - ALPHA) * distillation_loss
    assert logs["loss"] == pytest.approx(mixed, abs=ROOM, rel=ROOM)
    share = of_labels * entry
    share = share if share.ndim == label.slope.ndim else share[..., None]
    slope = ALPHA * share * np.where(share != 0, label.slope, 0)
    slope = slope + (1 - ALPHA) * (of_teacher * weight)[..., None] * soft.slope
    rows = x.reshape(-1, x.shape[-1]).astype(np.float64)
    np.testing.assert_allclose(kernel, rows.T @ slope.reshape(len(rows), -1), rtol=ROOM, atol=ROOM)
    np.testing.assert_allclose(bias, slope.reshape(len(rows), -1).sum(0), rtol=ROOM, atol=ROOM)


def outputs(model: keras.Model, x: Array) -> Array:
    """Of the dense layer at a model's end, in float64."""
    kernel, bias = (np.asarray(weight, np.float64) for weight in model.get_weights()[-2:])
    raw: Array = x.astype(np.float64) @ kernel + bias
    return raw


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def drawn(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("ending", [None, "sigmoid"])
@pytest.mark.parametrize("column", [False, True])
def test_binary(rng: np.random.Generator, ending: str | None, column: bool) -> None:
    x, y = drawn(rng, B, F), rng.integers(0, 2, B)
    y[3] = -1
    student, teacher = linear((F,), 1, 1, ending=ending), linear((F,), 1, 2, ending="sigmoid")
    z, t = outputs(student, x), outputs(teacher, x)
    label = bernoulli(z[:, 0], np.where(y < 0, 0, y))
    label = Term(label.value, label.slope[:, None])
    got = step(student, teacher, x, y[:, None] if column else y, temperature=T)
    check(got, x, label, bernoulli_kl(z, t), known=y >= 0)
    assert got[0]["agreement"] == pytest.approx(np.mean((z > 0) == (t > 0)))


@pytest.mark.parametrize("missing", [-1, np.nan])
def test_multilabel_with_missing_entries_and_sample_weights(rng: np.random.Generator, missing: float) -> None:
    x, y, weights = drawn(rng, B, F), rng.integers(0, 2, (B, C)).astype(np.float32), rng.random(B).astype(np.float32)
    known = rng.random((B, C)) > 0.3
    student, teacher = linear((F,), C, 1, ending="sigmoid"), linear((F,), C, 2)
    z, t = outputs(student, x), outputs(teacher, x)
    got = step(student, teacher, x, np.where(known, y, missing), weights, temperature=T)
    check(got, x, bernoulli(z, y), bernoulli_kl(z, t), known=known, weights=weights)
    equal = ((z > 0) == (t > 0)).mean(-1)
    assert got[0]["agreement"] == pytest.approx(np.sum(weights * equal) / weights.sum(), abs=ROOM)


REGRESSION = {"squared": squared, "absolute": absolute, "huber": huber}


@pytest.mark.parametrize("loss", [*REGRESSION, "bounded"])
def test_regression(rng: np.random.Generator, loss: str) -> None:
    x, y = drawn(rng, B, F), 2 * drawn(rng, B, C)
    student, teacher = linear((F,), C, 1), linear((F,), C, 2)
    z, t, known = outputs(student, x), outputs(teacher, x), np.ones((B, C), bool)
    if loss != "bounded":
        known = rng.random((B, C)) > 0.2
    soft = bounded(z, t, y) if loss == "bounded" else to_teacher(REGRESSION[loss])(z, t)
    of_labels = loss if loss in REGRESSION else "squared"
    labels = np.where(known, y, np.nan).astype(np.float32)
    got = step(student, teacher, x, labels, task="regression", loss=of_labels, distillation_loss=loss)
    check(got, x, REGRESSION[of_labels](z, y), soft, known=known)
    assert got[0]["mae_to_teacher"] == pytest.approx(np.abs(z - t).mean(), rel=1e-5)
    assert "agreement" not in got[0]


def test_an_example_without_labels_does_not_count_for_a_loss_that_reads_them(rng: np.random.Generator) -> None:
    x, y = drawn(rng, B, F), 2 * drawn(rng, B, 1)
    student, teacher = linear((F,), 1, 1), linear((F,), 1, 2)
    z, t = outputs(student, x), outputs(teacher, x)
    known = np.arange(B) != 4
    got = step(student, teacher, x, np.where(known[:, None], y, np.nan), distillation_loss="bounded")
    check(got, x, squared(z, y), bounded(z, t, y), mask=known)


@pytest.mark.parametrize("layout", ["plain", "column"])
def test_segmentation_with_a_class_to_ignore(rng: np.random.Generator, layout: str) -> None:
    x, y = drawn(rng, 2, 4, 6, F), rng.integers(0, C, (2, 4, 6))
    weights = rng.random((2, 4, 6)).astype(np.float32)
    y[:, 0], y[1, 1, 1] = 255, -1
    student, teacher = (linear((4, 6, F), C, seed) for seed in (1, 2))
    z, t, known = outputs(student, x), outputs(teacher, x), (y != 255) & (y >= 0)
    label = cross_entropy(z, np.where(known, y, 0))
    labels = y[..., None] if layout == "column" else y
    got = step(student, teacher, x, labels, weights, ignore_class=255, temperature=T)
    check(got, x, label, kl(z, t), known=known, weights=weights)
    equal = z.argmax(-1) == t.argmax(-1)
    assert got[0]["agreement"] == pytest.approx(np.sum(weights * equal) / weights.sum(), abs=ROOM)


@pytest.mark.parametrize("by_position", [False, True])
def test_masked_sequences_with_sample_weights(rng: np.random.Generator, by_position: bool) -> None:
    x, y = drawn(rng, B, 7, F), rng.integers(0, C, (B, 7))
    x[:, 5:], x[0, 2:] = 0.0, 0.0  # padding, of two lengths
    weights = rng.random((B, 7) if by_position else B).astype(np.float32)
    student, teacher = (linear((7, F), C, seed, before=[layers.Masking(0.0)]) for seed in (1, 2))
    z, t, mask = outputs(student, x), outputs(teacher, x), (x != 0).any(-1)
    y[~mask] = 200  # what is masked is never read
    got = step(student, teacher, x, y, weights, task="categorical", ignore_class=200, temperature=T)
    spread = weights if by_position else weights[:, None]
    check(got, x, cross_entropy(z, np.where(mask, y, 0)), kl(z, t), weights=spread, mask=mask)
    share = np.broadcast_to(spread, mask.shape) * mask
    equal = z.argmax(-1) == t.argmax(-1)
    assert got[0]["agreement"] == pytest.approx(np.sum(share * equal) / share.sum(), abs=ROOM)


def test_an_embeddings_mask_counts_for_real_outputs_of_sequences(rng: np.random.Generator) -> None:
    tokens = rng.integers(1, 9, (B, 7))
    tokens[:, 4:] = 0
    y = drawn(rng, B, 7)
    student, teacher = (linear((7,), 1, seed, before=[layers.Embedding(9, F, mask_zero=True)]) for seed in (1, 2))
    embedded = student.layers[0].get_weights()[0][tokens], teacher.layers[0].get_weights()[0][tokens]
    student.layers[0].trainable = False
    z, t = outputs(student, embedded[0]), outputs(teacher, embedded[1])
    logs, gradients = step(student, teacher, tokens, y)
    check((logs, gradients[1:]), embedded[0], squared(z, y[..., None]), to_teacher(squared)(z, t), mask=tokens > 0)


@pytest.mark.filterwarnings("ignore:The teacher .* ends in softmax")
def test_the_task_is_recognised_once_and_stated(rng: np.random.Generator) -> None:
    x = drawn(rng, B, F)
    by_ending = {("softmax", C): "categorical", ("sigmoid", 1): "binary", ("sigmoid", C): "multilabel"}
    for (ending, names), task in by_ending.items():
        assert Distiller(linear((F,), names, 1), linear((F,), names, 2, ending=ending)).task == task
    by_labels = [
        (1, rng.integers(0, 2, B), "binary"),
        (1, drawn(rng, B), "regression"),
        (C, np.arange(B) % C, "categorical"),
    ]
    for names, y, task in by_labels:
        distiller = Distiller(linear((F,), names, 1), linear((F,), names, 2))
        distiller.compile("sgd")
        assert distiller.task is None
        distiller.evaluate(x, y, verbose=0)
        assert distiller.task == task
        lines: list[str] = []
        distiller.summary(print_fn=lambda line, *_: lines.append(line))  # noqa: B023
        assert lines[-1].startswith(f"Task: {task}, ")
    for options in ({"distillation_loss": "huber"}, {"loss": "mse"}, {"loss": "absolute"}):
        distiller = Distiller(linear((F,), C, 1), linear((F,), C, 2))
        distiller.compile("sgd", **options)
        assert distiller.task == "regression"


def test_predict_and_metrics_see_what_the_student_gives(rng: np.random.Generator) -> None:
    x, y = drawn(rng, B, F), rng.integers(0, 2, (B, 1))
    student = linear((F,), 1, 1, ending="sigmoid")
    distiller = Distiller(student, linear((F,), 1, 2, ending="sigmoid"))
    distiller.compile("sgd", metrics=["accuracy", keras.metrics.BinaryCrossentropy()])
    p = expit(outputs(student, x))
    np.testing.assert_allclose(distiller.predict(x, verbose=0), p, atol=1e-6)
    logs = distiller.evaluate(x, y, verbose=0, return_dict=True)
    assert logs["accuracy"] == pytest.approx(np.mean((p > 0.5) == y))
    assert logs["binary_crossentropy"] == pytest.approx(logs["student_loss"], abs=ROOM)


@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_several_teachers_of_one_logit_are_averaged_as_two_classes_are(rng: np.random.Generator, average: str) -> None:
    x, y = drawn(rng, B, F), rng.integers(0, 2, B)
    student, teachers = linear((F,), 1, 1), [linear((F,), 1, seed, ending="sigmoid") for seed in (2, 3)]
    distiller = Distiller(student, teachers, teacher_weights=[1, 3], average=average)
    distiller.compile(keras.optimizers.SGD(0.0), alpha=0, temperature=T)
    z = [outputs(teacher, x) for teacher in teachers]
    mean = 0.25 * expit(z[0]) + 0.75 * expit(z[1])
    t = 0.25 * z[0] + 0.75 * z[1] if average == "logits" else np.log(mean / (1 - mean))
    logs = distiller.evaluate(x, y, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(bernoulli_kl(outputs(student, x), t).value.mean(), abs=ROOM)


def test_a_keras_loss_counts_the_labels_that_are_known(rng: np.random.Generator) -> None:
    x, y = drawn(rng, B, F), drawn(rng, B, 1)
    y[2] = np.nan
    student, teacher = linear((F,), 1, 1), linear((F,), 1, 2)
    z, t = outputs(student, x), outputs(teacher, x)
    got = step(student, teacher, x, y, loss="mse", distillation_loss=keras.losses.MeanAbsoluteError())
    check(got, x, squared(z, np.nan_to_num(y)), to_teacher(absolute)(z, t), known=~np.isnan(y))


def regressors() -> tuple[keras.Model, keras.Model]:
    return linear((F,), 1, 1), linear((F,), 1, 2)


def taggers() -> tuple[keras.Model, keras.Model]:
    return linear((7, F), C, 1), linear((7, F), C, 2)


NO_TEMPERATURE = "temperature=2 is not allowed with task=regression"
WRONG: list[tuple[Any, dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    (regressors, {"task": "regression"}, {"temperature": 2}, {}, NO_TEMPERATURE),
    (regressors, {}, {"temperature": 2}, {"y": np.linspace(0, 1, B)}, NO_TEMPERATURE),
    (regressors, {"task": "categorical"}, {}, {}, "task=categorical needs one output for each class"),
    (regressors, {"task": "regression"}, {"loss": "binary_crossentropy"}, {}, "binary_crossentropy.*squared, "),
    (regressors, {"task": "regression"}, {"loss": keras.losses.BinaryCrossentropy()}, {}, "BinaryCross.*regression"),
    (regressors, {"task": "regresion"}, {}, {}, "There is no task 'regresion'. Did you mean 'regression'"),
    (regressors, {"task": "binary"}, {"distillation_loss": "huber"}, {}, "'huber' .*task=binary: kl, "),
    (regressors, {"task": "binary"}, {"loss": "absolute"}, {}, "loss='absolute' .*task=binary: cross_entropy"),
    (regressors, {"task": "binary"}, {}, {"y": np.linspace(0, 1, B)}, r"label in y=0\.0909.*0 or 1"),
    (regressors, {"task": "regression"}, {}, {"y": np.zeros((B, 2))}, r"Labels of shape \(12, 2\) do not fit outputs"),
    (regressors, {"task": "regression"}, {}, {"y": np.full(B, np.nan)}, "Every label in y is missing"),
    (regressors, {"task": "regression"}, {}, {"class_weight": {0: 1}}, "class_weight=.*left out with task=regression"),
    (regressors, {}, {}, {"sample_weight": np.ones((B, 3))}, r"sample_weight.shape=\(12, 3\) .*must be \(examples,\)"),
    (regressors, {}, {}, {"sample_weight": np.full(B, np.nan)}, "sample_weight holds NaN or infinity in 12 of 12"),
    (regressors, {}, {}, {"x": np.full((B, F), np.inf)}, "x holds NaN or infinity in 12 of 12 examples, first at"),
    (taggers, {}, {}, {"class_weight": {0: 1}}, "class_weight=.*left out with a class at each position"),
    (taggers, {}, {}, {"sample_weight": np.ones((B, 6))}, r"sample_weight.shape=\(12, 6\).*\(examples, 7\)"),
    (taggers, {}, {}, {"y": np.zeros((B, 6), int)}, r"Labels of shape \(12, 6\) do not fit .*\(None, 7, 3\)"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "options", "compiling", "data", "message"), WRONG)
def test_what_a_task_does_not_have_is_refused_before_the_first_step(
    make: Any, options: Any, compiling: Any, data: Any, message: str
) -> None:
    student, teacher = make()
    shape = (B, *student.input_shape[1:])
    y = np.arange(B * (shape[1] if len(shape) == 3 else 1)).reshape(shape[:-1]) % 2
    before = [np.array(weight) for weight in student.get_weights()]
    with pytest.raises(RequestError, match=message):  # noqa: PT012 - the line that raises depends on the case
        distiller = Distiller(student, teacher, **options)
        distiller.compile("sgd", **compiling)
        distiller.fit(**{"x": np.ones(shape, np.float32), "y": y, "verbose": 0, **data})
    for now, then in zip(student.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_temperature_cannot_be_set_where_it_has_no_meaning() -> None:
    distiller = Distiller(*regressors(), task="regression")
    distiller.compile("sgd", alpha=0.5)
    with pytest.raises(RequestError, match="not allowed with task=regression"):
        distiller.temperature = 4
    distiller.alpha = 0.7
    assert distiller.alpha == 0.7


@pytest.mark.parametrize("labels", [[[1, 1, 0], [0, 1, 1]], [[0, 0, 0], [1, 0, 0]], [[2.5, 1.0, 0.3], [0.1, 4.0, 1.0]]])
def test_labels_that_two_tasks_explain_are_refused_and_accepted_once_the_task_is_stated(labels: Any) -> None:
    y = np.tile(np.array(labels, np.float32), (B // 2, 1))
    x = np.ones((B, F), np.float32)
    distiller = Distiller(linear((F,), C, 1), linear((F,), C, 2))
    distiller.compile("sgd")
    with pytest.raises(RequestError, match=r"State the task: .*regression for real numbers"):
        distiller.fit(x, y, verbose=0)
    stated = Distiller(linear((F,), C, 1), linear((F,), C, 2), task="regression")
    stated.compile("sgd")
    assert np.isfinite(stated.fit(x, y, verbose=0).history["loss"]).all()


def test_a_stream_needs_a_stated_task_where_nothing_else_decides_it(rng: np.random.Generator) -> None:
    x, y = drawn(rng, B, F), drawn(rng, B, 1)

    def batches() -> Any:
        while True:
            yield x, y

    distiller = Distiller(*regressors())
    distiller.compile("sgd")
    with pytest.raises(Exception, match="Pass task= to Distiller: one of binary, regression"):  # TensorFlow wraps it
        distiller.fit(batches(), steps_per_epoch=1, shuffle=False, verbose=0)
    stated = Distiller(*regressors(), task="regression")
    stated.compile("sgd")
    assert np.isfinite(stated.fit(batches(), steps_per_epoch=1, shuffle=False, verbose=0).history["loss"]).all()


class Mean(layers.Layer):
    """A mean over time that passes on a mask which fits its output no longer."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return keras.ops.mean(inputs, axis=1)


def test_a_mask_of_another_shape_than_the_outputs_is_refused(rng: np.random.Generator) -> None:
    student, teacher = (linear((7, F), C, seed, before=[layers.Masking(0.0), Mean()]) for seed in (1, 2))
    before = [np.array(weight) for weight in student.get_weights()]
    distiller = Distiller(student, teacher)
    distiller.compile("sgd")
    with pytest.raises(Exception, match=r"The mask has shape .*7.*, and the student's outputs .*3"):
        distiller.fit(drawn(rng, B, 7, F), np.arange(B) % C, verbose=0)
    for now, then in zip(student.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_labels_to_ignore_do_not_decide_the_task(rng: np.random.Generator) -> None:
    x, y = drawn(rng, 2, 7, F), rng.integers(0, 2, (2, 7))
    y[:, 0] = 255
    distiller = Distiller(linear((7, F), 1, 1), linear((7, F), 1, 2), ignore_class=255)
    distiller.compile("sgd")
    distiller.evaluate(x, y, verbose=0)
    assert distiller.task == "binary"


@pytest.mark.parametrize("cache", [False, True])
def test_stored_outputs_of_maps_and_sequences_teach_as_the_live_teacher_does(
    rng: np.random.Generator, tmp_path: Path, cache: bool
) -> None:
    x, y = drawn(rng, B, 7, F), drawn(rng, B, 7)
    student, teachers = linear((7, F), 1, 1), [linear((7, F), 1, seed) for seed in (2, 3)]
    live = Distiller(student, teachers, task="regression")
    alone = Distiller(student, task="regression")
    stored, labels = with_teacher_logits((x, y), teachers, task="regression", cache=tmp_path if cache else None)
    assert stored["teacher_logits"].shape == (B, 7, 1)
    for distiller in (live, alone):
        distiller.compile("sgd")
    expected = live.evaluate(x, y, verbose=0, return_dict=True)
    assert alone.evaluate(stored, labels, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-5)
    mean = (outputs(teachers[0], x) + outputs(teachers[1], x)) / 2
    distance = to_teacher(squared)(outputs(student, x), mean).value.mean()
    assert expected["distillation_loss"] == pytest.approx(distance, rel=1e-5)


def test_alpha_is_scheduled_for_every_task_and_the_temperature_where_there_is_one(rng: np.random.Generator) -> None:
    x, y = drawn(rng, B, F), drawn(rng, B, 1)
    distiller = Distiller(*regressors(), task="regression")
    distiller.compile("sgd")
    logs = distiller.fit(x, y, epochs=2, verbose=0, callbacks=[AlphaSchedule.linear(1, 0, epochs=2)]).history
    assert logs["loss"] == pytest.approx([logs["student_loss"][0], logs["distillation_loss"][1]])
    with pytest.raises(RequestError, match="not allowed with task=regression"):
        distiller.fit(x, y, verbose=0, callbacks=[AlphaSchedule.constant(2, of="temperature")])


def test_maps_of_two_sizes_are_refused_naming_both() -> None:
    def of(strides: int, side: int | None = 8) -> keras.Model:
        return keras.Sequential([keras.Input((side, side, 2)), layers.Conv2D(C, 1, strides=strides)])

    with pytest.raises(RequestError, match=r"student gives outputs of shape \(None, 4, 4, 3\) .* \(None, 8, 8, 3\)"):
        Distiller(of(2), of(1))
    open_sizes = Distiller(of(2, None), of(1, None))
    open_sizes.compile("sgd")
    with pytest.raises(Exception, match=r"\(4, 4, 4, 3\) and the teacher of shape \(4, 8, 8, 3\)|\(None, 4, 4, 3\)"):
        open_sizes.fit(np.ones((4, 8, 8, 2), np.float32), np.zeros((4, 4, 4), int), verbose=0)
