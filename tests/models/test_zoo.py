"""The zoo: names are read without Keras, and every model gives logits of the asked shape."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models import ARCHITECTURES, Dropout, build, parse

# Worked from the layers: a convolution has kh*kw*C*O + O numbers, a dense layer in*out + out.
PARAMETERS = {
    # 3*3*1*16 + 16 = 160; 28 -> 14 -> 14 -> 7: 3*3*16*32 + 32 = 4640; 7*7*32*10 + 10 = 15690
    ("cnn-16-32", (28, 28, 1), 10): 160 + 4640 + 15690,
    # 3*3*3*2 + 2 = 56; 9 -> 5 -> 5 -> 3, 7 -> 4 -> 4 -> 2: 3*3*2*4 + 4 = 76; 3*2*4*3 + 3 = 75
    ("cnn-2-4", (9, 7, 3), 3): 56 + 76 + 75,
    # 8*8*1*64 + 64 = 4160; 64*32 + 32 = 2080; 32*10 + 10 = 330
    ("linear", (8, 8, 1), 10): 650,
    ("linear", (5,), 2): 12,
    ("mlp-64-32", (8, 8, 1), 10): 4160 + 2080 + 330,
    # 5*7 + 7 = 42; 7*2 + 2 = 16
    ("mlp-7", (5,), 2): 42 + 16,
    # 3*3*1*2 and 4*2; block: twice 3*3*2*2 and 4*2; block of 3: 3*3*2*3 + 12, 3*3*3*3 + 12, shortcut 2*3 + 12; dense
    ("resnet-2-3", (8, 8, 1), 4): 26 + 2 * 44 + 66 + 93 + 18 + 16,
    # 5*5*1*6 + 6; 28 -> 14 -> 10 -> 5: 5*5*6*16 + 16; 5*5*16*120 + 120; 120*84 + 84; 84*10 + 10
    ("lenet-6-16-120-84", (28, 28, 1), 10): 156 + 2416 + 48120 + 10164 + 850,
    # padded: 8 -> 4 -> 4 -> 2: 5*5*1*2 + 2; 5*5*2*3 + 3; 2*2*3*6 + 6; 6*5 + 5; 5*4 + 4
    ("lenet-2-3-6-5", (8, 8, 1), 4): 52 + 153 + 78 + 35 + 24,
    # the tutorial's student: 9*3*16 + 16; 9*16*16 + 16; 32 -> 16 -> 8: 8*8*16*256 + 256; 256*10 + 10
    ("convnet-16-16-256", (32, 32, 3), 10): 448 + 2320 + 262400 + 2570,
    # its teacher: 9*3*128 + 128; 9*128*64 + 64; 9*64*64 + 64; 9*64*32 + 32; 8*8*32*512 + 512; 512*10 + 10
    ("convnet-128-64-64-32-512", (32, 32, 3), 10): 3584 + 73792 + 36928 + 18464 + 1049088 + 5130,
    # stem 3*3*1*2 + 8; block of 3: 3*3*2 + 8, 2*3 + 12; dense 3*4 + 4
    ("mobilenet-2-3", (8, 8, 1), 4): 26 + 26 + 18 + 16,
    # rows of 8: 3 gates of (8 + 5)*5 and two biases of 5; dense 5*4 + 4
    ("gru-5", (8, 8, 1), 4): 3 * (65 + 10) + 24,
    # 4 gates of (8 + 5)*5 + 5, then of (5 + 3)*3 + 3; dense 3*4 + 4
    ("lstm-5-3", (8, 8, 1), 4): 4 * 70 + 4 * 27 + 16,
    # 16 patches of 2*2: 4*8, positions 16*8; norms 16 each; attention 4*(8*8 + 8); dense 8*16 + 16 + 16*8 + 8; 8*4 + 4
    ("vit-8-1", (8, 8, 1), 4): 32 + 128 + 16 + 288 + 16 + 144 + 136 + 16 + 36,
    # down: 9*1*2 + 2, 9*2*2 + 2; 9*2*3 + 3, 9*3*3 + 3; up: 9*(2 + 3)*2 + 2; a 1x1 convolution 2*4 + 4
    ("unet-2-3", (8, 8, 1), 4): 20 + 38 + 57 + 84 + 92 + 12,
}


@pytest.mark.parametrize(("name", "shape", "classes"), PARAMETERS)
def test_a_model_has_the_parameters_counted_by_hand_and_one_logit_a_class(name, shape, classes) -> None:
    model = build(name, shape, classes)
    assert model.built
    assert model.count_params() == PARAMETERS[name, shape, classes]
    positions = shape[:2] if ARCHITECTURES[parse(name)[0]].maps else ()
    assert model.output_shape == (None, *positions, classes)
    assert model.input_shape == (None, *shape)


@pytest.mark.parametrize("name", ["cnn-2-3", "mlp-4"])
def test_the_output_is_logits_not_probabilities(name: str) -> None:
    model = build(name, (6, 6, 1), 3)
    assert model.layers[-1].activation is keras.activations.linear
    predictions = np.asarray(model(10 * np.random.default_rng(0).standard_normal((8, 6, 6, 1)).astype(np.float32)))
    assert np.abs(predictions.sum(-1) - 1).max() > 0.1


def test_dropout_is_before_the_first_dense_layer_and_after_every_hidden_one() -> None:
    layers = build("mlp-4-5", (3, 3, 1), 2, dropout=Dropout(0.2, 0.5)).layers
    kinds = [type(layer).__name__ for layer in layers]
    assert kinds == ["Reshape", "Dropout", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)] == [0.2, 0.5, 0.5]
    assert len(build("mlp-4-5", (3, 3, 1), 2, dropout=Dropout(0, 0.5)).layers) == 6


def test_dropout_is_refused_where_an_architecture_has_none_to_set() -> None:
    with pytest.raises(
        RequestError, match=r"dropout is not allowed with cnn-2-3\. It is defined for mlp\. Leave it out\."
    ):
        build("cnn-2-3", (8, 8, 1), 2, dropout=Dropout(hidden=0.5))


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
        with pytest.raises(RequestError, match=architecture) as refusal:
            parse(f"{architecture}-x")
        example = ARCHITECTURES[architecture].example
        assert example in str(refusal.value)
        assert parse(example)[0] == architecture
        inputs = ((7,), 1) if ARCHITECTURES[architecture].tokens else ((8, 8, 1), 1)
        model = build(example, *inputs, vocabulary=9 if ARCHITECTURES[architecture].tokens else None)
        assert (model.name, model.output_shape[-1]) == (example.replace("-", "_"), 1)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("cnn-16-32", ("cnn", (16, 32))),
        ("mlp-64", ("mlp", (64,))),
        ("mlp-1-20-300", ("mlp", (1, 20, 300))),
        ("bag-of-embeddings-32", ("bag-of-embeddings", (32,))),
        ("transformer-encoder-32-2", ("transformer-encoder", (32, 2))),
    ],
)
def test_a_name_is_read_into_architecture_and_widths(name: str, read: tuple[str, tuple[int, ...]]) -> None:
    assert parse(name) == read


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cn-16-32",
            "There is no architecture 'cn'. Did you mean 'cnn'\\? Known: bag-of-embeddings, cnn, convnet, gru,",
        ),
        ("vgg-18", "There is no architecture 'vgg'. Known: .* mobilenet, resnet, textcnn, .* unet, vit."),
        ("", "There is no architecture ''. Known: bag-of-embeddings, cnn, convnet, .*"),
        ("bag-of-words-32", "There is no architecture 'bag-of-words'. Did you mean 'bag-of-embeddings'"),
        ("transformer-32-2", "There is no architecture 'transformer'. Did you mean 'transformer-encoder'"),
        ("transformer-encoder-32", "it must be 'transformer-encoder' with its width and its number of blocks."),
        ("bag-of-embeddings", "must be an architecture and its widths. For example bag-of-embeddings-32."),
        ("vit-32", "model='vit-32' is not allowed: it must be 'vit' with its width and its number of blocks."),
        ("cnn", "model='cnn' is not allowed: it must be an architecture and its widths. For example cnn-16-32."),
        ("cnn-16", "model='cnn-16' is not allowed: it must be 'cnn' with the filters of its two convolutions."),
        ("cnn-16-32-64", "it must be 'cnn' with the filters of its two convolutions. For example cnn-16-32."),
        ("cnn-16-0", "model='cnn-16-0' is not allowed: it must be an architecture and its widths."),
        ("convnet-16-256", "it must be 'convnet' with the filters of its convolutions, an even number, and its dense"),
        ("convnet-8-16-32-64", "it must be 'convnet' with the filters of its convolutions, an even number, and its"),
        ("lenet", "model='lenet' is not allowed: it must be an architecture and its widths. For example lenet-6-16-"),
        (
            "lenet-6-16",
            "must be 'lenet' with the filters of its two convolutions and the units of its two dense layers.",
        ),
        ("linear-3", "model='linear-3' is not allowed: it must be 'linear' alone: it has no widths."),
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


@pytest.mark.parametrize("name", ["cnn-16-32", "gru-8", "vit-8-1"])
def test_a_reader_of_images_refuses_other_inputs(name: str) -> None:
    with pytest.raises(RequestError, match=rf"{name} reads images .* shape \(5,\)\. Choose an mlp"):
        build(name, (5,), 10)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3), (9, 12, 2)])
def test_a_vision_transformer_cuts_any_image_into_at_least_sixteen_patches(shape: tuple[int, ...]) -> None:
    patches = build("vit-8-1", shape, 3).layers[4].output.shape[1]
    assert shape[0] * shape[1] % patches == 0
    assert 16 <= patches <= 128


@pytest.mark.parametrize("shape", [(8, 8, 1), (14, 14, 1), (7, 13, 3), (1, 5, 1)])
@pytest.mark.parametrize("name", ["unet-4", "unet-4-6", "unet-3-4-5"])
def test_a_u_net_gives_logits_at_every_pixel_of_an_image_of_any_size(name: str, shape: tuple[int, ...]) -> None:
    model = build(name, shape, 3)
    logits = np.asarray(model(np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)))
    assert logits.shape == (2, *shape[:2], 3)
    assert model.layers[-1].activation is keras.activations.linear


def test_a_u_net_learns_from_all_its_weights_and_sees_beyond_its_pixel() -> None:
    import jax

    keras.utils.set_random_seed(0)
    model = build("unet-4-6-8", (14, 14, 1), 2)
    image = np.random.default_rng(0).standard_normal((1, 14, 14, 1)).astype(np.float32)
    weights = [variable.value for variable in model.trainable_variables]

    def logit(weights: list[jax.Array], image: jax.Array) -> jax.Array:
        return model.stateless_call(weights, [], image)[0][0, 6, 6, 1]

    slopes, reach = jax.grad(logit, argnums=(0, 1))(weights, image)
    assert all(np.abs(slope).max() > 0 for slope in slopes)
    # Without the lower levels, three 3x3 convolutions would see 7x7 pixels.
    rows, columns = np.nonzero(np.asarray(reach)[0, :, :, 0])
    assert min(np.ptp(rows), np.ptp(columns)) > 7


def test_a_zoo_model_saved_to_a_file_is_made_of_keras_layers_alone() -> None:
    for architecture in ARCHITECTURES.values():
        shape, vocabulary = ((7,), 9) if architecture.tokens else ((8, 8, 1), None)
        config = build(architecture.example, shape, 3, vocabulary=vocabulary).to_json()
        assert "distillab" not in config


def test_names_are_checked_without_importing_keras() -> None:
    program = "import sys; from distillab.models import parse; parse('cnn-16-32'); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
