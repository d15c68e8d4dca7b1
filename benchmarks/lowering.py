"""Which form of a convolution is fastest? Forward and backward, in a loop, as in training.

    python benchmarks/lowering.py [--xla] [NAME ...]

Each row is one convolution of 32 images with its derivatives by kernel and images: milliseconds by patches and direct,
on one CPU device with one thread (as for a student), with one thread beside another process that does the same (as
students are trained), and with all threads (as for a teacher); medians of five rounds in which the forms take turns.
`--xla` adds XLA's own derivatives, minutes in all. The rule in `engine/convolutions.py` is based on this.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from distillab.engine.convolutions import Form, form_of_one, patch_bytes
from distillab.engine.lowering import lower

# image, channels, filters, window, stride, dilation, groups
SHAPES = {
    "28x28, 1 to 16, stride 2": ((28, 28), 1, 16, (3, 3), 2, 1, 1),
    "14x14, 16 to 32, stride 2": ((14, 14), 16, 32, (3, 3), 2, 1, 1),
    "16x16, 64 to 128, stride 2": ((16, 16), 64, 128, (3, 3), 2, 1, 1),
    "32x32, 3 to 16": ((32, 32), 3, 16, (3, 3), 1, 1, 1),
    "32x32, 16 to 16": ((32, 32), 16, 16, (3, 3), 1, 1, 1),
    "32x32, 32 to 32": ((32, 32), 32, 32, (3, 3), 1, 1, 1),
    "16x16, 32 to 32": ((16, 16), 32, 32, (3, 3), 1, 1, 1),
    "8x8, 64 to 64": ((8, 8), 64, 64, (3, 3), 1, 1, 1),
    "8x8, 128 to 128": ((8, 8), 128, 128, (3, 3), 1, 1, 1),
    "4x4, 128 to 128": ((4, 4), 128, 128, (3, 3), 1, 1, 1),
    "2x2, 256 to 256": ((2, 2), 256, 256, (3, 3), 1, 1, 1),
    "28x28, 16 to 16, 5x5": ((28, 28), 16, 16, (5, 5), 1, 1, 1),
    "28x28, 8 to 16, 7x7": ((28, 28), 8, 16, (7, 7), 1, 1, 1),
    "16x16, 32 to 32, dilation 2": ((16, 16), 32, 32, (3, 3), 1, 2, 1),
    "100, 64 to 64, window 5": ((100,), 64, 64, (5,), 1, 1, 1),
    "100, 32 to 64, window 3": ((100,), 32, 64, (3,), 1, 1, 1),
    "16x16, 32 to 32, 4 groups": ((16, 16), 32, 32, (3, 3), 1, 1, 4),
    "16x16, 32 to 64, pointwise": ((16, 16), 32, 64, (1, 1), 1, 1, 1),
    "16x16, 32, depthwise": ((16, 16), 32, 32, (3, 3), 1, 1, 32),
}
WAYS = {"one thread": False, "beside another": False, "all threads": True}
ROUNDS = 5


def main(names: list[str], *, xla: bool) -> None:
    forms = [Form.PATCHES, Form.DIRECT, *([Form.XLA] if xla else [])]
    print(f"{'milliseconds':30}{'MB':>6}" + "".join(f"{way:>{9 * len(forms)}}" for way in WAYS) + "  chosen")
    print(f"{'':30}{'':6}" + "".join(f"{form.value:>9}" for form in forms) * len(WAYS))
    for name in names or SHAPES:
        cells, chosen, patches = "", "", 0
        for way, threads in WAYS.items():
            beside = subprocess.Popen([sys.executable, __file__, "--busy", name]) if way == "beside another" else None
            try:
                if beside:
                    time.sleep(6)  # until it has compiled
                programs, chosen, patches = programs_of(name, forms, threads=threads)
                cells += "".join(
                    f"{milliseconds:>9.2f}" if milliseconds else f"{'':>9}" for milliseconds in turns(programs)
                )
            finally:
                if beside:
                    beside.kill()
                    beside.wait()
        print(f"{name:30}{patches / 1e6:>6.1f}{cells}  {chosen}", flush=True)


def turns(programs: list[Callable[[], float] | None]) -> list[float | None]:
    """The median time of each program over rounds in which they take turns."""
    rounds = [[run and 1e3 * run() for run in programs] for _ in range(ROUNDS)]
    return [None if column[0] is None else statistics.median(column) for column in zip(*rounds, strict=True)]


def programs_of(name: str, forms: list[Form], *, threads: bool) -> tuple[list[Any], str, int]:
    """What times one step of each form, None where stride or groups leave no choice; the form chosen; patch bytes."""
    image, channels, filters, window, stride, dilation, groups = SHAPES[name]
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(32, *image, channels)).astype(np.float32))
    k = jnp.asarray(rng.normal(size=(*window, channels // groups, filters)).astype(np.float32) / 10)
    space = "HW"[: len(image)]

    def convolve(x, k):
        return lax.conv_general_dilated(
            x,
            k,
            (stride,) * len(image),
            "SAME",
            rhs_dilation=(dilation,) * len(image),
            dimension_numbers=(f"N{space}C", f"{space}IO", f"N{space}C"),
            feature_group_count=groups,
        )

    (equation,) = jax.make_jaxpr(convolve)(x, k).eqns
    chosen = form_of_one(equation)
    only = stride > 1 or groups == channels
    programs = [
        None if only and form is Form.DIRECT else timer(convolve, form, x, k, threads=threads) for form in forms
    ]
    return programs, chosen.value, patch_bytes(equation)


def timer(convolve: Callable[..., Any], form: Form, x: Any, k: Any, *, threads: bool) -> Callable[[], float]:
    """What runs some steps and returns the seconds of one."""

    def step(_, carry):
        x, k = carry
        slopes = jax.grad(lambda x, k: (lower(convolve, lambda _: form)(x, k) ** 2).sum(), argnums=(0, 1))(x, k)
        return x - 1e-6 * slopes[0], k - 1e-6 * slopes[1]

    def many(x, k, count):
        return lax.fori_loop(0, count, step, (x, k))

    program = jax.jit(many, compiler_options={"xla_cpu_multi_thread_eigen": threads}).lower(x, k, 1).compile()
    jax.block_until_ready(program(x, k, 1))
    count = max(1, min(200, int(0.1 / timed(program, x, k, 1))))
    return lambda: timed(program, x, k, count) / count


def timed(program, x, k, count: int) -> float:
    begin = time.perf_counter()
    jax.block_until_ready(program(x, k, count))
    return time.perf_counter() - begin


def stay_busy(name: str) -> None:
    """Run a convolution in the form that is chosen for it until killed."""
    chosen = Form(programs_of(name, [], threads=False)[1])
    (run,) = programs_of(name, [chosen], threads=False)[0]
    while True:
        run()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--busy" in arguments:
        stay_busy(arguments[1])
    main([one for one in arguments if one != "--xla"], xla="--xla" in arguments)
