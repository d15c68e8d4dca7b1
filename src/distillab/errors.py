"""The exceptions, and the wording of their messages: what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator
from pathlib import Path

LONGEST = 2_000
"""Characters of a message; a longer one is cut in the middle, so that the remedy at its end remains."""

SHOWN = 300
"""Characters of a value that a message shows."""


class DistillabError(Exception):
    """The base of all errors that distillab reports; the message is one line.

    A message may quote untrusted files: line breaks and terminal escapes in it are written as escape sequences.

    Args:
        message: the text.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(in_one_line(message))


class RequestError(DistillabError, ValueError):
    """The request was wrong: nothing has been done, and the caller can correct it."""

    exit_code = 2


class WorkError(DistillabError, RuntimeError):
    """The request was right, but the work failed (no network, a full disk, a damaged folder)."""

    exit_code = 1


def not_allowed(name: str, given: object, allowed: str, do: str = "") -> RequestError:
    """Make the error for an invalid value, for the caller to raise.

    Args:
        name: the name that the user knows (`alpha`, `teacher.epochs`).
        given: the value received.
        allowed: the rule, to follow "it must be".
        do: the remedy, a sentence; empty if the rule is enough.

    Example:
        >>> str(not_allowed("alpha", 1.2, "a number from 0 to 1", "alpha=1 trains on the labels alone."))
        'alpha=1.2 is not allowed: it must be a number from 0 to 1. alpha=1 trains on the labels alone.'
    """
    message = f"{name}={shown(given)} is not allowed: it must be {allowed}."
    return RequestError(f"{message} {do}" if do else message)


def unknown(kind: str, given: str, known: Iterable[str]) -> RequestError:
    """Make the error for a name that does not exist, with the nearest one that does.

    Args:
        kind: the kind of name ("data set").
        given: the name received.
        known: the names that exist.

    Example:
        >>> str(unknown("data set", "mnits", ["digits", "mnist"]))
        "There is no data set 'mnits'. Did you mean 'mnist'? Known: digits, mnist."
    """
    names = sorted(known)
    nearest = difflib.get_close_matches(given[:SHOWN], names, n=1, cutoff=0.5)
    guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return RequestError(f"There is no {kind} {shown(given)}.{guess} Known: {', '.join(names)}.")


MAKE_SPACE = "Make space and run the same command again; recorded results are kept."
"""The remedy for a full disk."""

TO_DO = {
    errno.ENOSPC: MAKE_SPACE,
    errno.EDQUOT: MAKE_SPACE,
    errno.EROFS: "Choose a folder that may be written.",
    errno.EACCES: "Choose a folder in which you may write.",
}
"""The remedy for a path that cannot be written, by the system's error number."""


def cannot_write(path: Path, error: OSError) -> WorkError:
    """Make the error for a file that cannot be written: which, why, and what to do.

    Args:
        path: the file, used if the system's error names none.
        error: the system's error.

    Example:
        >>> str(cannot_write(Path("study.yaml"), OSError(errno.EROFS, "Read-only file system")))
        'study.yaml cannot be written: Read-only file system. Choose a folder that may be written.'
    """
    short = error.errno is None and "requested and" in str(error)  # NumPy's message for a file that could not grow
    remedy = MAKE_SPACE if short else TO_DO.get(error.errno or 0, "")
    return WorkError(f"{error.filename or path} cannot be written: {error.strerror or error}. {remedy}".rstrip())


def in_one_line(text: str) -> str:
    """Make a text safe for one line of a terminal: escape unprintable characters, shorten a long text.

    Args:
        text: any text.

    Example:
        >>> in_one_line("two\\nlines, \\x1b[31mred")
        'two\\\\nlines, \\\\x1b[31mred'
    """
    if len(text) > LONGEST:
        text = f"{text[: LONGEST * 2 // 3]} ... {text[-LONGEST // 3 :]}"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def reason(error: BaseException) -> str:
    """An error's text on one line without its full stop, for use inside another message; by default its class's name.

    Args:
        error: of any library.
    """
    return " ".join(str(error).split())[:SHOWN].rstrip(". ") or type(error).__name__


def shown(value: object) -> str:
    """The `repr` of a value, cut at `SHOWN` characters: a few lines of YAML can stand for billions of values.

    Args:
        value: any value.

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
    """The parts of `repr(value)`, from left to right, generated lazily."""
    if type(value) is list or (type(value) is tuple and len(value) != 1):
        left, right = "[]" if type(value) is list else "()"
        yield left
        for index, part in enumerate(value):
            yield ", " * (index > 0)
            yield from _pieces(part)
        yield right
    elif type(value) is dict:
        yield "{"
        for index, (key, part) in enumerate(value.items()):
            yield ", " * (index > 0)
            yield from _pieces(key)
            yield ": "
            yield from _pieces(part)
        yield "}"
    elif isinstance(value, int) and value.bit_length() > SHOWN:  # Python converts no very long integer to decimals
        yield f"{value >> (value.bit_length() - SHOWN):#x}..."
    elif isinstance(value, str | bytes):
        yield repr(value[: SHOWN + 1])
    else:
        yield repr(value)
