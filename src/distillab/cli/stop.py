"""Stopping a run cleanly: the current epoch is finished, and recording is never interrupted."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import ClassVar

import click

from distillab.study.progress import Progress


class Terminated(BaseException):
    """The process received SIGTERM; like `KeyboardInterrupt`, it is not an `Exception`."""


class Stop:
    """Forwards the progress of a run, and stops it between two epochs after SIGINT or SIGTERM. A second signal stops
    it at once, and so does the first before training has begun.

    Args:
        listener: receives the progress.

    Example:
        >>> from distillab.study.progress import Silence
        >>> with Stop(Silence()) as progress:
        ...     progress.students(0, 8, 8)
    """

    interrupted: ClassVar[bool] = False
    """Whether SIGINT has arrived since the command began."""

    def __init__(self, listener: Progress) -> None:
        self._listener, self.note = listener, listener.note
        self._asked: int | None = None
        self._begun = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Stop:
        if Stop.interrupted:
            raise KeyboardInterrupt
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[number] = signal.signal(number, self._ask)
            except ValueError:  # only the main thread can handle signals
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def teacher(self, name: str, epoch: int, epochs: int, loss: float | None) -> None:
        """Forward a teacher's progress, then stop if a signal asked for it.

        Args:
            name, epoch, epochs, loss: as for `Progress.teacher`.
        """
        self._begun = True
        self._listener.teacher(name, epoch, epochs, loss)
        self._check()

    def students(self, trained: float, students: int, at_work: int) -> None:
        """Forward the students' progress, then stop if a signal asked for it.

        Args:
            trained, students, at_work: as for `Progress.students`.
        """
        self._begun = True
        self._listener.students(trained, students, at_work)
        self._check()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        before, self._asked = self._asked, number  # set first: an exception raised here can be lost in a finaliser
        if before is not None or not self._begun:
            self._raise(number)
        click.echo("distillab: stopping after this epoch; interrupt again to stop at once.", err=True)

    def _check(self) -> None:
        if self._asked is not None:
            self._raise(self._asked)

    def _raise(self, number: int) -> None:
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated


@contextmanager
def remembered_interrupts() -> Iterator[None]:
    """Remember SIGINT until a `Stop` begins: while a library is imported, the exception that it raises can be lost."""
    Stop.interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        Stop.interrupted = True
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGINT, interrupt)
    except ValueError:  # only the main thread can handle signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
