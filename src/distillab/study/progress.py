"""What a run says while it works; the command line shows it, tests listen, a library call keeps silent."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Listens to a run. Every method returns at once."""

    def note(self, text: str) -> None:
        """Something that happened once, in a line."""

    def teacher(self, name: str, epoch: int, epochs: int, loss: float | None) -> None:
        """A teacher has finished `epoch` of its epochs; 0 when it begins."""

    def students(self, trained: float, students: int, at_work: int) -> None:
        """So many of this run's students are trained, those at work in part; so many are at work."""


class Silence:
    """Listens to nothing."""

    def note(self, text: str) -> None:
        del text

    def teacher(self, name: str, epoch: int, epochs: int, loss: float | None) -> None:
        del name, epoch, epochs, loss

    def students(self, trained: float, students: int, at_work: int) -> None:
        del trained, students, at_work
