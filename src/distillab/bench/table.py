"""The results of a bench as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import shorten

from distillab.bench.plan import ENGINE, FLOOR, LABELS_ALONE
from distillab.bench.record import Bench, Row

HEAD = f"{'threads':>8}{'ms a step':>11}{'(low to high)':>24}{'x first':>9}{'x floor':>9}{'compile s':>11}"


def table(bench: Bench) -> str:
    """Format the results: a block for each cell, and the engine's lead over the best other subject of each.

    Args:
        bench: the results.
    """
    blocks = [_machine(bench)]
    for cell, rows in groupby(bench.rows, key=lambda row: row.cell):
        reasons = [
            f"{one.subject}: not measured: {shorten(one.reason, 130, placeholder=' ...')}"  # the record has all of it
            for one in bench.not_measured
            if one.cell == cell
        ]
        blocks.append([*_cell(cell, list(rows)), *reasons])
    if bench.memory:
        blocks.append(["Peak memory of a process", *(f"{one.cohort:36}{one.mib:>8,.0f} MiB" for one in bench.memory)])
    if bench.gpu_study_seconds is not None:
        blocks.append([f"110 students, 20 epochs of 60,000 images: {bench.gpu_study_seconds:.1f} s"])
    leads = _leads(bench)
    if leads:
        blocks.append([f"{'Milliseconds a step':44}{'engine':>9}{'best':>9}{'lead':>7}  best other", *leads])
    return "\n\n".join("\n".join(block) for block in blocks)


def _machine(bench: Bench) -> list[str]:
    machine = bench.machine
    threads = {True: "hyper-threads", False: "no hyper-threads", None: "hyper-threads unknown"}
    return [
        f"{machine['processor']}, {machine['cores']} cores ({threads[machine['hyper_threads']]}), {machine['system']}; "
        f"load {machine['load_at_start']} at the start, {machine['load_at_end']} at the end; device {bench.device}",
        ", ".join(f"{name} {number}" for name, number in bench.versions.items()),
        "Times are milliseconds a step of one student: median (low to high) of repeated timings.",
    ]


def _cell(cell: str, rows: Sequence[Row]) -> list[str]:
    floor = next((row.low for row in rows if row.subject == FLOOR.name), None)
    lines = [f"{cell:44}{HEAD}"]
    for row in rows:
        spread = f"({row.low:.3f} to {row.high:.3f})"
        times = f"{row.median / floor:>9.1f}" if floor else f"{'':9}"
        lines.append(
            f"{row.subject:44}{row.threads:>8}{row.median:>11.3f}{spread:>24}{row.median / rows[0].median:>9.2f}{times}"
            f"{row.compile_seconds:>11.1f}"
        )
    return lines


def _leads(bench: Bench) -> list[str]:
    lines = []
    for cell, group in groupby(bench.rows, key=lambda row: row.cell):
        first, *others = group
        # Labels alone are less work than labels and a teacher's logits.
        peers = [row for row in others if row.subject not in (FLOOR.name, LABELS_ALONE)]
        if first.subject == ENGINE and peers:
            best = min(peers, key=lambda row: row.median)
            lead = best.median / first.median
            # Then the order of the two may be the machine's doing.
            overlap = "; ranges overlap" if max(first.low, best.low) <= min(first.high, best.high) else ""
            lines.append(f"{cell:44}{first.median:>9.3f}{best.median:>9.3f}{lead:>7.1f}  {best.subject}{overlap}")
    return lines
