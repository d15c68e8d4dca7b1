"""Put a finished study into docs/results: figure, answer, specification, provenance.

    python benchmarks/publish.py runs/alpha

Writes docs/results/NAME.md between its two markers, and leaves what stands outside them, which is written by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

from distillab.analysis import answer, in_words
from distillab.report import write_report
from distillab.study.folder import Folder

BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
RESULTS = Path(__file__).parents[1] / "docs" / "results"


def main(run: str) -> None:
    folder = Folder(Path(run))
    name = folder.path.name
    write_report(folder)
    spec, store = folder.read()
    with store:
        words = in_words(answer(spec, store.trials(), store.teachers()))
        teachers, runs, (seconds, examples) = store.teachers(), store.runs(), store.cost()
    figure = RESULTS / f"{name}_accuracy_vs_alpha.png"
    figure.write_bytes((folder.figures / "accuracy_vs_alpha.png").read_bytes())
    last = runs[-1]
    versions = ", ".join(f"{package} {version}" for package, version in last["versions"].items())
    machine = ", ".join(f"{key} {value}" for key, value in last["machine"].items())
    lines = [
        BEGIN,
        f"![Accuracy against alpha]({figure.name})",
        "",
        "```text",
        words,
        "```",
        "",
        "## Teachers",
        "",
        *(
            f"- {record.settings['model']}, {record.settings['labels']} labels, {record.examples} examples, "
            f"{record.settings['epochs']} epochs: test accuracy {record.metrics['accuracy']:.2%}"
            for record in teachers.values()
        ),
        "",
        "## Specification",
        "",
        "```yaml",
        spec.to_yaml().strip(),
        "```",
        "",
        "## Provenance",
        "",
        f"- Command: `{last['command']}`",
        f"- Students trained in {seconds:.0f} s of wall time, teachers apart: {seconds / examples * 60_000:.2f} s per "
        "student and 60,000 images, compilation and evaluation included",
        f"- Data: {last['data']['name']}, digest {last['data']['digest']}",
        f"- Versions: {versions}",
        f"- Machine: {machine}",
        f"- Commit: {last['commit']}",
        END,
    ]
    page = RESULTS / f"{name}.md"
    text = page.read_text() if page.exists() else f"# {spec.frame.question}\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(before + "\n".join(lines) + after)


if __name__ == "__main__":
    main(sys.argv[1])
