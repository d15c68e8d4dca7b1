"""`distillab export`: a Keras model in another format, checked against Keras and timed."""

from __future__ import annotations

from pathlib import Path

import click

EXAMPLES = 1_000


@click.command(short_help="A model as ONNX, checked against Keras and timed.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--to", "form", type=click.Choice(["onnx"]), required=True, help="The format.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--data", help=f"A data set, a name or a path: its first {EXAMPLES:,} test examples are the check.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the data files lie.")
@click.option("--trust", is_flag=True, help="Let code in the model file run: only if you know who made it.")
def export(model: Path, form: str, out: Path, data: str | None, data_dir: Path | None, trust: bool) -> None:
    """Write MODEL, a .keras file, as ONNX.

    The new file is left only if ONNX Runtime answers as Keras does: on test examples of --data, or else on random
    numbers from 0 to 1.

    \b
    Example:
      distillab export student.keras --to onnx --out student.onnx --data mnist --data-dir data
    """
    import os

    os.environ.setdefault("KERAS_BACKEND", "jax")
    import numpy as np

    from distillab.errors import RequestError
    from distillab.export.onnx import check_tools, export_onnx
    from distillab.models.files import read_model

    check_tools(out)
    student = read_model(model, trust=trust)
    labels = None
    if data is None:
        shape = student.input_shape[1:]
        if any(side is None for side in shape):
            raise RequestError(f"{model} reads inputs of any size {shape}. Give --data, whose size is then taken.")
        examples, of = np.random.default_rng(0).random((EXAMPLES, *shape), np.float32), "inputs of random numbers"
    else:
        from distillab.data import load

        dataset = load(data, data_dir=data_dir)
        examples, of = dataset.inputs(dataset.x_test[:EXAMPLES]), f"test examples of {dataset.name}"
        labels = dataset.y_test[:EXAMPLES]
    done = export_onnx(student, out, examples)
    found = done.agreement
    click.echo(f"{out}: {done.bytes:,} bytes ({model.name}: {model.stat().st_size:,})")
    click.echo(f"answers: Keras's to {found.difference:.1e}, labels agree on {found.same_labels:,} of {found.n:,} {of}")
    if labels is not None:
        click.echo(f"accuracy on them: {100 * float(np.mean(done.answers.argmax(-1) == labels)):.2f} %")
    for size, time in done.latency.items():
        click.echo(f"latency, batch {size}, one thread: p50 {_brief(time.p50)}, p99 {_brief(time.p99)}")


def _brief(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} us" if seconds < 1e-3 else f"{1e3 * seconds:.1f} ms"
