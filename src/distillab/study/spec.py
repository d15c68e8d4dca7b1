"""A study's specification: one small mapping, checked once, in which a list makes an axis."""

from __future__ import annotations

import functools
import itertools
import math
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from distillab.data.catalogue import task_of
from distillab.errors import RequestError, not_allowed, shown, unknown
from distillab.study.checking import validated
from distillab.study.clean_labels import check_robust
from distillab.study.settings import OF_PROBABILITIES, SEARCH_KEYS, Objective, Settings
from distillab.study.yaml import read_yaml
from distillab.tasks import SEVERAL, TASKS, task_named

PRESETS = Path(__file__).with_name("presets")
MATRIX = "noise.matrix"  # the one setting whose single value is a list
QUICK = "quick"  # where a file gives its quick size; no part of the study itself
LARGEST_STUDY = 1_000_000  # trials; more is surely a typing error
SEARCH = "search"
"""The key of a `study.yaml` that holds a search's request instead of a grid."""

KEYS = {
    key: field for key, field in {**Objective.model_fields, **Settings.model_fields}.items() if key not in SEARCH_KEYS
}
"""The keys of a study file."""


@dataclass(frozen=True)
class Axis:
    """A setting that takes several values, crossed with the other axes."""

    key: str  # dotted, as in `noise.rate`
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Cell:
    """One point of a study's grid: its settings, and where it lies on every axis."""

    settings: Settings
    coordinates: Mapping[str, Any]


@dataclass(frozen=True)
class Spec:
    """A checked study.

    Args:
        objective: the question, the number of seeds, the metric and the margin.
        base: the settings, each axis at its first value.
        axes: in the order of the settings.
    """

    objective: Objective
    base: Settings
    axes: tuple[Axis, ...]

    def cells(self) -> Iterator[Cell]:
        """Cross the axes; the first axis varies slowest."""
        for values in itertools.product(*(axis.values for axis in self.axes)):
            coordinates = {axis.key: value for axis, value in zip(self.axes, values, strict=True)}
            tree = self.base.model_dump()
            for key, value in coordinates.items():
                tree = _with(tree, key, value)
            yield Cell(validated(Settings, tree), coordinates)

    @property
    def size(self) -> int:
        """The number of trials."""
        return math.prod(len(axis.values) for axis in self.axes) * self.objective.seeds

    def to_mapping(self) -> dict[str, Any]:
        """The whole specification, defaults filled in; `read_spec` gives it back unchanged."""
        aside = {*SEARCH_KEYS} if task_named(self.base.task).softens else {*SEARCH_KEYS, "temperature"}
        tree = self.objective.model_dump() | self.base.model_dump(exclude=aside)
        for axis in self.axes:
            tree = _with(tree, axis.key, list(axis.values))
        return tree

    def to_yaml(self) -> str:
        """The whole specification as a study file."""
        return yaml.safe_dump(self.to_mapping(), sort_keys=False, allow_unicode=True, width=120)

    def differs_from(self, other: Spec | SearchSpec) -> list[str]:
        """The keys in which two studies differ, except the number of seeds: more seeds continue a study.

        Args:
            other: of the folder.
        """
        if isinstance(other, SearchSpec):
            return ["search"]
        ours, theirs = _flatten(self.to_mapping()), _flatten(other.to_mapping())
        keys = dict.fromkeys([*ours, *theirs])
        aside = {
            "seeds",
            "question",
            "metric",
            "margin",
            "choose",
        }  # how long, and how it is looked at: not what was trained
        return [key for key in keys if key not in aside and ours.get(key) != theirs.get(key)]


@dataclass(frozen=True)
class SearchSpec:
    """A study whose trials a search proposes: a distillation.

    Args:
        search: its resolved request, plain values.
    """

    search: Mapping[str, Any]

    @property
    def metric(self) -> str:
        """The metric that chooses among its trials; every one of them is evaluated by it."""
        return str(self.search.get("metric") or "accuracy")

    def to_yaml(self) -> str:
        """The request as a study file."""
        return yaml.safe_dump({SEARCH: dict(self.search)}, sort_keys=False, allow_unicode=True, width=120)

    def differs_from(self, other: Spec | SearchSpec) -> list[str]:
        """The same of a search: none with another search, whose trials join its own.

        Args:
            other: of the folder.
        """
        return [] if isinstance(other, SearchSpec) else ["search"]


def read_spec(tree: Any, *, source: str = "the study") -> Spec:
    """Check a study's mapping.

    Args:
        tree: keys and values as in a study file.
        source: what to call it in messages.

    Raises:
        RequestError: an unknown key, a value of the wrong type or out of range, an empty or repeating axis; the message
            names the key.

    Example:
        >>> spec = read_spec({"dataset": "digits", "alpha": [0, 0.5, 1], "seeds": 2})
        >>> spec.size
        6
    """
    if not isinstance(tree, Mapping):
        raise RequestError(f"{source} is not a study: it holds {type(tree).__name__}, and must hold keys and values.")
    if "dataset" not in tree:
        raise RequestError(f"{source} names no dataset. Add a line such as 'dataset: digits'.")
    tree = {key: value for key, value in tree.items() if key != QUICK}
    _check_keys(tree, KEYS, "")
    tree = _with_task(tree)
    objective = validated(Objective, {key: tree[key] for key in Objective.model_fields if key in tree})
    first: dict[str, Any] = {key: tree[key] for key in Settings.model_fields if key in tree}
    lists = list(_axes(first))
    for key, values in lists:
        if not values:
            raise not_allowed(key, values, "a value, or a list of at least one")
        first = _with(first, key, values[0])
    base = validated(Settings, first)
    axes = []
    for key, values in lists:
        checked = tuple(_checked(_with(first, key, value), key) for value in values)
        if any(value in checked[:index] for index, value in enumerate(checked)):
            raise not_allowed(key, values, "a list without repetitions")
        axes.append(Axis(key, checked))
    order = list(_flatten(base.model_dump()))
    places = {axis.key: _place(axis.key, order) for axis in axes}
    axes.sort(key=lambda axis: places[axis.key])
    spec = Spec(objective, base, tuple(axes))
    if spec.size > LARGEST_STUDY:
        raise RequestError(f"{source} has {spec.size:,} trials, more than {LARGEST_STUDY:,}. Shorten an axis.")
    _check_crossings(spec)
    return spec


def _place(key: str, order: Sequence[str]) -> int:
    """Where an axis stands among the settings; one whose first value is empty, after all others."""
    return next((index for index, other in enumerate(order) if f"{other}.".startswith(f"{key}.")), len(order))


def _with_task(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with its task, by default that of a named data set, and the defaults that the task changes."""
    name = tree.get("task") or task_of(str(tree["dataset"])) or "categorical"
    if not isinstance(name, str) or name not in (*TASKS, SEVERAL):  # refused below
        return {**tree, "task": name}
    task = task_named(name)
    allowed = dict.fromkeys((*task.metrics, *task.map_metrics))
    of_output = name == SEVERAL and "." in str(tree.get("metric"))  # the data tell its outputs
    if isinstance(metric := tree.get("metric"), str) and metric not in allowed and not of_output:
        raise unknown(f"metric of task={name}", metric, allowed)
    if not task.softens and "temperature" in tree:
        task.check_temperature(tree["temperature"])
    defaults = {"metric": task.metrics[0], "loss": task.losses[0], "label_loss": task.label_losses[0]}
    filled = {"task": name, **(defaults if name != "categorical" else {}), **tree}
    noise = tree.get("noise")
    if isinstance(noise, Mapping) and "kind" not in noise and name not in ("categorical", SEVERAL):
        filled["noise"] = {"kind": task.noise[0], **noise}
    return filled


def _checked(tree: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key, as a whole tree of settings has it once checked."""
    written = {"outputs": {}} | validated(Settings, tree).model_dump()  # no outputs are not written
    return functools.reduce(operator.getitem, key.split("."), written)


def _check_crossings(spec: Spec) -> None:
    """Refuse values that are each allowed but not together; those of alpha go with everything."""
    if spec.objective.choose == "robust":
        check_robust(task_named(spec.base.task), positions=False)
    for axis in spec.axes:
        if axis.key == "dataset" and len(axis.values) > 1:
            do = "Run a study for each of them, in a folder of its own."
            raise not_allowed("dataset", list(axis.values), "a single data set", do)
        if axis.key == "task":
            raise not_allowed("task", list(axis.values), "a single task, that of the data set")
    crossed = Spec(spec.objective, spec.base, tuple(axis for axis in spec.axes if axis.key != "alpha"))
    for cell in crossed.cells():
        if spec.objective.choose == "robust" and cell.settings.loss == "teacher_free":
            do = "Without a teacher nothing tells which validation labels are wrong."
            raise not_allowed("choose", "robust", "metric with loss=teacher_free", do)
        if cell.settings.label_loss == "squared" and spec.objective.metric in OF_PROBABILITIES:
            do = "Outputs that estimate the labels are no probabilities: compare by accuracy or brier."
            allowed = "one that needs no probabilities with label_loss=squared"
            raise not_allowed("metric", spec.objective.metric, allowed, do)


def load_spec(name: str | os.PathLike[str], overrides: Sequence[str] = (), *, quick: bool = False) -> Spec:
    """Read a study by name or from a file, and apply `KEY=VALUE` overrides.

    Args:
        name: a preset's name, or the path of a YAML file.
        overrides: as given to `--set`; a comma makes a list.
        quick: at the size that the file gives under `quick`.

    Raises:
        RequestError: no such study, a file that is not YAML, or whatever `read_spec` refuses.
    """
    path = study_file(name)
    tree = _read_file(path)
    if quick:
        tree = _quick(tree, str(path))
    for override in overrides:
        tree = _override(tree, override)
    return read_spec(tree, source=str(path) if path.parent != PRESETS else f"The preset {name!r}")


def load_folder_spec(path: str | os.PathLike[str]) -> Spec | SearchSpec:
    """Read the `study.yaml` of a folder: a study's grid, or the request of a search.

    Args:
        path: the file.

    Raises:
        RequestError: it is neither.
    """
    tree = _read_file(Path(path))
    if isinstance(tree, Mapping) and isinstance(tree.get(SEARCH), Mapping):
        return SearchSpec(tree[SEARCH])
    return read_spec(tree, source=str(path))


def presets() -> dict[str, Path]:
    """The studies that come with distillab, by name."""
    return {path.stem: path for path in sorted(PRESETS.glob("*.yaml"))}


def study_file(name: str | os.PathLike[str]) -> Path:
    """The file of a study.

    Args:
        name: as in `load_spec`.
    """
    known, is_path = presets(), not isinstance(name, str)
    name = os.fspath(name)
    if name in known and not is_path:
        return known[name]
    if is_path or name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name)
        if not path.is_file():
            raise RequestError(f"There is no study file {name!r}. Give a YAML file, or a preset: {', '.join(known)}.")
        return path
    raise unknown("study", name, known)


def _read_file(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is not a YAML file: {error}") from error
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}.") from error
    return read_yaml(text, f"{path} is not a YAML file")


def _quick(tree: Any, source: str) -> Any:
    """The study at its quick size: the keys under `quick`, dotted or in groups, take the place of its own."""
    small = tree.get(QUICK) if isinstance(tree, Mapping) else None
    if not isinstance(small, Mapping):
        raise RequestError(f"{source} gives no quick size. Add a line such as 'quick: {{seeds: 2, epochs: 1}}'.")
    for key, value in _flatten(small).items():
        tree = _set(tree, str(key), value)
    return tree


def _override(tree: Any, override: str) -> Any:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RequestError(f"--set {shown(override)} is not allowed: it must be KEY=VALUE, such as --set seeds=3.")
    listed = "," in text and not text.lstrip().startswith(("[", "{", '"', "'"))
    value = read_yaml(f"[{text}]" if listed else text, f"--set {shown(override)} is not allowed: its value is not YAML")
    return _set(tree, key, value) if isinstance(tree, Mapping) else tree


def _set(tree: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy of a study's mapping with one key set, checked to be one."""
    top, *inner = key.split(".")
    if len(inner) > 1:
        raise RequestError(f"There is no key {shown(key)}: a key has one dot at most, as in noise.rate.")
    _check_keys({top: None}, KEYS, "")
    if "." in key and isinstance(tree.get(top), list):  # an axis of groups: every one of them is changed
        return {**tree, top: [_with({top: group}, key, value)[top] for group in tree[top]]}
    return _with(tree, key, value)


def _check_keys(tree: Mapping[Any, Any], fields: Mapping[str, Any], prefix: str) -> None:
    for key, value in tree.items():
        if key not in fields:
            raise unknown("key", f"{prefix}{key}", [f"{prefix}{name}" for name in fields])
        group = fields[key].annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, Mapping):
                    _check_keys(part, group.model_fields, f"{prefix}{key}.")


def _axes(tree: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """The lists among the settings and in their groups; groups within those are none, and refused elsewhere."""
    for key, value in _flatten(tree).items():
        if isinstance(value, list) and not (key == MATRIX and _is_matrix(value)):
            yield key, value


def _is_matrix(value: list[Any]) -> bool:
    """Whether a list is one matrix, and not several of them."""
    return all(isinstance(row, list) and not any(isinstance(share, list) for share in row) for row in value)


def _with(tree: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy of a tree with one key set; missing groups are made."""
    head, dot, rest = key.partition(".")
    if not dot:
        return {**tree, head: value}
    group = tree.get(head)
    return {**tree, head: _with(group if isinstance(group, Mapping) else {}, rest, value)}


def _flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys; groups lie one level deep, and whatever lies deeper is a value."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{part}": inner for part, inner in value.items()}
        else:
            flat[f"{key}"] = value
    return flat
