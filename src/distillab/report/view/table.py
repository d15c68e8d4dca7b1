"""Tables and key figures: cells as text, the same for every output."""

from __future__ import annotations

from typing import NamedTuple


class Table(NamedTuple):
    """A table.

    Args:
        title: its name for those who cannot see it.
        caption: what its columns hold; may be empty.
        head: names of the columns.
        rows: cells, the first of each row its name.
        words: the number of columns from the left that hold words, not numbers.
        chosen: the row of the chosen alpha, from 0; None for no row.
    """

    title: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    chosen: int | None = None


class KeyFigure(NamedTuple):
    """One large figure.

    Args:
        name: what it is.
        figure: the figure.
        note: small print below.
    """

    name: str
    figure: str
    note: str = ""
