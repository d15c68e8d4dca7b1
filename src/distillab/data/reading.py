"""Reading a user's data in any supported form: labelled and unlabelled examples, and a separate test set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.data.archive import default_scale, read_arrays, with_channels
from distillab.data.array_store import ArrayStore
from distillab.data.catalogue import LOADERS, load
from distillab.data.dataset import ARRAYS, Dataset
from distillab.data.folders import read_photographs
from distillab.data.images import ARCHIVES
from distillab.data.labels import UNLABELLED, Array, Labels, Rows, as_partial_labels
from distillab.data.splits import stratified_split
from distillab.data.table import read_table
from distillab.errors import RequestError, not_allowed


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How data are read and split.

    Args:
        data_dir: the folder of named data sets.
        validation: fraction of the training examples used for validation, in (0, 1), without a validation part.
        test: fraction of the labelled examples used for testing, in (0, 1), without a test part.
        size: (H, W) for the images of a folder; by default the most frequent size.
        label: name of the label column of a table.
        seed: seed of the random splits.
        memory: bytes above which an array is memory-mapped from a file; by default a quarter of the free memory.

    Raises:
        RequestError: a fraction is out of range.
    """

    data_dir: Path | None = None
    validation: float = 0.1
    test: float = 0.2
    size: tuple[int, int] | None = None
    label: str | None = None
    seed: int = 0
    memory: int | None = None

    def __post_init__(self) -> None:
        for name in ("validation", "test"):  # checked even if the data have these parts
            fraction = getattr(self, name)
            if isinstance(fraction, bool) or not 0 < fraction < 1:
                raise not_allowed(name, fraction, "a number between 0 and 1, both excluded")


class _Source(NamedTuple):
    """Data as read, before they are checked and split."""

    name: str
    arrays: dict[str, Any]
    """x_train and y_train; perhaps x_test, y_test, x_validation, y_validation and x_unlabelled."""
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    scale: float | None = None


def read_data(data: Any, options: ReadOptions | None = None) -> Dataset:
    """Read data with validation and test parts; the parts that are missing are split off at random.

    Args:
        data: a path or the arrays themselves. Paths: an `.npz` with x and y, or x_train, y_train, x_test, y_test, and
            perhaps x_validation, y_validation, x_unlabelled; an image folder or an archive of one
            (`read_photographs`); a `.csv` (`read_table`); or a name such as "mnist". Arrays: `(x, y)`,
            `(x_train, y_train, x_test, y_test)`, a mapping of such names, a `Dataset`, a `tf.data.Dataset` or a
            `keras.utils.PyDataset` of (x, y). A label of -1 or NaN marks an unlabelled example.
        options: how data are read and split; by default `ReadOptions()`.

    Returns:
        The data set with fixed validation rows; features get a mean and a spread.

    Raises:
        RequestError: the data are unusable; the message says why.

    Example:
        >>> x, y = np.arange(80, dtype=np.float32).reshape(40, 2), np.arange(40) % 2
        >>> data = read_data((x, y), ReadOptions(validation=0.25, test=0.2))
        >>> len(data.training), len(data.validation), len(data.y_test)
        (24, 8, 8)
    """
    options = ReadOptions() if options is None else options
    store = ArrayStore(options.memory)
    source = _source(data, options, store)
    x, y, unlabelled = _separate_unlabelled(source.arrays, store)
    class_names = _class_names(y, source.class_names)
    rng = np.random.default_rng([11, options.seed])  # independent of every stream of a study
    notes = source.notes
    if "x_test" in source.arrays:
        x_test, y_test = _labelled_part(source.arrays, "test")
        x_test, y_test = x_test[y_test != UNLABELLED], y_test[y_test != UNLABELLED]
    else:
        rows, test_rows = stratified_split(y, share=options.test, rng=rng)
        x_test, x = store.gather([(x, test_rows)]), store.gather([(x, rows)])
        y_test, y = y[test_rows], y[rows]
        share = f"{len(y_test):,} labelled examples ({options.test:.0%})"
        notes = (*notes, f"The data have no test part: {share} were kept for it.")
    x, y, validation = _with_validation(x, y, source.arrays, options, rng, store)
    mean, spread = _standardisation(x)
    scale = default_scale(x) if source.scale is None else source.scale
    return Dataset(
        source.name, x, y, x_test, y_test, class_names, scale,
        validation=validation, unlabelled=unlabelled, mean=mean, spread=spread, notes=notes, store=store,
    )  # fmt: skip


def _separate_unlabelled(arrays: dict[str, Any], store: ArrayStore) -> tuple[Array, Labels, Array]:
    """Labelled inputs, their labels, and the unlabelled inputs."""
    x, y = _labelled_part(arrays, "train")
    known = y != UNLABELLED
    parts: list[tuple[Array, Rows | None]] = [(x, np.flatnonzero(~known))]
    if "x_unlabelled" in arrays:
        parts.append((_as_inputs(arrays["x_unlabelled"], "x_unlabelled"), None))
    unlabelled = store.gather(parts)
    if not known.all():
        x, y = store.gather([(x, np.flatnonzero(known))]), y[known]
    if len(y) == 0:
        raise RequestError("No example has a label. Choosing alpha and evaluating a student need labelled examples.")
    return x, y, unlabelled


def _class_names(y: Labels, names: tuple[str, ...] | None) -> tuple[str, ...]:
    """The names of the classes, by default their numbers; each must have a labelled example."""
    present = np.unique(y)  # a label of two billion must not create as many classes
    if len(present) < 2:
        raise RequestError(f"Every labelled example is of class {y[0]}; there must be at least 2 classes.")
    classes = len(names) if names is not None else int(present[-1]) + 1
    gaps = np.flatnonzero(present != np.arange(len(present)))
    if len(gaps) or len(present) < classes:
        missing = gaps[0] if len(gaps) else len(present)
        raise RequestError(
            f"No labelled example is of class {missing}, and the largest is {classes - 1}. Number the classes from "
            "0 without a gap."
        )
    return names if names is not None else tuple(str(number) for number in range(classes))


def _with_validation(
    x: Array, y: Labels, arrays: dict[str, Any], options: ReadOptions, rng: np.random.Generator, store: ArrayStore
) -> tuple[Array, Labels, Rows]:
    """Training inputs and labels including the validation examples, and the rows of those."""
    if "x_validation" not in arrays:
        return x, y, stratified_split(y, share=options.validation, rng=rng)[1]
    x_validation, y_validation = _labelled_part(arrays, "validation")
    rows = np.arange(len(x), len(x) + len(x_validation))
    return store.gather([(x, None), (x_validation, None)]), np.concatenate([y, y_validation]), rows


def _standardisation(x: Array) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    """Mean and standard deviation of each feature; None for images."""
    if x.ndim != 2:
        return None, None
    rows = np.ascontiguousarray(x)  # the order of the sums depends on the layout
    with np.errstate(invalid="ignore"):  # `Dataset` reports infinities
        mean, spread = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
    return mean.astype(np.float32), np.maximum(spread, 1e-6).astype(np.float32)


def _source(data: Any, options: ReadOptions, store: ArrayStore) -> _Source:
    if isinstance(data, str) and data in LOADERS:
        data = load(data, data_dir=options.data_dir)
    if isinstance(data, Dataset):
        arrays = {name: getattr(data, name) for name in ARRAYS}
        return _Source(data.name, arrays, data.class_names, scale=data.scale)
    if isinstance(data, (str, Path)):
        return _from_path(Path(data).expanduser(), options, store)
    name = type(data).__name__
    if isinstance(data, Mapping):
        return _Source(name, _renamed(dict(data), "data"))
    if isinstance(data, (tuple, list)) and len(data) in (2, 4):
        return _Source(name, dict(zip(ARRAYS, data, strict=False)))
    return _Source(name, _from_batches(data))


def _from_path(path: Path, options: ReadOptions, store: ArrayStore) -> _Source:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        table = read_table(path, label=options.label)
        return _Source(path.stem, {"x_train": table.x, "y_train": table.y}, table.class_names)
    if suffix == ".npz":
        arrays = read_arrays(path, "Save it with numpy.savez_compressed(file, x=..., y=...).", None, store)
        return _Source(path.stem, _renamed(arrays, str(path)))
    if path.is_dir():
        photographs = read_photographs(path, size=options.size, store=store)
        arrays = {}
        for part in photographs.inputs:
            arrays |= {f"x_{part}": photographs.inputs[part], f"y_{part}": photographs.labels[part]}
        return _Source(path.stem, arrays, photographs.class_names, photographs.notes)
    if path.name.lower().endswith(ARCHIVES):
        return _source(load(path), options, store)._replace(name=path.stem)
    raise RequestError(
        f"There are no data {str(path)!r}. Give an .npz, a .csv, an image folder or an archive of one, or one of "
        f"{', '.join(LOADERS)}."
    )


def _renamed(arrays: dict[str, Any], where: str) -> dict[str, Any]:
    """The arrays with x and y renamed to x_train and y_train."""
    if "x" in arrays and "y" in arrays:
        arrays = {**arrays, "x_train": arrays["x"], "y_train": arrays["y"]}
    paired = all((f"x_{part}" in arrays) == (f"y_{part}" in arrays) for part in ("train", "test", "validation"))
    if not paired or "x_train" not in arrays:
        raise RequestError(
            f"{where}: found {', '.join(sorted(arrays)) or 'nothing'}; expected x and y, or x_train, y_train, x_test "
            "and y_test; perhaps x_validation, y_validation and x_unlabelled."
        )
    return arrays


def _from_batches(data: Any) -> dict[str, Any]:
    """All examples of a tf.data.Dataset or a PyDataset, batched or not."""
    if hasattr(data, "as_numpy_iterator"):
        batches = list(data.as_numpy_iterator())
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        batches = [data[number] for number in range(len(data))]
    else:
        allowed = "a path, a name, (x, y), a mapping, a Dataset, a tf.data.Dataset or a PyDataset"
        raise not_allowed("data", type(data).__name__, allowed)
    if not batches or not all(isinstance(batch, (tuple, list)) and len(batch) >= 2 for batch in batches):
        raise RequestError("The data set gives no pairs of inputs and labels (x, y).")
    join = np.stack if np.ndim(batches[0][1]) == 0 else np.concatenate
    return {name: join([np.asarray(batch[index]) for batch in batches]) for index, name in enumerate(ARRAYS[:2])}


def _labelled_part(arrays: dict[str, Any], part: str) -> tuple[Array, Labels]:
    x, y = f"x_{part}", f"y_{part}"
    return _as_inputs(arrays[x], x), as_partial_labels(arrays[y], y, len(arrays[x]))


def _as_inputs(values: ArrayLike, name: str) -> Array:
    """Inputs as (N, H, W, C) or (N, F), bytes or float32."""
    array = with_channels(np.asarray(values))
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "fiub":
        raise not_allowed(f"{name}.dtype", str(array.dtype), "bytes or numbers")
    return array.astype(np.float32)
