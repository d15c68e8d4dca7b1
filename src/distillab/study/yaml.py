"""Reading the YAML of study files: plain values, unique keys, and limited merging."""

from __future__ import annotations

from typing import Any

import yaml

from distillab.errors import RequestError

MOST_KEYS = 10_000
"""Limit for one group: `<<` can expand a few lines to billions of keys."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which by itself accepts repeated keys and merges without a limit."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._checked: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if id(node) not in self._checked:  # an anchored group is flattened again after merging
            self._checked.add(id(node))
            self._check_once(node)
        super().flatten_mapping(node)
        if len(node.value) > MOST_KEYS:
            raise _wrong(f"a group has more than {MOST_KEYS:,} keys", node)

    def _check_once(self, node: yaml.MappingNode) -> None:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _wrong(f"the key {key.value!r} appears twice", key)
                seen.add((key.tag, key.value))


def _wrong(fault: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, fault, node.start_mark)


def read_yaml(text: str, refusal: str) -> Any:
    """Read a YAML text of plain values: strings, numbers, lists and groups.

    Args:
        text: the text.
        refusal: the beginning of the error message; the fault follows.

    Raises:
        RequestError: the text is not YAML, repeats a key, has an invalid value (a date in the 13th month) or a tag for
            a Python object, or is nested too deeply.
    """
    try:
        value: Any = _Loader(text).get_single_data()
    except RecursionError as error:
        raise RequestError(f"{refusal}: it is nested too deeply.") from error
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        # PyYAML's constructors raise the latter for values that look like numbers or dates.
        raise RequestError(f"{refusal}: {' '.join(str(error).split()) or type(error).__name__}") from error
    return value
