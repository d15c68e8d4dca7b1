"""Reports of a run's progress: the command line shows them, a library call ignores them."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives a run's progress. Every method returns at once."""

    def note(self, text: str) -> None:
        """Report an event.

        Args:
            text: one line.
        """

    def teacher(self, name: str, epoch: int, epochs: int, loss: float | None) -> None:
        """Report an epoch of a teacher.

        Args:
            name: the teacher's architecture.
            epoch, epochs: how many are finished, 0 at the start, and how many there are.
            loss: the last epoch's mean; None at the start.
        """

    def students(self, trained: float, students: int, at_work: int) -> None:
        """Report how many students are trained.

        Args:
            trained, students: by this run, with a fraction for each in training, and how many it trains.
            at_work: how many are in training now.
        """


class Silence:
    """Ignores all progress."""

    @staticmethod
    def _ignore(*_: object, **__: object) -> None: ...

    note = teacher = students = _ignore
