"""The lowering: the same numbers and derivatives from matrix products and slices, and hands off everything else."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax import lax
from jax.extend import core

from distillab.engine.convolutions import Form, form_of_one, form_side_by_side
from distillab.engine.lowering import lower
from distillab.models import ARCHITECTURES, build

EPSILON = 2.0**-23  # float32: spacing of the numbers at 1
# Nearly all the time goes into compiling programs that run once.
quickly_compiled = partial(
    jax.jit,
    compiler_options={"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True},
)
LAYOUTS = {"channels_last": ("NHWC", "HWIO", "NHWC"), "channels_first": ("NCHW", "OIHW", "NCHW")}


def as_xla(equation: Any) -> Form:
    return Form.XLA


def by_patches(equation: Any) -> Form:
    return Form.PATCHES


def direct(equation: Any) -> Form:
    """Direct wherever that is possible."""
    ones = all(step == 1 for step in equation.params["window_strides"])
    return Form.DIRECT if ones else Form.PATCHES


def values_and_gradients(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
    """A function's value, and the gradient of its sum weighted by fixed random numbers, in one compiled program."""

    @quickly_compiled
    def both(*arguments: Any) -> tuple[Any, Any]:
        value, pull = jax.vjp(function, *arguments)
        weights = np.random.default_rng(0).standard_normal(value.shape).astype(np.float32)
        return value, pull(weights)

    return both(*arguments)


def assert_same(
    function: Callable[..., Any],
    *arguments: Any,
    terms: int,
    reference: Callable[..., Any] | None = None,
    form_of: Callable[[Any], Form] = by_patches,
) -> None:
    """The lowered function gives the values and the gradients of the original.

    Args:
        reference: what the function must equal; by default itself, as XLA computes it.
        terms: the length of the longest sum behind one number. Two orders of adding up n float32 terms of size about 1
            differ by less than n * epsilon at worst, and by about sqrt(n) * epsilon as a rule.
        form_of: of the convolutions.
    """
    plain, lowered = (values_and_gradients(f, *arguments) for f in (reference or function, lower(function, form_of)))
    for expected, given_ in zip(jax.tree.leaves(plain), jax.tree.leaves(lowered), strict=True):
        assert given_.shape == expected.shape
        assert given_.dtype == expected.dtype
        finite = np.abs(expected)[np.isfinite(expected)]  # a pooling window of nothing but padding gives -inf
        size = max(1.0, float(finite.max(initial=0)))
        np.testing.assert_allclose(given_, expected, rtol=0, atol=8 * EPSILON * size * max(1.0, terms**0.5))


def primitives(function: Callable[..., Any], *arguments: Any) -> set[str]:
    """The names of all primitives in a function's jaxpr, however deep."""
    return set(_names(jax.make_jaxpr(function)(*arguments).jaxpr))


def _names(jaxpr: core.Jaxpr) -> Iterator[str]:
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for parameter in jax.tree.leaves(tuple(equation.params.values()), is_leaf=_is_jaxpr):
            if _is_jaxpr(parameter):
                yield from _names(getattr(parameter, "jaxpr", parameter))


def _is_jaxpr(value: object) -> bool:
    return isinstance(value, (core.Jaxpr, core.ClosedJaxpr))


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def convolution(**parameters: Any) -> Callable[[Any, Any], Any]:
    parameters = {
        "window_strides": (1, 1),
        "padding": "SAME",
        "dimension_numbers": LAYOUTS["channels_last"],
    } | parameters
    return lambda images, kernel: lax.conv_general_dilated(images, kernel, **parameters)


def pooling(
    window: tuple[int, ...], strides: tuple[int, ...], padding: Any = "SAME", **parameters: Any
) -> Callable[[Any], Any]:
    return lambda x: lax.reduce_window(x, -jnp.inf, lax.max, window, strides, padding, **parameters)


def summing(window: tuple[int, ...], strides: tuple[int, ...], padding: Any = "SAME") -> Callable[[Any], Any]:
    return lambda x: lax.reduce_window(x, 0.0, lax.add, window, strides, padding)


small = st.tuples(st.integers(1, 4), st.integers(1, 4))
sides = st.tuples(st.integers(3, 11), st.integers(3, 11))
paddings = st.one_of(
    st.sampled_from(["SAME", "VALID"]), st.tuples(*[st.tuples(st.integers(-1, 3), st.integers(-1, 3))] * 2)
)


@settings(deadline=None, max_examples=60)
@given(
    side=sides,
    window=small,
    strides=small,
    padding=paddings,
    dilation=st.one_of(st.just((1, 1)), st.tuples(st.integers(1, 2), st.integers(1, 3))),
    spread=st.one_of(st.just((1, 1)), st.tuples(st.integers(1, 2), st.integers(1, 2))),
    groups=st.sampled_from([1, 1, 2, 3]),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    layout=st.sampled_from(sorted(LAYOUTS)),
    dimensions=st.sampled_from([2, 2, 1]),
    form_of=st.sampled_from([by_patches, direct]),
)
def test_a_convolution_in_either_form_has_the_same_value_and_gradients(
    side: tuple[int, int],
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: Any,
    dilation: tuple[int, int],
    spread: tuple[int, int],
    groups: int,
    channels: tuple[int, int],
    layout: str,
    dimensions: int,
    form_of: Callable[[Any], Form],
) -> None:
    """Any stride, padding, dilation of kernel or images, layout, groups; depthwise where a group has one channel."""
    n = dimensions
    images = normal(1, 2, *side[:n], channels[0] * groups)
    kernel = normal(2, *window[:n], channels[0], channels[1] * groups)
    names = LAYOUTS[layout]
    if layout == "channels_first":
        images, kernel = np.moveaxis(images, -1, 1), np.moveaxis(kernel, [-1, -2], [0, 1])
    if n == 1:
        names = tuple(name.replace("W", "") for name in names)
    if isinstance(padding, str) and max(spread[:n]) > 1:
        padding = ((1, 1), (0, 2))  # JAX takes no word for the padding of a transposed convolution
    function = convolution(
        window_strides=strides[:n],
        padding=padding if isinstance(padding, str) else padding[:n],
        rhs_dilation=dilation[:n],
        lhs_dilation=spread[:n],
        feature_group_count=groups,
        dimension_numbers=names,
    )
    try:
        value = jax.eval_shape(function, images, kernel)
    except (ValueError, TypeError):  # more padding cut away than there is image: JAX itself refuses
        assume(False)
    reference = function
    if not isinstance(padding, str):  # XLA's own gradient reads memory that is not the image's where padding crops it
        plain = convolution(
            window_strides=strides[:n],
            padding="VALID",
            rhs_dilation=dilation[:n],
            feature_group_count=groups,
            dimension_numbers=names,
        )
        first = names[0].index("H")
        edges = [(0, 0, 0)] * images.ndim
        edges[first : first + n] = [(*pad, step - 1) for pad, step in zip(padding[:n], spread[:n], strict=True)]

        def reference(images: Any, kernel: Any) -> Any:
            return plain(lax.pad(images, np.float32(0), edges), kernel)

    # A value adds kh*kw*C terms, a kernel's gradient one for each image and place, at most 2 * 27 * 27.
    terms = max(int(np.prod(window)) * channels[0], 2 * 27 * 27)
    assert_same(function, images, kernel, terms=terms, reference=reference, form_of=form_of)
    if 0 not in value.shape:
        assert "conv_general_dilated" not in primitives(lower(function, by_patches), images, kernel)


@pytest.mark.parametrize("channels", [1, 2])
def test_narrow_convolutions_two_columns_at_once_are_the_same(channels: int) -> None:
    for strides, padding in (((2, 2), "SAME"), ((1, 1), "SAME"), ((2, 1), ((1, 0), (2, 1)))):
        function = convolution(window_strides=strides, padding=padding)
        images, kernel = normal(1, 2, 8, 8, 1), normal(2, 3, 3, 1, 4 * channels)
        if jax.eval_shape(function, images, kernel).shape[2] % 2 == 0:
            assert_same(function, images, kernel, terms=2 * 8 * 8)


@settings(deadline=None, max_examples=15)
@given(
    side=sides,
    window=small,
    strides=small,
    padding=st.one_of(
        st.sampled_from(["SAME", "VALID"]), st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2)
    ),
    layout=st.sampled_from(sorted(LAYOUTS)),
    kind=st.sampled_from(["max", "sum"]),
)
def test_pooling_becomes_slices_of_the_same_value_and_gradient(
    side: tuple[int, int], window: tuple[int, int], strides: tuple[int, int], padding: Any, layout: str, kind: str
) -> None:
    shape = (2, *side, 3) if layout == "channels_last" else (2, 3, *side)
    space = slice(1, 3) if layout == "channels_last" else slice(2, 4)
    # A shuffled range: no two numbers are equal, so each window has one largest.
    x = np.random.default_rng(1).permutation(int(np.prod(shape))).reshape(shape).astype(np.float32)

    def full(pair: Any, neutral: Any) -> Any:
        whole = [neutral] * 4
        whole[space] = pair
        return tuple(whole)

    edges = padding if isinstance(padding, str) else full(padding, (0, 0))
    function = (pooling if kind == "max" else summing)(full(window, 1), full(strides, 1), edges)
    assert_same(function, x, terms=16)  # a window holds up to 4 * 4 numbers, and a number is in as many windows
    value = jax.eval_shape(function, x)
    if 0 not in value.shape:
        assert f"reduce_window_{kind}" not in primitives(lower(function), x)


def test_a_convolution_is_the_one_worked_by_hand() -> None:
    # [1 2 3]   [1 0]   1*1 + 5*2 = 11   2*1 + 6*2 = 14
    # [4 5 6] * [0 2] = 4*1 + 8*2 = 20   5*1 + 9*2 = 23
    # [7 8 9]
    images = jnp.arange(1.0, 10.0).reshape(1, 3, 3, 1)
    kernel = jnp.array([[1.0, 0.0], [0.0, 2.0]]).reshape(2, 2, 1, 1)
    np.testing.assert_array_equal(lower(convolution(padding="VALID"))(images, kernel)[0, ..., 0], [[11, 14], [20, 23]])


def test_max_pooling_shares_the_derivative_where_several_are_largest() -> None:
    x = jnp.array([5.0, 5.0, 1.0, 2.0]).reshape(1, 1, 4, 1)
    function = pooling((1, 1, 2, 1), (1, 1, 2, 1))
    plain, shared = (np.asarray(jax.grad(lambda x, f=f: f(x).sum())(x)).ravel() for f in (function, lower(function)))
    np.testing.assert_array_equal(plain, [1, 0, 0, 1])
    np.testing.assert_array_equal(shared, [0.5, 0.5, 0, 1])


def test_max_pooling_of_less_than_everything_keeps_minus_infinity_and_nan() -> None:
    x = jnp.array([[-jnp.inf, -jnp.inf, 3.0], [-jnp.inf, -jnp.inf, jnp.nan]]).reshape(1, 2, 3, 1)
    function = pooling((1, 2, 2, 1), (1, 1, 1, 1), "VALID")
    np.testing.assert_array_equal(lower(function)(x), function(x))
    np.testing.assert_array_equal(lower(function)(x).ravel(), [-jnp.inf, jnp.nan])


def test_a_window_larger_than_its_image_gives_nothing_as_before() -> None:
    x = jnp.ones((1, 1, 1, 1))
    pool, convolve = pooling((1, 4, 3, 1), (1, 2, 1, 1), "VALID"), convolution(padding="VALID")
    assert lower(pool)(x).shape == pool(x).shape == (1, 0, 0, 1)
    for kernel in (jnp.ones((4, 3, 1, 1)), jnp.ones((4, 1, 1, 1))):
        assert lower(convolve)(x, kernel).shape == convolve(x, kernel).shape
        assert not convolve(x, kernel).size


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_half_precision_stays_half_precision(dtype: Any) -> None:
    images, kernel = jnp.asarray(normal(1, 2, 6, 6, 2), dtype), jnp.asarray(normal(2, 3, 3, 2, 4), dtype)
    plain, lowered = convolution()(images, kernel), lower(convolution())(images, kernel)
    assert lowered.dtype == plain.dtype == dtype
    # Sums of 18 terms, rounded to 8 bits at the least.
    np.testing.assert_allclose(lowered.astype("float32"), plain.astype("float32"), rtol=0, atol=2**-7 * 16)
    pool = pooling((1, 2, 2, 1), (1, 1, 1, 1))
    np.testing.assert_array_equal(lower(pool)(images), pool(images))


def twice(function: Callable[..., Any]) -> Callable[..., Any]:
    """Apply a convolution that keeps its shape two times."""
    return lambda x, k: function(function(x, k), k)


@jax.custom_jvp
def own_slope(x: Any, k: Any) -> Any:
    return convolution()(x, k)


own_slope.defjvp(lambda primals, tangents: (convolution()(*primals), 5 * convolution()(tangents[0], primals[1])))


@jax.custom_vjp
def own_pull(x: Any, k: Any) -> Any:
    return convolution()(x, k)


own_pull.defvjp(lambda x, k: (convolution()(x, k), (x, k)), lambda kept, slope: (7 * slope, 0 * kept[1]))


NESTED: dict[str, Callable[..., Any]] = {
    "jit": jax.jit(lambda x, k: jax.jit(convolution())(x, k) + 1),
    "scan": lambda x, k: lax.scan(lambda carry, _: (convolution()(carry, k), None), x, length=2)[0],
    "bounded while": lambda x, k: lax.fori_loop(0, 2, lambda _, carry: convolution()(carry, k), x),
    "cond": lambda x, k: lax.cond(k.sum() < 1e9, convolution(), lambda x, k: 2 * x, x, k),
    "switch": lambda x, k: lax.switch(1, [lambda x, k: x, convolution(), lambda x, k: 2 * x], x, k),
    "remat": jax.checkpoint(twice(convolution())),
    "custom derivative": own_slope,
    "custom backward pass": own_pull,
    "remat in scan in jit": jax.jit(
        lambda x, k: lax.scan(lambda carry, _: (jax.checkpoint(convolution())(carry, k), None), x, length=2)[0]
    ),
}


@pytest.mark.parametrize("what", NESTED)
def test_convolutions_inside_other_functions_are_found_however_deep(what: str) -> None:
    images, kernel = normal(1, 2, 6, 6, 2), normal(2, 3, 3, 2, 2) / 4
    assert "conv_general_dilated" in primitives(NESTED[what], images, kernel)
    assert "conv_general_dilated" not in primitives(lower(NESTED[what]), images, kernel)
    assert_same(NESTED[what], images, kernel, terms=2 * 6 * 6)


def test_a_while_loop_is_rewritten_inside() -> None:
    """Its number of turns is not known, so JAX itself has no gradient for it: values alone."""
    images, kernel = normal(1, 2, 6, 6, 2), normal(2, 3, 3, 2, 2) / 9

    def until_small(x: Any, k: Any) -> Any:
        return lax.while_loop(lambda x: jnp.abs(x).max() > 0.5, lambda x: convolution()(x, k), x)

    assert "conv_general_dilated" not in primitives(lower(until_small), images, kernel)
    np.testing.assert_allclose(lower(until_small)(images, kernel), until_small(images, kernel), rtol=0, atol=1e-5)


UNTOUCHED: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...], str]] = {
    "batch groups": (
        convolution(batch_group_count=2),
        (normal(1, 4, 7, 7, 3), normal(2, 3, 3, 3, 2)),
        "conv_general_dilated",
    ),
    "three spatial dimensions": (
        convolution(window_strides=(1, 1, 1), dimension_numbers=("NDHWC", "DHWIO", "NDHWC")),
        (normal(1, 2, 4, 4, 4, 2), normal(2, 2, 2, 2, 2, 3)),
        "conv_general_dilated",
    ),
    "dilated pooling": (
        pooling((1, 2, 2, 1), (1, 1, 1, 1), "VALID", window_dilation=(1, 2, 2, 1)),
        (normal(1, 2, 7, 7, 3),),
        "reduce_window_max",
    ),
    "pooling of whole numbers": (
        lambda x: lax.reduce_window(x, jnp.iinfo(jnp.int32).min, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
        (np.arange(16, dtype=np.int32).reshape(1, 4, 4, 1),),
        "reduce_window_max",
    ),
}


@pytest.mark.parametrize("what", UNTOUCHED)
def test_what_is_not_understood_passes_through_untouched_and_is_named(what: str) -> None:
    function, arguments, primitive = UNTOUCHED[what]
    with pytest.warns(UserWarning, match=f"{primitive} of .* is not rewritten: it runs as XLA has it"):
        assert primitive in primitives(lower(function), *arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain, lowered = (quickly_compiled(f)(*arguments) for f in (function, lower(function)))
        np.testing.assert_array_equal(lowered, plain)  # the same operation: no rounding between them


def test_a_function_without_convolutions_is_the_same_to_the_bit() -> None:
    arguments = normal(1, 3, 4), normal(2, 4, 2)
    plain, lowered = (values_and_gradients(f, *arguments) for f in (dense, lower(dense)))
    jax.tree.map(np.testing.assert_array_equal, lowered, plain)


def dense(x: Any, k: Any) -> Any:
    return jnp.tanh(x @ k)


def test_the_form_can_be_asked_for() -> None:
    images, kernel = normal(1, 2, 6, 6, 2), normal(2, 3, 3, 2, 2)
    assert "conv_general_dilated" in primitives(lower(convolution(), as_xla), images, kernel)
    assert "conv_general_dilated" not in primitives(lower(convolution(), by_patches), images, kernel)
    lowered = jax.make_jaxpr(lower(convolution(), direct))(images, kernel)
    assert [equation.primitive.name for equation in lowered.eqns if "vjp" in equation.primitive.name]


def chosen(form_of: Callable[[Any], Form], *shapes: tuple[int, ...], **parameters: Any) -> Form:
    """The form chosen for a convolution of arrays of these shapes."""
    arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    (equation,) = jax.make_jaxpr(convolution(**parameters))(*arguments).eqns
    return form_of(equation)


@pytest.mark.parametrize(
    ("images", "kernel", "parameters", "form"),
    [
        # 32 * 16 * 16 positions x 3 * 3 * 32 numbers of 4 bytes are 9.4 MB, 32 * 8 * 8 of 64 channels 4.7 MB
        ((32, 16, 16, 32), (3, 3, 32, 32), {}, Form.DIRECT),
        ((32, 8, 8, 64), (3, 3, 64, 64), {}, Form.DIRECT),
        ((32, 32, 32, 3), (3, 3, 3, 16), {}, Form.PATCHES),  # 3.5 MB
        ((32, 16, 16, 32), (3, 3, 32, 64), {"window_strides": (2, 2)}, Form.PATCHES),
        ((32, 16, 16, 32), (3, 3, 8, 32), {"feature_group_count": 4}, Form.PATCHES),  # 2.4 MB a group
        ((32, 32, 32, 64), (3, 3, 16, 64), {"feature_group_count": 4}, Form.DIRECT),
    ],
)
def test_the_direct_form_is_for_patches_that_leave_the_cache(
    images: tuple[int, ...], kernel: tuple[int, ...], parameters: dict[str, Any], form: Form
) -> None:
    assert chosen(form_of_one, images, kernel, **parameters) is form
    assert chosen(form_side_by_side, images, kernel, **parameters) is Form.PATCHES


def test_patches_that_would_fill_the_memory_are_not_made() -> None:
    # 3 * 3 * 64 numbers of 4 bytes for each of 1024 * 32 * 32 places: 2.4 GB, over the limit of 2 GiB
    large, kernel = (1024, 32, 32, 64), (3, 3, 64, 8)
    assert chosen(form_side_by_side, large, kernel) is Form.XLA
    assert chosen(form_of_one, large, kernel) is Form.DIRECT
    assert chosen(form_of_one, (4096, 64, 64, 64), kernel, window_strides=(2, 2)) is Form.XLA


def test_an_asked_type_of_result_is_kept() -> None:
    function = convolution(preferred_element_type=jnp.float32)
    arguments = jnp.asarray(normal(1, 2, 6, 6, 2), jnp.bfloat16), jnp.asarray(normal(2, 3, 3, 2, 3), jnp.bfloat16)
    assert lower(function)(*arguments).dtype == function(*arguments).dtype == jnp.float32


def test_a_derivative_of_the_models_own_making_survives() -> None:
    """relu declares its derivative at 0 to be 0; the derivative of the maximum inside it would be one half."""
    x = jnp.array([-1.0, 0.0, 2.0])
    np.testing.assert_array_equal(jax.grad(lambda x: lower(jax.nn.relu)(x).sum())(x), [0, 0, 1])
    assert "custom_jvp_call" in primitives(lower(jax.nn.relu), x)


def test_a_custom_backward_pass_survives() -> None:
    @jax.custom_vjp
    def straight_through(x: Any) -> Any:
        return jnp.round(x)

    straight_through.defvjp(lambda x: (jnp.round(x), None), lambda _, slope: (3 * slope,))
    np.testing.assert_array_equal(jax.grad(lambda x: lower(straight_through)(x).sum())(jnp.array([0.4, 1.6])), [3, 3])


def test_structured_arguments_results_and_constants_are_kept() -> None:
    constant = normal(3, 2)

    def function(weights: dict[str, Any], *, x: Any) -> dict[str, Any]:
        return {"twice": (2 * weights["a"], [x + constant]), "given": x, "none": None}

    arguments = {"a": normal(1, 2)}
    expected, given_ = (f(arguments, x=normal(2, 2)) for f in (function, lower(function)))
    assert jax.tree.structure(given_) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, given_, expected)


def test_the_lowered_function_can_be_mapped_over_weights() -> None:
    images, kernels = normal(1, 2, 6, 6, 2), normal(2, 3, 3, 3, 2, 4)
    mapped = jax.vmap(lower(convolution()), in_axes=(None, 0))
    assert "conv_general_dilated" not in primitives(mapped, images, kernels)
    for one, kernel in zip(mapped(images, kernels), kernels, strict=True):
        # Sums of 3*3*2 terms, in an order that the mapping may change.
        np.testing.assert_allclose(one, convolution()(images, kernel), rtol=0, atol=8 * EPSILON * 16 * 18**0.5)


def keras_function(model: keras.Model) -> Callable[..., Any]:
    return lambda trainable, fixed, x: model.stateless_call(trainable, fixed, x, training=False)[0]


def keras_arguments(model: keras.Model, shape: tuple[int, ...]) -> tuple[Any, Any, np.ndarray]:
    trainable, fixed = ([v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables))
    return trainable, fixed, normal(1, 3, *shape)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cnn-16-32", (28, 28, 1)),
        *((entry.example, (8, 8, 1)) for entry in ARCHITECTURES.values() if not entry.tokens),
    ],
)
def test_models_of_the_zoo_keep_their_values_and_gradients(name: str, shape: tuple[int, ...]) -> None:
    model = build(name, shape, 10)
    # A logit adds up 7*7*32 features at most, each of 3*3*16 terms; the kernel's gradient 3 * 14 * 14 places.
    function, (trainable, fixed, x) = keras_function(model), keras_arguments(model, shape)
    assert_same(lambda weights, x: function(weights, fixed, x), trainable, x, terms=7 * 7 * 32)


def test_the_lowered_study_student_holds_no_convolution_and_no_window() -> None:
    model = build("cnn-16-32", (28, 28, 1), 10)
    function, arguments = keras_function(model), keras_arguments(model, (28, 28, 1))
    assert {"conv_general_dilated", "reduce_window_max"} <= primitives(function, *arguments)
    slope = jax.grad(lambda *given_: lower(function)(*given_).sum())
    for lowered in (lower(function), slope):
        names = primitives(lowered, *arguments)
        assert "dot_general" in names
        assert not any("conv" in name and name != "convert_element_type" for name in names), names
        assert not any("window" in name or name.startswith("select_and") for name in names), names


KINDS = ("convolution", "separable", "depthwise", "transposed", "max", "average", "norm")
LAYER = st.tuples(st.sampled_from(KINDS), st.integers(1, 3), st.integers(1, 2), st.integers(1, 4), st.integers(1, 2))


def layer(kind: str, size: int, strides: int, filters: int, more: int) -> keras.Layer:
    """A layer by its kind, size of the window, stride, filters, and dilation or depth multiplier."""
    layers = keras.layers
    how = {"strides": strides, "padding": "same"}
    dilation = more if strides == 1 else 1  # Keras takes the one or the other
    return {
        "convolution": lambda: layers.Conv2D(filters, size, activation="tanh", dilation_rate=dilation, **how),
        "separable": lambda: layers.SeparableConv2D(filters, size, **how),
        "depthwise": lambda: layers.DepthwiseConv2D(size, depth_multiplier=more, **how),
        "transposed": lambda: layers.Conv2DTranspose(filters, size, **how),
        "max": lambda: layers.MaxPooling2D(size, **how),
        "average": lambda: layers.AveragePooling2D(size, **how),
        "norm": layers.LayerNormalization,
    }[kind]()


def stack(side: int, channels: int, plan: list[tuple[str, int, int, int, int]]) -> keras.Model:
    """A classifier of the planned layers."""
    ends = [keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((side, side, channels)), *(layer(*parts) for parts in plan), *ends])


@settings(deadline=None, max_examples=12)
@given(side=st.integers(5, 9), channels=st.integers(1, 3), plan=st.lists(LAYER, min_size=1, max_size=3))
def test_any_stack_of_layers_keeps_its_values_and_gradients(side: int, channels: int, plan: list[Any]) -> None:
    model = stack(side, channels, plan)
    function, (trainable, fixed, x) = keras_function(model), keras_arguments(model, model.input_shape[1:])
    # At most four layers, each of sums of at most 36 terms, and a dense one of at most 72 * 72 * 4.
    assert_same(lambda weights: function(weights, fixed, x), trainable, terms=72 * 72 * 4)


def test_a_model_with_all_kinds_of_layers_keeps_its_values_and_gradients() -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 2)),
            layers.Conv2D(4, 3, dilation_rate=2, activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(4, (3, 2), strides=(1, 2), groups=2, padding="same"),
            layers.SeparableConv2D(6, 3, padding="same", activation="gelu"),
            layers.MaxPooling2D(3, strides=1, padding="same"),
            layers.Conv2DTranspose(3, 2, strides=2),
            layers.AveragePooling2D(2),
            layers.Dropout(0.5),
            layers.GlobalMaxPooling2D(),
            layers.Dense(3),
        ]
    )
    function, arguments = keras_function(model), keras_arguments(model, (12, 12, 2))
    plain, lowered = (
        quickly_compiled(jax.value_and_grad(lambda weights, f=f: (f(weights, *arguments[1:]) ** 2).sum()))(arguments[0])
        for f in (function, lower(function))
    )
    for expected, given_ in zip(jax.tree.leaves(plain), jax.tree.leaves(lowered), strict=True):
        # Seven layers, each of sums of at most 100 terms.
        size = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(given_, expected, rtol=0, atol=7 * 8 * EPSILON * size * 100**0.5)
