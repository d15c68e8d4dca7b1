"""Scikit-learn's tables: real data sets of a binary task and of a regression that need no download."""

from __future__ import annotations

import numpy as np

from distillab.data.dataset import Dataset
from distillab.data.labels import Array
from distillab.data.splits import strata, stratified_split
from distillab.data.standardisation import feature_scale
from distillab.tasks import TASKS, Task

SPLIT_SEED = 569
TEST_SIZE = {"breast_cancer": 169, "diabetes": 110}


def breast_cancer() -> Dataset:
    """Load the 569 tumours, 30 features each, that come inside scikit-learn; 1 is benign.

    Returns:
        400 training and 169 test examples.

    Source: W. N. Street, W. H. Wolberg, O. L. Mangasarian, "Nuclear feature extraction for breast tumor diagnosis",
    IS&T/SPIE Symposium on Electronic Imaging, 1993.

    Note: the set has no published split. This one is stratified and fixed by `SPLIT_SEED`.
    """
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    names = tuple(str(name) for name in bunch.target_names)
    return _split("breast_cancer", bunch.data, bunch.target.astype(np.int32), names, TASKS["binary"])


def diabetes() -> Dataset:
    """Load the 442 patients, 10 features each, that come inside scikit-learn.

    Returns:
        332 training and 110 test examples; the number is a score of the disease's progression one year after the
        baseline, from 25 to 346.

    Source: B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, "Least angle regression", Annals of Statistics, 2004.

    Note: the set has no published split. This one is fixed by `SPLIT_SEED`.
    """
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    target = bunch.target.astype(np.float32)[:, None]
    return _split("diabetes", bunch.data, target, ("progression",), TASKS["regression"])


def _split(name: str, features: Array, labels: Array, names: tuple[str, ...], task: Task) -> Dataset:
    rng = np.random.default_rng(SPLIT_SEED)
    groups = strata(task, labels)
    train, test = stratified_split(groups, share=TEST_SIZE[name] / len(labels), rng=rng)
    x = features.astype(np.float32)
    mean, spread = feature_scale(x[train])
    return Dataset(
        name, x[train], labels[train], x[test], labels[test], names, 1.0, mean=mean, spread=spread, task=task
    )
