"""YAML as study files hold it: plain values alone, every key once, and no more of them than were written down."""

from __future__ import annotations

from typing import Any

import yaml

from distillab.errors import RequestError

MOST_KEYS = 10_000
"""Of one group; `<<` can make billions of a few lines."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which takes the last of two equal keys in silence, and merges without end."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._checked: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if id(node) not in self._checked:  # a group with an anchor comes by again, with what was merged into it
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
                    raise _wrong(f"the key {key.value!r} is there twice", key)
                seen.add((key.tag, key.value))


def _wrong(told: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, told, node.start_mark)


def read_yaml(text: str, refusal: str) -> Any:
    """Read a YAML text of plain values: words, numbers, lists and groups.

    Args:
        text: the text.
        refusal: how to begin the message where it is none; what is wrong follows.

    Raises:
        RequestError: it is not YAML, a key is there twice, a value is none (a date in the 13th month), or it is
            nested too deeply; tags that would make objects of Python's own are no YAML here.
    """
    try:
        value: Any = _Loader(text).get_single_data()
    except RecursionError as error:
        raise RequestError(f"{refusal}: it is nested too deeply.") from error
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        # All but the first are what PyYAML's constructors raise of values that look like numbers or dates.
        raise RequestError(f"{refusal}: {' '.join(str(error).split()) or type(error).__name__}") from error
    return value
