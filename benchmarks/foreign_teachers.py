"""Teachers of other frameworks, each trained here and distilled live into a Keras student.

    python benchmarks/foreign_teachers.py [page | augmentation]

`page` trains one teacher each in PyTorch, scikit-learn, XGBoost and LightGBM on scikit-learn's digits, exports
PyTorch's to TorchScript, `torch.export` and ONNX, distils every file, exports the student to ONNX, and prints a table.
`augmentation` times the live predictions of one epoch: a PyTorch teacher beside a Keras one of the same layers, and an
epoch of students that learn from either. It needs the extras torch, onnx, sklearn and boosting.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np

SETTINGS: dict[str, Any] = {"epochs": 10, "seeds": 5, "rounds": 0}
BATCH, REPEATS, IMAGES = 64, 5, 10_000


class Trained(NamedTuple):
    """A teacher's file, and what its own framework answers."""

    title: str
    file: Path
    student: str
    images: bool
    probabilities: Callable[[np.ndarray], np.ndarray]


def digits(images: bool) -> dict[str, np.ndarray]:
    """Scikit-learn's digits, 0 to 16, in three parts."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x = (data.images[..., None] if images else data.data).astype(np.float32)
    rows = np.random.default_rng(0).permutation(len(x))
    parts = {"train": rows[:1000], "validation": rows[1000:1200], "test": rows[1200:]}
    return {f"{kind}_{part}": of[at] for part, at in parts.items() for kind, of in (("x", x), ("y", data.target))}


def torch_network(channels: tuple[int, int], side: int) -> Any:
    """Two convolutions and a dense layer."""
    import torch

    first, second = channels
    nn = torch.nn
    layers = [nn.Conv2d(1, first, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(first, second, 3, padding=1)]
    return nn.Sequential(*layers, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(second * (side // 4) ** 2, 10))


def torch_files(folder: Path) -> list[Trained]:
    """A PyTorch network, in three files."""
    import torch

    torch.manual_seed(0)
    data, net = digits(images=True), torch_network((32, 64), 8)
    x = torch.tensor(data["x_train"].transpose(0, 3, 1, 2))
    y = torch.tensor(data["y_train"])
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(150):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    net.eval()
    torch.jit.save(torch.jit.trace(net, x[:2]), str(folder / "teacher.pt"))
    program = torch.export.export(net, (x[:2],), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    torch.export.save(program, folder / "teacher.pt2")
    axes = {"images": {0: "n"}, "logits": {0: "n"}}
    names: dict[str, Any] = {"input_names": ["images"], "output_names": ["logits"], "dynamic_axes": axes}
    torch.onnx.export(net, (x[:2],), str(folder / "teacher.onnx"), dynamo=False, **names)

    def probabilities(inputs: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(torch.softmax(net(torch.tensor(inputs.transpose(0, 3, 1, 2))), -1).numpy())

    titles = {"teacher.pt": "PyTorch, TorchScript", "teacher.pt2": "PyTorch, torch.export", "teacher.onnx": "ONNX"}
    return [Trained(title, folder / name, "cnn-8-16", True, probabilities) for name, title in titles.items()]


def table_files(folder: Path) -> list[Trained]:
    """An SVM of scikit-learn, and boosted trees of XGBoost and LightGBM."""
    import lightgbm
    import skops.io
    import xgboost
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    data = digits(images=False)
    x, y = data["x_train"], data["y_train"]
    last = LogisticRegression(C=0.01, max_iter=500)
    pipeline = make_pipeline(StandardScaler(), PolynomialFeatures(2), last).fit(x, y)
    skops.io.dump(pipeline, folder / "pipeline.skops")
    trees = xgboost.XGBClassifier(n_estimators=150, max_depth=4).fit(x, y)
    trees.save_model(folder / "trees.ubj")
    leaves = lightgbm.LGBMClassifier(n_estimators=150, verbose=-1).fit(x, y)
    leaves.booster_.save_model(folder / "leaves.txt")
    return [
        Trained("scikit-learn, skops", folder / "pipeline.skops", "mlp-32", False, pipeline.predict_proba),
        Trained("XGBoost", folder / "trees.ubj", "mlp-32", False, trees.predict_proba),
        Trained("LightGBM", folder / "leaves.txt", "mlp-32", False, leaves.booster_.predict),
    ]


def distilled(teacher: Trained, folder: Path) -> list[str]:
    """The row of one teacher."""
    from scipy.special import softmax

    from distillab import distill, read_data
    from distillab.study.model_options import ModelOptions
    from distillab.study.reading_teachers import read_teachers

    data = read_data(digits(teacher.images))
    (model,) = read_teachers([teacher.file], data, ModelOptions())
    difference = np.abs(softmax(model.predict(data.x_test), -1) - teacher.probabilities(data.x_test)).max()
    begin = time.perf_counter()
    result = distill(
        teacher.file, teacher.student, digits(teacher.images), folder / f"{teacher.file.name}.out", **SETTINGS
    )
    seconds = time.perf_counter() - begin
    exported = result.export("onnx", folder / f"{teacher.file.name}.student.onnx")
    verdict = result.finding["verdict"]
    gain = verdict["gain"]["accuracy"]
    return [
        teacher.title,
        f"{difference:.1e}",
        f"{100 * verdict['teacher']['accuracy']:.2f}",
        f"{100 * verdict['baseline']['accuracy']['mean']:.2f}",
        f"{100 * verdict['student']['accuracy']['mean']:.2f}",
        f"{100 * gain['mean']:+.2f} ({100 * gain['low']:+.2f} to {100 * gain['high']:+.2f})",
        verdict["kind"],
        f"{exported.agreement.difference:.1e}",
        f"{seconds:.0f}",
    ]


def page() -> None:
    """Print the table of all teachers."""
    columns = ["teacher", "largest difference", "teacher %", "alone %", "student %", "gain", "verdict", "ONNX", "s"]
    print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for teacher in [*torch_files(folder), *table_files(folder)]:
            print("| " + " | ".join(distilled(teacher, folder)) + " |", flush=True)


def augmentation() -> None:
    """Print the seconds of an epoch's live predictions, of PyTorch and of Keras."""
    import keras

    from distillab.data import load
    from distillab.engine.augmentation import Augmentation
    from distillab.engine.functional import Functional, read_variables
    from distillab.engine.teacher import live_teacher
    from distillab.study.model_options import ModelOptions
    from distillab.study.reading_teachers import read_teachers

    layers = keras.layers
    data = load("mnist")
    inputs = data.x_train[:IMAGES]
    blocks = [layers.Conv2D(width, 3, padding="same", activation="relu") for width in (64, 128)]
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for block in blocks:
        model.add(block)
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(10))
    network = torch_network((64, 128), 28)
    (foreign,) = read_teachers([network], data, ModelOptions(anyway=True))
    of_keras = (Functional(model), read_variables(model), data.scale)
    change = Augmentation(shift=2)
    lives = {
        "Keras": live_teacher([[of_keras]], inputs, (10,), change),
        "PyTorch": live_teacher([[foreign.predict]], inputs, (10,), change),
    }
    seconds: dict[str, list[float]] = {name: [] for name in lives}
    for repeat in range(REPEATS + 1):  # the first compiles
        for name, live in lives.items():
            begin = time.perf_counter()
            live(0, 0, repeat)
            if repeat:
                seconds[name].append(time.perf_counter() - begin)
    for name, values in seconds.items():
        low, high = min(values), max(values)
        print(f"{name}: {statistics.median(values):.2f} s ({low:.2f} to {high:.2f}) for {IMAGES:,} images")


if __name__ == "__main__":
    page() if sys.argv[1:] in ([], ["page"]) else augmentation()
