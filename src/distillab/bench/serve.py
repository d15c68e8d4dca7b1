"""A worker of the bench, a process of its own: `python -m distillab.bench.serve`.

It reads a request a line from standard input and writes a reply a line to standard output, both JSON objects:

- `{"do": "prepare", "key": ..., "kind": ..., "options": {...}, "target": ..., "batches": ...}`: build and compile a
  subject, and choose how many batches make one timing;
- `{"do": "time", "key": ...}`: the seconds of one timing;
- `{"do": "forget"}`: drop what was prepared;
- `{"do": "peak"}` and `{"do": "platform"}`: the process's peak memory, and the platform of JAX.

A request that fails is answered with `{"error": reason}`.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, TextIO

from distillab.bench.work import Run, calibrate
from distillab.errors import reason

KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "cohort": ("engine_subjects", "cohort"),
        "teacher": ("engine_subjects", "teacher"),
        "predictions": ("engine_subjects", "predictions"),
        "products": ("engine_subjects", "products"),
        "fit": ("keras_subjects", "stored"),
        "fit on labels": ("keras_subjects", "labels_alone"),
        "distiller": ("keras_subjects", "distiller"),
        "predict": ("keras_subjects", "predictions"),
        "torch loop": ("torch_loop", "loop"),
    }
)
"""The module and function of each kind of subject; a module is imported by the workers that need it."""

Request = Mapping[str, Any]
Reply = dict[str, Any]


def answer(request: Request, prepared: dict[str, Run]) -> Reply:
    """Do what a request asks for.

    Args:
        request: as described above.
        prepared: the runs by key; changed.
    """
    return ACTIONS[request["do"]](request, prepared)


def _prepare(request: Request, prepared: dict[str, Run]) -> Reply:
    module, name = KINDS[request["kind"]]
    work = getattr(import_module(f"distillab.bench.{module}"), name)(**request["options"])
    run, batches, first = calibrate(work, request["target"], request.get("batches"))
    prepared[request["key"]] = run
    facts = {"threads": work.threads, "students": work.students, "flops": work.flops}
    return facts | {"batches": batches, "compile_seconds": first}


def _time(request: Request, prepared: dict[str, Run]) -> Reply:
    return {"seconds": prepared[request["key"]]()}


def _forget(request: Request, prepared: dict[str, Run]) -> Reply:
    prepared.clear()
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session()
    if "torch" in sys.modules:
        # Otherwise torch.compile takes the next student for a variant of the last, and gives up after eight.
        sys.modules["torch"].compiler.reset()
    gc.collect()
    return {}


def _peak(request: Request, prepared: dict[str, Run]) -> Reply:
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes on Linux
    return {"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20}


def _platform(request: Request, prepared: dict[str, Run]) -> Reply:
    import jax

    return {"platform": jax.default_backend()}


ACTIONS: Mapping[str, Callable[[Request, dict[str, Run]], Reply]] = MappingProxyType(
    {"prepare": _prepare, "time": _time, "forget": _forget, "peak": _peak, "platform": _platform}
)
"""What a request can ask for."""


def serve(requests: TextIO, replies: TextIO) -> None:
    """Answer requests until there are no more.

    Args:
        requests, replies: a JSON object a line.
    """
    prepared: dict[str, Run] = {}
    for line in requests:
        try:
            reply = answer(json.loads(line), prepared)
        except Exception as error:  # of any library: the parent decides whether to go on without the subject
            reply = {"error": f"{type(error).__name__}: {reason(error)}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries that print, even from C, must not disturb the replies
    serve(sys.stdin, answers)
