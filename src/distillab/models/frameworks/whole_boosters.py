"""Whether a file of boosted trees is whole: XGBoost fills the memory with one that is cut, and LightGBM ends Python."""

from __future__ import annotations

import re
import struct

WIDTHS = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8, b"C": 1, b"T": 0, b"F": 0, b"Z": 0, b"N": 0}
"""Bytes of each type of UBJSON that has a fixed length."""

INTEGERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q"}
"""Types of UBJSON in which lengths are written."""

DEEPEST = 50


def is_whole_ubjson(contents: bytes) -> bool:
    """Whether all values of a UBJSON object lie inside its bytes, and nothing follows.

    Args:
        contents: of a file.

    Example:
        >>> is_whole_ubjson(b"{U\\x01aU\\x05}"), is_whole_ubjson(b"{U\\x01aU")
        (True, False)
    """
    try:
        return contents[:1] == b"{" and _value(contents, 0, 0) == len(contents)
    except (ValueError, struct.error):
        return False


def _value(of: bytes, at: int, depth: int) -> int:
    """Where the value at a position ends."""
    return _body(of, at + 1, of[at : at + 1], depth)


def _body(of: bytes, at: int, kind: bytes, depth: int) -> int:
    if kind in WIDTHS:
        return _inside(of, at + WIDTHS[kind])
    if kind in (b"S", b"H"):
        length, at = _length(of, at)
        return _inside(of, at + length)
    if kind not in (b"{", b"[") or depth > DEEPEST:
        raise ValueError("no value")
    inner = b""
    if of[at : at + 1] == b"$":
        inner, at = of[at + 1 : at + 2], at + 2
    end, number = b"}" if kind == b"{" else b"]", -1
    if of[at : at + 1] == b"#":
        number, at = _length(of, at + 1)
    elif inner:
        raise ValueError("a type without a number")
    if kind == b"[" and inner in WIDTHS:
        return _inside(of, at + number * WIDTHS[inner])
    while number > 0 or (number < 0 and of[at : at + 1] != end):
        if kind == b"{":
            length, at = _length(of, at)
            at = _inside(of, at + length)
        at = _body(of, at, inner, depth + 1) if inner else _value(of, at, depth + 1)
        number -= number > 0
        if number == 0:
            return at
    return at if number == 0 else at + 1


def _length(of: bytes, at: int) -> tuple[int, int]:
    form = INTEGERS.get(of[at : at + 1])
    if form is None:
        raise ValueError("no length")
    (length,) = struct.unpack_from(form, of, at + 1)
    if length < 0:
        raise ValueError("a negative length")
    return length, at + 1 + struct.calcsize(form)


def _inside(of: bytes, at: int) -> int:
    if at > len(of):
        raise ValueError("cut short")
    return at


def is_whole_lightgbm(contents: bytes) -> bool:
    """Whether a text of LightGBM has each tree that its header announces, at its length.

    Args:
        contents: of a file.
    """
    sizes = re.search(rb"^tree_sizes=([\d ]*)$", contents, re.MULTILINE)
    start = contents.find(b"\nTree=0") + 1
    if sizes is None or not start:
        return False
    for number, size in enumerate(map(int, sizes[1].split())):
        if not contents.startswith(b"Tree=%d\n" % number, start):
            return False
        start += size
    return contents[start:].lstrip().startswith(b"end of trees")
