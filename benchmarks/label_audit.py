"""How well wrong labels are found: precision, recall and average precision, cleanlab beside it where it is installed.

    python benchmarks/label_audit.py --doc docs/label-audit.md     # puts the table there

Labels are made wrong, teachers are cross-fitted on the wrong labels (five folds), and both methods get the same
out-of-fold probabilities: distillab squares them and estimates the noise, cleanlab prunes by its confident joint
(Northcutt, Jiang and Chuang 2021). Each row is one draw of labels, folds and weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from distillab.api.audit import Detection, Training, audit_labels
from distillab.data import load

KINDS = ("shift", "symmetric", "margin")
RATES = (0.05, 0.1, 0.2, 0.4)
START, END = "<!-- table -->\n", "<!-- end of table -->\n"


@click.command()
@click.option("--examples", default=5_000, show_default=True, help="Of MNIST's training examples.")
@click.option("--doc", type=click.Path(path_type=Path, exists=True), help="The page whose table is replaced.")
def main(examples: int, doc: Path | None) -> None:
    """Print the table, and put it into a page."""
    page = "" if doc is None else doc.read_text(encoding="utf-8")
    if doc is not None and not 0 <= page.find(START) < page.find(END):
        raise click.UsageError(f"{doc} has no place for the table: a line {START.strip()}, then a line {END.strip()}.")
    lines = []
    for line in table(examples):
        click.echo(line)
        lines.append(f"{line}\n")
    if doc is not None:
        before, _, rest = doc.read_text(encoding="utf-8").partition(START)
        _, _, after = rest.partition(END)
        doc.write_text(f"{before}{START}{''.join(lines)}{END}{after}", encoding="utf-8")


def table(examples: int) -> Iterator[str]:
    """The lines of the table, each as soon as it is measured."""
    mnist = load("mnist")
    rows = np.random.default_rng(0).permutation(len(mnist.y_train))[:examples]
    few = (mnist.x_train[rows], mnist.y_train[rows], mnist.x_test[:100], mnist.y_test[:100])
    data = {"digits": ("digits", Training()), f"{examples:,} of MNIST": (few, Training(epochs=8))}
    yield "| data | noise | rate | estimated | method | precision | recall | average precision |"
    yield f"|{'---|' * 8}"
    for name, (source, training) in data.items():
        for kind in KINDS:
            for rate in RATES:
                audit = audit_labels(source, "cnn-16-32", training=training, noise=(kind, rate))
                share = "{:.1f} % ({:.1f} to {:.1f})".format(*(100 * end for end in audit.share[:3]))
                for method, found in audit.detected.items():
                    yield f"| {name} | {kind} | {100 * rate:g} % | {share} | {method} | {_cells(found)} |"


def _cells(found: Detection) -> str:
    return " | ".join(f"{100 * value:.1f}" for value in (found.precision, found.recall, found.average_precision))


if __name__ == "__main__":
    main()
