"""The zoo: names are read without Keras, and every model gives logits of the asked shape."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models import ARCHITECTURES, build, parse

# Worked from the layers: a convolution has kh*kw*C*O + O numbers, a dense layer in*out + out.
PARAMETERS = {
    # 3*3*1*16 + 16 = 160; 28 -> 14 -> 14 -> 7: 3*3*16*32 + 32 = 4640; 7*7*32*10 + 10 = 15690
    ("cnn-16-32", (28, 28, 1), 10): 160 + 4640 + 15690,
    # 3*3*3*2 + 2 = 56; 9 -> 5 -> 5 -> 3, 7 -> 4 -> 4 -> 2: 3*3*2*4 + 4 = 76; 3*2*4*3 + 3 = 75
    ("cnn-2-4", (9, 7, 3), 3): 56 + 76 + 75,
    # 8*8*1*64 + 64 = 4160; 64*32 + 32 = 2080; 32*10 + 10 = 330
    ("mlp-64-32", (8, 8, 1), 10): 4160 + 2080 + 330,
    # 5*7 + 7 = 42; 7*2 + 2 = 16
    ("mlp-7", (5,), 2): 42 + 16,
}


@pytest.mark.parametrize(("name", "shape", "classes"), PARAMETERS)
def test_a_model_has_the_parameters_counted_by_hand_and_one_logit_a_class(name, shape, classes) -> None:
    model = build(name, shape, classes)
    assert model.built
    assert model.count_params() == PARAMETERS[name, shape, classes]
    assert model.output_shape == (None, classes)
    assert model.input_shape == (None, *shape)


@pytest.mark.parametrize("name", ["cnn-2-3", "mlp-4"])
def test_the_output_is_logits_not_probabilities(name: str) -> None:
    model = build(name, (6, 6, 1), 3)
    assert model.layers[-1].activation is keras.activations.linear
    answers = np.asarray(model(10 * np.random.default_rng(0).standard_normal((8, 6, 6, 1)).astype(np.float32)))
    assert np.abs(answers.sum(-1) - 1).max() > 0.1


def test_the_cnn_is_the_studys_network() -> None:
    first, leaky, pooling, second, flatten, dense = build("cnn-16-32", (28, 28, 1), 10).layers
    for convolution, filters in ((first, 16), (second, 32)):
        assert (convolution.filters, convolution.kernel_size, convolution.strides) == (filters, (3, 3), (2, 2))
        assert convolution.padding == "same"
        assert convolution.activation is keras.activations.linear
    assert leaky.negative_slope == 0.2
    assert (pooling.pool_size, pooling.strides, pooling.padding) == ((2, 2), (1, 1), "same")
    assert isinstance(flatten, keras.layers.Flatten)
    assert dense.units == 10


def test_every_architecture_can_be_built_from_its_own_example() -> None:
    for architecture in ARCHITECTURES:
        with pytest.raises(RequestError, match=f"For example {architecture}-") as refusal:
            parse(f"{architecture}-?")
        example = str(refusal.value).removesuffix(".").split()[-1]
        assert parse(example)[0] == architecture
        assert build(example, (8, 8, 1), 10).name == example.replace("-", "_")


@pytest.mark.parametrize(
    ("name", "read"),
    [("cnn-16-32", ("cnn", (16, 32))), ("mlp-64", ("mlp", (64,))), ("mlp-1-20-300", ("mlp", (1, 20, 300)))],
)
def test_a_name_is_read_into_architecture_and_widths(name: str, read: tuple[str, tuple[int, ...]]) -> None:
    assert parse(name) == read


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cn-16-32", "There is no architecture 'cn'. Did you mean 'cnn'\\? Known: cnn, mlp."),
        ("resnet-18", "There is no architecture 'resnet'. Known: cnn, mlp."),
        ("", "There is no architecture ''. Known: cnn, mlp."),
        ("cnn", "model='cnn' is not allowed: it must be an architecture and its widths. For example cnn-16-32."),
        ("cnn-16", "model='cnn-16' is not allowed: it must be 'cnn' with the filters of its two convolutions."),
        ("cnn-16-32-64", "it must be 'cnn' with the filters of its two convolutions. For example cnn-16-32."),
        ("cnn-16-0", "model='cnn-16-0' is not allowed: it must be an architecture and its widths."),
        ("mlp-", "model='mlp-' is not allowed: it must be an architecture and its widths. For example mlp-64-32."),
        ("mlp-64-", "model='mlp-64-' is not allowed"),
        ("mlp-064", "model='mlp-064' is not allowed"),
        ("mlp--64", "model='mlp--64' is not allowed"),
        ("mlp-6.4", "model='mlp-6.4' is not allowed"),
        ("mlp-64\n", "model='mlp-64.n' is not allowed"),
    ],
)
def test_a_wrong_name_is_refused_with_an_example(name: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        parse(name)
    with pytest.raises(RequestError, match=message):
        build(name, (8, 8, 1), 10)


def test_a_cnn_refuses_inputs_that_are_not_images() -> None:
    with pytest.raises(RequestError, match=r"cnn-16-32 reads images .* shape \(5,\)\. Choose an mlp"):
        build("cnn-16-32", (5,), 10)


def test_names_are_checked_without_importing_keras() -> None:
    program = "import sys; from distillab.models import parse; parse('cnn-16-32'); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
