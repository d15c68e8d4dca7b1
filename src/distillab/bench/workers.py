"""The bench's processes: one for each library and backend, started when it is first needed, and kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType, TracebackType
from typing import Any, Protocol

from distillab.errors import WorkError

BACKENDS: Mapping[str, str] = MappingProxyType(
    {"engine": "jax", "jax": "jax", "tensorflow": "tensorflow", "torch": "torch", "pytorch": "torch"}
)
"""The workers and the backend of Keras in each; "pytorch" is the one of the plain loops, without Keras."""

SERVE = (sys.executable, "-m", "distillab.bench.serve")


class Ask(Protocol):
    """Sends a request to a worker, and returns its reply."""

    def __call__(self, worker: str, **request: Any) -> dict[str, Any]: ...


def environment(worker: str, device: str) -> dict[str, str]:
    """The variables that a worker has besides those of this process.

    Args:
        worker: a name in `BACKENDS`.
        device: "cpu" or "gpu".
    """
    common = {
        "KERAS_BACKEND": BACKENDS[worker],
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # What an earlier bench has compiled would make this one's compilation look quick.
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
    }
    if device == "cpu":
        return common | {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    # The workers share the GPU: by default, JAX and TensorFlow take nearly all of its memory at once.
    return common | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}


class Worker(AbstractContextManager["Worker"]):
    """A process that answers a request a line.

    Args:
        name: for messages.
        variables: added to the environment.
        command: starts it.
    """

    def __init__(self, name: str, variables: Mapping[str, str], command: Sequence[str] = SERVE) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 -- __exit__ closes it
        self._process = subprocess.Popen(
            command,
            env=os.environ | dict(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request, and wait for the reply.

        Args:
            request: as `serve` describes it.

        Raises:
            WorkError: the process has ended.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("a worker is asked through pipes")
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkError(f"The bench's process for {self.name} failed: {self._last_words()}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1][:300] if lines else f"it ended with code {code} and no message"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()


class Workers(AbstractContextManager["Workers"]):
    """The workers of a bench by name.

    Args:
        device: "cpu" or "gpu".
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._running: dict[str, Worker] = {}

    def ask(self, worker: str, **request: Any) -> dict[str, Any]:
        """Send a request to a worker, which is started if it does not run yet.

        Args:
            worker: a name in `BACKENDS`.
            request: as `serve` describes it.

        Raises:
            WorkError: the process has ended.
        """
        if worker not in self._running:
            self._running[worker] = Worker(worker, environment(worker, self.device))
        return self._running[worker].ask(**request)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._running.values():
            worker.__exit__(kind, error, trace)
        self._running.clear()
