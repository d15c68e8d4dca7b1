"""A Keras model as pure functions: weights go in and come out, and no hidden state moves."""

from __future__ import annotations

import random

import jax
import keras
import numpy as np
import pytest

from distillab.engine.functional import Functional, Variables, in_precision, read_variables, write_variables
from distillab.engine.randomness import stream
from distillab.errors import RequestError
from distillab.models import build


@pytest.fixture(scope="module")
def student() -> Functional:
    return Functional(build("cnn-2-3", (6, 6, 1), 4))


@pytest.fixture(scope="module")
def with_state() -> Functional:
    """A model whose layers hold variables that do not learn: running means, and a generator's counter."""
    layers = keras.layers
    return Functional(
        keras.Sequential(
            [keras.Input((5,)), layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(3)]
        )
    )


def leaves(variables: Variables) -> list[np.ndarray]:
    return jax.tree.leaves(variables)


def same(one: Variables, other: Variables) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(leaves(one), leaves(other), strict=True))


def inputs(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_one_seed_gives_one_start_and_another_seed_another(student: Functional) -> None:
    first, again, other = student.initial(3), student.initial(3), student.initial(4)
    assert same(first, again)
    kernels = [
        (a, b) for a, b in zip(first.trainable, other.trainable, strict=True) if a.ndim > 1
    ]  # biases begin at zero whatever the seed
    assert len(kernels) == 3
    for a, b in kernels:
        assert not np.array_equal(a, b)


def test_the_start_does_not_depend_on_what_was_drawn_before(student: Functional) -> None:
    expected = student.initial(5)
    keras.utils.set_random_seed(99)
    build("mlp-3", (2,), 2)
    assert same(student.initial(5), expected)


def test_a_twin_of_the_model_starts_from_the_same_weights(student: Functional) -> None:
    assert same(Functional(build("cnn-2-3", (6, 6, 1), 4)).initial(3), student.initial(3))


def test_drawing_weights_moves_no_global_random_state(student: Functional) -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - the state that must not move
    python, numpy_ = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    student.initial(3)
    assert random.getstate() == python
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_)  # noqa: NPY002


def test_drawing_weights_leaves_the_model_as_it_was(student: Functional) -> None:
    before = read_variables(student.model)
    student.initial(7)
    assert same(read_variables(student.model), before)


def test_drawn_weights_are_what_the_layers_initialisers_promise(student: Functional) -> None:
    start = student.initial(0)
    for kernel in (array for array in start.trainable if array.ndim > 1):
        # Glorot uniform: within +-sqrt(6 / (fan in + fan out)), and not all the same.
        field = int(np.prod(kernel.shape[:-2])) if kernel.ndim > 2 else 1
        bound = np.sqrt(6 / (field * (kernel.shape[-2] + kernel.shape[-1])))
        assert np.abs(kernel).max() <= bound
        assert kernel.std() > 0.3 * bound
    for bias in (array for array in start.trainable if array.ndim == 1):
        np.testing.assert_array_equal(bias, 0)


def test_variables_are_copies_in_numpy_in_the_models_order(with_state: Functional) -> None:
    copied = read_variables(with_state.model)
    assert all(isinstance(array, np.ndarray) for array in leaves(copied))
    assert [array.shape for array in copied.trainable] == [tuple(v.shape) for v in with_state.model.trainable_variables]
    assert [array.shape for array in copied.fixed] == [tuple(v.shape) for v in with_state.model.non_trainable_variables]


def test_writing_weights_and_reading_them_gives_them_back(student: Functional) -> None:
    drawn = student.initial(11)
    model = build("cnn-2-3", (6, 6, 1), 4)
    assert write_variables(model, drawn) is model
    assert same(read_variables(model), drawn)


def test_writing_weights_of_another_architecture_is_an_error(student: Functional) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_variables(build("mlp-3", (2,), 2), student.initial(0))


def test_a_model_that_trains_everything_starts_as_a_clone_of_it_does(with_state: Functional) -> None:
    """The draws of every seed since the first version: no record of a study depends on what a student keeps."""
    drawn = with_state.initial(3)
    keras.utils.set_random_seed(int(stream("initial weights", 3).integers(2**31)))
    clone = read_variables(keras.models.clone_model(with_state.model))
    counter = [variable.name for variable in with_state.model.non_trainable_variables].index("seed_generator_state")
    clone.fixed[counter] = stream("layers", 3).integers(2**31, size=clone.fixed[counter].shape).astype(np.uint32)
    assert same(drawn, clone)


def test_what_trains_is_drawn_as_if_nothing_were_kept() -> None:
    def model(**first: bool) -> keras.Model:
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, **first), keras.layers.Dense(3)])

    frozen = model(trainable=False)
    frozen.layers[0].set_weights([np.full((4, 5), 7.0), np.ones(5)])
    drawn, free = Functional(frozen).initial(3), Functional(model()).initial(3)
    assert same(Variables(drawn.trainable, []), Variables(free.trainable[2:], []))
    np.testing.assert_array_equal(drawn.fixed[0], np.full((4, 5), 7.0))
    np.testing.assert_array_equal(drawn.fixed[1], np.ones(5))


def test_written_statistics_are_the_ones_that_a_normalization_computes_with() -> None:
    """Mean 5, variance 4: (9 - 5) / sqrt(4) = 2."""

    def model() -> keras.Model:
        return keras.Sequential([keras.Input((1,)), keras.layers.Normalization(), keras.layers.Dense(1)])

    given = model()
    given.layers[0].adapt(np.array([[3.0], [7.0]]))
    given.layers[1].set_weights([np.ones((1, 1)), np.zeros(1)])
    written = write_variables(model(), read_variables(given))
    assert float(written(np.array([[9.0]]))[0, 0]) == 2


def test_an_answer_is_the_models_own_with_those_weights(student: Functional) -> None:
    drawn, x = student.initial(12), inputs(3, 6, 6, 1)
    logits, mask, fixed, penalty = student(drawn, x, training=False)
    assert (mask, penalty) == (None, 0)
    model = write_variables(build("cnn-2-3", (6, 6, 1), 4), drawn)
    assert logits.shape == (3, 4)
    assert logits.dtype == np.float32
    assert len(fixed) == len(drawn.fixed)
    np.testing.assert_allclose(logits, model(x), rtol=0, atol=1e-5)  # float32 sums of 12 terms of 18


def test_an_answer_changes_neither_model_nor_arguments(with_state: Functional) -> None:
    before, start = read_variables(with_state.model), with_state.initial(0)
    given_ = [array.copy() for array in leaves(start)]
    with_state(start, inputs(4, 5), training=True)
    assert same(read_variables(with_state.model), before)
    for array, copy in zip(leaves(start), given_, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_training_hands_on_the_running_means_and_the_counter_and_inference_keeps_them(with_state: Functional) -> None:
    start, x = with_state.initial(0), inputs(64, 5) + 3
    kept = with_state(start, x, training=False).fixed
    logits, _, moved, _ = with_state(start, x, training=True)
    names = [variable.name for variable in with_state.model.non_trainable_variables]
    for name, before, after_inference, after_training in zip(names, start.fixed, kept, moved, strict=True):
        np.testing.assert_array_equal(after_inference, before)
        assert not np.array_equal(after_training, before), name
    # The statistics of the batch, taken in as Keras says: momentum 0.99.
    hidden = x @ start.trainable[0] + start.trainable[1]
    mean = moved[names.index("moving_mean")]
    np.testing.assert_allclose(mean, 0.01 * hidden.mean(0), rtol=0, atol=1e-5)
    again, *_ = with_state(Variables(start.trainable, moved), x, training=True)
    assert not np.allclose(again, logits)  # the counter moved on: another dropout mask
    same_mask, *_ = with_state(start, x, training=True)
    np.testing.assert_array_equal(same_mask, logits)


def test_the_start_of_a_model_with_dropout_holds_its_fixed_variables_and_depends_on_the_seed(
    with_state: Functional,
) -> None:
    first, again, other = (with_state.initial(seed) for seed in (1, 1, 2))
    assert same(first, again)
    names = [variable.name for variable in with_state.model.non_trainable_variables]
    assert len(first.fixed) == len(names) == 3
    counter = names.index("seed_generator_state")
    assert not np.array_equal(first.fixed[counter], other.fixed[counter])
    np.testing.assert_array_equal(first.fixed[names.index("moving_mean")], 0)
    np.testing.assert_array_equal(first.fixed[names.index("moving_variance")], 1)


def test_the_function_can_be_compiled_differentiated_and_mapped(student: Functional) -> None:
    x = inputs(2, 6, 6, 1)
    starts = [student.initial(seed) for seed in (1, 2)]
    stacked = jax.tree.map(lambda *arrays: np.stack(arrays), *starts)

    def loss(variables: Variables) -> jax.Array:
        return (student(variables, x, training=True)[0] ** 2).sum()

    together = jax.jit(jax.vmap(jax.grad(loss)))(stacked)
    for slot, start in enumerate(starts):
        for alone, all_ in zip(leaves(jax.jit(jax.grad(loss))(start)), leaves(together), strict=True):
            np.testing.assert_allclose(all_[slot], alone, rtol=1e-4, atol=1e-5)  # float32 sums in another order


def test_a_model_in_half_precision_gives_float32_logits() -> None:
    policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype=policy)])
    functional = Functional(model)
    assert functional(functional.initial(0), inputs(4, 3), training=False)[0].dtype == np.float32


def test_a_model_that_is_not_built_is_refused_with_what_to_do() -> None:
    with pytest.raises(RequestError, match=r"'unfinished' is not built.*Call model.build\(input_shape\)"):
        Functional(keras.Sequential([keras.layers.Dense(2)], name="unfinished"))


def test_another_backend_than_jax_is_refused_with_what_to_do(
    student: Functional, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(RequestError, match=r"Keras runs on 'torch' here.*Set KERAS_BACKEND=jax"):
        Functional(student.model)


layers = keras.layers


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            [layers.Dense(3, activation="softmax", name="probabilities")],
            "softmax .layer 'probabilities'.*logits",
        ),
        ([layers.Dense(3), layers.Softmax(name="last")], "ends in softmax .layer 'last'"),
        ([layers.Dense(1, activation="sigmoid", name="one")], "ends in sigmoid .layer 'one'.*logits"),
        ([layers.Lambda(lambda x: x[:, 0], name="flat")], "last layer 'flat' .* gives shape .None,., and must give"),
    ],
)
def test_a_model_without_raw_outputs_is_refused_naming_the_layer(model: list[keras.Layer], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Functional(keras.Sequential([keras.Input((5,)), *model]))


def test_a_model_of_two_outputs_is_refused() -> None:
    a = keras.Input((2,))
    with pytest.raises(RequestError, match="has several outputs"):
        Functional(keras.Model(a, [layers.Dense(3)(a), layers.Dense(3)(a)]))


def test_only_moving_statistics_make_examples_of_a_batch_depend_on_each_other() -> None:
    def functional(*between: keras.Layer) -> Functional:
        return Functional(keras.Sequential([keras.Input((5,)), *between, layers.Dense(3)]))

    assert functional(layers.BatchNormalization()).depends_on_batch
    assert not functional(layers.Dropout(0.5), layers.LayerNormalization()).depends_on_batch


def test_another_precision_computes_in_it_and_keeps_weights_in_float32() -> None:
    model = build("cnn-2-3", (6, 6, 1), 4)
    assert in_precision(model, "float32") is model
    half = in_precision(model, "bfloat16")
    assert {layer.compute_dtype for layer in half.layers} == {"bfloat16"}
    full, low = Functional(model), Functional(half)
    start = low.initial(3)
    assert {array.dtype for array in start.trainable} == {np.dtype("float32")}
    assert same(start, full.initial(3))
    x = inputs(8, 6, 6, 1)
    exact, rounded = (f(start, x, training=False).logits for f in (full, low))
    assert not np.array_equal(exact, rounded)
    np.testing.assert_allclose(rounded, exact, rtol=0, atol=0.05 * np.abs(exact).max())  # 8 bits, three layers


class Forgetful(layers.Layer):
    """Its configuration does not hold what its constructor needs."""

    def __init__(self, units: int) -> None:
        super().__init__(name="forgetful")
        self.units = units

    def call(self, x: object) -> object:
        return x


def test_a_model_that_cannot_be_rebuilt_is_refused_naming_the_layer() -> None:
    model = keras.Sequential([keras.Input((5,)), Forgetful(3), layers.Dense(3)])
    functional = Functional(model)
    with pytest.raises(
        RequestError, match=r"cannot be rebuilt .*'forgetful' .Forgetful. cannot be rebuilt from its .*units"
    ):
        functional.initial(0)


def test_a_model_that_cannot_be_traced_is_refused_naming_the_layer() -> None:
    inputs = keras.Input((5,))
    model = keras.Sequential([inputs, layers.Dense(4), layers.Dense(3)])
    model.layers[0].call = lambda x: x if bool((x > 0).all()) else -x
    with pytest.raises(RequestError, match=r"cannot be traced by JAX: layer 'dense\w*' .Dense. fails .*keras.ops"):
        Functional(model)
