"""Image folders: classes by folder, images by name, and one clear line for what is not an image."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distillab.data import images, load
from distillab.data.digests import find_mismatch
from distillab.data.inventory import check
from distillab.errors import RequestError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (2, 3, 4, 5), dtype=np.uint8)  # class, image, height, width


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, three training images and two test images of each, 4 x 5 pixels, grey, without loss."""
    root = tmp_path / "pets"
    for part, count in (("train", 3), ("test", 2)):
        for number, name in enumerate(("cat", "dog")):
            class_folder = root / part / name
            class_folder.mkdir(parents=True)
            for index in range(count):
                Image.fromarray(GREY[number, index]).save(class_folder / f"{index}.png")
    return root


def test_classes_are_the_folders_in_order_and_images_come_by_name(folder: Path) -> None:
    data = load(folder)
    assert (data.name, data.class_names, data.input_shape, data.scale) == ("pets", ("cat", "dog"), (4, 5, 1), 1 / 255)
    np.testing.assert_array_equal(data.y_train, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(data.x_train[..., 0], GREY.reshape(6, 4, 5))
    np.testing.assert_array_equal(data.y_test, [0, 0, 1, 1])
    np.testing.assert_array_equal(data.x_test[..., 0], GREY[:, :2].reshape(4, 4, 5))


def test_one_colour_image_makes_all_of_them_colour(folder: Path) -> None:
    colours = RNG.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    Image.fromarray(colours).save(folder / "train" / "dog" / "9.png")
    data = load(folder)
    assert data.input_shape == (4, 5, 3)
    np.testing.assert_array_equal(data.x_train[-1], colours)
    np.testing.assert_array_equal(data.x_train[0], np.repeat(GREY[0, 0][..., None], 3, axis=-1))


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.xz"])
@pytest.mark.parametrize("inside", ["", "pets/"])
def test_an_archive_holds_what_its_folder_holds(folder: Path, suffix: str, inside: str) -> None:
    path = folder.parent / f"packed{suffix}"
    with tarfile.open(path, f"w:{suffix.rpartition('.')[2].replace('tar', '')}") as archive:
        for part in ("train", "test"):
            archive.add(folder / part, f"{inside}{part}")
    assert load(path).digest == load(folder).digest


def test_other_files_and_hidden_ones_are_left_aside(folder: Path) -> None:
    before = load(folder).digest
    (folder / "train" / "dog" / "notes.txt").write_text("woof")
    (folder / "train" / "dog" / ".0.png").write_bytes(b"a trace of some file manager")
    (folder / "train" / "list.csv").write_text("a,b")
    assert load(folder).digest == before


def test_many_images_are_decoded_once(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "WORTH_CACHING", 10)
    first = load(folder).digest
    monkeypatch.setattr(images, "decode_image", None)  # calling it would fail
    assert load(folder).digest == first
    assert len(list((cache / "images").iterdir())) == 1


def test_a_changed_image_is_not_read_from_the_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "WORTH_CACHING", 10)
    before = load(folder).digest
    Image.fromarray(255 - GREY[0, 0]).save(folder / "train" / "cat" / "0.png")
    assert load(folder).digest != before


def test_a_class_that_is_missing_from_the_test_part_is_named(folder: Path) -> None:
    (folder / "test" / "dog").rename(folder / "test" / "wolf")
    with pytest.raises(RequestError, match=r"pets: found the classes cat, dog in train and cat, wolf in test"):
        load(folder)


def test_an_empty_folder_says_what_belongs_there(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(RequestError, match=r"found the classes none in train .* Make folders train/CLASS"):
        load(tmp_path / "nothing")


def test_images_of_two_sizes_are_refused_with_both(folder: Path) -> None:
    Image.fromarray(GREY[0, 0][:3]).save(folder / "train" / "dog" / "9.png")
    with pytest.raises(RequestError, match=r"train/dog/9\.png has 3 x 5 pixels, and train/cat/0\.png has 4 x 5"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n and then nothing"])
def test_a_file_that_is_no_image_is_named(folder: Path, content: bytes) -> None:
    (folder / "test" / "cat" / "1.png").write_bytes(content)
    with pytest.raises(
        RequestError, match=r"pets: test/cat/1\.png cannot be read as an image \(.*\)\. Remove or repair"
    ):
        load(folder)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pets.tar.xz"
    path.write_bytes(b"\xfd7zXZ and then nothing")
    with pytest.raises(RequestError, match=r"pets\.tar\.xz: the archive cannot be read"):
        load(path)


@pytest.mark.parametrize("suffix", ["gz", "xz", "bz2"])
def test_an_archive_cut_off_or_altered_anywhere_is_refused_or_whole(folder: Path, suffix: str) -> None:
    """Bytes cut off and bytes changed: one clear line, or the very same images where nothing was read of the change."""
    path = folder.parent / f"packed.tar.{suffix}"
    with tarfile.open(path, f"w:{suffix}") as archive:
        archive.add(folder, "pets")
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    for _ in range(60):
        offset = int(rng.integers(len(whole)))
        damaged = bytearray(whole[:offset] if rng.random() < 0.5 else whole)
        if len(damaged) > offset:
            damaged[offset] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            load(path)
        except RequestError as error:
            assert str(path) in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("form", ["png", "jpg"])
def test_an_image_cut_off_or_altered_anywhere_is_named_or_read(folder: Path, form: str) -> None:
    image = folder / "train" / "cat" / f"9.{form}"
    Image.fromarray(GREY[0, 0]).save(image)
    whole, rng = image.read_bytes(), np.random.default_rng(2)
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[int(rng.integers(len(whole)))] = int(rng.integers(256))
        image.write_bytes(damaged[: int(rng.integers(1, len(whole) + 1))] if rng.random() < 0.3 else damaged)
        try:
            load(folder)
        except RequestError as error:
            assert f"9.{form}" in str(error)  # noqa: PT017


def test_two_data_sets_in_one_archive_are_refused(folder: Path) -> None:
    path = folder.parent / "two.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(folder, "one")
        archive.add(folder, "other")
    with pytest.raises(RequestError, match=r"there are two images \w+/\w+/0\.png, in folders of different names"):
        load(path)


def test_sixteen_bits_are_refused_and_transparency_is_left_out(folder: Path) -> None:
    transparent = np.stack([GREY[0, 0], GREY[0, 1]], axis=-1)
    Image.fromarray(transparent, mode="LA").save(folder / "train" / "cat" / "9.png")
    data = load(folder)
    assert data.input_shape == (4, 5, 1)
    np.testing.assert_array_equal(data.x_train[3, ..., 0], GREY[0, 0])
    Image.fromarray(GREY[0, 0].astype(np.uint16) * 256).save(folder / "train" / "cat" / "deep.png")
    with pytest.raises(RequestError, match=r"cat/deep\.png has more than 8 bits a channel \(mode I;16\)\. Convert"):
        load(folder)


def test_hidden_classes_and_folders_called_like_images_are_left_aside(folder: Path) -> None:
    before = load(folder).digest
    hidden = folder / "train" / ".ipynb_checkpoints"
    hidden.mkdir()
    (hidden / "1.png").write_bytes((folder / "train" / "cat" / "0.png").read_bytes())
    (folder / "train" / "cat" / "old.png").mkdir()
    assert load(folder).digest == before


def test_images_of_other_things_are_not_cifar10(folder: Path) -> None:
    folder.rename(folder.parent / "cifar10")
    with pytest.raises(RequestError, match=r"found the classes cat, dog; those of cifar10 are airplane, automobile"):
        load("cifar10", data_dir=folder.parent, download=False)


def test_arrays_of_the_right_shape_are_not_cifar10() -> None:
    """Neither random arrays nor, from image files, pictures of other colours."""
    arrays = {
        "x_train": np.zeros((50_000, 32, 32, 3), np.uint8),
        "y_train": np.repeat(np.arange(10, dtype=np.uint8), 5_000),
        "x_test": np.zeros((10_000, 32, 32, 3), np.uint8),
        "y_test": np.repeat(np.arange(10, dtype=np.uint8), 1_000),
    }
    assert "its bytes sum to 0, expected 18540682003" in str(find_mismatch("cifar10", arrays))
    assert "channels have the means 0.0, 0.0, 0.0, expected 125.3" in str(find_mismatch("cifar10", arrays, images=True))
    arrays["x_train"][...] = np.array([125, 123, 114], np.uint8)
    assert find_mismatch("cifar10", arrays, images=True) is None


def test_the_inventory_knows_image_folders(folder: Path) -> None:
    assert check(folder).status == "present"
    (folder / "train" / "cat" / "0.png").write_bytes(b"")
    assert check(folder).status == "damaged"
    assert check(folder.parent / "none" / "such").status == "missing"


@pytest.mark.presets  # 60,000 images, read one by one
@pytest.mark.parametrize("images_of", ["cifar10-images.tar.xz"])
def test_the_copy_of_cifar10_is_read_whole(images_of: str, data_dir: Path) -> None:
    if not (data_dir / images_of).is_file():
        pytest.skip(f"no {images_of} beside mnist.npz")
    data = load("cifar10", data_dir=data_dir)
    assert (data.x_train.shape, data.x_test.shape) == ((50_000, 32, 32, 3), (10_000, 32, 32, 3))
    assert data.class_names[:2] == ("airplane", "automobile")
    means = data.x_train.mean(axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=1e-3)  # the published images' own
