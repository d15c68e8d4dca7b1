"""Labels that share an edge, pushed apart so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence


def spread_out(places: Sequence[float], *, gap: float) -> list[float]:
    """Move places as little as the order allows until neighbours are `gap` apart, within [0, 1] where they fit.

    Args:
        places: where the labels would like to stand, in any order.
        gap: the least distance between two.

    Example:
        >>> [round(place, 2) for place in spread_out([0.5, 0.52, 0.9], gap=0.1)]
        [0.46, 0.56, 0.9]
    """
    order = sorted(range(len(places)), key=lambda index: (places[index], index))
    groups: list[tuple[list[int], float]] = []  # neighbours that touch, and the middle of the group
    for index in order:
        members, middle = [index], _inside(places[index], 0.0)
        while groups and middle - gap * (len(members) - 1) / 2 - _end(groups[-1], gap) < gap - 1e-12:
            members = groups.pop()[0] + members
            wanted = sum(places[member] for member in members) / len(members)
            middle = _inside(wanted, gap * (len(members) - 1) / 2)
        groups.append((members, middle))
    moved = [0.0] * len(places)
    for members, middle in groups:
        for rank, member in enumerate(members):
            moved[member] = middle + gap * (rank - (len(members) - 1) / 2)
    return moved


def _end(group: tuple[list[int], float], gap: float) -> float:
    members, middle = group
    return middle + gap * (len(members) - 1) / 2


def _inside(middle: float, half: float) -> float:
    return max(half, min(middle, 1.0 - half)) if half <= 0.5 else 0.5
