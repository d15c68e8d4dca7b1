"""Scikit-learn's handwritten digits: a real data set that needs no download."""

from __future__ import annotations

import numpy as np

from distillab.data.dataset import Dataset
from distillab.data.splits import stratified_split

SPLIT_SEED = 1797
TEST_SIZE = 450


def digits() -> Dataset:
    """Load the 1,797 digits of 8x8 pixels that come inside scikit-learn.

    Returns:
        1,347 training and 450 test examples (N, 8, 8, 1), values 0..16 stored as bytes, scale 1/16.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998
    (the test part, as in scikit-learn).

    Note: the set has no published split. This one is stratified and fixed by `SPLIT_SEED`; numbers from other splits do
    not compare.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images, labels = bunch.images.astype(np.uint8)[..., None], bunch.target.astype(np.int32)
    rng = np.random.default_rng(SPLIT_SEED)
    train, test = stratified_split(labels, share=TEST_SIZE / len(labels), rng=rng)
    names = tuple(str(number) for number in range(10))
    return Dataset("digits", images[train], labels[train], images[test], labels[test], names, 1 / 16)
