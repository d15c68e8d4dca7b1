"""The table of docs/export.md: every architecture of the zoo as ONNX and in 8 bits, on MNIST.

python benchmarks/export.py [--data-dir DIR]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

from distillab.data import Dataset, load
from distillab.errors import WorkError
from distillab.export import export_int8, export_onnx
from distillab.models import ARCHITECTURES, build

LEARN, JUDGE, COMPARE, CALIBRATE, EPOCHS = 10_000, 5_000, 1_000, 512, 2
HEAD = "student|ONNX bytes|differs from Keras by|batch 1|batch 64|accuracy|int8 bytes|accuracy|batch 1|batch 64"


def row(name: str, dataset: Dataset, folder: Path) -> list[str]:
    """Train a student, export it twice, and format the results."""
    keras.utils.set_random_seed(0)
    x, y = dataset.inputs(dataset.x_train[:LEARN]), dataset.y_train[:LEARN]
    x_test, y_test = dataset.inputs(dataset.x_test[:JUDGE]), dataset.y_test[:JUDGE]
    model = build(name, dataset.input_shape, dataset.classes)
    model.compile(keras.optimizers.Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=EPOCHS, verbose=0)
    whole = export_onnx(model, folder / "whole.onnx", x_test[:COMPARE])
    assert whole.agreement.same_labels == COMPARE
    times = [f"{1e6 * time.p50:,.0f} us" for time in whole.latency.values()]
    cells = [f"`{name}`", f"{whole.bytes:,}", f"{whole.agreement.difference:.0e}", *times]
    accuracy = float((model.predict(x_test, verbose=0).argmax(-1) == y_test).mean())
    cells.append(f"{100 * accuracy:.2f} %")
    try:
        small = export_int8(model, folder / "small.onnx", x_test, y_test, x[:CALIBRATE])
    except WorkError as error:
        return [*cells, f"refused: {str(error).split(', by more')[0]}", "", "", ""]
    times = [f"{1e6 * time.p50:,.0f} us" for time in small.latency.values()]
    return [*cells, f"{small.bytes:,}", f"{100 * small.quality.value:.2f} %", *times]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    dataset = load("mnist", data_dir=parser.parse_args().data_dir)
    print(f"| {' | '.join(HEAD.split('|'))} |")
    print("|" + "---|" * len(HEAD.split("|")))
    with tempfile.TemporaryDirectory() as folder:
        for entry in ARCHITECTURES.values():
            if not entry.maps:
                print(f"| {' | '.join(row(entry.example, dataset, Path(folder)))} |", flush=True)


if __name__ == "__main__":
    main()
