"""A Keras model as SavedModel or LiteRT: a program of its own, for both need Keras to run on TensorFlow.

`python -m distillab.export.on_tensorflow MODEL.keras TARGET FORM INPUTS.npy RESULT.npz`
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Answer = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def main(model: Path, target: Path, form: str, inputs: Path, result: Path) -> None:
    """Export, answer the inputs with what was exported, and time it."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    from distillab.engine.latency import latency

    examples = np.load(inputs, allow_pickle=False)
    # The model was loaded, and perhaps trusted, before it was saved for this program.
    loaded: Any = keras.models.load_model(model, compile=False, safe_mode=False)
    loaded.export(target, format="tf_saved_model" if form == "saved_model" else "litert", verbose=False)
    answer = _saved_model(target) if form == "saved_model" else _litert(target)
    parts = [answer(examples[start : start + 256]) for start in range(0, len(examples), 256)]
    found: dict[str, Any] = {"answers": np.concatenate(parts), "alone": answer(examples[:1])}
    for size in (1, 64):
        batch = np.resize(examples, (size, *examples.shape[1:]))
        times = latency(lambda batch=batch: answer(batch))  # type: ignore[misc]
        found[f"latency_{size}"] = np.array([times.p50, times.p99, times.calls])
    np.savez(result, **found)


def _saved_model(target: Path) -> Answer:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(target))  # its variables live as long as it
    return lambda inputs: np.asarray(loaded.serve(tf.constant(inputs)))


def _litert(target: Path) -> Answer:
    """The interpreter on one thread, resized where another number of examples comes."""
    import tensorflow as tf

    running = tf.lite.Interpreter(model_path=str(target), num_threads=1)
    place, out = running.get_input_details()[0], running.get_output_details()[0]
    sized = 0

    def answer(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal sized
        if len(inputs) != sized:
            running.resize_tensor_input(place["index"], inputs.shape)
            running.allocate_tensors()
            sized = len(inputs)
        running.set_tensor(place["index"], inputs)
        running.invoke()
        return np.array(running.get_tensor(out["index"]))

    return answer


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), Path(sys.argv[5]))
