"""Divergences between the softened predictions of teacher and student: forward, reverse and between."""

from __future__ import annotations

import math

from keras import ops

from distillab.losses.signature import Array
from distillab.losses.temperature import soften


def distillation_kl(student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array) -> Array:
    """The Kullback-Leibler divergence of the student's softened prediction from the teacher's.

    Formula: `T^2 * KL( softmax(z_t / T) || softmax(z_s / T) )`. The factor T^2 keeps the gradient's size when T
    changes, and applies at every alpha.

    Args:
        student_logits, teacher_logits: z_s and z_t, shape (B, C).
        labels: ignored; present so that all distillation losses are called alike.
        temperature: T > 0, a scalar or shape (B,). Not checked here: it may be a traced array.

    Returns:
        The loss in nats times T^2, shape (B,); >= 0, and 0 exactly where the logits agree up to a constant.

    Example:
        >>> import numpy as np
        >>> s, t = np.array([[2.0, 1.0, 4.0]]), np.array([[1.0, 2.0, 3.0]])
        >>> round(float(distillation_kl(s, t, temperature=3.0)[0]), 4)
        0.3978

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.
    """
    student, teacher, square = soften(student_logits, teacher_logits, temperature)
    return square * _divergence(teacher, student)


def distillation_cross_entropy(
    student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array
) -> Array:
    """Cross-entropy of the student's softened prediction with the teacher's soft targets.

    Formula: `-T^2 * sum_k softmax(z_t / T)_k log softmax(z_s / T)_k`. It differs from `distillation_kl` by T^2 times
    the teacher's entropy, which does not depend on the student: the gradients are equal.

    Args:
        student_logits, teacher_logits: z_s and z_t, shape (B, C).
        labels: ignored; present so that all distillation losses are called alike.
        temperature: T > 0, a scalar or shape (B,).

    Returns:
        The loss in nats times T^2, shape (B,), each >= 0.

    Example:
        >>> import numpy as np
        >>> s, t = np.array([[2.0, 1.0, 4.0]]), np.array([[1.0, 2.0, 3.0]])
        >>> round(float(distillation_cross_entropy(s, t, temperature=3.0)[0]), 4)
        9.961

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.
    """
    student, teacher, square = soften(student_logits, teacher_logits, temperature)
    return square * -ops.sum(ops.exp(teacher) * student, axis=-1)


def unmatched_kl(student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array) -> Array:
    """The divergence of the student's prediction at temperature 1 from the teacher's softened one.

    Formula: `T^2 * KL( softmax(z_t / T) || softmax(z_s) )`. Only one side is softened: the student that costs least has
    the logits `z_t / T`, and the gradient `T^2 (softmax(z_s) - softmax(z_t / T))` grows with T. It is here to reproduce
    what was published with it; `distillation_kl` softens both sides.

    Args:
        student_logits, teacher_logits: z_s and z_t, shape (B, C).
        labels: ignored.
        temperature: T > 0, a scalar or shape (B,).

    Returns:
        The loss in nats times T^2, shape (B,); >= 0, and 0 exactly where the student's logits are `z_t / T` up to a
        constant.

    Example:
        >>> import numpy as np
        >>> s, t = np.array([[2.0, 1.0, 4.0]]), np.array([[1.0, 2.0, 3.0]])
        >>> round(float(unmatched_kl(s, t, temperature=3.0)[0]), 4)
        4.7854

    Source: Lopez-Paz, Bottou, Schölkopf and Vapnik, "Unifying distillation and privileged information", 2016, equation
    4, with the factor T^2 of the authors' code.
    """
    teacher, square = soften(student_logits, teacher_logits, temperature)[1:]
    at_one = ops.log_softmax(ops.cast(student_logits, teacher.dtype), axis=-1)
    return square * _divergence(teacher, at_one)


def reverse_kl(student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array) -> Array:
    """The reverse divergence: it penalises probability where the teacher has little.

    Formula: `T^2 * KL( softmax(z_s / T) || softmax(z_t / T) )`. `distillation_kl` makes a small student cover
    every class that the teacher holds possible; this lets it concentrate on some of them.

    Args:
        student_logits, teacher_logits: z_s and z_t, shape (B, C).
        labels: ignored.
        temperature: T > 0, a scalar or shape (B,).

    Returns:
        The loss in nats times T^2, shape (B,); >= 0, and 0 exactly where the logits agree up to a constant.

    Example:
        >>> import numpy as np
        >>> s, t = np.array([[2.0, 1.0, 4.0]]), np.array([[1.0, 2.0, 3.0]])
        >>> round(float(reverse_kl(s, t, temperature=3.0)[0]), 4)
        0.3569

    Source: Gu, Dong, Wei and Huang, "MiniLLM: Knowledge Distillation of Large Language Models", 2024, equation 1.
    """
    student, teacher, square = soften(student_logits, teacher_logits, temperature)
    return square * _divergence(student, teacher)


def jensen_shannon(student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array) -> Array:
    """The mean divergence of both predictions from their average: symmetric and bounded.

    Formula: `T^2 * ( KL(p || m) + KL(q || m) ) / 2` with `p = softmax(z_t / T)`, `q = softmax(z_s / T)` and
    `m = (p + q) / 2`.

    Args:
        student_logits, teacher_logits: z_s and z_t, shape (B, C).
        labels: ignored.
        temperature: T > 0, a scalar or shape (B,).

    Returns:
        The loss in nats times T^2, shape (B,), in [0, T^2 log 2]; 0 exactly where the logits agree up to a constant.

    Example:
        >>> import numpy as np
        >>> s, t = np.array([[1e3, 0.0]]), np.array([[0.0, 1e3]])
        >>> float(jensen_shannon(s, t, temperature=1.0)[0])  # log 2, the maximum
        0.6931...

    Source: Lin, "Divergence Measures Based on the Shannon Entropy", 1991, equation 4.1 with equal weights.
    """
    return generalised_skew_kl(student_logits, teacher_logits, temperature=temperature, skew=0.5, reversal=0.5)


def generalised_skew_kl(
    student_logits: Array,
    teacher_logits: Array,
    labels: Array = None,
    *,
    temperature: Array,
    skew: float = 0.1,
    reversal: float = 0.0,
) -> Array:
    """A family of divergences that contains the forward, the reverse and the Jensen-Shannon divergence.

    Formula: `T^2 * ( (1 - r) KL(p || s p + (1 - s) q) + r KL(q || s q + (1 - s) p) )` with `p = softmax(z_t / T)`,
    `q = softmax(z_s / T)`, skew s and reversal r. (s, r) = (0, 0) is `distillation_kl`, (0, 1) is `reverse_kl`,
    (1/2, 1/2) is `jensen_shannon`. A skew above 0 bounds the loss, and with it the gradient, where the student gives
    almost no probability to the teacher's class.

    Args:
        student_logits, teacher_logits: z_s and z_t, shape (B, C).
        labels: ignored.
        temperature: T > 0, a scalar or shape (B,).
        skew: s in [0, 1): each prediction's own share in the mixture that it is compared with. A plain number.
        reversal: r in [0, 1]: the share of the reverse divergence. A plain number.

    Returns:
        The loss in nats times T^2, shape (B,); >= 0, and 0 exactly where the logits agree up to a constant.

    Example:
        >>> import numpy as np
        >>> s, t = np.array([[2.0, 1.0, 4.0]]), np.array([[1.0, 2.0, 3.0]])
        >>> round(float(generalised_skew_kl(s, t, temperature=3.0, skew=0.0, reversal=1.0)[0]), 4)  # reverse_kl
        0.3569

    Source: Ko, Kim, Chen and Yun, "DistiLLM: Towards Streamlined Distillation for Large Language Models", 2024,
    definition 1 (skew KL, whose alpha is s here) and its reverse; their default is s = 0.1.
    """
    student, teacher, square = soften(student_logits, teacher_logits, temperature)
    parts = []
    if reversal < 1:
        parts.append((1 - reversal) * _divergence(teacher, _mixture(teacher, student, skew)))
    if reversal > 0:
        parts.append(reversal * _divergence(student, _mixture(student, teacher, skew)))
    return square * sum(parts)


def _divergence(log_p: Array, log_q: Array) -> Array:
    """`KL(p || q)` of each row, from log-probabilities."""
    return ops.sum(ops.exp(log_p) * (log_p - log_q), axis=-1)


def _mixture(log_p: Array, log_q: Array, share: float) -> Array:
    """`log( share p + (1 - share) q )`, from log-probabilities."""
    if share == 0:
        return log_q
    # logsumexp and not logaddexp: TensorFlow's logaddexp has a wrong gradient where its arguments are equal.
    return ops.logsumexp(ops.stack([math.log(share) + log_p, math.log1p(-share) + log_q]), axis=0)
