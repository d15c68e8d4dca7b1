"""Modules and files of PyTorch give what PyTorch gives, and no file runs code unasked."""

from __future__ import annotations

import os
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.foreign import ForeignModel
from distillab.models.frameworks.opening import foreign_file, foreign_object

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of torch.jit
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

X = np.random.default_rng(0).normal(size=(9, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def net() -> Any:
    """A network that answers otherwise in training: it normalises batches and drops outputs."""
    torch.manual_seed(0)
    layers = torch.nn
    made = layers.Sequential(
        layers.Conv2d(3, 6, 3), layers.BatchNorm2d(6), layers.ReLU(), layers.Dropout(0.5), layers.Flatten(),
        layers.Linear(6 * 36, 4),
    )  # fmt: skip
    made(torch.as_tensor(3 * X + 1))  # moves the running statistics
    return made


def expected(net: Any) -> np.ndarray:
    training = net.training
    with torch.no_grad():
        given = net.eval()(torch.as_tensor(X)).numpy()
    net.train(training)
    return np.asarray(given)


def opened(source: Any) -> ForeignModel:
    model = foreign_object(source)
    assert model is not None
    return model


@pytest.mark.parametrize("training", [True, False])
def test_a_module_answers_in_inference_and_keeps_its_mode(net: Any, training: bool) -> None:
    net.train(training)
    net[1].eval()  # frozen, as fine-tuning does
    before = {key: value.clone() for key, value in net.state_dict().items()}
    wanted = expected(net)
    net[1].eval()
    modes = [one.training for one in net.modules()]
    np.testing.assert_allclose(opened(net).predict(X), wanted, atol=1e-5)
    assert [one.training for one in net.modules()] == modes
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_the_mode_is_kept_where_a_module_fails(net: Any) -> None:
    net.train()
    with pytest.raises(RequestError, match=r"The PyTorch module Sequential fails for float32 inputs of shape \(5,\)"):
        opened(net).predict(np.zeros((2, 5), np.float32))
    assert net.training


def test_its_digest_is_that_of_its_weights(net: Any) -> None:
    first = opened(net).digest
    assert opened(net).digest == first
    with torch.no_grad():
        net[0].bias[0] += 1e-3
    assert opened(net).digest != first


def test_an_object_with_logits_and_names_is_read(net: Any) -> None:
    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net
            self.config = SimpleNamespace(id2label={0: "cat", 1: "dog", 2: "fox", 3: "owl"})

        def forward(self, pixel_values: Any) -> Any:
            return SimpleNamespace(logits=self.net(pixel_values), loss=None)

    model = opened(Classifier())
    np.testing.assert_allclose(model.predict(X), expected(net), atol=1e-5)
    assert model.class_names == ("cat", "dog", "fox", "owl")
    assert model.channels_first


@pytest.mark.parametrize(
    "wrap", [lambda z: {"logits": z}, lambda z: (z,), lambda z: [z]], ids=["dict", "tuple", "list"]
)
def test_logits_in_a_container_are_found(net: Any, wrap: Any) -> None:
    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Any) -> Any:
            return wrap(self.net(x))

    np.testing.assert_allclose(opened(Wrapped()).predict(X), expected(net), atol=1e-5)


def test_half_precision_and_no_weights(net: Any) -> None:
    model = opened(torch.nn.Flatten())
    np.testing.assert_array_equal(model.predict(X), X.reshape(9, -1))


@pytest.mark.parametrize("training", [True, False])
def test_torchscript(net: Any, training: bool, tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.jit.save(torch.jit.script(net.train(training)), str(path))
    model = foreign_file(path)
    np.testing.assert_allclose(model.predict(X), expected(net), atol=1e-5)
    np.testing.assert_allclose(model.predict(X), expected(net), atol=1e-5)
    assert (model.kind, model.name) == ("TorchScript model", "m.pt")


def exported(net: Any, path: Path) -> Path:
    batch = torch.export.Dim("batch", min=1, max=512)
    program = torch.export.export(net.eval(), (torch.as_tensor(X[:2]),), dynamic_shapes=({0: batch},))
    torch.export.save(program, str(path))
    return path


def rewritten(path: Path, changed: dict[str, bytes]) -> Path:
    """The same archive with members changed or added, by the end of their names."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(members)).partition("/")[0]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | {f"{root}/{end}": value for end, value in changed.items()}).items():
            archive.writestr(name, content)
    return path


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def test_an_exported_program(net: Any, tmp_path: Path) -> None:
    model = foreign_file(exported(net, tmp_path / "m.pt2"))
    np.testing.assert_allclose(model.predict(X), expected(net), atol=1e-5)
    np.testing.assert_allclose(model.predict(X[:1]), expected(net)[:1], atol=1e-5)


def members(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name.partition("/")[2] for name in archive.namelist()]


def pickled(marker: Path, form: str) -> bytes:
    if form == "plain":
        return pickle.dumps(Trap(marker))
    import io

    content = io.BytesIO()
    torch.save(Trap(marker), content)
    return content.getvalue()


@pytest.mark.parametrize("form", ["plain", "torch.save"])
@pytest.mark.parametrize("directory", ["sample_inputs", "weights", "constants", "data/sample_inputs"])
def test_an_exported_program_runs_no_pickle_of_its_archive(net: Any, directory: str, form: str, tmp_path: Path) -> None:
    path, marker = exported(net, tmp_path / "m.pt2"), tmp_path / "marker"
    name = f"{directory}/model.pt"
    rewritten(path, {name: pickled(marker, form)})
    with pytest.raises(
        RequestError, match=r"holds pickled Python objects \(.*model\.pt\), which can run any code.*--trust"
    ):
        foreign_file(path)
    assert not marker.exists()


def test_no_member_of_any_name_runs_without_trust(net: Any, tmp_path: Path) -> None:
    """Each member of a real archive replaced by a pickle in turn: refused, or never unpickled."""
    path, marker = exported(net, tmp_path / "whole.pt2"), tmp_path / "marker"
    content = path.read_bytes()
    for place, name in enumerate(members(path)):
        for form in ("plain", "torch.save"):
            other = tmp_path / f"{place}-{form}.pt2"
            other.write_bytes(content)
            rewritten(other, {name: pickled(marker, form)})
            with suppress(RequestError):  # any other error fails
                foreign_file(other).predict(X)
            assert not marker.exists(), name


def test_what_torch_save_writes_is_refused(net: Any, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for suffix in (".pt", ".pth"):
        for kept in (net.state_dict(), net, Trap(marker)):
            path = tmp_path / f"m{suffix}"
            torch.save(kept, path)
            with pytest.raises(RequestError, match=r"is a pickle of torch\.save.*torch\.jit\.save"):
                foreign_file(path)
    assert not marker.exists()


def test_damage_is_told_in_a_line(net: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.jit.save(torch.jit.script(net), str(path))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(RequestError, match=r"m\.pt is no TorchScript model: it is damaged"):
        foreign_file(path)
    path.write_bytes(content)
    rewritten(path, {next(name for name in members(path) if name.endswith(".py")): b"no code"})
    with pytest.raises(RequestError, match=r"PyTorch cannot load .*m\.pt as TorchScript") as raised:
        foreign_file(path)
    assert "\n" not in str(raised.value)
