"""When is a convolution faster as a matrix product? Forward and backward, in a loop, as in training.

    python benchmarks/lowering.py

Each row is one convolution with its derivatives by kernel and images, lowered and by XLA, on one CPU device with one
thread (as for a student) and with all threads (as for a teacher). The rule in `engine/lowering.py` is based on this.
"""

from __future__ import annotations

import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from distillab.engine.lowering import lower

# batch, side, channels, filters, window, stride, groups
SHAPES = {
    "student, first": (32, 28, 1, 16, 3, 2, 1),
    "student, second": (32, 14, 16, 32, 3, 2, 1),
    "teacher, second": (64, 14, 256, 512, 3, 2, 1),
    "residual": (32, 16, 32, 32, 3, 1, 1),
    "wide window": (32, 28, 8, 16, 7, 1, 1),
    "pointwise": (32, 16, 32, 64, 1, 1, 1),
    "depthwise": (32, 16, 32, 32, 3, 1, 32),
    "depthwise, stride 2": (32, 16, 32, 32, 3, 2, 32),
    "four groups": (32, 16, 32, 32, 3, 1, 4),
    "patches of 75 MB": (64, 32, 32, 32, 3, 1, 1),
    "patches of 302 MB": (128, 32, 64, 64, 3, 1, 1),
}
REPEATS = 3


def main() -> None:
    print(f"{'milliseconds':24}{'one thread':^28}{'all threads':^28}")
    print(f"{'':24}" + f"{'lowered':>10}{'XLA':>10}{'gain':>8}" * 2)
    for name, shape in SHAPES.items():
        cells = []
        for options in ({"xla_cpu_multi_thread_eigen": False}, {}):
            ours, theirs = (seconds(shape, pays, options) for pays in (lambda _: True, lambda _: False))
            cells.append(f"{1e3 * ours:>10.2f}{1e3 * theirs:>10.2f}{theirs / ours:>7.1f}x")
        print(f"{name:24}" + "".join(cells), flush=True)


def seconds(shape: tuple[int, ...], pays, options: dict[str, bool]) -> float:
    batch, side, channels, filters, window, stride, groups = shape
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(batch, side, side, channels)).astype(np.float32))
    k = jnp.asarray(rng.normal(size=(window, window, channels // groups, filters)).astype(np.float32) / 10)

    def convolve(x, k):
        return lax.conv_general_dilated(
            x, k, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups
        )

    def step(_, carry):
        x, k = carry
        slopes = jax.grad(lambda x, k: (lower(convolve, pays)(x, k) ** 2).sum(), argnums=(0, 1))(x, k)
        return x - 1e-6 * slopes[0], k - 1e-6 * slopes[1]

    def many(x, k, count):
        return lax.fori_loop(0, count, step, (x, k))

    program = jax.jit(many, compiler_options=options).lower(x, k, 1).compile()
    jax.block_until_ready(program(x, k, 1))
    once = timed(program, x, k, 1)
    count = max(1, min(200, int(0.3 / once)))
    return statistics.median(timed(program, x, k, count) / count for _ in range(REPEATS))


def timed(program, x, k, count: int) -> float:
    begin = time.perf_counter()
    jax.block_until_ready(program(x, k, count))
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
