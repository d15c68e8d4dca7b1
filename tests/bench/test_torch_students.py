"""The PyTorch students compute the zoo's functions with as many weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from distillab.bench.plan import STUDENTS
from distillab.errors import RequestError
from distillab.models import build
from distillab.models.zoo import DROPOUT

torch = pytest.importorskip("torch")
students = pytest.importorskip("distillab.bench.torch_students")

NAMES = (*STUDENTS, "mobilenet-16-32-64")


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_a_student_has_as_many_weights_as_the_zoos(name: str, shape: tuple[int, ...]) -> None:
    module, model = students.student(name, shape, 10), build(name, shape, 10)
    buffers = [buffer for key, buffer in module.named_buffers() if not key.endswith("num_batches_tracked")]
    assert sum(array.numel() for array in [*module.parameters(), *buffers]) == model.count_params()


@pytest.mark.parametrize("name", NAMES)
def test_a_student_predicts_what_the_zoos_does_with_the_same_weights(name: str) -> None:
    shape = (12, 12, 2)
    model, module = build(name, shape, 10), students.student(name, shape, 10)
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if "seed" not in variable.path:
            signs = 1 if "variance" in variable.path else rng.choice([1, -1], variable.shape)
            variable.assign(signs * rng.uniform(0.1, 0.5, variable.shape))
    _copy(model, module)
    images = rng.normal(size=(3, *shape)).astype(np.float32)
    with torch.no_grad():
        ours = module.eval()(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    theirs = np.asarray(model(images, training=False))
    # float32 sums of up to a thousand terms, in two orders, through up to seven layers
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())


def test_dropout_and_moving_statistics_are_the_zoos() -> None:
    rates = [m.p for m in students.student("vit-32-2", (28, 28, 1), 10).modules() if isinstance(m, torch.nn.Dropout)]
    assert rates == [DROPOUT, DROPOUT]
    model, module = build("resnet-4-8", (8, 8, 1), 10), students.student("resnet-4-8", (8, 8, 1), 10)
    ours = {(round(1 - m.momentum, 6), m.eps) for m in module.modules() if isinstance(m, torch.nn.BatchNorm2d)}
    theirs = {(b.momentum, b.epsilon) for b in model.layers if isinstance(b, keras.layers.BatchNormalization)}
    assert ours == theirs


def test_a_student_that_has_no_pytorch_version_is_named() -> None:
    with pytest.raises(RequestError, match="There is no PyTorch version of the architecture 'mlp'"):
        students.student("mlp-64-32", (28, 28, 1), 10)


@pytest.mark.parametrize("name", ["cnn-2-3", "vit-4-1"])
def test_the_loop_trains(name: str) -> None:
    from distillab.bench.torch_loop import loop

    work = loop(name, [8, 8, 1])
    assert work.threads >= 1
    assert work.make(4)() > 0


def _copy(model: Any, module: Any) -> None:
    """Copy Keras's weights, layer after layer of each type, in the order in which both make them."""
    queues: dict[Any, list[Any]] = {}
    for part in module.modules():
        queues.setdefault(_kind(part), []).append(part)
    for layer in sorted(model.layers, key=_creation):
        arrays = [np.asarray(variable) for variable in layer.weights if "seed" not in variable.path]
        if arrays:
            _copy_layer(layer, arrays, queues, module)


def _kind(part: Any) -> str:
    if isinstance(part, torch.nn.Conv2d):
        return "DepthwiseConv2D" if part.groups > 1 else "Conv2D"
    names = {"BatchNorm2d": "BatchNormalization", "LayerNorm": "LayerNormalization", "Linear": "Dense"}
    return names.get(type(part).__name__, type(part).__name__)


def _creation(layer: Any) -> int:
    """A graph's layers are sorted by depth; the number in a name is the order of creation."""
    number = layer.name.rpartition("_")[2]
    return int(number) if number.isdigit() else -1


def _copy_layer(layer: Any, arrays: list[Any], queues: dict[Any, list[Any]], module: Any) -> None:
    kind = type(layer).__name__
    if kind == "EinsumDense":
        queues["Dense"].remove(module.embed)
        _set(module.embed.weight, arrays[0].T)
        _set(module.positions, arrays[1])
    elif kind == "MultiHeadAttention":
        attention = queues["_Attention"].pop(0)
        queues["Dense"] = [m for m in queues["Dense"] if m not in (attention.project, attention.join)]
        width = arrays[0].shape[0]
        _set(attention.project.weight, np.concatenate([a.reshape(width, -1).T for a in arrays[0:6:2]]))
        _set(attention.project.bias, np.concatenate([a.reshape(-1) for a in arrays[1:6:2]]))
        _set(attention.join.weight, arrays[6].reshape(-1, width).T)
        _set(attention.join.bias, arrays[7])
    elif kind == "GRU":
        for target, array in zip(queues[kind].pop(0).parameters(), [arrays[0].T, arrays[1].T, *arrays[2]], strict=True):
            update, reset, new = np.split(array, 3)  # PyTorch has the reset gate first
            _set(target, np.concatenate([reset, update, new]))
    else:
        target, (first, *others) = queues[kind].pop(0), arrays
        axes = (2, 3, 0, 1) if kind == "DepthwiseConv2D" else (3, 2, 0, 1)
        _set(target.weight, first.transpose(axes) if first.ndim == 4 else first.T)
        for name, array in zip(("bias", "running_mean", "running_var"), others, strict=False):
            _set(getattr(target, name), array)


def _set(target: Any, array: Any) -> None:
    assert target.shape == array.shape
    with torch.no_grad():
        target.copy_(torch.from_numpy(np.array(array, order="C")))
