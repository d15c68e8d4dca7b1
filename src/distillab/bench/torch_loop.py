"""A plain PyTorch loop with stored logits as a subject of the bench."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from distillab.bench.torch_students import student
from distillab.bench.work import (
    ALPHA,
    BATCH,
    CLASSES,
    LEARNING_RATE,
    SCALE,
    TEMPERATURE,
    Run,
    Work,
    random_data,
    seconds,
)


def loop(model: str, shape: list[int], compiled: bool = False) -> Work:
    """A loop over shuffled batches, in PyTorch's faster layout for images, with its fused Adam.

    Args:
        model: a name of the zoo.
        shape: (H, W, C).
        compiled: whether `torch.compile` compiles the student and its loss.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = student(model, tuple(shape), CLASSES).to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)

    def loss_of(x: Any, y: Any, t: Any) -> Any:
        z = network(x)
        ours, theirs = functional.log_softmax(z / TEMPERATURE, -1), functional.softmax(t / TEMPERATURE, -1)
        distillation_loss = functional.kl_div(ours, theirs, reduction="batchmean")
        return ALPHA * functional.cross_entropy(z, y) + (1 - ALPHA) * TEMPERATURE**2 * distillation_loss

    loss_function = torch.compile(loss_of) if compiled else loss_of

    def make(batches: int) -> Run:
        images, labels, logits = (torch.from_numpy(a).to(device) for a in random_data(tuple(shape), batches * BATCH))
        # A view of (N, H, W, C) in memory: the layout that channels_last means.
        x, y = (images.float() * SCALE).permute(0, 3, 1, 2), labels.long()

        def epoch() -> None:
            for rows in torch.randperm(len(y), device=device).split(BATCH):
                batch = x[rows].contiguous(memory_format=torch.channels_last)
                loss = loss_function(batch, y[rows], logits[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            loss.item()  # a GPU works on after the last call

        return lambda: seconds(epoch)

    return Work(make, torch.get_num_threads())
