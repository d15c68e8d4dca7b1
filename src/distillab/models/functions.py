"""Models from a user's Python code: `module:function` or `file.py:function`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from distillab.errors import RequestError, reason, unknown

if TYPE_CHECKING:
    import keras


def names_function(text: str) -> bool:
    """Whether a text has the form `module:function`.

    Args:
        text: any text.

    Example:
        >>> names_function("mymodels.py:tiny_cnn"), names_function("cnn-16-32")
        (True, False)
    """
    module, colon, function = text.rpartition(":")
    return bool(colon and module and function.isidentifier())


def user_function(text: str) -> Callable[..., Any]:
    """Find a user's function.

    Args:
        text: `module:function` or `path/file.py:function`.

    Raises:
        RequestError: there is no such module or function.
    """
    source, _, name = text.rpartition(":")
    module = user_module(source)
    function = getattr(module, name, None)
    if not callable(function):
        functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise unknown(f"function in {source}", name, functions)
    return cast("Callable[..., Any]", function)


def number_of_arguments(function: Callable[..., Any]) -> int:
    """How many arguments a function needs; 0 where that cannot be seen.

    Args:
        function: any.

    Example:
        >>> number_of_arguments(lambda inputs, batch=32: inputs)
        1
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return 0
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in positional and one.default is inspect.Parameter.empty for one in parameters)


InputShape = Sequence[int] | Mapping[str, Sequence[int]]


def built_by_function(text: str, input_shape: InputShape, classes: int) -> Any:
    """Call a user's function that builds a model.

    Args:
        text: `module:function` or `path/file.py:function`; the function takes `(input_shape, classes)`, or nothing.
        input_shape: one input's shape without the batch; of several inputs a dictionary of these by name.
        classes: C.

    Raises:
        RequestError: no such module or function, or it raises.
    """
    function = user_function(text)
    shape = dict(input_shape) if isinstance(input_shape, Mapping) else tuple(input_shape)
    try:
        takes = bool(inspect.signature(function).parameters)
        return function(shape, classes) if takes else function()
    except Exception as error:  # the user's function can raise anything
        what = f"{text} fails for inputs {shape} and {classes} classes"
        raise RequestError(f"{what}: {_described(error)}.") from error


def model_from_function(text: str, input_shape: InputShape, classes: int) -> keras.Model:
    """Build a Keras model by a user's function.

    Args:
        text, input_shape, classes: as in `built_by_function`.

    Raises:
        RequestError: no such module or function, it raises, or it returns no Keras model.
    """
    import keras

    model = built_by_function(text, input_shape, classes)
    if not isinstance(model, keras.Model):
        raise RequestError(f"{text} returns a {type(model).__name__}, and must return a keras.Model.")
    return model


def user_module(source: str) -> ModuleType:
    """Import a module that the user named.

    Args:
        source: the module's name, or the path of a `.py` file.

    Raises:
        RequestError: it does not exist, or raises an error.
    """
    try:
        if not source.endswith(".py"):
            return importlib.import_module(source)
        path = Path(source).expanduser().resolve()
        if not path.is_file():
            raise RequestError(f"There is no file {source}.")
        name = f"_distillab_user_{path.stem}"
        specification = importlib.util.spec_from_file_location(name, path)
        if specification is None or specification.loader is None:
            raise RequestError(f"{source} is no Python file.")
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module  # Keras looks up a layer's class in its module
        specification.loader.exec_module(module)
    except RequestError:
        raise
    except Exception as error:  # the user's module can raise anything
        raise RequestError(f"{source} cannot be imported: {_described(error)}.") from error
    return module


def _described(error: Exception) -> str:
    name, text = type(error).__name__, reason(error)
    return name if text == name else f"{name}: {text}"
