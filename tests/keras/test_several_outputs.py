"""Several inputs and outputs, on any backend: loss and gradient are those of formulas in NumPy float64."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from tests.keras.test_tasks import (
    ROOM,
    Array,
    B,
    Term,
    absolute,
    bernoulli,
    bernoulli_kl,
    cross_entropy,
    drawn,
    kl,
    squared,
    to_teacher,
)

from distillab import AlphaSchedule, Distiller, with_teacher_logits
from distillab.errors import RequestError

A, D, C, T = 4, 3, 3, 2.0
ALPHA = {"age": 0.3, "income": 0.6}
WEIGHTS = {"age": 2.0, "income": 0.5}
TASKS = {"age": "regression", "income": "binary"}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def model(
    seed: int, *, form: Any = dict, income: int = 1, ending: str | None = None, names: Any = ("age", "income")
) -> keras.Model:
    """Two inputs, two dense outputs of both, with weights drawn by NumPy; the same ones in every form."""
    a, b = keras.Input((A,), name="a"), keras.Input((D,), name="b")
    both = layers.Concatenate()([a, b])
    rng = np.random.default_rng(seed)
    heads = {}
    for key, units, activation in (("age", 1, None), ("income", income, ending)):
        head = layers.Dense(units, activation=activation, name=key)
        heads[key] = head(both)
        head.set_weights([rng.normal(size=(A + D, units)), rng.normal(size=units)])
    ordered = {key: heads[key] for key in names}
    inputs = {"a": a, "b": b} if form is dict else form([a, b])
    return keras.Model(inputs, ordered if form is dict else form(ordered.values()), name=f"model_{seed}")


def raw(of: keras.Model, x: Any) -> dict[str, Array]:
    """The outputs before an activation, in float64."""
    both = np.concatenate([x["a"], x["b"]], axis=-1).astype(np.float64)
    return {
        name: both @ np.asarray(weights[0], np.float64) + np.asarray(weights[1], np.float64)
        for name, weights in ((name, of.get_layer(name).get_weights()) for name in ("age", "income"))
    }


def data(rng: np.random.Generator, classes: int = 2) -> tuple[dict[str, Array], dict[str, Array]]:
    x = {"a": drawn(rng, B, A), "b": drawn(rng, B, D)}
    return x, {"age": drawn(rng, B, 1), "income": rng.integers(0, classes, B)}


def arranged(form: Any, values: Any, names: Any = ("age", "income")) -> Any:
    return values if form is dict else form(values[name] for name in names)


def terms(student: keras.Model, teacher: keras.Model, x: Any, y: Any) -> dict[str, tuple[Term, Term]]:
    """Label loss and distillation loss of each output, at each example."""
    z, t = raw(student, x), raw(teacher, x)
    age = squared(z["age"], y["age"])
    if z["income"].shape[-1] == 1:
        of_labels = bernoulli(z["income"][:, 0], y["income"])
        income = Term(of_labels.value, of_labels.slope[:, None]), bernoulli_kl(z["income"], t["income"])
    else:
        income = cross_entropy(z["income"], y["income"]), kl(z["income"], t["income"])
    return {"age": (Term(age.value[:, 0], age.slope), to_teacher(squared)(z["age"], t["age"])), "income": income}


def check_step(
    distiller: Distiller, student: keras.Model, x: Any, expected: Any, given: Any, weights: Any = None, **fit: Any
) -> dict[str, float]:
    """Compare the logs and the gradient of one step of rate 1 with the formula, and return the logs."""
    before = {name: [np.array(w, np.float64) for w in student.get_layer(name).get_weights()] for name in ALPHA}
    history = distiller.fit(*given, batch_size=B, verbose=0, sample_weight=fit.pop("sample_weight", None)).history
    logs = {name: values[0] for name, values in history.items()}
    both = np.concatenate([x["a"], x["b"]], axis=-1).astype(np.float64)
    totals = np.zeros(3)
    for name, (label, soft) in expected.items():
        alpha, weight = ALPHA[name], WEIGHTS[name]
        share = np.ones(B) if weights is None else np.asarray(weights[name], np.float64)
        of_labels, of_teacher = np.mean(share * label.value), np.mean(share * soft.value)
        assert logs[f"{name}_student_loss"] == pytest.approx(of_labels, rel=ROOM, abs=ROOM)
        assert logs[f"{name}_distillation_loss"] == pytest.approx(of_teacher, rel=ROOM, abs=ROOM)
        mixed = alpha * of_labels + (1 - alpha) * of_teacher
        totals += weight * np.array([mixed, of_labels, of_teacher])
        slope = weight * (share / B)[:, None] * (alpha * label.slope + (1 - alpha) * soft.slope)
        after = [np.array(w, np.float64) for w in student.get_layer(name).get_weights()]
        np.testing.assert_allclose(before[name][0] - after[0], both.T @ slope, rtol=ROOM, atol=ROOM)
        np.testing.assert_allclose(before[name][1] - after[1], slope.sum(0), rtol=ROOM, atol=ROOM)
    for name, total in zip(("loss", "student_loss", "distillation_loss"), totals, strict=True):
        assert logs[name] == pytest.approx(total, rel=ROOM, abs=ROOM)
    return logs


def compiled(
    student: keras.Model, teacher: Any = None, *, task: Any = None, rate: float = 1.0, **options: Any
) -> Distiller:
    distiller = Distiller(student, teacher, task=task)
    options = {"alpha": ALPHA, "temperature": {"income": T}, "output_weights": WEIGHTS, **options}
    distiller.compile(keras.optimizers.SGD(rate), **options)
    return distiller


@pytest.mark.parametrize("form", [dict, list, tuple])
@pytest.mark.parametrize("income", [1, C])
def test_a_step_is_that_of_the_formula(rng: np.random.Generator, form: Any, income: int) -> None:
    x, y = data(rng, max(2, income))
    student, teacher = model(1, form=form, income=income), model(2, form=form, income=income)
    distiller = compiled(student, teacher, task={"age": "regression"})
    given = arranged(form, x, "ab"), arranged(form, y)
    logs = check_step(distiller, student, x, terms(student, teacher, x, y), given)
    assert {"age_mae_to_teacher", "income_agreement"} <= set(logs)
    assert distiller.task == {"age": "regression", "income": "binary" if income == 1 else "categorical"}
    assert (distiller.alpha, distiller.temperature) == (ALPHA, {"age": None, "income": T})


def test_one_example_worked_by_hand() -> None:
    """z = (2, 0), t = (1, 0), y = (0, 1): 2 (1/4 * 4 + 3/4 * 1) + (1/2 ln 2 + 1/2 * 0) = 3.5 + 0.34657359."""
    inputs = keras.Input((1,))
    outputs = {name: layers.Dense(1, use_bias=False, name=name)(inputs) for name in ("age", "income")}
    student, teacher = keras.Model(inputs, outputs), keras.models.clone_model(keras.Model(inputs, outputs))
    for each, age in ((student, 2.0), (teacher, 1.0)):
        each.get_layer("age").set_weights([np.array([[age]])])
        each.get_layer("income").set_weights([np.zeros((1, 1))])
    distiller = Distiller(student, teacher, task=TASKS)
    distiller.compile("sgd", alpha={"age": 0.25, "income": 0.5}, output_weights={"age": 2.0})
    x, y = np.ones((1, 1), np.float32), {"age": np.zeros((1, 1), np.float32), "income": np.ones(1, np.int32)}
    logs = distiller.evaluate(x, y, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(3.5 + np.log(2) / 2, rel=1e-6)


def test_sample_weights_are_for_all_outputs_or_by_output(rng: np.random.Generator) -> None:
    x, y = data(rng)
    shared = rng.random(B).astype(np.float32)
    by_output = {"age": shared, "income": rng.random(B).astype(np.float32)}
    for given in (shared, by_output):
        student, teacher = model(1), model(2)
        weights = given if isinstance(given, dict) else dict.fromkeys(ALPHA, given)
        distiller = compiled(student, teacher, task=TASKS)
        check_step(distiller, student, x, terms(student, teacher, x, y), (x, y), weights, sample_weight=given)


def test_the_order_of_outputs_does_not_matter(rng: np.random.Generator) -> None:
    x, y = data(rng)
    turned = ("income", "age")
    steps = []
    for form, names, teacher in (
        (dict, ("age", "income"), model(2)),
        (dict, turned, model(2)),
        (dict, turned, model(2, names=turned)),
        (list, ("age", "income"), model(2, form=list)),
        (list, turned, model(2, form=list, names=turned)),
        (list, turned, model(2, names=turned)),
    ):
        student = model(1, form=form, names=names)
        distiller = compiled(student, teacher, task=TASKS)
        logs = distiller.fit(x, arranged(form, y, names), verbose=0).history
        steps.append((logs, [student.get_layer(name).get_weights() for name in ALPHA]))
    for logs, weights in steps[1:]:
        assert {name: values[0] for name, values in logs.items()} == pytest.approx(
            {name: values[0] for name, values in steps[0][0].items()}, rel=1e-6
        )
        for now, then in zip(weights, steps[0][1], strict=True):
            for a, b in zip(now, then, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # as Keras says, truly
def test_an_output_of_weight_0_does_not_learn_even_where_its_loss_is_not_finite(rng: np.random.Generator) -> None:
    x, y = data(rng)
    y["age"] = np.full((B, 1), 1e30, np.float32)  # whose square is infinite
    student, teacher = model(1), model(2)
    before = {name: student.get_layer(name).get_weights() for name in ALPHA}
    distiller = compiled(student, teacher, task=TASKS, output_weights={"age": 0})
    logs = distiller.fit(x, y, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    np.testing.assert_array_equal(student.get_layer("age").get_weights()[0], before["age"][0])
    assert not np.allclose(student.get_layer("income").get_weights()[0], before["income"][0])


def test_alpha_1_is_keras_own_fit(rng: np.random.Generator) -> None:
    x, y = data(rng, C)
    student, plain = model(1, income=C), model(1, income=C)
    distiller = compiled(student, model(2, income=C), task={"age": "regression"}, alpha=1)
    logs = distiller.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0).history
    plain.compile(
        keras.optimizers.SGD(1.0),
        {"age": "mse", "income": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        loss_weights=WEIGHTS,
    )
    expected = plain.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0).history
    np.testing.assert_allclose(logs["loss"], expected["loss"], rtol=1e-5)
    for name in ALPHA:
        np.testing.assert_allclose(logs[f"{name}_student_loss"], expected[f"{name}_loss"], rtol=1e-5)
    for a, b in zip(student.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_losses_by_output(rng: np.random.Generator) -> None:
    x, y = data(rng)
    student, teacher = model(1), model(2)
    distiller = compiled(student, teacher, task=TASKS, loss={"age": "absolute"}, distillation_loss={"age": "absolute"})
    expected = terms(student, teacher, x, y)
    z, t = raw(student, x)["age"], raw(teacher, x)["age"]
    label = absolute(z, y["age"])
    expected["age"] = Term(label.value[:, 0], label.slope), to_teacher(absolute)(z, t)
    check_step(distiller, student, x, expected, (x, y))


@pytest.mark.filterwarnings("ignore:The output .* ends in softmax")
@pytest.mark.parametrize("form", [dict, list])
def test_every_output_is_used_from_before_its_own_activation(rng: np.random.Generator, form: Any) -> None:
    x, y = data(rng, C)
    student, teacher = model(1, form=form, income=C, ending="softmax"), model(2, income=C, ending="softmax")
    distiller = compiled(student, teacher, task={"age": "regression"}, metrics={"income": ["accuracy"], "age": ["mae"]})
    z = raw(student, x)
    predicted = distiller.predict(x, verbose=0)
    assert type(predicted) is form
    age, income = (predicted[name] for name in ALPHA) if form is dict else predicted
    np.testing.assert_allclose(age, z["age"], atol=1e-5)
    np.testing.assert_allclose(income, np.exp(z["income"]) / np.exp(z["income"]).sum(-1, keepdims=True), atol=1e-5)
    logs = distiller.evaluate(x, arranged(form, y), verbose=0, return_dict=True)
    assert logs["income_accuracy"] == pytest.approx(np.mean(z["income"].argmax(-1) == y["income"]))
    assert logs["age_mae"] == pytest.approx(np.abs(z["age"] - y["age"]).mean(), rel=1e-5)
    check_step(distiller, student, x, terms(student, teacher, x, y), (x, arranged(form, y)))


def test_a_model_inside_a_model_keeps_the_activation_of_each_output(rng: np.random.Generator) -> None:
    x, _ = data(rng)
    inner = model(1, ending="sigmoid")
    inputs = {"a": keras.Input((A,), name="a"), "b": keras.Input((D,), name="b")}
    outer = keras.Model(inputs, inner(inputs))
    distiller = Distiller(outer, model(2), task={"age": "regression"})
    assert distiller.task == {"age": "regression", "income": "binary"}
    z = raw(inner, x)
    logits = distiller(x)
    for name in ALPHA:
        np.testing.assert_allclose(keras.ops.convert_to_numpy(logits[name]), z[name], atol=1e-5)


class Batches(keras.utils.PyDataset):
    """Examples in batches of 4."""

    def __init__(self, *parts: Any) -> None:
        super().__init__()
        self.parts = parts

    def __len__(self) -> int:
        return B // 4

    def __getitem__(self, batch: int) -> Any:
        rows = slice(4 * batch, 4 * batch + 4)
        return tuple(keras.tree.map_structure(lambda part: part[rows], part) for part in self.parts)


def as_arrays(x: Any, y: Any) -> Any:
    return x, y


def as_pydataset(x: Any, y: Any) -> Any:
    return Batches(x, y), None


def as_tensorflow(x: Any, y: Any) -> Any:
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(keras.tree.lists_to_tuples((x, y))).batch(4), None


def as_torch(x: Any, y: Any) -> Any:
    torch = pytest.importorskip("torch")
    rows = [keras.tree.map_structure(lambda part: torch.as_tensor(part[row]), (x, y)) for row in range(B)]  # noqa: B023
    return torch.utils.data.DataLoader(rows, batch_size=4), None


def as_generator(x: Any, y: Any) -> Any:
    def batches() -> Iterator[Any]:
        while True:
            yield from (Batches(x, y)[batch] for batch in range(B // 4))

    return batches(), None


def trained(student: keras.Model, teacher: Any, given: Any, **options: Any) -> tuple[dict[str, Any], list[Array]]:
    distiller = compiled(student, teacher, task=TASKS, rate=0.1, **options)
    x, y = given
    steps = {"steps_per_epoch": B // 4} if isinstance(x, Iterator) else {} if y is None else {"batch_size": 4}
    logs = distiller.fit(x, y, epochs=2, shuffle=False, verbose=0, **steps).history
    return logs, student.get_weights()


def check_same(got: Any, expected: Any) -> None:
    for name, values in expected[0].items():
        np.testing.assert_allclose(got[0][name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    for a, b in zip(got[1], expected[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("data_of", [as_arrays, as_pydataset, as_tensorflow, as_torch, as_generator])
@pytest.mark.parametrize("form", [dict, list, tuple])
def test_data_of_every_kind_train_the_same_student_live_and_stored(
    rng: np.random.Generator, form: Any, data_of: Any
) -> None:
    lists = form is not dict if data_of is as_torch else form is list and data_of in (as_pydataset, as_generator)
    if keras.backend.backend() == "tensorflow" and lists:
        pytest.skip("Keras on TensorFlow takes no lists from such streams; torch makes lists of tuples")
    x, y = data(rng)
    expected = trained(model(1), model(2), (x, y))
    given = data_of(arranged(form, x, "ab"), arranged(form, y))
    check_same(trained(model(1, form=form), model(2, form=form), given), expected)
    if data_of is as_generator:
        return
    stored, labels = given
    if data_of is as_arrays and form is tuple:
        stored, labels = with_teacher_logits((stored, labels), model(2, form=form), cache=None)
    else:
        stored = with_teacher_logits(stored, model(2, form=form), cache=None)
    check_same(trained(model(1, form=form), None, (stored, labels)), expected)


def test_stored_logits_may_lie_side_by_side_in_one_array(rng: np.random.Generator, tmp_path: Path) -> None:
    from distillab.models.storing import store_predictions

    x, y = data(rng)
    expected = trained(model(1), model(2), (x, y))
    t = raw(model(2), x)
    packed = np.concatenate([t["age"], t["income"]], axis=-1).astype(np.float32)
    check_same(trained(model(1), None, ({"inputs": x, "teacher_logits": packed}, y)), expected)
    rows = np.concatenate([x["a"], x["b"]], axis=-1)
    store_predictions(tmp_path / "p.npy", rows, packed)
    carrying = with_teacher_logits(rows, tmp_path / "p.npy", task=TASKS)
    np.testing.assert_array_equal(carrying["teacher_logits"], packed)


def test_the_logits_of_several_outputs_are_kept_on_disk(rng: np.random.Generator, tmp_path: Path) -> None:
    x, _ = data(rng)
    first = with_teacher_logits(x, model(2), cache=tmp_path)["teacher_logits"]
    again = with_teacher_logits(x, model(2), cache=tmp_path)["teacher_logits"]
    assert len(list(tmp_path.glob("*.npy"))) == 1
    for name, expected in raw(model(2), x).items():
        np.testing.assert_array_equal(again[name], first[name])
        np.testing.assert_allclose(first[name], expected, atol=1e-5)


def test_several_teachers_are_averaged_output_by_output(rng: np.random.Generator) -> None:
    x, y = data(rng)
    teachers = [model(2), model(3, names=("income", "age"))]
    t = [raw(teacher, x) for teacher in teachers]
    mean = {name: (0.25 * t[0][name] + 0.75 * t[1][name]).astype(np.float32) for name in ALPHA}
    live = Distiller(model(1), teachers, teacher_weights=[1, 3], task=TASKS)
    stored = Distiller(model(1), task=TASKS)
    for distiller in (live, stored):
        distiller.compile("sgd")
    expected = stored.evaluate({"inputs": x, "teacher_logits": mean}, y, verbose=0, return_dict=True)
    assert live.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-5)
    carrying, _ = with_teacher_logits((x, y), teachers, teacher_weights=[1, 3], task=TASKS, cache=None)
    for name in ALPHA:
        np.testing.assert_allclose(carrying["teacher_logits"][name], mean[name], atol=1e-5)


def test_a_saved_distiller_trains_on_as_if_it_had_not_been_saved(rng: np.random.Generator, tmp_path: Path) -> None:
    given = data(rng)
    whole, part = (
        Distiller(model(1, names=("income", "age")), model(2), task={"age": "regression"}, save_teacher=True)
        for _ in range(2)
    )
    for distiller, epochs in ((whole, 4), (part, 2)):
        distiller.compile(
            keras.optimizers.Adam(0.05), alpha=ALPHA, temperature={"income": T}, output_weights=WEIGHTS,
            loss={"age": "huber"}, metrics={"income": ["accuracy"]},
        )  # fmt: skip
        distiller.fit(*given, epochs=epochs, shuffle=False, verbose=0)
    part.save(tmp_path / "part.keras")
    again = keras.models.load_model(tmp_path / "part.keras")
    assert (again.alpha, again.temperature, again.task) == (part.alpha, part.temperature, part.task)
    again.fit(*given, epochs=2, shuffle=False, verbose=0)
    for name in ALPHA:
        for a, b in zip(
            again.student.get_layer(name).get_weights(), whole.student.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_allclose(a, b, atol=1e-5)
    expected = whole.evaluate(*given, verbose=0, return_dict=True)
    assert again.evaluate(*given, verbose=0, return_dict=True) == pytest.approx(expected, abs=1e-4)
    again.student.save(tmp_path / "student.keras")
    loaded = keras.models.load_model(tmp_path / "student.keras")
    assert type(loaded).__name__ == "Functional"
    for name, predicted in loaded.predict(given[0], verbose=0).items():
        np.testing.assert_allclose(predicted, again.predict(given[0], verbose=0)[name], atol=1e-5)


def test_it_may_be_compiled_and_fitted_again(rng: np.random.Generator) -> None:
    x, y = data(rng)
    distiller = compiled(model(1), model(2), task=TASKS, rate=0.1)
    first = distiller.fit(x, y, epochs=2, verbose=0, validation_split=0.25).history
    assert {"val_loss", "val_income_agreement"} <= set(first)
    distiller.compile(keras.optimizers.SGD(0.1), alpha=1, metrics={"income": "accuracy"})
    logs = distiller.fit(x, y, verbose=0).history
    assert logs["loss"][0] == pytest.approx(logs["student_loss"][0])


def test_alpha_and_temperature_are_scheduled_for_all_outputs_or_one(rng: np.random.Generator) -> None:
    x, y = data(rng)
    distiller = compiled(model(1), model(2), task=TASKS, rate=0.0, output_weights=None)
    callbacks = [
        AlphaSchedule.linear(1, 0, epochs=2, output="income"),
        AlphaSchedule.constant(4, of="temperature", output="income"),
    ]
    logs = distiller.fit(x, y, epochs=2, verbose=0, callbacks=callbacks).history
    assert logs["income_alpha"] == [1.0, 0.0]
    assert logs["income_temperature"] == [4.0, 4.0]
    assert distiller.alpha == {"age": 0.3, "income": 0.0}
    for epoch, part in enumerate(("student_loss", "distillation_loss")):
        age = 0.3 * logs["age_student_loss"][epoch] + 0.7 * logs["age_distillation_loss"][epoch]
        assert logs["loss"][epoch] == pytest.approx(age + logs[f"income_{part}"][epoch], rel=1e-5)
    logs = distiller.fit(x, y, epochs=2, verbose=0, callbacks=[AlphaSchedule.constant(0.5)]).history
    assert logs["age_alpha"] == logs["income_alpha"] == [0.5, 0.5]


def test_labels_are_missing_in_each_output_by_itself(rng: np.random.Generator) -> None:
    x, y = data(rng)
    y["age"][:5], y["income"][7:] = np.nan, -1
    student, teacher = model(1), model(2)
    distiller = compiled(student, teacher, task=TASKS)
    logs = distiller.evaluate(x, y, verbose=0, return_dict=True)
    expected = terms(student, teacher, x, {**y, "income": np.maximum(y["income"], 0)})
    assert logs["age_student_loss"] == pytest.approx(expected["age"][0].value[5:].mean(), rel=1e-5)
    assert logs["income_student_loss"] == pytest.approx(expected["income"][0].value[:7].mean(), rel=1e-5)
    assert logs["age_distillation_loss"] == pytest.approx(expected["age"][1].value.mean(), rel=1e-5)
    without = distiller.fit(x, verbose=0).history
    assert (without["age_student_loss"], without["student_loss"]) == ([0.0], [0.0])


def tagger(seed: int) -> keras.Model:
    """Token ids and their padding: a class at each position, and a number for the sequence."""
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    embedded = layers.Embedding(9, 5, mask_zero=True, name="embedding")(tokens)
    outputs = {
        "tags": layers.Dense(C, name="tags")(embedded),
        "length": layers.Dense(1, name="length")(layers.GlobalAveragePooling1D()(embedded)),
    }
    made = keras.Model(tokens, outputs)
    rng = np.random.default_rng(seed)
    made.set_weights([rng.normal(size=weight.shape) for weight in made.get_weights()])
    return made


def test_padding_counts_for_no_output_and_tokens_stay_whole_numbers(rng: np.random.Generator) -> None:
    tokens = rng.integers(1, 9, (B, 6)).astype(np.int32)
    tokens[:, 4:], tokens[0, 2:] = 0, 0
    mask = tokens > 0
    y = {"tags": rng.integers(0, C, (B, 6)), "length": drawn(rng, B, 1)}
    student, teacher = tagger(1), tagger(2)
    distiller = Distiller(student, teacher, task={"length": "regression", "tags": "categorical"})
    distiller.compile("sgd", alpha=0.5, temperature={"tags": T})
    logs = distiller.evaluate(tokens, y, verbose=0, return_dict=True)
    weights = [[np.asarray(w, np.float64) for w in each.get_weights()] for each in (student, teacher)]

    def layer(each: keras.Model, name: str, values: Array) -> Array:
        kernel, bias = (np.asarray(weight, np.float64) for weight in each.get_layer(name).get_weights())
        return values @ kernel + bias

    embedded = [
        np.asarray(each.get_layer("embedding").get_weights()[0], np.float64)[tokens] for each in (student, teacher)
    ]
    pooled = [(e * mask[..., None]).sum(1) / mask.sum(1, keepdims=True) for e in embedded]
    tags = [layer(each, "tags", e) for each, e in zip((student, teacher), embedded, strict=True)]
    length = [layer(each, "length", e) for each, e in zip((student, teacher), pooled, strict=True)]
    assert logs["tags_student_loss"] == pytest.approx(cross_entropy(tags[0], y["tags"]).value[mask].mean(), rel=1e-5)
    assert logs["tags_distillation_loss"] == pytest.approx(kl(*tags).value[mask].mean(), rel=1e-5)
    assert logs["length_student_loss"] == pytest.approx(np.mean((length[0] - y["length"]) ** 2), rel=1e-5)
    assert logs["length_distillation_loss"] == pytest.approx(np.mean((length[0] - length[1]) ** 2), rel=1e-5)
    del weights
    stored = with_teacher_logits(tokens, teacher, cache=None)
    assert stored["inputs"].dtype == np.int32
    assert stored["teacher_logits"]["tags"].shape == (B, 6, C)
    alone = Distiller(student, task=distiller.task)
    alone.compile("sgd", alpha=0.5, temperature={"tags": T})
    assert alone.evaluate(stored, y, verbose=0, return_dict=True) == pytest.approx(logs, rel=1e-5)


X = {"a": np.zeros((B, A), np.float32), "b": np.zeros((B, D), np.float32)}
Y = {"age": np.linspace(0, 1, B)[:, None].astype(np.float32), "income": np.arange(B) % 2}


def one_input(name: str) -> keras.Model:
    inputs = keras.Input((A,), name=name)
    return keras.Model(inputs, {name: layers.Dense(1)(inputs) for name in ALPHA}, name="one")


def unnamed() -> keras.Model:
    inputs = {"a": keras.Input((A,), name="a"), "b": keras.Input((D,), name="b")}
    head = layers.Dense(1, name="head")
    return keras.Model(inputs, [head(inputs["a"]), layers.Dense(1)(inputs["b"]), head(inputs["a"] + 1)], name="unnamed")


WRONG: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ({"task": {"agee": "binary"}}, {}, {}, "There is no output of the student for task 'agee'. Did you mean 'age'"),
    ({"task": {"age": "regresion"}}, {}, {}, "There is no task 'regresion'"),
    ({"task": {"age": "categorical"}}, {}, {}, r"task=categorical needs one output for each class.*the output 'age'"),
    ({"student": unnamed()}, {}, {}, "'unnamed' has 3 outputs, which need a name each.* Give its outputs as a dict"),
    ({"teacher": model(2, income=C)}, {}, {}, "The output 'income' of the student 'model_1' has 1 classes and the out"),
    ({"teacher": one_input("c")}, {}, {}, r"takes inputs 'a' \(None, 4\), 'b' \(None, 3\) and the teacher 'one' takes"),
    ({"student": model(1, form=list), "teacher": model(2, form=list, names=("income", "age"))}, {}, {}, "two orders"),
    ({}, {"alpha": {"agee": 0.5}}, {}, "There is no output of the student for alpha 'agee'. Did you mean 'age'"),
    ({}, {"alpha": {"age": 2}}, {}, "alpha=2 is not allowed: it must be a number from 0 to 1"),
    ({}, {"alpha": [0.5, 0.5]}, {}, r"alpha=\[0.5, 0.5\] is not allowed: it must be a number from 0 to 1"),
    ({"task": TASKS}, {"temperature": 3}, {}, "temperature=3 is not allowed for the output 'age' with task=regression"),
    ({}, {"temperature": 3}, {}, "temperature=3 is not allowed for the output 'age' with task=regression.*dictionary"),
    ({}, {"output_weights": {"age": -1}}, {}, "output_weights=.*finite numbers >= 0"),
    ({}, {"output_weights": {"age": 0, "income": 0}}, {}, "at least one of them > 0"),
    ({}, {"output_weights": [1, 2]}, {}, "a dictionary of numbers by output .'age', 'income'"),
    ({}, {"output_weights": {"aeg": 1}}, {}, "no output of the student for output_weights 'aeg'"),
    ({}, {"loss_weights": {"age": 1}}, {}, "output_weights several outputs"),
    ({"task": TASKS}, {"loss": "binary_crossentropy"}, {}, "Output 'age': loss='binary_crossentropy' is not allowed"),
    ({"task": TASKS}, {"distillation_loss": {"age": "kl"}}, {}, "Output 'age': distillation_loss='kl' is not allowed"),
    ({}, {}, {"y": Y["age"]}, "y is one array, and there are the outputs 'age', 'income'. Give a dictionary with"),
    ({}, {}, {"y": {"age": Y["age"]}}, "y is a dictionary of 'age', and there are the outputs 'age', 'income'"),
    ({}, {}, {"y": [Y["age"], Y["income"]]}, "y is a list of 2, and there are the outputs .* Give a dictionary"),
    ({"task": TASKS}, {}, {"y": {**Y, "income": np.arange(B)}}, "Output 'income': label in y=2 is not allowed"),
    ({}, {}, {"sample_weight": {"age": np.ones(B)}}, "sample_weight is a dictionary of 'age'"),
    ({}, {}, {"class_weight": {0: 1.0}}, "class_weight=.* must be left out with several outputs. Pass sample_weight"),
    ({}, {}, {"x": X["a"]}, r"The student takes 2 inputs \('a', 'b'\), and x is one array. Give x as a dictionary"),
    ({}, {}, {"x": {"a": X["a"], "c": X["b"]}}, "takes 2 inputs .'a', 'b'., and x is a dictionary of 'a', 'c'"),
    ({}, {}, {"x": {**X, "b": np.full((B, D), np.nan)}}, r"x\['b'\] holds NaN or infinity in 12 of 12 examples"),
    ({"teacher": None}, {}, {"x": {"inputs": X, "teacher_logits": np.zeros((B, 3))}}, r"must be \(examples, 2\), or a"),
    ({"teacher": None}, {}, {"x": {"inputs": X, "teacher_logits": {"age": Y["age"]}}}, "teacher_logits is a dict"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "compiling", "given", "message"), WRONG)
def test_what_does_not_fit_the_outputs_is_refused_before_the_first_step(
    options: Any, compiling: Any, given: Any, message: str
) -> None:
    student = options.get("student") or model(1)
    before = student.get_weights()
    with pytest.raises(RequestError, match=message):  # noqa: PT012 - the line that raises depends on the case
        distiller = Distiller(**{"student": student, "teacher": model(2), **options})
        distiller.compile("sgd", **compiling)
        distiller.fit(**{"x": X, "y": Y, "verbose": 0, **given})
    for now, then in zip(student.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_an_output_whose_task_nothing_shows_is_named() -> None:
    distiller = Distiller(model(1), model(2), task={"age": "regression"})
    distiller.compile("sgd")
    with pytest.raises(Exception, match=r"Output 'income': .*Pass task= to Distiller: one of binary, regression"):
        distiller.fit(Batches(X, Y), verbose=0)


def test_a_temperature_or_schedule_of_another_output_is_refused() -> None:
    distiller = compiled(model(1), model(2), task=TASKS)
    with pytest.raises(RequestError, match="temperature=4 is not allowed for the output 'age'"):
        distiller.temperature = 4
    with pytest.raises(RequestError, match="no output of the student for alpha 'aeg'"):
        distiller.fit(X, Y, verbose=0, callbacks=[AlphaSchedule.constant(0.5, output="aeg")])
    distiller.temperature = {"income": 5}
    assert distiller.temperature == {"age": None, "income": 5.0}


def test_a_teacher_may_take_fewer_inputs_or_a_list_of_them(rng: np.random.Generator) -> None:
    x, y = data(rng)
    expected = trained(model(1), model(2), (x, y))
    check_same(trained(model(1), model(2, form=list), (x, y)), expected)
    check_same(trained(model(1, form=list), model(2), ([x["a"], x["b"]], arranged(list, y))), expected)
    teacher = one_input("a")
    live = trained(model(1), teacher, (x, y))
    logits = teacher.predict(x["a"], verbose=0)
    check_same(trained(model(1), None, ({"inputs": x, "teacher_logits": logits}, y)), live)


def test_several_inputs_without_labels_are_a_list_and_what_is_unclear_is_refused(rng: np.random.Generator) -> None:
    x, _ = data(rng)
    teacher = model(2, form=list)
    carrying = with_teacher_logits([x["a"], x["b"]], teacher, cache=None)
    np.testing.assert_allclose(carrying["teacher_logits"][0], raw(teacher, x)["age"], atol=1e-5)
    for wrong in ((x["a"], x["b"]), [x["a"]], ([x["a"]], x["b"])):
        with pytest.raises(RequestError, match=r"takes 2 inputs \('a', 'b'\), and x is one array. Give x as a list"):
            with_teacher_logits(wrong, teacher, cache=None)
    with pytest.raises(RequestError, match=r"takes one input, and x is 2 arrays. Give x as one array, and labels"):
        with_teacher_logits([x["a"], x["b"]], one_input("a"), cache=None)


class Own(keras.Model):
    """A class of one's own with two outputs, which no graph can express where it computes differently in training."""

    def __init__(self, seed: int, *, odd: bool) -> None:
        super().__init__(name="own")
        self.age, self.income, self.odd = layers.Dense(1, name="age"), layers.Dense(1, name="income"), odd
        self({name: np.zeros((2, width), np.float32) for name, width in (("a", A), ("b", D))})
        for name, layer in (("age", self.age), ("income", self.income)):
            layer.set_weights(model(seed).get_layer(name).get_weights())

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        both = keras.ops.concatenate([inputs["a"], inputs["b"]], axis=-1)
        both = 1 * both if self.odd and training else both
        return {
            "age": self.age(both),
            "income": keras.ops.sigmoid(self.income(both)) if not self.odd else self.income(both),
        }


@pytest.mark.parametrize("odd", [False, True])
def test_models_of_a_class_of_ones_own_have_several_outputs_too(rng: np.random.Generator, odd: bool) -> None:
    x, y = data(rng)
    student = Own(1, odd=odd)
    distiller = compiled(student, Own(2, odd=odd), task=TASKS)
    z = raw(student, x)
    predicted = distiller.predict(x, verbose=0)
    expected = z["income"] if odd else 1 / (1 + np.exp(-z["income"]))
    np.testing.assert_allclose(predicted["income"], expected, atol=1e-5)
    check_step(distiller, student, x, terms(student, model(2), x, y), (x, y))


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras on PyTorch takes one step at a time")
def test_several_steps_in_one_execution_are_the_same_steps(rng: np.random.Generator) -> None:
    given = data(rng)
    check_same(trained(model(1), model(2), given, steps_per_execution=3), trained(model(1), model(2), given))


def test_a_teacher_of_another_framework_needs_one_input_and_one_output() -> None:
    with pytest.raises(RequestError, match=r"needs a student of one input and one output, and 'model_1' has 2 and 2"):
        Distiller(model(1), lambda batch: batch)
    with pytest.raises(RequestError, match=r"needs data of one input. Predict the examples yourself"):
        with_teacher_logits(X, lambda batch: batch, cache=None)


def test_the_summary_says_what_each_output_is() -> None:
    lines: list[str] = []
    Distiller(model(1), task={"age": "regression"}).summary(print_fn=lambda line, *_: lines.append(line))
    assert lines[-2:] == ["Task of 'age': regression, real numbers", "Task of 'income': recognised from the labels"]
