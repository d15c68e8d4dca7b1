"""The teachers and data of the three runs in docs/results/own-model.md: `python benchmarks/own_model.py cifar10 OUT`.

`cifar10` trains a small residual net on an image folder, `fashion` makes an `.npz` in which one label in ten is left,
`tabular` makes a table of features and the answers of scikit-learn's gradient boosting to it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

TEACHER, EPOCHS = "resnet-32-64-128", 10


def cifar10(out: Path) -> None:
    """A teacher for the images in OUT/cifar10/train."""
    from distillab.data.images import read_images

    arrays, classes = read_images(out / "cifar10")
    _train(TEACHER, arrays["x_train"], arrays["y_train"], len(classes), out / "cifar10.keras", shift=4, flip=True)


def _train(name: str, inputs, labels, classes: int, path: Path, *, shift: int = 0, flip: bool = False) -> None:
    from distillab.engine.augmentation import Augmentation
    from distillab.engine.functional import Functional, write_variables
    from distillab.engine.roster import Recipe
    from distillab.engine.teacher import train_teacher
    from distillab.models import build

    teacher = Functional(build(name, inputs.shape[1:], classes))
    start = time.perf_counter()
    for _, variables in train_teacher(
        teacher,
        inputs,
        labels,
        scale=1 / 255,
        classes=classes,
        recipe=Recipe(EPOCHS, 64, augmentation=Augmentation(shift, flip)),
        learning_rate=0.002,
        seed=0,
        on_epoch=lambda epoch: print(epoch.epoch + 1, f"{epoch.loss[0]:.4f}", f"{time.perf_counter() - start:.0f} s"),
    ):
        write_variables(teacher.model, variables).save(path)


if __name__ == "__main__":
    {"cifar10": cifar10}[sys.argv[1]](Path(sys.argv[2]))
