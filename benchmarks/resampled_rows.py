"""A gradient-boosting teacher of a table with words and gaps, and a student with and without resampled rows.

    python benchmarks/resampled_rows.py TABLE.csv LABEL [ROWS ...]
    python benchmarks/resampled_rows.py generated [ROWS ...]

`generated` is a table of 6,000 rows with words and gaps whose labels follow steps, 5 % of them wrong: what trees learn
best. The teacher, scikit-learn's histogram gradient boosting behind a one-hot encoder, is fitted on the raw columns of
the training rows alone. It is distilled into `mlp-32-16` once for each number of resampled rows (default: 0, and twice
the training rows), five seeds each, with a baseline that has no teacher and as many steps. The student goes to ONNX,
which must answer as Keras does. Needs the extras pandas and onnx.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np

COLOURS = ("red", "green", "blue", "grey", "white")

SETTINGS: dict[str, Any] = {"epochs": 20, "seeds": 5, "rounds": 0, "search_seeds": 2, "batch_size": 64}


def generated(path: Path) -> None:
    """Write a table of eight numbers and three columns of words, whose classes follow steps and their products."""
    rng = np.random.default_rng(2006)
    numbers, words = rng.random((6_000, 8)), rng.integers(0, 5, (6_000, 3))
    steps, kinds = np.where(numbers > 0.5, 1, -1), np.where(words % 2, 1, -1)
    score = steps[:, 0] * steps[:, 1] + steps[:, 2] * kinds[:, 0] + kinds[:, 1] * steps[:, 3] + 0.5 * steps[:, 4]
    label = np.where(rng.random(6_000) < 0.05, score <= 0, score > 0)
    gaps = rng.random(numbers.shape) < 0.05
    rows = [[*("" if gap else f"{number:.4f}" for number, gap in zip(row, missing, strict=True)),
             *(COLOURS[word] for word in of), "yes" if yes else "no"]
            for row, missing, of, yes in zip(numbers, gaps, words, label, strict=True)]  # fmt: skip
    header = [*(f"n{number}" for number in range(8)), *(f"w{number}" for number in range(3)), "label"]
    path.write_text("".join(",".join(row) + "\n" for row in [header, *rows]), encoding="utf-8")


def teacher_of(data: Any) -> Any:
    """Gradient boosting on raw columns, fitted on the training rows."""
    import pandas as pd
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    raw = pd.DataFrame(data.columns.decoded(data.x_train[data.training]))
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    words = make_column_selector(dtype_exclude=np.number)
    encode = make_column_transformer((encoder, words), remainder="passthrough")
    boosting = HistGradientBoostingClassifier(learning_rate=0.03, max_iter=300, max_leaf_nodes=6, random_state=0)
    return make_pipeline(encode, boosting).fit(raw, np.array(data.class_names)[data.y_train[data.training]])


def main() -> None:
    """Measure the table that the arguments name."""
    path, label, counts = sys.argv[1], "label", [int(word) for word in sys.argv[2:] if word.isdigit()]
    with tempfile.TemporaryDirectory() as folder:
        if path == "generated":
            path = str(Path(folder) / "generated.csv")
            generated(Path(path))
        else:
            label = sys.argv[2]
        measure(path, label, counts)


def measure(path: str, label: str, counts: list[int]) -> None:
    """Print the notes of a table, and a row for each number of resampled rows."""
    from distillab import distill, read_data
    from distillab.data import ReadOptions

    read = ReadOptions(label=label)
    data = read_data(path, read)
    print(*data.notes, sep="\n")
    teacher = teacher_of(data)
    counts = counts or [0, 2 * len(data.training)]
    print(
        "| resampled | teacher % | alone % | student % | gain | verdict | more rows gain | ONNX | s |\n"
        + "|---" * 9
        + "|"
    )
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            result = distill(teacher, "mlp-32-16", path, Path(folder) / "out", read=read, resample=count, **SETTINGS)
            seconds = time.perf_counter() - begin
            exported = result.export("onnx", Path(folder) / "student.onnx")
        verdict, more = result.finding["verdict"], result.finding["unlabelled"]
        cells = [
            f"{count:,}",
            f"{100 * verdict['teacher']['accuracy']:.2f}",
            *(f"{100 * verdict[who]['accuracy']['mean']:.2f}" for who in ("baseline", "student")),
            _gain(verdict["gain"]["accuracy"]),
            verdict["kind"],
            "" if more is None else _gain(more["gain"]),
            f"{exported.agreement.difference:.1e}",
            f"{seconds:.0f}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def _gain(gain: Any) -> str:
    return f"{100 * gain['mean']:+.2f} ({100 * gain['low']:+.2f} to {100 * gain['high']:+.2f})"


if __name__ == "__main__":
    main()
