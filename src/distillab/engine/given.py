"""What a student keeps as given, where the rest is drawn anew for each seed: all that training does not change."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import keras

from distillab.engine.inputs import input_specs


def changed_by_training(model: keras.Model) -> tuple[bool, ...]:
    """Which of a model's fixed variables a training pass changes, such as moving statistics and random generators.

    The pass is traced, not run: a variable that it does not assign comes back as the very input of the trace.

    Args:
        model: a built model.

    Returns:
        A flag for each of `model.non_trainable_variables`.
    """
    trainable, fixed = (
        [jax.ShapeDtypeStruct(variable.shape, variable.value.dtype) for variable in of]
        for of in (model.trainable_variables, model.non_trainable_variables)
    )
    if not fixed:
        return ()
    passed = jax.make_jaxpr(lambda *given: list(model.stateless_call(*given, training=True)[1]))
    jaxpr = passed(trainable, fixed, input_specs(model, 2)).jaxpr
    before = jaxpr.invars[len(trainable) : len(trainable) + len(fixed)]
    return tuple(one is not other for one, other in zip(jaxpr.outvars, before, strict=True))


def kept(model: keras.Model, changed: tuple[bool, ...]) -> tuple[bool, ...]:
    """Which of a model's fixed variables a student keeps as given.

    These are the ones that training does not change, and everything in frozen layers. The moving statistics of a
    BatchNormalization that learns belong to its weights, and are not kept even where it is called in inference mode.
    States of random generators are never kept.

    Args:
        model: a built model.
        changed: of `changed_by_training`.

    Returns:
        A flag for each of `model.non_trainable_variables`.
    """
    frozen: set[int] = set()
    learning: set[int] = set()
    for layer in model._flatten_layers():
        own = layer._trainable_variables + layer._non_trainable_variables
        if not layer.trainable:
            frozen |= {id(variable) for variable in own}
        elif isinstance(layer, keras.layers.BatchNormalization) and layer.trainable_variables:
            learning |= {id(variable) for variable in own}
    return tuple(
        not is_seed(variable) and (id(variable) in frozen or not (moves or id(variable) in learning))
        for variable, moves in zip(model.non_trainable_variables, changed, strict=True)
    )


def is_seed(variable: Any) -> bool:
    """Whether a variable is the state of a random generator.

    Args:
        variable: one of Keras's.
    """
    return bool(variable.name == "seed_generator_state")


def freeze_inside(model: keras.Model) -> None:
    """Freeze what frozen layers hold, in place.

    A layer such as MultiHeadAttention builds its parts itself. Loaded from a file, it is frozen and its parts are not.

    Args:
        model: any model. Parts of nested models keep their own flags: they may train in a frozen model.
    """
    for layer in model._flatten_layers(include_self=False):
        if not layer.trainable and not isinstance(layer, keras.Model):
            layer.trainable = False


class Flags(NamedTuple):
    """What of a model trains. Its configuration holds no flags of single variables."""

    layers: list[bool]
    variables: list[bool]


def read_flags(model: keras.Model) -> Flags:
    """Read which layers and variables of a model train.

    Args:
        model: any model.
    """
    layers = [bool(layer.trainable) for layer in model._flatten_layers()]
    return Flags(layers, [bool(variable.trainable) for variable in model.variables])


def set_flags(model: keras.Model, flags: Flags) -> None:
    """Let a rebuilt model train what the original trains, in place.

    Args:
        model: rebuilt from its configuration.
        flags: the original's.
    """
    layers, variables = model._flatten_layers(), model.variables
    if len(layers) == len(flags.layers):
        # A layer comes before its parts, whose flags it sets.
        for layer, flag in zip(layers, flags.layers, strict=True):
            layer.trainable = flag
    if len(variables) == len(flags.variables):
        for variable, flag in zip(variables, flags.variables, strict=True):
            variable.trainable = flag
