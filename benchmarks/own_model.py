"""The teachers and data of the three runs in docs/results/own-model.md: `python benchmarks/own_model.py WHICH OUT`.

`cifar10` trains a small residual net on an image folder, `fashion` makes an `.npz` in which one label in ten is left,
`tabular` makes a table of features and the answers of scikit-learn's gradient boosting to it.
"""

from __future__ import annotations

import os
import re
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


def fashion(out: Path, data_dir: Path) -> None:
    """Fashion-MNIST as OUT/fashion.npz, with one training label in ten, and a teacher that learned those alone."""
    import numpy as np

    from distillab.data import load
    from distillab.data.splits import stratified_subset

    data = load("fashion_mnist", data_dir=data_dir)
    rows = stratified_subset(data.y_train, size=len(data.y_train) // 10, rng=np.random.default_rng(0))
    labels = np.full(len(data.y_train), -1)
    labels[rows] = data.y_train[rows]
    np.savez_compressed(
        out / "fashion.npz", x_train=data.x_train, y_train=labels, x_test=data.x_test, y_test=data.y_test
    )
    _train(TEACHER, data.x_train[rows], data.y_train[rows], data.classes, out / "fashion.keras", shift=2, flip=True)


def tabular(out: Path) -> None:
    """A table, OUT/table.csv, and OUT/boosting.npy: gradient boosting's answers to it.

    The classes are clusters in ten of twenty features, six a class, with 15 % of the labels drawn anew.
    """
    import numpy as np
    from sklearn.datasets import make_classification
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import cross_val_predict

    from distillab import read_data, store_predictions

    x, y = make_classification(
        n_samples=12_000,
        n_features=20,
        n_informative=10,
        n_redundant=4,
        n_classes=4,
        n_clusters_per_class=6,
        flip_y=0.15,
        random_state=0,
    )
    table = out / "table.csv"
    with table.open("w") as file:
        file.write(",".join([*(f"f{column}" for column in range(20)), "label"]) + "\n")
        file.writelines(
            ",".join([*map(repr, row.tolist()), f"kind {label}"]) + "\n" for row, label in zip(x, y, strict=True)
        )
    data = read_data(table)
    teacher = HistGradientBoostingClassifier(random_state=0)
    # Its answers to examples that it learned would repeat their labels: each fifth is answered by the other four.
    unseen = cross_val_predict(teacher, data.x_train, data.y_train, cv=5, method="predict_proba")
    teacher.fit(data.x_train, data.y_train)
    everything = np.concatenate([data.x_train, data.x_test])
    print("gradient boosting:", f"{teacher.score(data.x_test, data.y_test):.4f} of the test examples")
    store_predictions(out / "boosting.npy", everything, np.concatenate([unseen, teacher.predict_proba(data.x_test)]))


INTRODUCTION = """# Three models distilled

Made by `python benchmarks/own_model.py page`, from the model cards that three runs of `distillab distill` left. The
teachers and the data were made by the same script on the same machine (2 cores).
"""

ABOUT = {
    "cifar10": "CIFAR-10's image folder; the teacher is a small residual net, trained for ten epochs on shifted and "
    "mirrored images; the student has less than a tenth of its weights.",
    "fashion": "Fashion-MNIST from an `.npz` in which one training label in ten is left; the teacher learned "
    "those alone.",
    "table": "A table of 20 features and 4 classes, 15 % of whose labels were drawn anew; the teacher is "
    "scikit-learn's gradient boosting, known by stored predictions (out of fold on the training examples).",
}


def page(out: Path, target: Path) -> None:
    """The page of the three runs in OUT/out-*."""
    parts = [INTRODUCTION]
    for name, about in ABOUT.items():
        card = (out / f"out-{name}" / "model_card.md").read_text()
        parts.append(f"\n\n{about}\n".join(re.sub(r"^#", "##", card, flags=re.M).split("\n", 1)))
    target.write_text("\n".join(parts))


def _train(name: str, inputs, labels, classes: int, path: Path, *, shift: int = 0, flip: bool = False) -> None:
    from distillab.engine.augmentation import Augmentation
    from distillab.engine.functional import Functional, write_variables
    from distillab.engine.teacher import train_teacher
    from distillab.engine.types import Examples, Recipe
    from distillab.models import build

    teacher = Functional(build(name, inputs.shape[1:], classes))
    start = time.perf_counter()
    for _, variables in train_teacher(
        teacher,
        Examples.for_labels(inputs, 1 / 255, (classes,)),
        labels,
        Recipe(EPOCHS, 64, augmentation=Augmentation(shift, flip)),
        learning_rate=0.002,
        seed=0,
        on_epoch=lambda epoch: print(epoch.epoch + 1, f"{epoch.loss[0]:.4f}", f"{time.perf_counter() - start:.0f} s"),
    ):
        write_variables(teacher.model, variables).save(path)


if __name__ == "__main__":
    {"cifar10": cifar10, "fashion": fashion, "tabular": tabular, "page": page}[sys.argv[1]](*map(Path, sys.argv[2:]))
