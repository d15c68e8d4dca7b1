"""A worker is a process of its own: what it prints, how it fails, and the variables that it gets."""

from __future__ import annotations

import io
import json
import sys

import pytest

from distillab.bench import engine_subjects, keras_subjects
from distillab.bench.serve import KINDS, serve
from distillab.bench.workers import BACKENDS, Worker, environment
from distillab.errors import WorkError


def test_a_worker_prepares_and_times_a_subject() -> None:
    options = {"model": "cnn-2-3", "shape": [8, 8, 1], "students": 2}
    with Worker("engine", environment("engine", "cpu")) as worker:
        assert worker.ask(do="platform") == {"platform": "cpu"}
        facts = worker.ask(do="prepare", key="a", kind="cohort", options=options, target=0.01, batches=4)
        assert (facts["batches"], facts["students"]) == (4, 2)
        assert facts["flops"] > 0
        assert worker.ask(do="time", key="a")["seconds"] > 0
        assert worker.ask(do="time", key="b") == {"error": "KeyError: 'b'"}
        assert 50 < worker.ask(do="peak")["mib"] < 10_000
        assert worker.ask(do="forget") == {}
        assert worker.ask(do="time", key="a") == {"error": "KeyError: 'a'"}


def test_a_process_that_ends_is_reported_with_its_last_words() -> None:
    program = "import sys; input(); print('first', file=sys.stderr); sys.exit('Out of luck')"
    with Worker("torch", {}, [sys.executable, "-c", program]) as worker:
        with pytest.raises(WorkError, match="The bench's process for torch failed: Out of luck"):
            worker.ask(do="time", key="a")
        with pytest.raises(WorkError, match="Out of luck"):
            worker.ask(do="time", key="a")


def test_a_process_that_ends_without_a_word_is_reported_with_its_code() -> None:
    with (
        Worker("torch", {}, [sys.executable, "-c", "raise SystemExit(3)"]) as worker,
        pytest.raises(WorkError, match="failed: it ended with code 3 and no message"),
    ):
        worker.ask(do="time", key="a")


def test_what_a_library_prints_is_kept_from_the_replies() -> None:
    program = (
        "import jax, os, runpy\n"
        "jax.default_backend = lambda: os.write(1, b'from C\\n') and print('hello')\n"
        "runpy.run_module('distillab.bench.serve', run_name='__main__')\n"
    )
    with Worker("engine", {}, [sys.executable, "-c", program]) as worker:
        assert worker.ask(do="platform") == {"platform": None}


def test_a_request_that_fails_is_answered_with_the_reason() -> None:
    replies = io.StringIO()
    options = {"model": "cmm", "shape": [8, 8, 1]}
    request = {"do": "prepare", "key": "a", "kind": "cohort", "target": 1, "options": options}
    serve(io.StringIO(f"{json.dumps(request)}\nnot JSON\n"), replies)
    first, second = (json.loads(line)["error"] for line in replies.getvalue().splitlines())
    assert first.startswith("RequestError: There is no architecture 'cmm'")
    assert second.startswith("JSONDecodeError")


def test_on_the_cpu_no_library_sees_a_gpu() -> None:
    for worker, backend in BACKENDS.items():
        variables = environment(worker, "cpu")
        assert variables["KERAS_BACKEND"] == backend
        assert (variables["JAX_PLATFORMS"], variables["CUDA_VISIBLE_DEVICES"]) == ("cpu", "")


def test_on_a_gpu_no_worker_takes_all_of_its_memory() -> None:
    variables = environment("engine", "gpu")
    assert not {"JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES"} & set(variables)
    assert variables["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert variables["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def test_the_kinds_name_functions_that_exist() -> None:
    here = {"engine_subjects": engine_subjects, "keras_subjects": keras_subjects}
    for module, name in KINDS.values():
        assert module == "torch_loop" or callable(getattr(here[module], name))
