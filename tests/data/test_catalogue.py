"""Loading by name: where files are looked for, what is downloaded, what is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from distillab.data import LOADERS, catalogue, digests, load
from distillab.data import archive as archive_module
from distillab.data.digests import Pin, find_mismatch, sha256
from distillab.errors import RequestError, WorkError


@pytest.fixture
def tiny_mnist(arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """MNIST made small: nine images that pass for the published ones."""
    small = {key: value.astype(np.uint8) for key, value in arrays.items()}
    edition = {key: Pin(shape=value.shape, sha256=sha256(value)) for key, value in small.items()}
    monkeypatch.setattr(digests, "EDITIONS", {**digests.EDITIONS, "mnist": (edition,)})
    return small


@pytest.fixture
def keras_gives(monkeypatch: pytest.MonkeyPatch):
    """Have keras.datasets.mnist.load_data return arrays, or raise."""
    import keras

    def gives(answer: dict[str, np.ndarray] | Exception) -> list[int]:
        calls: list[int] = []

        def load_data():
            calls.append(1)
            if isinstance(answer, Exception):
                raise answer
            sys.stdout.write("Downloading data")
            return (answer["x_train"], answer["y_train"]), (answer["x_test"], answer["y_test"])

        monkeypatch.setattr(keras.datasets.mnist, "load_data", load_data)
        return calls

    return gives


def put(folder: Path, arrays: dict[str, np.ndarray], name: str = "mnist.npz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / name, **arrays)
    return folder


def test_digits_are_split_once_and_for_all() -> None:
    data = load("digits")
    assert (data.x_train.shape, data.x_test.shape) == ((1347, 8, 8, 1), (450, 8, 8, 1))
    assert (data.x_train.dtype, data.x_train.max(), data.scale) == (np.uint8, 16, 1 / 16)
    shares = np.bincount(data.y_test) / np.bincount(np.concatenate([data.y_train, data.y_test]))
    assert np.abs(shares - 450 / 1797).max() < 1 / 174  # within one example of the smallest class
    assert data.digest == "463c415ea2c886de85cf45bf1fe4c155cd2dbf86b2efd2e07bbe2d3c22fb649c"


def test_real_mnist_is_recognised(data_dir: Path) -> None:
    data = load("mnist", data_dir=data_dir, download=False)
    assert (data.x_train.shape, data.x_test.shape) == ((60_000, 28, 28, 1), (10_000, 28, 28, 1))
    assert data.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert round(float(data.x_train.mean()), 3) == 33.318


def test_real_fashion_mnist_is_recognised(data_dir: Path) -> None:
    data = load("fashion_mnist", data_dir=data_dir, download=False)
    assert data.class_names[data.y_train[0]] == "Ankle boot"
    assert np.bincount(data.y_train).tolist() == [6_000] * 10


def test_one_real_set_under_the_name_of_another_is_found_out(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "mnist.npz").symlink_to(data_dir / "fashion_mnist.npz")
    (tmp_path / "fashion_mnist.npz").symlink_to(data_dir / "mnist.npz")
    with pytest.raises(
        RequestError, match=r"mnist\.npz: x_train is not mnist's x_train: it has SHA-256 .*, expected 741c"
    ):
        load("mnist", data_dir=tmp_path)
    with pytest.raises(
        RequestError, match=r"fashion_mnist\.npz: x_train is not fashion_mnist's x_train: its bytes sum to"
    ):
        load("fashion_mnist", data_dir=tmp_path)


def published_fashion() -> dict[str, np.ndarray]:
    """Arrays that share with the published ones all that is known of them: shapes, class counts, sum of bytes."""
    x = np.full(60_000 * 784, 72, np.uint8)
    x[: 3_431_114_169 - 72 * x.size] += 1
    y = (np.arange(60_000) % 10).astype(np.uint8)
    return {
        "x_train": x.reshape(60_000, 28, 28),
        "y_train": y,
        "x_test": np.zeros((10_000, 28, 28), np.uint8),
        "y_test": y[:10_000],
    }


def test_both_editions_of_fashion_mnist_pass_in_any_order_of_the_training_examples() -> None:
    arrays = published_fashion()
    assert find_mismatch("fashion_mnist", arrays) is None
    assert find_mismatch("fashion_mnist", {**arrays, "x_train": arrays["x_train"][::-1]}) is None


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("x_train", lambda x: x.astype(np.float32), "x_train has type float32, expected uint8"),
        ("x_train", lambda x: x[:100], r"x_train has shape \(100, 28, 28\), expected \(60000, 28, 28\)"),
        ("x_train", lambda x: x ^ 1, "its bytes sum to [0-9]+, expected 3431114169"),
        ("y_train", lambda y: y * 0, "y_train is not fashion_mnist's y_train: it has .* expected 6000 of each of 10"),
        ("y_test", lambda y: y // 2, "expected 1000 of each of 10"),
    ],
)
def test_a_wrong_fashion_array_is_named_with_what_was_found_and_expected(key: str, change, message: str) -> None:
    arrays = published_fashion()
    found = find_mismatch("fashion_mnist", {**arrays, key: change(arrays[key])})
    assert found is not None
    assert re.search(message, found)


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("x_train", lambda x: x.astype(np.int32), "x_train has type int32, expected uint8"),
        ("x_test", lambda x: x[:5], r"x_test has shape \(5, 4, 4\), expected \(6, 4, 4\)"),
        (
            "y_train",
            lambda y: y[::-1],
            "y_train is not mnist's y_train: it has SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}",
        ),
        ("x_test", lambda x: x ^ 1, "x_test is not mnist's x_test: it has SHA-256"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    tiny_mnist: dict[str, np.ndarray], tmp_path: Path, key: str, change, message: str
) -> None:
    put(tmp_path, {**tiny_mnist, key: change(tiny_mnist[key])})
    with pytest.raises(RequestError, match=rf"mnist\.npz: {message}.*\. Move the file away") as caught:
        load("mnist", data_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_swapped_arrays_are_named_for_what_they_are() -> None:
    test_digest = digests.MNIST["y_test"].sha256
    assert test_digest is not None
    assert digests._known_as(test_digest) == " (these are the bytes of mnist's y_test)"


def test_a_truncated_file_of_a_published_set_is_refused(tmp_path: Path, tiny_mnist) -> None:
    path = put(tmp_path, tiny_mnist) / "mnist.npz"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(RequestError, match=r"mnist\.npz: found no whole \.npz archive.* Move the file away and load"):
        load("mnist", data_dir=tmp_path)


def test_folders_are_searched_in_order(
    tiny_mnist, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = {**tiny_mnist, "x_test": tiny_mnist["x_test"] ^ 1}  # would be refused if it were read
    put(cache, tiny_mnist)
    assert load("mnist", download=False).name == "mnist"
    put(cache, bad)
    monkeypatch.setenv("DISTILLAB_DATA", str(put(tmp_path / "variable", tiny_mnist)))
    assert load("mnist", download=False).name == "mnist"
    put(tmp_path / "variable", bad)
    assert load("mnist", data_dir=put(tmp_path / "given", tiny_mnist), download=False).name == "mnist"


def test_a_folder_without_the_file_falls_back_on_the_next(tiny_mnist, tmp_path: Path, cache: Path) -> None:
    put(cache, tiny_mnist)
    assert load("mnist", data_dir=tmp_path, download=False).name == "mnist"


def test_a_missing_file_is_said_with_the_folders_searched(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(
        RequestError, match=rf"mnist\.npz was not found in {tmp_path}, {cache}, and no download was allowed\."
    ):
        load("mnist", data_dir=tmp_path, download=False)


@pytest.mark.parametrize("name", ["digits", "mnist", "synthetic", "mine.npz"])
def test_a_data_dir_that_does_not_exist_is_refused_whatever_the_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"data_dir='.*/nowhere' is not allowed: it must be a folder that exists"):
        load(name, data_dir=tmp_path / "nowhere")


def test_a_variable_that_names_no_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILLAB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(RequestError, match=r"DISTILLAB_DATA='.*/nowhere' is not allowed: .* unset it"):
        load("mnist")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        RequestError,
        match=r"There is no data set 'mnits'\. Did you mean 'mnist'\?.* a path of an \.npz or an image",
    ):
        load("mnits")


def test_without_network_the_error_is_one_line_that_says_where_to_put_the_file(
    keras_gives, tmp_path: Path, cache: Path
) -> None:
    keras_gives(Exception("URL fetch failure on https://example.org:\n  Name or service not known"))
    with pytest.raises(
        WorkError, match=r"could not be downloaded \(URL fetch failure .* Name or service not known\)"
    ) as caught:
        load("mnist", data_dir=tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(f"Put mnist.npz into {tmp_path}, or set DISTILLAB_DATA to a folder that holds it.")
    assert f"not found in {tmp_path}, {cache}" in message
    assert not cache.exists()


def test_a_download_is_kept_and_not_repeated(
    keras_gives, tiny_mnist, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = keras_gives(tiny_mnist)
    first, second = load("mnist"), load("mnist")
    assert len(calls) == 1
    assert first.digest == second.digest
    assert [path.name for path in cache.iterdir()] == ["mnist.npz"]
    assert capsys.readouterr().out == ""  # stdout is for data


def test_a_download_of_something_else_is_refused_and_not_kept(keras_gives, tiny_mnist, cache: Path) -> None:
    keras_gives({**tiny_mnist, "y_test": tiny_mnist["y_test"][::-1]})
    with pytest.raises(
        WorkError, match="The download of mnist is not what was published: y_test is not mnist's y_test"
    ):
        load("mnist")
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_said(keras_gives, tiny_mnist, cache: Path) -> None:
    keras_gives(tiny_mnist)
    cache.write_text("a file where the folder should be")
    with pytest.raises(WorkError, match=r"mnist\.npz could not be written .* Set XDG_CACHE_HOME to a folder you own"):
        load("mnist")


def test_a_failed_write_leaves_nothing_behind(
    keras_gives, tiny_mnist, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*args: object, **kwargs: object) -> None:
        raise OSError("No space left on device")

    keras_gives(tiny_mnist)
    monkeypatch.setattr(archive_module.np, "savez", full_disk)
    with pytest.raises(WorkError, match="No space left on device"):
        load("mnist")
    assert list(cache.iterdir()) == []


def test_the_users_choice_of_backend_is_respected(keras_gives, tiny_mnist, monkeypatch: pytest.MonkeyPatch) -> None:
    keras_gives(tiny_mnist)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    load("mnist")
    assert os.environ["KERAS_BACKEND"] == "torch"


def test_every_published_set_has_a_loader_class_names_and_editions() -> None:
    assert set(catalogue.CLASS_NAMES) == set(digests.EDITIONS) <= set(LOADERS)


@pytest.mark.parametrize("name", sorted(set(LOADERS) - set(catalogue.CLASS_NAMES) - {"mnist-multilabel"}))
def test_the_task_of_a_named_set_is_known_without_loading_it(name: str) -> None:
    assert catalogue.task_of(name) == load(name).task.name
    assert catalogue.task_of("./mine.npz") is None
    with pytest.raises(RequestError, match=f"that is the task of {name}"):
        load(name, task="regression" if name != "diabetes" else "binary")


def test_canvases_of_mnist_are_read_from_its_file(tiny_mnist, tmp_path: Path) -> None:
    assert catalogue.published_as("mnist-multilabel") == "mnist"
    with pytest.raises(RequestError, match=r"mnist\.npz was not found"):
        load("mnist-multilabel", download=False)


def test_importing_the_room_imports_nothing_heavy() -> None:
    code = "import sys, distillab.data; print([m for m in ('keras', 'jax', 'sklearn', 'scipy') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
