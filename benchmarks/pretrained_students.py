"""Students on a pretrained backbone: distilled, and checked to keep it: `python benchmarks/pretrained_students.py`.

A MobileNetV2 (alpha 0.35, 32 x 32) with a head of EinsumDense and Dense learns CIFAR-10 here; nothing is downloaded.
The teacher is the same model, trained further. Two students are distilled on other images: the frozen backbone with a
new Dense layer, and the frozen backbone with low-rank adapters (LoRA) on the trained head. Each row shows the verdict,
accuracies, whether the given weights are bit for bit those of the shipped student, and the largest difference of the
exported ONNX file's outputs.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

RESULTS = Path(__file__).parent / "results" / "pretrained_students.json"
PRETRAINING, FURTHER, TRAINING, TEST = 8_000, 4_000, 1_000, 2_000
"""Images of each part, none in two parts."""
EPOCHS, EPOCHS_FURTHER = 5, 3
SETTINGS = {"alpha": 0.3, "temperature": 3.0, "learning_rate": 0.003, "rounds": 0, "search_seeds": 1, "seeds": 3}


def pretrained() -> Any:
    """A MobileNetV2 with a head; its moving statistics follow in hundreds of steps, not in thousands."""
    import keras

    backbone = keras.applications.MobileNetV2((32, 32, 3), 0.35, include_top=False, weights=None, pooling="avg")
    config = backbone.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "BatchNormalization":
            layer["config"]["momentum"] = 0.9
    backbone = keras.Model.from_config(config | {"name": "backbone"})
    inputs = keras.Input((32, 32, 3))
    x = backbone(keras.layers.Rescaling(1 / 127.5, -1)(inputs))
    x = keras.layers.Reshape((16, 80))(x)
    x = keras.layers.EinsumDense("abc,cd->abd", (16, 8), activation="relu", name="tokens")(x)
    x = keras.layers.Dense(10, name="classes")(keras.layers.Flatten()(x))
    return keras.Model(inputs, x, name="pretrained")


def learn(model: Any, x: Any, y: Any, epochs: int, rate: float) -> float:
    """Train a model on labels (alpha = 1), with its convolutions as matrix products; seconds."""
    import keras

    from distillab import Distiller

    begin = time.perf_counter()
    unused = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10)])
    distiller = Distiller(model, unused)
    distiller.compile(keras.optimizers.Adam(rate), alpha=1.0)
    distiller.fit(x, y, epochs=epochs, batch_size=64, verbose=0)
    return time.perf_counter() - begin


def copied(model: Any) -> Any:
    """A model of its own with the same weights."""
    import keras

    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    return twin


def students(model: Any) -> dict[str, Any]:
    """The students, by what they are."""
    import keras

    base = copied(model).get_layer("backbone")
    base.trainable = False
    inputs = keras.Input((32, 32, 3))
    new_head = keras.layers.Dense(10)(base(keras.layers.Rescaling(1 / 127.5, -1)(inputs)))
    adapted = copied(model)
    adapted.get_layer("backbone").trainable = False
    for name in ("tokens", "classes"):
        adapted.get_layer(name).enable_lora(4)
    return {
        "frozen backbone, new Dense": keras.Model(inputs, new_head, name="dense"),
        "frozen backbone, LoRA of rank 4 on EinsumDense and Dense": adapted,
    }


def frozen(model: Any) -> dict[str, Any]:
    """The weights that do not train, by their layer's and their own name."""
    import numpy as np

    return {
        "/".join(variable.path.split("/")[-2:]): np.asarray(variable.value)
        for variable in model.non_trainable_variables
        if variable.name != "seed_generator_state"
    }


def measured(teacher: Any, student: Any, data: Any, epochs: int) -> dict[str, Any]:
    """Distil a student and check what it has kept."""
    import numpy as np

    from distillab import distill

    given, begin = frozen(student), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = distill(teacher, student, data, Path(folder) / "out", epochs=epochs, **SETTINGS)
        seconds = time.perf_counter() - begin
        exported = result.export("onnx", Path(folder) / "student.onnx")
    shipped, start = frozen(result.student), result.finding["start"]
    equal = sum(np.array_equal(given[name], shipped[name]) for name in given)
    verdict = result.finding["verdict"]
    return {
        "verdict": verdict["kind"],
        **{who: verdict[who]["accuracy"]["mean"] for who in ("student", "baseline")},
        "teacher": verdict["teacher"]["accuracy"],
        "start": start,
        "given": len(given),
        "equal": equal,
        "onnx": float(exported.agreement.difference),
        "seconds": seconds,
    }


def row(name: str, of: dict[str, Any]) -> str:
    """A row of the table."""
    kept = f"{of['equal']} of {of['given']} arrays equal"
    accuracies = " | ".join(f"{100 * of[who]:.1f} %" for who in ("student", "baseline", "teacher"))
    return f"| {name} | {kept} | {of['verdict']} | {accuracies} | {of['onnx']:.1e} | {of['seconds']:.0f} s |"


def main() -> None:
    """Pretrain, distil, print a table and keep the numbers."""
    import keras
    import numpy as np

    from distillab import read_data
    from distillab.data import load
    from distillab.study.provenance import now, package_versions

    keras.utils.set_random_seed(0)
    cifar = load("cifar10")
    drawn = np.random.default_rng(0).permutation(len(cifar.x_train))
    first, further, train = np.split(drawn, np.cumsum([PRETRAINING, FURTHER, TRAINING]))[:3]
    test = np.random.default_rng(1).permutation(len(cifar.x_test))[:TEST]  # the files lie class by class
    model = pretrained()
    seconds = learn(model, cifar.x_train[first], cifar.y_train[first], EPOCHS, 0.003)
    teacher = copied(model)
    both = np.concatenate([first, further])
    seconds += learn(teacher, cifar.x_train[both], cifar.y_train[both], EPOCHS_FURTHER, 0.001)
    arrays = {
        "x_train": cifar.x_train[train], "y_train": cifar.y_train[train],
        "x_test": cifar.x_test[test], "y_test": cifar.y_test[test],
    }  # fmt: skip
    print(f"Pretraining and teacher: {seconds:.0f} s", flush=True)
    print("| student | given weights | verdict | student | no teacher | teacher | ONNX, largest difference | time |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    rows = {}
    for name, student in students(model).items():
        rows[name] = measured(teacher, student, read_data(arrays), epochs=8)
        print(row(name, rows[name]), flush=True)
    kept = {"made": now(), "machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    kept |= {"versions": package_versions(), "pretraining": seconds, "rows": rows}
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
