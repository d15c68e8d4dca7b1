"""Inputs larger than the devices' memory: they stay on the host, and reach the devices a chunk of rows at a time.

The programs run the same steps and the same batches on a chunk as on all rows, so that every number is the same, to the
bit. A loop of a single turn is compiled otherwise than one of more, so no chunk has one batch where there are more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import jax
import numpy as np
from numpy.typing import NDArray

from distillab.data.array_store import SelectedRows, taken
from distillab.engine.batches import EVALUATION_BATCH
from distillab.engine.inputs import Inputs, take, unstructured
from distillab.engine.training import Progress, SharedArrays, StepChunk, StudentState, Training, start_of_steps
from distillab.engine.types import Examples
from distillab.io import release_pages

T = TypeVar("T")

CHUNK = 16 * 2**20
"""Bytes of inputs that are on a device at a time, for each student, unless memory allows less; the next such chunk is
read meanwhile."""

HELD = 3
"""Chunks that exist at once: on the device, ready, and being read."""


def chunks(first: int, last: int, size: int) -> list[tuple[int, int]]:
    """Cut a range into runs of about `size`, none of which is of length 1 unless the range is.

    Args:
        first, last: the range is from `first` to before `last`.
        size: at least 2.

    Example:
        >>> chunks(0, 7, 3), chunks(4, 5, 3)
        ([(0, 3), (3, 7)], [(4, 5)])
    """
    starts = list(range(first, last, size))
    if len(starts) > 1 and last - starts[-1] == 1:
        starts.pop()
    return list(pairwise([*starts, last]))


def row_chunks(examples: int, batch: int, row_bytes: int, size: int = CHUNK) -> list[tuple[int, int]]:
    """Cut rows into runs of whole batches; the last run has the rest.

    Args:
        examples: their number.
        batch: rows a batch.
        row_bytes: bytes of a row.
        size: bytes of a run, about.

    Example:
        >>> row_chunks(1030, 250, CHUNK // 500), row_chunks(30, 250, 4)
        ([(0, 500), (500, 1030)], [(0, 30)])
    """
    found = [(a * batch, b * batch) for a, b in chunks(0, examples // batch, batches_of(batch * row_bytes, size))]
    return [*found[:-1], (found[-1][0], examples)] if found else [(0, examples)]


def batches_of(batch_bytes: int, size: int) -> int:
    """Batches of a chunk, at least 2.

    Args:
        batch_bytes: bytes of the inputs of a batch.
        size: bytes of a chunk, about.
    """
    return max(2, size // max(1, batch_bytes))


def gathered(stored: Any, rows: Any) -> Inputs:
    """Rows of stored inputs in memory, as the engine takes them.

    Args:
        stored: an array, mapped or not, structured or not, or `SelectedRows`.
        rows: row numbers, or a slice.
    """
    if isinstance(rows, slice) and not isinstance(stored, SelectedRows):
        found = unstructured(np.array(stored[rows]))
        release_pages(stored)
        return found
    return unstructured(stored[rows] if isinstance(stored, SelectedRows) else taken(stored, rows))


def ahead(makers: Iterable[Callable[[], T]]) -> Iterator[T]:
    """What functions make, in order; each runs in a thread while the result before it is used.

    Args:
        makers: the functions.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[T] | None = None
        for make in makers:
            following = pool.submit(make)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()


class HostInputs:
    """Trains a cohort, and predicts, with inputs that stay on the host.

    Args:
        training: of one student.
        examples: the shared arrays.
        program: makes a cohort's program of one student's function, as `CohortTrainer` does.
        placed: stacks an array of each student, and puts it on the devices.
        size: bytes of inputs that are on a device at a time, for each student.
    """

    def __init__(
        self,
        training: Training,
        examples: Examples,
        program: Callable[..., Any],
        placed: Callable[[Sequence[Any], NDArray[np.intp]], Any],
        size: int = CHUNK,
    ) -> None:
        self.training, self.examples, self._placed, self.size = training, examples, placed, size
        self._steps = program(training.chunk, by_student=1, everywhere=2, donate=(0,))
        self._predict = program(training.predict, everywhere=1)
        self._decide = program(training.decide, everywhere=1)
        self._judge = program(training.judge, by_student=1)

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a student's chunk of training inputs."""
        batch = self._batch_bytes
        return min(batches_of(batch, self.size), self.training.steps) * batch

    @property
    def _batch_bytes(self) -> int:
        row = self.examples.x_train[:1].nbytes
        return self.training.recipe.batch_size * int(row)

    def steps(
        self, first: int, last: int, states: StudentState, shared: SharedArrays, counts: Any,
        orders: Sequence[NDArray[np.int32]], slots: NDArray[np.intp], epoch: int,
    ) -> tuple[StudentState, tuple[Any, ...]]:  # fmt: skip
        """Train a cohort for the steps of an epoch from `first` to before `last`.

        Args:
            first, last: steps, counted from 0 in the epoch.
            states, shared, counts: the cohort's, on the devices.
            orders: the row numbers of each student's epoch, filled up to whole batches.
            slots: of the students.
            epoch: its number, from 0.

        Returns:
            As the program of `Training.epoch`, for all slots.
        """
        upto = min(last, self.training.whole_steps)
        runs = chunks(first, upto, batches_of(self._batch_bytes, self.size)) or [(first, first)]
        made = ahead(partial(self._chunk, orders, a, b, rest=b == upto < last) for a, b in runs)
        progress = self.start(first, slots)
        for (a, _), chunk in zip(runs, made, strict=True):
            jax.block_until_ready(progress)  # otherwise chunks would queue up on the device
            placed = self._stacked(chunk, slots)._replace(progress=progress)
            states, progress = self._steps(states, shared, counts, placed, np.int32(epoch), np.int32(a))
        # Divided by a compiled program too, which multiplies by the reciprocal: the last bit may differ.
        means = jax.jit(lambda sums: sums / (last - first))(progress[0])
        accuracy = self.validation_accuracy(states, shared, counts)
        return states, (means[:, 0], means[:, 1], means[:, 2], accuracy, *progress[1:])

    def start(self, first: int, slots: NDArray[np.intp]) -> Progress:
        """Where each student's epoch stands before a step.

        Args:
            first: the step.
            slots: of the students.
        """
        sums, finite, last = (self._placed([np.asarray(part)] * len(slots), slots) for part in start_of_steps(first))
        return sums, finite, last

    def lower_steps(self, states: StudentState, shared: SharedArrays, counts: Any, slots: NDArray[np.intp]) -> Any:
        """The program of a chunk of steps, lowered, whose memory is then known.

        Args:
            states, shared, counts, slots: of a cohort.
        """
        steps = min(batches_of(self._batch_bytes, self.size), self.training.whole_steps)
        order = np.zeros(self.training.steps * self.training.recipe.batch_size, np.int32)
        rest = self.training.whole_steps < self.training.steps
        chunk = self._chunk([order] * len(slots), 0, steps, rest=rest)
        placed = self._stacked(chunk, slots)._replace(progress=self.start(0, slots))
        return self._steps.lower(states, shared, counts, placed, np.int32(0), np.int32(0))

    def validation_accuracy(self, states: StudentState, shared: SharedArrays, counts: Any) -> Any:
        """Each slot's accuracy on the validation inputs, NaN without any.

        Args:
            states, shared, counts: the cohort's, on the devices.
        """
        inputs = self.examples.x_validation
        if not len(inputs):
            return np.full(len(states.alpha), np.nan, np.float32)
        decided = self._by_chunk(self._decide, states, shared, counts, inputs)
        return np.asarray(self._judge(states, shared, counts, self._on_devices(decided)))

    def predict(self, states: StudentState, shared: SharedArrays, counts: Any, inputs: Any) -> NDArray[Any]:
        """Each slot's logits for inputs, (slots, M, ..., C).

        Args:
            states, shared, counts: the cohort's, on the devices.
            inputs: as stored.
        """
        if not len(inputs):  # JAX cannot split an array of no numbers among devices
            return np.empty((len(states.alpha), 0, *self.training.model.output_shape), np.float32)
        return self._by_chunk(self._predict, states, shared, counts, inputs)

    def decide(self, states: StudentState, shared: SharedArrays, counts: Any, inputs: Any) -> NDArray[Any]:
        """Each slot's decisions for inputs, (slots, M, ...).

        Args:
            states, shared, counts, inputs: as in `predict`.
        """
        return self._by_chunk(self._decide, states, shared, counts, inputs)

    def _by_chunk(
        self, program: Any, states: StudentState, shared: SharedArrays, counts: Any, inputs: Any
    ) -> NDArray[Any]:
        runs = row_chunks(len(inputs), EVALUATION_BATCH, int(inputs[:1].nbytes), self.size)
        made = ahead(partial(gathered, inputs, slice(a, b)) for a, b in runs)
        return np.concatenate([np.asarray(program(states, shared, counts, chunk)) for chunk in made], axis=1)

    def _on_devices(self, rows: NDArray[Any]) -> Any:
        return self._placed(list(rows), np.arange(len(rows)))

    def _chunk(self, orders: Sequence[NDArray[np.int32]], first: int, last: int, *, rest: bool) -> list[StepChunk]:
        """Each student's rows and inputs of steps; students of one order share them."""
        size, known = self.training.recipe.batch_size, dict[bytes, StepChunk]()
        found = []
        for order in orders:
            rows = order[first * size : last * size]
            short = order[self.training.whole_steps * size : self.training.examples] if rest else order[:0]
            name = rows.tobytes() + short.tobytes()
            if name not in known:
                inputs = gathered(self.examples.x_train, np.concatenate([rows, short]))
                whole, others = (take(inputs, part) for part in (slice(len(rows)), slice(len(rows), None)))
                whole = jax.tree.map(lambda part: part.reshape(-1, size, *part.shape[1:]), whole)
                known[name] = StepChunk(rows.reshape(-1, size), whole, short, others, None)
            found.append(known[name])
        return found

    def _stacked(self, students: list[StepChunk], slots: NDArray[np.intp]) -> StepChunk:
        return jax.tree.map(lambda *leaves: self._placed(leaves, slots), *students)
