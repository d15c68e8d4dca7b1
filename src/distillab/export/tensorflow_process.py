"""Writing a SavedModel or LiteRT model in a separate process, since both need Keras to run on TensorFlow.

`python -m distillab.export.tensorflow_process MODEL.keras TARGET FORM INPUTS.npy RESULT.npz`
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.data.inputs import INPUT
from distillab.export.exported import Predict, contiguous_parts, measured_latency, predict_in_batches
from distillab.models.input_names import given_by_name


def _main(model: Path, target: Path, form: str, inputs: Path, result: Path) -> None:
    """Export a model, and write the exported one's predictions, those for the first input alone, and latencies."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    examples = np.load(inputs, allow_pickle=False)
    # The caller loaded this model, and decided whether to trust it, before it saved the file.
    loaded: Any = keras.models.load_model(model, compile=False, safe_mode=False)
    loaded.export(target, format="tf_saved_model" if form == "saved_model" else "litert", verbose=False)
    predict = _saved_model(target, loaded) if form == "saved_model" else _litert(target)
    predictions = {"predictions": predict_in_batches(predict, examples), "alone": predict(examples[:1])}
    latency = {f"latency_{size}": np.array(times) for size, times in measured_latency(predict, examples).items()}
    np.savez(result, **predictions, **latency)  # type: ignore[arg-type]


def _saved_model(target: Path, model: Any) -> Predict:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(target))  # keeps its variables alive

    def predict(inputs: NDArray[Any]) -> NDArray[np.float32]:
        named = {name: tf.constant(part) for name, part in contiguous_parts(inputs).items()}
        return np.asarray(loaded.serve(named[INPUT] if inputs.dtype.names is None else given_by_name(model, named)))

    return predict


def _litert(target: Path) -> Predict:
    """The interpreter on one thread, resized when the batch size changes."""
    import tensorflow as tf

    running = tf.lite.Interpreter(model_path=str(target), num_threads=1)
    out = running.get_output_details()[0]["index"]
    sources = {
        one["name"].removeprefix("serving_default_").partition(":")[0]: one["index"]
        for one in running.get_input_details()
    }
    batch = 0

    def predict(inputs: NDArray[Any]) -> NDArray[np.float32]:
        nonlocal batch
        parts = contiguous_parts(inputs)
        places = {name: sources[name] for name in parts} if len(parts) > 1 else {INPUT: next(iter(sources.values()))}
        if len(inputs) != batch:
            for name, part in parts.items():
                running.resize_tensor_input(places[name], part.shape)
            running.allocate_tensors()
            batch = len(inputs)
        for name, part in parts.items():
            running.set_tensor(places[name], part)
        running.invoke()
        return np.array(running.get_tensor(out))

    return predict


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), Path(sys.argv[5]))
