"""The zoo: architectures by name, for any input shape and number of outputs. Every one ends in logits.

Names are checked without Keras, which is imported when a model is built.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from distillab.backend import check_backend
from distillab.errors import RequestError, not_allowed, unknown
from distillab.models.text_zoo import bag_of_embeddings, textcnn, transformer_encoder

if TYPE_CHECKING:
    import keras

LEAK = 0.2  # slope of the study's LeakyReLU below zero
MOMENTUM = 0.9  # of moving statistics: Keras's 0.99 lags behind in trainings of a few hundred steps
DROPOUT = 0.1

LARGEST = 16_384
"""Largest number in a name, and `DEEPEST` the largest number of blocks; more would exhaust memory."""

DEEPEST = 256

MOST_WEIGHTS = 2**30
"""An approximate limit, for the weights between layers and from the inputs to the first."""


class Dropout(NamedTuple):
    """Fractions of units that are dropped in training: of the inputs, and of every hidden dense layer."""

    inputs: float = 0.0
    hidden: float = 0.0


NO_DROPOUT = Dropout()
"""None is dropped, but where an architecture itself says so."""


def build(
    name: str,
    input_shape: Sequence[int],
    classes: int,
    *,
    vocabulary: int | None = None,
    padding: int = 0,
    dropout: Dropout = NO_DROPOUT,
) -> keras.Model:
    """Build a model of the zoo.

    Args:
        name: architecture and widths, such as `cnn-16-32` or `mlp-64-32`.
        input_shape: one input's shape without the batch: (H, W, C) for images, (F,) for features, (T,) for token ids.
        classes: the number of outputs, at least 1: classes, labels or numbers.
        vocabulary: the number of token ids, where the inputs are token ids; None: they are not.
        padding: the id that fills up a text.
        dropout: of an architecture of dense layers.

    Returns:
        A built model, inputs (B, *input_shape) to logits (B, classes); of an architecture that gives maps, to
        (B, H, W, classes).

    Raises:
        RequestError: the name is unknown or does not fit the input, or the architecture has no dropout to set.

    Example:
        >>> build("cnn-16-32", (28, 28, 1), 10).count_params()
        20490
    """
    check_backend()
    architecture, widths = parse(name)
    shape = tuple(input_shape)
    entry = ARCHITECTURES[architecture]
    if entry.tokens != (vocabulary is not None):
        what = ("numbers", "token ids", "textcnn-32-64") if vocabulary else ("token ids", "no text", "mlp-64-32")
        raise RequestError("{} reads {}, and the inputs are {}. Choose another, such as {}.".format(name, *what))
    if entry.images and len(shape) != 3 and not (entry.series and len(shape) == 2):
        reads = "images (height, width, channels)" + " or series (times, features)" * entry.series
        raise RequestError(
            f"{name} reads {reads}, and the inputs have shape {shape}. Choose an mlp, such as mlp-64-32."
        )
    inner = sum(before * after for before, after in pairwise(widths))
    if widths and (vocabulary or math.prod(shape)) * widths[0] + 9 * inner > MOST_WEIGHTS:
        raise not_allowed("model", name, f"of at most {MOST_WEIGHTS:,} weights", "Choose smaller numbers.")
    of_text = () if vocabulary is None else (vocabulary, padding)
    if any(dropout) and not entry.dropout:
        able = [one for one, facts in ARCHITECTURES.items() if facts.dropout]
        raise RequestError(f"dropout is not allowed with {name}. It is defined for {', '.join(able)}. Leave it out.")
    options = {"dropout": dropout} if any(dropout) else {}
    return entry.build(name.replace("-", "_"), shape, classes, widths, *of_text, **options)


def parse(name: str) -> tuple[str, tuple[int, ...]]:
    """Parse a zoo name into its architecture and widths, without building anything.

    Args:
        name: architecture and widths, such as `cnn-16-32`.

    Raises:
        RequestError: there is no such architecture, or the widths do not fit it.
    """
    known = [one for one in ARCHITECTURES if name == one or name.startswith(f"{one}-")]
    words = re.match(r"[a-z]+(-[a-z]+)*(?=-|$)", name)
    architecture = max(known, key=len, default=words[0] if words else name.partition("-")[0])
    rest = name[len(architecture) + 1 :]
    if architecture not in ARCHITECTURES:
        raise unknown("architecture", architecture, ARCHITECTURES)
    entry = ARCHITECTURES[architecture]
    if entry.numbers == 0:
        if name != architecture:
            raise not_allowed("model", name, f"{architecture!r} alone: it has no widths")
        return architecture, ()
    if not re.fullmatch(r"[1-9][0-9]*(-[1-9][0-9]*)*", rest):
        raise not_allowed("model", name, "an architecture and its widths", f"For example {entry.example}.")
    numbers = rest.split("-")
    if any(len(number) > len(str(LARGEST)) or int(number) > LARGEST for number in numbers) or len(numbers) > DEEPEST:
        raise not_allowed("model", name, f"at most {DEEPEST} numbers of at most {LARGEST:,}")
    widths = tuple(int(width) for width in numbers)
    if entry.numbers is not None and len(widths) != entry.numbers:
        raise not_allowed("model", name, f"{architecture!r} with {entry.meaning}", f"For example {entry.example}.")
    if architecture == "convnet" and (len(widths) % 2 == 0 or len(widths) < 3):
        raise not_allowed("model", name, f"'convnet' with {entry.meaning}", f"For example {entry.example}.")
    if architecture in ("vit", "transformer-encoder") and widths[1] > DEEPEST:
        raise not_allowed("model", name, f"of at most {DEEPEST} blocks")
    return architecture, widths


def _cnn(name: str, input_shape: tuple[int, ...], classes: int, widths: tuple[int, ...]) -> keras.Model:
    """The study's network: convolution, LeakyReLU, max pooling, convolution, dense; strides of 2, `same` padding."""
    import keras

    first, second = widths
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(first, 3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=LEAK),
            layers.MaxPooling2D(2, strides=1, padding="same"),
            layers.Conv2D(second, 3, strides=2, padding="same"),
            layers.Flatten(),
            layers.Dense(classes),
        ],
        name=name,
    )


def _mlp(
    name: str, input_shape: tuple[int, ...], classes: int, widths: tuple[int, ...], dropout: Dropout = NO_DROPOUT
) -> keras.Model:
    """Dense layers with ReLU, on the flattened input; without hidden ones, logistic or linear regression."""
    import keras

    layers = [] if len(input_shape) == 1 else [keras.layers.Reshape((math.prod(input_shape),))]
    layers += [keras.layers.Dropout(dropout.inputs)] if dropout.inputs else []
    for width in widths:
        layers.append(keras.layers.Dense(width, activation="relu"))
        layers += [keras.layers.Dropout(dropout.hidden)] if dropout.hidden else []
    return keras.Sequential([keras.Input(input_shape), *layers, keras.layers.Dense(classes)], name=name)


def _lenet(name: str, input_shape: tuple[int, ...], classes: int, widths: tuple[int, ...]) -> keras.Model:
    """LeNet-5 with ReLU: two 5x5 convolutions, each with a mean pooling of 2x2, and two dense layers.

    The first convolution keeps the size, which on 28x28 pixels is the paper's frame of 32x32; the second is not padded,
    but on images of less than 10 pixels, where nothing would remain.

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, 1998, section
    II.B; as in Stanton, Izmailov, Kirichenko, Alemi and Wilson, Does Knowledge Distillation Really Work?, 2021.
    """
    import keras

    layers = keras.layers
    first, second, *dense = widths
    padding = "same" if min(input_shape[:2]) < 10 else "valid"
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(first, 5, padding="same", activation="relu"),
            layers.AveragePooling2D(2),
            layers.Conv2D(second, 5, padding=padding, activation="relu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            *[layers.Dense(width, activation="relu") for width in dense],
            layers.Dense(classes),
        ],
        name=name,
    )


def _convnet(name: str, input_shape: tuple[int, ...], classes: int, widths: tuple[int, ...]) -> keras.Model:
    """3x3 convolutions with ReLU, a max pooling after each half of them, and a dense layer with dropout of a tenth.

    `convnet-128-64-64-32-512` and `convnet-16-16-256` are the tutorial's teacher and student.

    Source: Chariton, Knowledge Distillation Tutorial, PyTorch tutorials, 2023, DeepNN and LightNN.
    """
    import keras

    layers = keras.layers
    *filters, dense = widths
    half = len(filters) // 2

    def convolved(part: Sequence[int]) -> list[Any]:
        return [layers.Conv2D(width, 3, padding="same", activation="relu") for width in part]

    return keras.Sequential(
        [
            keras.Input(input_shape),
            *convolved(filters[:half]),
            layers.MaxPooling2D(2),
            *convolved(filters[half:]),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(dense, activation="relu"),
            layers.Dropout(DROPOUT),
            layers.Dense(classes),
        ],
        name=name,
    )


def _resnet(name: str, input_shape: tuple[int, ...], classes: int, widths: tuple[int, ...]) -> keras.Model:
    """Residual blocks of two convolutions with batch normalisation, one per width; all but the first halve the image.

    Source: He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, 2016, sections 3.2 and 3.3.
    """
    import keras

    layers = keras.layers

    def normed(x: Any, filters: int, size: int, strides: int = 1) -> Any:
        x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization(momentum=MOMENTUM)(x)

    inputs = keras.Input(input_shape)
    x = layers.ReLU()(normed(inputs, widths[0], 3))
    for block, filters in enumerate(widths):
        strides = 1 if block == 0 else 2
        shortcut = x if block == 0 else normed(x, filters, 1, strides)
        x = layers.ReLU()(normed(x, filters, 3, strides))
        x = layers.ReLU()(layers.Add()([normed(x, filters, 3), shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name=name)


def _mobilenet(name: str, input_shape: tuple[int, ...], classes: int, widths: tuple[int, ...]) -> keras.Model:
    """A stem and a depthwise separable convolution per further width; every second one halves the image.

    Source: Howard et al., MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications, 2017,
    section 3.2 and figure 3.
    """
    import keras

    layers = keras.layers
    stem, *blocks = widths
    x = inputs = keras.Input(input_shape)
    x = layers.Conv2D(stem, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(x))
    for block, filters in enumerate(blocks):
        x = layers.DepthwiseConv2D(3, strides=1 + block % 2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(x))
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name=name)


def _recurrent(kind: str) -> Builder:
    def build_recurrent(name: str, input_shape: tuple[int, ...], classes: int, widths: tuple[int, ...]) -> keras.Model:
        """Recurrent layers that read a series step by step, or an image row by row."""
        import keras

        layer = getattr(keras.layers, kind)
        *lower, last = widths
        return keras.Sequential(
            [
                keras.Input(input_shape),
                *([keras.layers.Reshape((input_shape[0], math.prod(input_shape[1:])))] if len(input_shape) > 2 else []),
                *[layer(units, return_sequences=True) for units in lower],
                layer(last),
                keras.layers.Dense(classes),
            ],
            name=name,
        )

    return build_recurrent


def _vit(name: str, input_shape: tuple[int, ...], classes: int, widths: tuple[int, ...]) -> keras.Model:
    """A small vision transformer: square patches, blocks of attention and dense layers, the mean over patches.

    It uses Keras's layers only, so that a saved model loads without distillab: the embedding of a patch is one
    `EinsumDense`, whose bias of shape (patches, width) is the position embedding.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, 2021, equations 1 to 4, and section D.3 for the mean.
    """
    import keras

    dimension, depth = widths
    height, width, channels = input_shape
    side = next((s for s in (4, 3, 2, 1) if height % s == width % s == 0 and height * width >= 16 * s * s), 1)
    rows, columns = height // side, width // side
    heads = next(h for h in (4, 2, 1) if dimension % h == 0)
    layers = keras.layers
    inputs = keras.Input(input_shape)
    x = layers.Reshape((rows, side, columns, side * channels))(inputs)
    x = layers.Permute((1, 3, 2, 4))(x)
    x = layers.Reshape((rows * columns, side * side * channels))(x)
    x = layers.EinsumDense("bpc,cd->bpd", output_shape=(rows * columns, dimension), bias_axes="pd")(x)
    for _ in range(depth):
        normed = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([x, layers.MultiHeadAttention(heads, dimension // heads, dropout=DROPOUT)(normed, normed)])
        hidden = layers.Dense(2 * dimension, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(x))
        x = layers.Add()([x, layers.Dropout(DROPOUT)(layers.Dense(dimension)(hidden))])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    return keras.Model(inputs, layers.Dense(classes)(x), name=name)


def _unet(name: str, input_shape: tuple[int, ...], classes: int, widths: tuple[int, ...]) -> keras.Model:
    """Logits at every pixel: two convolutions a width, each width at half the size, and back up beside what was there.

    Unlike the paper's, convolutions keep the size, strides take the place of pooling and repetition that of the
    transposed convolution. An odd size is rounded up on the way down and cropped on the way back.

    Source: Ronneberger, Fischer and Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015,
    section 2 and figure 1.
    """
    import keras

    layers = keras.layers

    def convolved(x: Any, filters: int, strides: int = 1) -> Any:
        return layers.Conv2D(filters, 3, strides=strides, padding="same", activation="relu")(x)

    x = inputs = keras.Input(input_shape)
    levels: list[Any] = []
    for filters in widths:
        x = convolved(convolved(x, filters, strides=2 if levels else 1), filters)
        levels.append(x)
    for filters, before in zip(widths[-2::-1], levels[-2::-1], strict=True):
        x = layers.UpSampling2D(2)(x)
        beyond = [(0, x.shape[axis] - before.shape[axis]) for axis in (1, 2)]
        x = layers.Cropping2D(beyond)(x) if beyond != [(0, 0), (0, 0)] else x
        x = convolved(layers.Concatenate()([before, x]), filters)
    return keras.Model(inputs, layers.Conv2D(classes, 1)(x), name=name)


Builder = Callable[..., "keras.Model"]
"""From name, input shape, number of outputs and widths, and of text the number of token ids and the padding's."""


class Architecture(NamedTuple):
    """An entry of the zoo: how to build it, and the meaning of the numbers in its name."""

    build: Builder
    example: str
    meaning: str
    numbers: int | None = None  # the required count of numbers; None: one or more
    images: bool = True  # whether it needs images as inputs
    tokens: bool = False  # whether it reads token ids
    series: bool = False  # whether it reads series too
    maps: bool = False  # whether it predicts at every pixel; the others predict once an example
    dropout: bool = False  # whether its dropout can be set


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "bag-of-embeddings": Architecture(
            bag_of_embeddings,
            "bag-of-embeddings-32",
            "the width of its embeddings and the units of its dense layers",
            images=False,
            tokens=True,
        ),
        "cnn": Architecture(_cnn, "cnn-16-32", "the filters of its two convolutions", 2),
        "convnet": Architecture(
            _convnet, "convnet-16-16-256", "the filters of its convolutions, an even number, and its dense units"
        ),
        "lenet": Architecture(
            _lenet, "lenet-6-16-120-84", "the filters of its two convolutions and the units of its two dense layers", 4
        ),
        "linear": Architecture(_mlp, "linear", "no widths", 0, images=False),
        "mlp": Architecture(_mlp, "mlp-64-32", "the units of its dense layers", images=False, dropout=True),
        "resnet": Architecture(_resnet, "resnet-8-16", "the filters of its blocks"),
        "mobilenet": Architecture(_mobilenet, "mobilenet-8-16-32", "the filters of its stem and blocks"),
        "gru": Architecture(_recurrent("GRU"), "gru-32", "the units of its layers", series=True),
        "lstm": Architecture(_recurrent("LSTM"), "lstm-32", "the units of its layers", series=True),
        "textcnn": Architecture(
            textcnn, "textcnn-32-64", "the width of its embeddings and its filters", 2, images=False, tokens=True
        ),
        "transformer-encoder": Architecture(
            transformer_encoder,
            "transformer-encoder-32-2",
            "its width and its number of blocks",
            2,
            images=False,
            tokens=True,
        ),
        "unet": Architecture(_unet, "unet-8-16", "the filters of its levels", maps=True),
        "vit": Architecture(_vit, "vit-32-2", "its width and its number of blocks", 2),
    }
)
"""The architectures by name. `mlp-64-32` has dense layers of 64 and 32 units; `meaning` explains the others."""
