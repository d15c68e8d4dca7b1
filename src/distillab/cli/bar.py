"""The progress bar of a run: the current work, its speed, and the remaining time."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn


class Bar:
    """Shows the `Progress` of a run on a terminal's standard error; without a terminal only its notes are printed.

    Example:
        >>> with Bar(Console(file=None, quiet=True)) as bar:
        ...     bar.students(0, 32, 16)
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            TextColumn("{task.fields[tail]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("Preparing", total=None, tail="")
        self._begun = time.monotonic()

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """Print a line above the bar.

        Args:
            text: the line.
        """
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def teacher(self, name: str, epoch: int, epochs: int, loss: float | None) -> None:
        """Show the progress of a teacher's training.

        Args:
            name, epoch, epochs, loss: as for `Progress.teacher`.
        """
        tail = f"epoch {epoch}/{epochs}" + ("" if loss is None else f", loss {loss:.3f}")
        self._bar.update(self._task, description=f"Teacher {name}", completed=epoch, total=epochs, tail=tail)

    def students(self, trained: float, students: int, at_work: int) -> None:
        """Show the number of trained students, and the estimated time for the others.

        Args:
            trained, students, at_work: as for `Progress.students`.
        """
        if trained == 0:
            self._begun = time.monotonic()
        seconds = time.monotonic() - self._begun
        tail = f"{at_work} at work"
        if trained and seconds > 0:
            rate = trained / seconds
            tail += f", {rate:.2g} students/s, {_clock((students - trained) / rate)} left"
        label = f"Students {int(trained):,} of {students:,}"
        self._bar.update(self._task, description=label, completed=trained, total=students, tail=tail)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
