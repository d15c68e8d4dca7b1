"""The progress bar: it fits a terminal of 80 columns, and keeps silent where there is none."""

from __future__ import annotations

import io

from rich.console import Console

from distillab.cli.bar import Bar


def drive(console: Console) -> None:
    with Bar(console) as bar:
        bar.teacher("cnn-256-512", 1, 3, 0.25)
        bar.note("A note.")
        for tenths in range(161):
            bar.students(tenths / 10, 1600, 16)


def test_every_part_of_the_bar_is_seen_on_80_columns() -> None:
    screen = io.StringIO()
    drive(Console(file=screen, force_terminal=True, width=80))
    message = screen.getvalue()
    assert "Students 16 of 1,600" in message
    assert "16 at work, " in message
    assert " students/s, " in message
    assert " left" in message
    assert "A note." in message


def test_without_a_terminal_only_notes_are_printed() -> None:
    pipe = io.StringIO()
    drive(Console(file=pipe, force_terminal=False, width=80))
    assert pipe.getvalue() == "A note.\n"
