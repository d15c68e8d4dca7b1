"""What all tests share: the backend, real data, and a small teacher with its data."""

from __future__ import annotations

import gc
import getpass
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest
from tests.rows import Rows

if TYPE_CHECKING:
    import keras

    from distillab.data import Dataset

# A fifth of Hypothesis's own number of examples: a property that fails is found on another day.
# HYPOTHESIS_PROFILE=default asks for all of them.
hypothesis.settings.register_profile("quick", max_examples=20, derandomize=True)  # `make test-slow` draws anew
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# Keras reads this at import; without it, the backend would be whatever the machine's own Keras settings say.
os.environ.setdefault("KERAS_BACKEND", "jax")
# What runs leave in a user's cache (how fast this machine was) is none of the user's where tests leave it.
os.environ["XDG_CACHE_HOME"] = str(Path(tempfile.gettempdir()) / f"distillab-tests-{getpass.getuser()}" / "cache")

# JAX reads this when it first looks for devices: tests of the cohort need two.
os.environ["JAX_NUM_CPU_DEVICES"] = "2"

# What one test has compiled, another need not compile again, also in a process of its own, and in the next run. Most
# programs are small operations whose compilation takes a few milliseconds: together they take most of a test's time.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"distillab-tests-{getpass.getuser()}")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

# Tracing allocates millions of small objects, few of them garbage in cycles: by default, looking for such takes an
# eighth of the time of the tests.
gc.set_threshold(100_000, 20, 10)

# Files whose few tests take long go first, so that no worker is left with one of them at the end.
LONG = (
    "test_killed.py",
    "test_faults.py",
    "test_readme.py",
    "test_notebook.py",
    "test_images.py",
    "test_runner.py",
    "test_browser.py",
    "test_examples.py",
    "test_distill.py",
    "test_publish.py",
    "test_commands.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


REAL_DATA = ("mnist.npz", "fashion_mnist.npz")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """A folder with the real MNIST and Fashion-MNIST files; the test is skipped where there is none."""
    beside = Path(__file__).parents[1] / ".." / "shared" / "data"
    for folder in (os.environ.get("DISTILLAB_DATA", ""), beside):
        if folder and all((Path(folder) / name).is_file() for name in REAL_DATA):
            return Path(folder).resolve()
    pytest.skip(f"no {' and '.join(REAL_DATA)} in DISTILLAB_DATA nor in ../shared/data")


@pytest.fixture(scope="session")
def own() -> Dataset:
    """600 of scikit-learn's digits, bytes from 0 to 16 scaled by 1/16, with validation and test parts."""
    from distillab.data import ReadOptions, load, read_data

    digits = load("digits")
    arrays = {"x": (digits.x_train[:600] * 15).astype(np.uint8), "y": digits.y_train[:600]}
    return read_data(arrays, ReadOptions(validation=0.2, test=0.25))


@pytest.fixture(scope="session")
def teacher(own: Dataset) -> keras.Model:
    """A trained model that ends in a softmax and normalises its batches."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Dense(10, activation="softmax"),
        ],
        name="teacher",
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    rows = own.training
    model.fit(own.inputs(own.x_train[rows]), own.y_train[rows], epochs=8, verbose=0)
    return model


@pytest.fixture(scope="session")
def teacher_file(teacher: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "teacher.keras"
    teacher.save(path)
    return path


@pytest.fixture
def rows() -> type[Rows]:
    """Makes studies and their rows."""
    return Rows
