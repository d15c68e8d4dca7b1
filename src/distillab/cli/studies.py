"""`distillab studies`: the presets."""

from __future__ import annotations

import click


@click.command(short_help="List the presets, one line each.")
def studies() -> None:
    """List the studies that come with distillab: name, trials, question."""
    from distillab.study.spec import load_spec, presets

    for name in presets():
        spec = load_spec(name)
        click.echo(f"{name:<12} {spec.size:>6} trials  {spec.objective.question}")
