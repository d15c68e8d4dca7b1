"""The progress bar of a run: what is happening, how fast, and how long it will take."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn


class Bar:
    """Shows a run on a terminal's standard error; elsewhere only its notes are printed.

    Example:
        >>> with Bar(Console(file=None, quiet=True)) as bar:
        ...     bar.cohort(1, 2, 16, 0, 10)
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
        self._student_epochs = 0

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def teacher(self, name: str, epoch: int, epochs: int, loss: float | None) -> None:
        """Show how far a teacher's training is."""
        tail = f"epoch {epoch}/{epochs}" + ("" if loss is None else f", loss {loss:.3f}")
        self._bar.update(self._task, description=f"Teacher {name}", completed=epoch, total=epochs, tail=tail)

    def cohort(self, number: int, cohorts: int, students: int, epoch: int, epochs: int) -> None:
        """Show how far the cohorts are, and the time they still need."""
        if number == 1 and epoch == 0:
            self._begun, self._student_epochs = time.monotonic(), 0
        if epoch:
            self._student_epochs += students
        share = (number - 1 + epoch / epochs) / cohorts
        seconds = time.monotonic() - self._begun
        tail = f"epoch {epoch}/{epochs}"
        if self._student_epochs and seconds > 0:
            rate = self._student_epochs / epochs / seconds
            tail += f", {rate:.2g} students/s, {_clock(seconds * (1 - share) / share)} left"
        label = f"Cohort {number} of {cohorts}, {students} students"
        self._bar.update(self._task, description=label, completed=share, total=1.0, tail=tail)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
