"""Models of the zoo for a data set."""

from __future__ import annotations

import keras

from distillab.data import Dataset
from distillab.errors import RequestError
from distillab.models import NO_DROPOUT, Dropout, build


def zoo_model(name: str, dataset: Dataset, dropout: Dropout = NO_DROPOUT) -> keras.Model:
    """Build a model of the zoo that reads a data set's inputs and gives its outputs.

    Args:
        name: architecture and widths, such as "cnn-16-32".
        dataset: the data.
        dropout: of an architecture of dense layers.

    Raises:
        RequestError: the name is unknown or does not fit the data.
    """
    if dataset.x_train.dtype.names is not None:
        raise RequestError(
            f"{name} reads one input, and the data have several: {', '.join(dataset.input_shapes)}. Give a student of "
            "these inputs: a keras.Model, a .keras file or module:function."
        )
    vocabulary, padding = dataset.vocabulary, dataset.padding
    shape, outputs = dataset.student_shape, dataset.outputs
    return build(name, shape, outputs, vocabulary=vocabulary, padding=padding, dropout=dropout)
