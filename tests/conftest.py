"""What all tests share: the backend, and where real data is found."""

from __future__ import annotations

import getpass
import os
import tempfile
from pathlib import Path

import hypothesis
import pytest

# A fifth of Hypothesis's own number of examples: a property that fails is found on another day.
# HYPOTHESIS_PROFILE=default asks for all of them.
hypothesis.settings.register_profile("quick", max_examples=20)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# Keras reads this at import; without it, the backend would be whatever the machine's own Keras settings say.
os.environ.setdefault("KERAS_BACKEND", "jax")
# What runs leave in a user's cache (how fast this machine was) is none of the user's where tests leave it.
os.environ["XDG_CACHE_HOME"] = str(Path(tempfile.gettempdir()) / f"distillab-tests-{getpass.getuser()}" / "cache")

# JAX reads this when it first looks for devices: tests of the cohort need two.
os.environ["JAX_NUM_CPU_DEVICES"] = "2"

# What one test has compiled, another need not compile again, also in a process of its own.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"distillab-tests-{getpass.getuser()}")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

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
    "test_course.py",
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
