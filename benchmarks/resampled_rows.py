"""A gradient-boosting teacher of a table with words and gaps, and a student with and without resampled rows.

    python benchmarks/resampled_rows.py TABLE.csv LABEL [ROWS ...]

The teacher, scikit-learn's histogram gradient boosting behind a one-hot encoder, is fitted on the raw columns of the
training rows alone. It is distilled into `mlp-32-16` once for each number of resampled rows (default: 0, and twice the
training rows), five seeds each, with a baseline that has no teacher and as many steps. The student goes to ONNX, which
must answer as Keras does. Needs the extras pandas and onnx.
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

SETTINGS: dict[str, Any] = {"epochs": 20, "seeds": 5, "rounds": 0, "search_seeds": 2, "batch_size": 64}


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
    """Print a row for each number of resampled rows."""
    from distillab import distill, read_data
    from distillab.data import ReadOptions

    path, read = sys.argv[1], ReadOptions(label=sys.argv[2])
    data = read_data(path, read)
    print(*data.notes, sep="\n")
    teacher = teacher_of(data)
    counts = [int(count) for count in sys.argv[3:]] or [0, 2 * len(data.training)]
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
