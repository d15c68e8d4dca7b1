"""Checking plain values against a pydantic model, with errors in three parts: given, allowed, what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from distillab.errors import DistillabError, RequestError, not_allowed

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], tree: Any) -> M:
    """Check a mapping against a model.

    Args:
        model: the pydantic model.
        tree: keys and values.

    Raises:
        RequestError: a value of the wrong type or out of range; the message names its key.

    Example:
        >>> from distillab.study.settings import Settings
        >>> validated(Settings, {"dataset": "digits", "loss": "kll"})
        Traceback (most recent call last):
        distillab.errors.RequestError: loss='kll' is not allowed: it must be one of 'kl', ... Did you mean 'kl'?
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"] if not str(part).startswith(_UNION_MEMBERS))
        reason = fault.get("ctx", {}).get("error")
        if isinstance(reason, DistillabError):  # one about several keys names them itself
            group = not key or isinstance(fault["input"], Mapping)
            raise RequestError(str(reason) if group else f"{key}: {reason}") from None
        raise not_allowed(key, fault["input"], _allowed(fault), _guess(fault)) from None


_UNION_MEMBERS = ("constrained-", "function-", "literal[", "float", "int", "str", "none")
"""What pydantic adds to a key to say which member of a union it tried."""


_RULES = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "greater than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "a number"),
    "finite_number": "a finite number",
    "string_type": "a word",
    **dict.fromkeys(("model_type", "model_attributes_type"), "a group of keys and values"),
}
"""By pydantic's type of fault, what a key may hold, in words that follow "it must be"."""


def _allowed(fault: Any) -> str:
    limits = fault.get("ctx", {})
    if fault["type"] == "literal_error":
        return f"one of {limits['expected'].replace(' or ', ', ')}"
    if fault["type"] == "value_error":
        return str(limits["error"])
    rule = _RULES.get(fault["type"])
    if rule is None:
        return str(fault["msg"])
    numbers = {name: value for name, value in limits.items() if isinstance(value, int | float)}
    return rule.format(**{name: f"{v:,}" if isinstance(v, int) else f"{v:g}" for name, v in numbers.items()})


def _guess(fault: Any) -> str:
    if fault["type"] != "literal_error" or not isinstance(fault["input"], str):
        return ""
    names = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
    nearest = difflib.get_close_matches(fault["input"][:100], names, n=1, cutoff=0.5)
    return f"Did you mean {nearest[0]!r}?" if nearest else ""
