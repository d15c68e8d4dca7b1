"""The zoo's models of token ids: a bag of embeddings, convolutions over them, and a transformer encoder.

They use Keras's layers only, so that a saved model loads without distillab. Padding is computed from the ids, by layers
that every export has: Keras's own masks end at the first layer that does not pass them on, as convolutions do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

WINDOWS = (3, 4, 5)
"""Tokens that the convolutions of `textcnn` see at once."""

DROPOUT = 0.1  # of the transformer; on a text's features in `textcnn` 0.5, as in its paper


def bag_of_embeddings(
    name: str, input_shape: tuple[int, ...], outputs: int, widths: tuple[int, ...], vocabulary: int, padding: int
) -> keras.Model:
    """The mean of a text's embeddings, and dense layers with ReLU, if any, above it.

    Args:
        name: of the model.
        input_shape: (T,), the tokens of a text with its padding.
        outputs: C.
        widths: of an embedding, and the units of the dense layers.
        vocabulary: the number of token ids.
        padding: the id that fills up a text.

    Source: Joulin, Grave, Bojanowski and Mikolov, Bag of Tricks for Efficient Text Classification, 2017, section 2.
    """
    import keras

    width, *hidden = widths
    ids = keras.Input(input_shape, dtype="int32")
    x = _mean(keras.layers.Embedding(vocabulary, width)(ids), _is_token(ids, padding))
    for units in hidden:
        x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(ids, keras.layers.Dense(outputs)(x), name=name)


def textcnn(
    name: str, input_shape: tuple[int, ...], outputs: int, widths: tuple[int, ...], vocabulary: int, padding: int
) -> keras.Model:
    """Convolutions of several window sizes with ReLU, and the maximum of each filter over the text.

    Unlike the paper's, windows may begin before a text and end behind it (with zeros), so that it may be of any length.

    Args:
        name, input_shape, outputs, vocabulary, padding: as in `bag_of_embeddings`.
        widths: of an embedding, and the filters of each window size.

    Source: Kim, Convolutional Neural Networks for Sentence Classification, 2014, section 2 and section 3.1 for windows
    and dropout.
    """
    import keras

    width, filters = widths
    layers = keras.layers
    ids = keras.Input(input_shape, dtype="int32")
    tokens = _is_token(ids, padding)
    x = layers.Multiply()([layers.Embedding(vocabulary, width)(ids), tokens])
    found = []
    for window in WINDOWS:
        features = layers.Conv1D(filters, window, padding="same", activation="relu")(x)
        # ReLU gives at least 0, so the zeros of the padding are never larger than a feature of the text.
        found.append(layers.GlobalMaxPooling1D()(layers.Multiply()([features, tokens])))
    x = layers.Dropout(0.5)(layers.Concatenate()(found))
    return keras.Model(ids, layers.Dense(outputs)(x), name=name)


def transformer_encoder(
    name: str, input_shape: tuple[int, ...], outputs: int, widths: tuple[int, ...], vocabulary: int, padding: int
) -> keras.Model:
    """Blocks of attention between a text's tokens and of dense layers, each normalised before; the mean over tokens.

    The bias of one `EinsumDense`, of shape (length, width), is the position embedding, as in the zoo's `vit`.

    Args:
        name, input_shape, outputs, vocabulary, padding: as in `bag_of_embeddings`.
        widths: of a token's vector, and the number of blocks.

    Source: Vaswani et al., Attention Is All You Need, 2017, section 3; Xiong et al., On Layer Normalization in the
    Transformer Architecture, 2020, figure 1b, for the place of the normalisation.
    """
    import keras

    (length,), (width, blocks) = input_shape, widths
    heads = next(h for h in (4, 2, 1) if width % h == 0)
    layers = keras.layers
    ids = keras.Input(input_shape, dtype="int32")
    tokens = _is_token(ids, padding)
    seen = layers.Reshape((1, length))(tokens)  # (B, 1, T): every token sees the same ones
    x = layers.Embedding(vocabulary, width)(ids)
    positions = {"bias_axes": "te", "bias_initializer": "random_normal"}
    x = layers.EinsumDense("btd,de->bte", output_shape=(length, width), **positions)(x)
    for _ in range(blocks):
        normed = layers.LayerNormalization(epsilon=1e-6)(x)
        attention = layers.MultiHeadAttention(heads, width // heads, dropout=DROPOUT)
        x = layers.Add()([x, attention(normed, normed, attention_mask=seen)])
        hidden = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(x))
        x = layers.Add()([x, layers.Dropout(DROPOUT)(layers.Dense(width)(hidden))])
    x = _mean(layers.LayerNormalization(epsilon=1e-6)(x), tokens)
    return keras.Model(ids, layers.Dense(outputs)(x), name=name)


def _is_token(ids: Any, padding: int) -> Any:
    """1 for a token and 0 for padding, (B, T, 1): the squared distance of its id from the padding's, at most 1."""
    import keras

    layers = keras.layers
    x = layers.Rescaling(1.0, offset=float(-padding))(ids)
    if padding:
        x = layers.Multiply()([x, x])
    return layers.Reshape((ids.shape[1], 1))(layers.ReLU(max_value=1.0)(x))


def _mean(x: Any, tokens: Any) -> Any:
    """The mean over the tokens of (B, T, D); zeros for a text without any, where Keras's pooling divides 0 by 0.

    Of n tokens each has the weight 1/n: the square of what the L2 norm makes of a row of n ones.
    """
    import keras

    layers = keras.layers
    unit = layers.UnitNormalization(axis=1)(tokens)
    mean = layers.Dot(axes=1)([layers.Multiply()([unit, unit]), x])
    return layers.Reshape((x.shape[-1],))(mean)
