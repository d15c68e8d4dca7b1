"""The zoo's students as PyTorch modules: the same functions of the same number of weights, for the bench.

Images are (B, C, H, W), as PyTorch has them. A test copies Keras's weights into each and compares the outputs.
"""
# PyTorch has no annotations that mypy reads here.
# mypy: disallow-subclassing-any=False

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from distillab.errors import unknown
from distillab.models.zoo import DROPOUT, LEAK, MOMENTUM, parse

Shape = tuple[int, ...]


def student(name: str, shape: Shape, classes: int) -> Any:
    """Build a student of the zoo in PyTorch.

    Args:
        name: architecture and widths, such as `cnn-16-32`.
        shape: (H, W, C).
        classes: the number of outputs.

    Returns:
        A module from images (B, C, H, W) to logits (B, classes).

    Raises:
        RequestError: there is no such architecture here.
    """
    architecture, widths = parse(name)
    if architecture not in STUDENTS:
        raise unknown("PyTorch version of the architecture", architecture, STUDENTS)
    return STUDENTS[architecture](shape, classes, widths)


class _Conv(nn.Conv2d):
    """A convolution with Keras's `same` padding: what cannot be halved is added after the image, not before it."""

    def __init__(self, channels: int, filters: int, size: int, stride: int = 1, **options: Any) -> None:
        super().__init__(channels, filters, size, stride=stride, padding=size // 2 if stride == 1 else 0, **options)

    def forward(self, x: Any) -> Any:
        if self.stride[0] > 1:
            x = functional.pad(x, [*self._edges(x.shape[3]), *self._edges(x.shape[2])])
        return super().forward(x)

    def _edges(self, length: int) -> tuple[int, int]:
        size, stride = self.kernel_size[0], self.stride[0]
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        return total // 2, total - total // 2


class _PoolOfNeighbours(nn.Module):
    """The largest of each 2 x 2 window, with a stride of 1 and `same` padding."""

    def forward(self, x: Any) -> Any:
        return functional.max_pool2d(x, 2, stride=1, padding=1)[:, :, 1:, 1:]


class _ChannelsLast(nn.Module):
    """(B, C, H, W) to (B, H, W, C); a view, for images that lie in memory so."""

    def forward(self, x: Any) -> Any:
        return x.permute(0, 2, 3, 1)


class _Mean(nn.Module):
    """The mean over some axes."""

    def __init__(self, *axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Any) -> Any:
        return x.mean(self.axes)


def _normed(channels: int, filters: int, size: int, stride: int = 1, groups: int = 1) -> Any:
    return nn.Sequential(
        _Conv(channels, filters, size, stride, bias=False, groups=groups),
        nn.BatchNorm2d(filters, eps=1e-3, momentum=1 - MOMENTUM),  # Keras's eps; its momentum weighs the past
    )


def _cnn(shape: Shape, classes: int, widths: Shape) -> Any:
    height, width, channels = shape
    first, second = widths
    return nn.Sequential(
        _Conv(channels, first, 3, 2),
        nn.LeakyReLU(LEAK),
        _PoolOfNeighbours(),
        _Conv(first, second, 3, 2),
        _ChannelsLast(),
        nn.Flatten(),
        nn.Linear(-(-height // 4) * -(-width // 4) * second, classes),
    )


class _Block(nn.Module):
    """Two convolutions and what they are added to."""

    def __init__(self, channels: int, filters: int, stride: int, widens: bool) -> None:
        super().__init__()
        self.shortcut = _normed(channels, filters, 1, stride) if widens else nn.Identity()
        self.first, self.second = _normed(channels, filters, 3, stride), _normed(filters, filters, 3)

    def forward(self, x: Any) -> Any:
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


def _resnet(shape: Shape, classes: int, widths: Shape) -> Any:
    before = [widths[0], *widths]
    blocks = [_Block(before[k], filters, 1 + (k > 0), k > 0) for k, filters in enumerate(widths)]
    return nn.Sequential(
        _normed(shape[2], widths[0], 3), nn.ReLU(), *blocks, _Mean(2, 3), nn.Linear(widths[-1], classes)
    )


def _mobilenet(shape: Shape, classes: int, widths: Shape) -> Any:
    layers = [_normed(shape[2], widths[0], 3, 2), nn.ReLU()]
    for block, (before, filters) in enumerate(pairwise(widths)):
        layers += [_normed(before, before, 3, 1 + block % 2, groups=before), nn.ReLU()]
        layers += [_normed(before, filters, 1), nn.ReLU()]
    return nn.Sequential(*layers, _Mean(2, 3), nn.Linear(widths[-1], classes))


class _Recurrent(nn.Module):
    """A GRU that reads images row by row; PyTorch's has Keras's equations (`reset_after`)."""

    def __init__(self, shape: Shape, classes: int, widths: Shape) -> None:
        super().__init__()
        sizes = [shape[1] * shape[2], *widths]
        self.layers = nn.ModuleList(nn.GRU(size, units, batch_first=True) for size, units in pairwise(sizes))
        self.dense = nn.Linear(widths[-1], classes)

    def forward(self, x: Any) -> Any:
        x = x.permute(0, 2, 3, 1).flatten(2)
        for layer in self.layers:
            x, _ = layer(x)
        return self.dense(x[:, -1])


class _Attention(nn.Module):
    """Attention of several heads, its three projections as one product."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = next(h for h in (4, 2, 1) if width % h == 0)
        self.project, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Any) -> Any:
        rows = self.project(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = DROPOUT if self.training else 0.0
        attended = functional.scaled_dot_product_attention(rows[0], rows[1], rows[2], dropout_p=dropout)
        return self.join(attended.transpose(1, 2).flatten(2))


class _TransformerBlock(nn.Module):
    """Attention and two dense layers, each normalised before and added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width, eps=1e-6), _Attention(width))
        self.dense = nn.Sequential(
            nn.LayerNorm(width, eps=1e-6),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
            nn.Dropout(DROPOUT),
        )

    def forward(self, x: Any) -> Any:
        x = x + self.attention(x)
        return x + self.dense(x)


class _Vit(nn.Module):
    """The small vision transformer: its position embedding is the bias of the patches' embedding."""

    def __init__(self, shape: Shape, classes: int, widths: Shape) -> None:
        super().__init__()
        (height, columns, channels), (width, depth) = shape, widths
        fitting = (s for s in (4, 3, 2) if height % s == columns % s == 0 and height * columns >= 16 * s * s)
        self.side = next(fitting, 1)
        self.embed = nn.Linear(self.side**2 * channels, width, bias=False)
        self.positions = nn.Parameter(torch.zeros(height * columns // self.side**2, width))
        self.blocks = nn.Sequential(*[_TransformerBlock(width) for _ in range(depth)])
        self.normalise, self.dense = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, classes)

    def forward(self, x: Any) -> Any:
        x = x.permute(0, 2, 3, 1).unflatten(2, (-1, self.side)).unflatten(1, (-1, self.side))
        x = x.permute(0, 1, 3, 2, 4, 5).flatten(3).flatten(1, 2)
        x = self.blocks(self.embed(x) + self.positions)
        return self.dense(self.normalise(x).mean(1))


STUDENTS: Mapping[str, Callable[[Shape, int, Shape], Any]] = MappingProxyType(
    {"cnn": _cnn, "resnet": _resnet, "mobilenet": _mobilenet, "gru": _Recurrent, "vit": _Vit}
)
"""The architectures by name."""
