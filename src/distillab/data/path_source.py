"""Data in files and folders: arrays, images, texts and shards; tables are read by `table_source`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distillab.data.archive import read_arrays
from distillab.data.array_store import ArrayStore
from distillab.data.catalogue import LOADERS
from distillab.data.folders import read_photographs
from distillab.data.frame import SUFFIXES
from distillab.data.named_arrays import named_arrays
from distillab.data.read_options import ReadOptions
from distillab.data.shards import folder_items, is_sample_archive, is_shard_folder, shard_items
from distillab.data.source import Source
from distillab.data.streams import Stream
from distillab.data.table_source import source_of_table, source_of_texts
from distillab.data.text_files import is_text_folder, read_text_folder
from distillab.errors import RequestError


def source_of_path(path: Path, options: ReadOptions, store: ArrayStore) -> Source:
    """Read a file or a folder.

    Args:
        path: an `.npz`, a table, a folder of images, texts or shards, or a `.tar` of samples.
        options: how data are read.
        store: allocates the arrays.

    Raises:
        RequestError: it is none of these, or damaged; the message says where.
    """
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return source_of_table(path, options, store)
    for name in ("sample_weight", "text", "drop"):
        if path.exists() and (value := getattr(options, name)):
            do = (
                "Give the weights as the array `weights` beside x and y."
                if name == "sample_weight"
                else "Leave it out."
            )
            raise RequestError(f"{name}={value!r} names a column of a table, and {path} is none. {do}")
    if suffix == ".npz":
        arrays = read_arrays(path, "Save it with numpy.savez_compressed(file, x=..., y=...).", None, store)
        return Source(path.stem, named_arrays(arrays, str(path)), store)
    if suffix == ".tar" and path.is_file() and is_sample_archive(path):
        return Source.of_stream(Stream(path.stem, shard_items([path])), store)
    if path.is_dir():
        return _of_folder(path, options, store)
    raise RequestError(
        f"There are no data {str(path)!r}. Give an .npz, a table ({', '.join(SUFFIXES)}), an image folder or "
        f"an archive of one, or one of {', '.join(LOADERS)}."
    )


def _of_folder(path: Path, options: ReadOptions, store: ArrayStore) -> Source:
    if is_text_folder(path):
        return source_of_texts(read_text_folder(path), path, store)
    if is_shard_folder(path):
        return Source.of_stream(Stream(path.name, folder_items(path)), store)
    found = read_photographs(path, size=options.size, store=store)
    arrays: dict[str, Any] = {f"x_{part}": inputs for part, inputs in found.inputs.items()}
    arrays |= {f"y_{part}": labels for part, labels in found.labels.items()}
    return Source(path.stem, arrays, store, found.class_names, found.notes, ids=found.files)
