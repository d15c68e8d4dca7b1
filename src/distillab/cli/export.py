"""`distillab export`: a Keras model in another format, checked against Keras and timed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from distillab.export import Agreement, Exported
    from distillab.export.model import Format


@click.command(short_help="Write a model as ONNX, LiteRT or SavedModel, checked against Keras and timed.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--to", type=click.Choice(["onnx", "litert", "saved_model"]), required=True, help="The format.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The file to write; for saved_model, the folder."
)
@click.option("--data", help="A data set, a name or a path: its first 1,000 test examples are compared.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The folder of the data files.")
@click.option(
    "--task",
    help="What the outputs mean, such as binary, or by name: age=regression,income=binary. By default the task of the "
    "examples, or what the last activation says.",
)
@click.option("--int8", is_flag=True, help="Weights and activations of 8 bits, calibrated on training examples.")
@click.option("--trust", is_flag=True, help="Let code in the model file run: only if you know who made it.")
def export(
    model: Path,
    to: Format,
    out: Path,
    data: str | None,
    data_dir: Path | None,
    task: str | None,
    int8: bool,
    trust: bool,
) -> None:
    """Write MODEL, a .keras file, as ONNX; or, if TensorFlow is installed, as LiteRT or SavedModel.

    The file is written only if its runtime predicts as Keras does: on test examples of --data, on those that
    `distillab distill` wrote beside MODEL, or else on random numbers from 0 to 1. With --int8 it is written only if
    at most one point of accuracy, or of the task's own metric, is lost on them.

    \b
    Examples:
      distillab export student.keras --to onnx --out student.onnx --data mnist --data-dir data
      distillab export student.keras --to onnx --out small.onnx --data mnist --data-dir data --int8
    """
    from distillab.export import export_model

    exported = export_model(model, to=to, out=out, data=data, data_dir=data_dir, task=task, int8=int8, trust=trust)
    for line in _lines(exported, f"({model.name}: {model.stat().st_size:,})"):
        click.echo(line)


def _lines(exported: Exported, model_size: str) -> Iterator[str]:
    if exported.outputs:
        yield from _lines_of_several(exported, model_size)
        return
    agreement, before, after = exported.agreement, exported.keras_quality, exported.quality
    size = f"{exported.path}: {exported.bytes:,} bytes {model_size}"
    labels = _labels(exported, agreement)
    if before is not None and after is not None:
        yield f"{size}, 8 bits, calibrated on {exported.calibration} training examples"
        yield f"{after.label}: {before.text} with Keras, {after.text} in 8 bits"
        yield labels or f"predictions: equal to Keras's within {agreement.difference:.2g}"
    else:
        yield size
        on = f", {labels}" if labels else f" on {len(exported.predictions):,} {exported.examples}"
        yield f"predictions: equal to Keras's within {agreement.difference:.1e}{on}"
        if after is not None:
            yield f"{after.label} on them: {after.text}"
    yield from _latencies(exported)


def _lines_of_several(exported: Exported, model_size: str) -> Iterator[str]:
    yield f"{exported.path}: {exported.bytes:,} bytes {model_size}, {len(exported.outputs)} outputs"
    yield f"compared with Keras on {len(exported.predictions):,} {exported.examples}:"
    for name, judged in exported.outputs.items():
        found = judged.agreement
        same = "" if found.same_labels is None else f", labels agree on {found.same_labels:,} of {found.n:,}"
        of = "" if judged.quality is None else f"; {judged.quality.label} {judged.quality.text}"
        yield f"{name}: equal within {found.difference:.1e}{same}{of}"
    yield from _latencies(exported)


def _latencies(exported: Exported) -> Iterator[str]:
    for batch, latency in exported.latency.items():
        yield f"latency, batch {batch}, one thread: p50 {_duration(latency.p50)}, p99 {_duration(latency.p99)}"


def _labels(exported: Exported, agreement: Agreement) -> str:
    """How many labels agree: one an example, or those of all positions and names; nothing for real numbers."""
    same, n, count = agreement.same_labels, agreement.n, len(exported.predictions)
    if same is None:
        return ""
    examples = exported.examples if n == count else f"in {count:,} {exported.examples}"
    return f"labels agree on {same:,} of {n:,} {examples}"


def _duration(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} us" if seconds < 1e-3 else f"{1e3 * seconds:.1f} ms"
