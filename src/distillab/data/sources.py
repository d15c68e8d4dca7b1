"""A user's data of any form: paths, arrays, mappings, data sets, streams."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distillab.data.array_store import ArrayStore
from distillab.data.catalogue import LOADERS, load
from distillab.data.dataset import ARRAYS, Dataset
from distillab.data.images import ARCHIVES
from distillab.data.named_arrays import named_arrays
from distillab.data.path_source import source_of_path
from distillab.data.read_options import ReadOptions
from distillab.data.shards import is_sample_archive, is_shards
from distillab.data.source import Source
from distillab.data.streams import opened_stream
from distillab.data.text import is_texts


def read_source(data: Any, options: ReadOptions) -> Source:
    """Read the arrays of data, before it is known what the labels mean.

    Args:
        data: as for `read_data`.
        options: how data are read.

    Raises:
        RequestError: the data cannot be read.
    """
    store = ArrayStore(options.memory)
    if isinstance(data, str) and data in LOADERS:
        data = load(data, data_dir=options.data_dir)
    if isinstance(data, Dataset):
        arrays = {name: getattr(data, name) for name in ARRAYS}
        arrays |= {} if data.weights is None else {"w_train": data.weights}
        task = data.task if data.task.parts else None if data.task.name == "categorical" else data.task.name
        source = Source(data.name, arrays, store, data.class_names, scale=data.scale, task=task)
        text = data.text
        return source if text is None else source.of_texts({"x_train": text.train, "x_test": text.test})
    if is_shards(data):
        return Source.of_stream(opened_stream(data), store)
    if isinstance(data, str | os.PathLike):
        path = Path(data).expanduser()
        if path.name.lower().endswith(ARCHIVES) and not is_sample_archive(path):
            return read_source(load(path), options)._replace(name=path.stem)
        return source_of_path(path, options, store)
    name = type(data).__name__
    if isinstance(data, Mapping):
        source = Source(name, named_arrays(dict(data), "data"), store)
    elif isinstance(data, (tuple, list)) and len(data) == 3:
        source = Source(name, dict(zip(("x_train", "y_train", "w_train"), data, strict=True)), store)
    elif isinstance(data, (tuple, list)) and len(data) in (2, 4):
        source = Source(name, dict(zip(ARRAYS, data, strict=False)), store)
    else:
        source = Source.of_stream(opened_stream(data), store)
    texts = {key: value for key, value in source.arrays.items() if key.startswith("x_") and is_texts(value)}
    return source.of_texts(texts) if texts else source
