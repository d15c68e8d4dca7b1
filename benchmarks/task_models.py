"""The teachers of the runs in docs/results/tasks.md: `python benchmarks/task_models.py WHICH OUT`.

`breast_cancer` and `diabetes` store out-of-fold predictions of scikit-learn's gradient boosting, `multilabel` and
`segmentation` train a Keras model that ends in sigmoids or in softmax. `page OUT TARGET` makes the page of the runs in
OUT/out-*, from their model cards.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

EPOCHS = {"resnet-16-32-64": 15, "unet-16-32": 12}


def boosting(name: str, out: Path) -> None:
    """Predictions of gradient boosting for a data set, OUT/boosting-NAME.npy: one column."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.model_selection import cross_val_predict

    from distillab import store_predictions
    from distillab.data import load

    data = load(name)
    of_numbers = data.task.name == "regression"
    model = (HistGradientBoostingRegressor if of_numbers else HistGradientBoostingClassifier)(random_state=0)
    y = data.y_train[:, 0] if of_numbers else data.y_train

    def column(predictions: np.ndarray) -> np.ndarray:
        return predictions if of_numbers else predictions[:, 1]

    how = "predict" if of_numbers else "predict_proba"
    # Predictions for examples that a model learned would repeat their labels: each fifth is predicted by the others.
    unseen = column(cross_val_predict(model, data.x_train, y, cv=5, method=how))
    model.fit(data.x_train, y)
    test = column(getattr(model, how)(data.x_test))
    everything = np.concatenate([data.x_train, data.x_test])
    store_predictions(out / f"boosting-{name}.npy", everything, np.concatenate([unseen, test]))


def trained(name: str, architecture: str, last: str, loss: str, out: Path) -> None:
    """A Keras model for a data set, OUT/NAME.keras, its scaling and its last activation inside."""
    import keras

    from distillab.data import load
    from distillab.models import build

    keras.utils.set_random_seed(0)
    data = load(name)
    inputs = keras.Input(data.input_shape)
    core = build(architecture, data.input_shape, data.outputs)
    outputs = keras.layers.Activation(last)(core(keras.layers.Rescaling(data.scale)(inputs)))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.001), loss)
    model.fit(data.x_train, data.y_train, epochs=EPOCHS[architecture], batch_size=32, verbose=2)
    model.save(out / f"{name}.keras")


def breast_cancer(out: Path) -> None:
    """Stored predictions for `breast_cancer`."""
    boosting("breast_cancer", out)


def diabetes(out: Path) -> None:
    """Stored predictions for `diabetes`."""
    boosting("diabetes", out)


def multilabel(out: Path) -> None:
    """A residual net of ten sigmoids for `digits-multilabel`."""
    trained("digits-multilabel", "resnet-16-32-64", "sigmoid", "binary_crossentropy", out)


def segmentation(out: Path) -> None:
    """A U-Net of softmax maps for `digits-segmentation`."""
    trained("digits-segmentation", "unet-16-32", "softmax", "sparse_categorical_crossentropy", out)


INTRODUCTION = """# A model of each task, distilled

Made by `python benchmarks/task_models.py page`, from the model cards that four runs of `distillab distill` left. The
same script made the teachers. All data are inside scikit-learn: see [tasks](../tasks.md).
"""

ABOUT = {
    "breast_cancer": "Yes or no: is a tumour benign? The teacher is scikit-learn's gradient boosting, known by stored "
    "probabilities (one column, out of fold on the training examples).",
    "diabetes": "A real number: the progression of diabetes after a year. The teacher is scikit-learn's gradient "
    "boosting, known by stored predictions (out of fold on the training examples).",
    "multilabel": "Several labels: which digits lie on a canvas? The teacher is a residual net that ends in ten "
    "sigmoids.",
    "segmentation": "Maps: which digit, or none, is at every pixel of a canvas? The teacher is a U-Net that ends in "
    "softmax.",
}


def page(out: Path, target: Path) -> None:
    """The page of the four runs in OUT/out-*."""
    parts = [INTRODUCTION]
    for name, about in ABOUT.items():
        card = (out / f"out-{name}" / "model_card.md").read_text()
        parts.append(f"\n\n{about}\n".join(re.sub(r"^#", "##", card, flags=re.M).split("\n", 1)))
    target.write_text("\n".join(parts))


WHICH: dict[str, Any] = {
    "breast_cancer": breast_cancer,
    "diabetes": diabetes,
    "multilabel": multilabel,
    "segmentation": segmentation,
    "page": page,
}

if __name__ == "__main__":
    WHICH[sys.argv[1]](*map(Path, sys.argv[2:]))
