"""Alpha or the temperature as a function of the epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras

from distillab.errors import RequestError, not_allowed

Schedule = Callable[[int], float]
"""From the epoch, counted from 0, to a value."""


def _between(start: float, end: float, share: float) -> float:
    return (1 - share) * start + share * end  # exact at both ends


def _progress(epoch: int, epochs: int) -> float:
    return min(1.0, epoch / max(1, epochs - 1))


class AlphaSchedule(keras.callbacks.Callback):
    """Set a distiller's alpha, or its temperature, at the start of every epoch, without recompiling.

    The value is logged with the epoch's metrics.

    Args:
        schedule: from the epoch (counted from 0) to the value. `AlphaSchedule.linear(1, 0, epochs=10)`, `.cosine` and
            `.constant` make the common ones.
        of: "alpha" or "temperature".
        output: the name of one of several outputs; None: all.

    Example:
        >>> callback = AlphaSchedule.linear(0.9, 0.1, epochs=5)
        >>> callback.schedule(0), callback.schedule(4)
        (0.9, 0.1)
    """

    def __init__(self, schedule: Schedule, of: str = "alpha", output: str | None = None) -> None:
        super().__init__()
        if not callable(schedule):
            raise not_allowed("schedule", schedule, "a function of the epoch", "For a fixed alpha, compile(alpha=…).")
        if of not in ("alpha", "temperature"):
            raise not_allowed("of", of, "'alpha' or 'temperature'")
        self.schedule, self.of, self.output = schedule, of, output

    @classmethod
    def constant(cls, value: float, of: str = "alpha", output: str | None = None) -> AlphaSchedule:
        """Use the same value in every epoch.

        Args:
            value: of alpha or the temperature.
            of: which of the two.
            output: as in the class.
        """
        return cls(lambda epoch: value, of, output)

    @classmethod
    def linear(
        cls, start: float, end: float, epochs: int, of: str = "alpha", output: str | None = None
    ) -> AlphaSchedule:
        """Change in equal steps from `start` in epoch 0 to `end` in epoch `epochs` - 1, then stay at `end`.

        Args:
            start: first value.
            end: last value.
            epochs: length of the change.
            of: "alpha" or "temperature".
            output: as in the class.

        Example:
            >>> [AlphaSchedule.linear(1.0, 0.0, 3).schedule(epoch) for epoch in range(4)]
            [1.0, 0.5, 0.0, 0.0]
        """
        return cls(lambda epoch: _between(start, end, _progress(epoch, epochs)), of, output)

    @classmethod
    def cosine(
        cls, start: float, end: float, epochs: int, of: str = "alpha", output: str | None = None
    ) -> AlphaSchedule:
        """Change as `linear` does, along half a cosine: slow at both ends.

        Args:
            start, end, epochs, of, output: as in `linear`.

        Example:
            >>> [round(AlphaSchedule.cosine(1.0, 0.0, 3).schedule(epoch), 3) for epoch in range(3)]
            [1.0, 0.5, 0.0]
        """
        return cls(
            lambda epoch: _between(start, end, (1 - math.cos(math.pi * _progress(epoch, epochs))) / 2), of, output
        )

    def on_train_begin(self, logs: Any = None) -> None:
        """Check that the model has the value to set.

        Args:
            logs: unused.
        """
        if not hasattr(self.model, self.of):
            raise RequestError(f"AlphaSchedule sets a Distiller's {self.of}, and {self.model.name!r} has none.")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the epoch's value.

        Args:
            epoch, logs: Keras's.
        """
        value = self.schedule(epoch)
        setattr(self.model, self.of, value if self.output is None else {self.output: value})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the epoch's value.

        Args:
            epoch, logs: Keras's; the logs receive the value.
        """
        if logs is None:
            return
        value = getattr(self.model, self.of)
        if not isinstance(value, dict):
            logs[self.of] = value
        else:
            names = [self.output] if self.output else [name for name in value if value[name] is not None]
            logs |= {f"{name}_{self.of}": value[name] for name in names}
