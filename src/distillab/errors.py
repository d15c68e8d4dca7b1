"""The error family, and the one way its messages are worded: what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator
from pathlib import Path

LONGEST = 2_000
"""Characters of a message; what is longer is cut in the middle, so that what to do is still read."""

SHOWN = 300
"""Characters of a value that a message shows."""


class DistillabError(Exception):
    """Anything distillab itself reports; its text is one clear line, fit to be shown without a traceback.

    What it quotes may come from a stranger's file: a line break or a terminal's escape in it is spelled out.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(in_one_line(message))


class RequestError(DistillabError, ValueError):
    """The request was wrong: nothing has been done, and the caller can mend it."""

    exit_code = 2


class WorkError(DistillabError, RuntimeError):
    """The request was right, but the work itself failed (no network, a full disk, a damaged folder)."""

    exit_code = 1


def not_allowed(name: str, given: object, allowed: str, do: str = "") -> RequestError:
    """Word a refusal in its three parts.

    Args:
        name: what the user calls the thing (`alpha`, `teacher.epochs`).
        given: the value received.
        allowed: the rule, to follow "it must be".
        do: what to do about it, a sentence; may be empty where the rule says it all.

    Returns:
        The error, for the caller to raise.

    Example:
        >>> str(not_allowed("alpha", 1.2, "a number from 0 to 1", "alpha=1 trains on the labels alone."))
        'alpha=1.2 is not allowed: it must be a number from 0 to 1. alpha=1 trains on the labels alone.'
    """
    message = f"{name}={shown(given)} is not allowed: it must be {allowed}."
    return RequestError(f"{message} {do}" if do else message)


def unknown(kind: str, given: str, known: Iterable[str]) -> RequestError:
    """Word the refusal of a name that does not exist, with the nearest one that does.

    Example:
        >>> str(unknown("data set", "mnits", ["digits", "mnist"]))
        "There is no data set 'mnits'. Did you mean 'mnist'? Known: digits, mnist."
    """
    names = sorted(known)
    nearest = difflib.get_close_matches(given[:SHOWN], names, n=1, cutoff=0.5)
    guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return RequestError(f"There is no {kind} {shown(given)}.{guess} Known: {', '.join(names)}.")


_MAKE_SPACE = " Make space; what is recorded stays, and the same command goes on from there."
TO_DO = {
    errno.ENOSPC: _MAKE_SPACE,
    errno.EDQUOT: _MAKE_SPACE,
    errno.EROFS: " Choose a folder that may be written.",
    errno.EACCES: " Choose a folder that you may write in.",
}
"""What to do about a place that cannot be written, by the system's number of the error."""


def cannot_write(place: Path, error: OSError) -> WorkError:
    """Word the failure of writing a file: which, why, and what to do.

    Args:
        place: what was being written, where the error itself does not say.
        error: what the system said.

    Example:
        >>> str(cannot_write(Path("study.yaml"), OSError(errno.EROFS, "Read-only file system")))
        'study.yaml cannot be written: Read-only file system. Choose a folder that may be written.'
    """
    short = error.errno is None and "requested and" in str(error)  # NumPy's words for a file that could not grow
    to_do = _MAKE_SPACE if short else TO_DO.get(error.errno or 0, "")
    return WorkError(f"{error.filename or place} cannot be written: {error.strerror or error}.{to_do}")


def in_one_line(text: str) -> str:
    """A text fit for one line of a terminal: what cannot be seen is spelled out, what is too long is cut.

    Example:
        >>> in_one_line("two\\nlines, \\x1b[31mred")
        'two\\\\nlines, \\\\x1b[31mred'
    """
    if len(text) > LONGEST:
        text = f"{text[: LONGEST * 2 // 3]} ... {text[-LONGEST // 3 :]}"
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def shown(value: object) -> str:
    """A value as Python writes it, cut where it is long: a few lines of YAML can stand for billions of values.

    Example:
        >>> shown([0, "a"]), len(shown(["a"] * 10**6))
        ("[0, 'a']", 304)
    """
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > SHOWN:
            return f"{text[:SHOWN]} ..."
    return text


def _pieces(value: object) -> Iterator[str]:
    """The parts of `repr(value)`, from left to right; nothing is written out before it is asked for."""
    if type(value) is list or (type(value) is tuple and len(value) != 1):
        left, right = "[]" if type(value) is list else "()"
        yield left
        for place, part in enumerate(value):
            yield ", " * (place > 0)
            yield from _pieces(part)
        yield right
    elif type(value) is dict:
        yield "{"
        for place, (key, part) in enumerate(value.items()):
            yield ", " * (place > 0)
            yield from _pieces(key)
            yield ": "
            yield from _pieces(part)
        yield "}"
    elif isinstance(value, int) and value.bit_length() > SHOWN:  # Python refuses to write the longest in decimals
        yield f"{value >> (value.bit_length() - SHOWN):#x}..."
    elif isinstance(value, str | bytes):
        yield repr(value[: SHOWN + 1])
    else:
        yield repr(value)
