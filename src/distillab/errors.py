"""The error family, and the one way its messages are worded: what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path


class DistillabError(Exception):
    """Anything distillab itself reports; its text is one clear line, fit to be shown without a traceback."""

    exit_code = 1


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
    message = f"{name}={given!r} is not allowed: it must be {allowed}."
    return RequestError(f"{message} {do}" if do else message)


def unknown(kind: str, given: str, known: Iterable[str]) -> RequestError:
    """Word the refusal of a name that does not exist, with the nearest one that does.

    Example:
        >>> str(unknown("data set", "mnits", ["digits", "mnist"]))
        "There is no data set 'mnits'. Did you mean 'mnist'? Known: digits, mnist."
    """
    names = sorted(known)
    nearest = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return RequestError(f"There is no {kind} {given!r}.{guess} Known: {', '.join(names)}.")


_MAKE_SPACE = " Make space; what is recorded stays, and the same command goes on from there."
_TO_DO = {
    errno.ENOSPC: _MAKE_SPACE,
    errno.EDQUOT: _MAKE_SPACE,
    errno.EROFS: " Choose a folder that may be written.",
    errno.EACCES: " Choose a folder that you may write in.",
}


def cannot_write(place: Path, error: OSError) -> WorkError:
    """Word the failure of writing a file: which, why, and what to do.

    Args:
        place: what was being written, where the error itself does not say.
        error: what the system said.

    Example:
        >>> str(cannot_write(Path("study.yaml"), OSError(errno.EROFS, "Read-only file system")))
        'study.yaml cannot be written: Read-only file system. Choose a folder that may be written.'
    """
    to_do = _TO_DO.get(error.errno or 0, "")
    return WorkError(f"{error.filename or place} cannot be written: {error.strerror or error}.{to_do}")
