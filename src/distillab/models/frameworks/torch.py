"""Models of PyTorch: modules, TorchScript files and `torch.export` files."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from distillab.errors import RequestError, reason
from distillab.models.class_names import names_from
from distillab.models.foreign import Array, ForeignModel
from distillab.models.frameworks.needed import needed


def is_module(source: Any) -> bool:
    """Whether an object is a module of PyTorch, which need not be installed.

    Args:
        source: any object.
    """
    return any(kind.__module__ == "torch.nn.modules.module" for kind in type(source).__mro__)


def torch_module(module: Any, name: str = "") -> ForeignModel:
    """Use a module in inference mode; its own mode is put back after every call.

    Args:
        module: a `torch.nn.Module` from inputs (B, ...) to outputs (B, ..., C), to an object with `logits`, or to a
            tuple or a dictionary of several outputs.
        name: in reports; by default its class's.
    """
    config = getattr(module, "config", None)
    names = getattr(config, "id2label", None)
    digest = hashlib.sha256(str(module).encode())
    for key, tensor in module.state_dict().items():
        digest.update(key.encode())
        digest.update(np.ascontiguousarray(_as_numpy(tensor)).tobytes())
    return ForeignModel(
        name=name or type(module).__name__,
        kind="PyTorch module",
        call=_called(module),
        digest=digest.hexdigest(),
        channels_first=True,
        class_names=names_from(names) if names else (),
    )


def torchscript_model(path: Path) -> ForeignModel:
    """Read a TorchScript file, as `torch.jit.save` writes it.

    Args:
        path: the file.

    Raises:
        RequestError: PyTorch is missing, or cannot load it.
    """
    torch = needed("torch", path, "a TorchScript file and needs PyTorch", "torch")
    try:
        module = torch.jit.load(str(path), map_location="cpu")
    except Exception as error:  # PyTorch raises many kinds for a damaged file
        raise RequestError(f"PyTorch cannot load {path} as TorchScript: {reason(error)}.") from error
    return _of_file(path, module, "TorchScript model")


def exported_program(path: Path, *, trust: bool = False) -> ForeignModel:
    """Read a file of `torch.export.save`.

    Args:
        path: the file.
        trust: whether pickled objects in it, which can run any code, are allowed.

    Raises:
        RequestError: PyTorch is missing or cannot load it, or it holds pickled objects.
    """
    torch = needed("torch", path, "a torch.export file and needs PyTorch", "torch")
    if not trust:
        _refuse_pickles(path, torch)
    try:
        module = torch.export.load(str(path)).module()
    except Exception as error:  # PyTorch raises many kinds for a damaged file
        raise RequestError(f"PyTorch cannot load {path} as a torch.export file: {reason(error)}.") from error
    return _of_file(path, module, "torch.export model", changes_mode=False)  # its mode is part of the program


def _of_file(path: Path, module: Any, kind: str, *, changes_mode: bool = True) -> ForeignModel:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    call = _called(module, changes_mode=changes_mode)
    return ForeignModel(name=path.name, kind=kind, call=call, digest=digest, channels_first=True)


def _refuse_pickles(path: Path, torch: Any) -> None:
    """Refuse an archive that PyTorch would unpickle without restrictions."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        # Of two members of one name, or of names in another case, PyTorch may read the other one than Python.
        if len({member.filename.lower() for member in members}) < len(members):
            raise RequestError(f"PyTorch cannot load {path} as a torch.export file: it has two members of one name.")
        for member in members:
            name = member.filename.lower()
            content = archive.read(member) if name.endswith(("config.json", ".pt", ".pkl")) else b""
            try:
                pickled = (
                    name.endswith(".pkl")
                    or (name.endswith("config.json") and _says_pickle(content))
                    or ("/constants/" in name and "custom_obj" in name)
                )
            except (ValueError, RecursionError) as error:
                raise RequestError(
                    f"PyTorch cannot load {path} as a torch.export file: {member.filename} is no JSON."
                ) from error
            if name.endswith(".pt") and not pickled:
                try:
                    torch.load(io.BytesIO(content), weights_only=True)
                except Exception:  # PyTorch would fall back to loading it without restrictions
                    pickled = True
            if pickled:
                raise RequestError(
                    f"{path} holds pickled Python objects ({member.filename}), which can run any code. Pass --trust "
                    "(trust=True) only if you know who made it."
                )


def _says_pickle(config: bytes) -> bool:
    def pickled(value: Any) -> bool:
        if isinstance(value, dict):
            return bool(value.get("use_pickle")) or any(map(pickled, value.values()))
        return isinstance(value, list) and any(map(pickled, value))

    return pickled(json.loads(config))


def _called(module: Any, *, changes_mode: bool = True) -> Callable[[Any], Any]:
    def call(batch: Array | Mapping[str, Array]) -> Any:
        import torch

        modes = [(one, one.training) for one in module.modules()] if changes_mode else []
        if any(training for _, training in modes):
            module.eval()
        parameter = next(iter(module.parameters()), None)
        place = {} if parameter is None else {"device": parameter.device}

        def tensor(part: Array) -> Any:
            return torch.as_tensor(np.ascontiguousarray(part), **place)

        try:
            with torch.no_grad():
                if isinstance(batch, Mapping):
                    return _arrays(_logits(_of_several(module, {name: tensor(part) for name, part in batch.items()})))
                return _arrays(_logits(module(tensor(batch))))
        finally:
            for one, training in modes:  # parts of it may be frozen
                one.training = training

    return call


def _of_several(module: Any, tensors: Mapping[str, Any]) -> Any:
    """Call a module with several inputs: by name where its `forward` has all of the names, otherwise in order."""
    try:
        named = set(tensors) <= set(inspect.signature(module.forward).parameters)
    except (TypeError, ValueError):  # a compiled one does not show its parameters
        named = False
    return module(**tensors) if named else module(*tensors.values())


def _logits(outputs: Any) -> Any:
    """The tensor among what a module returns: itself, or the logits of a Hugging Face output."""
    if isinstance(outputs, dict):
        outputs = outputs.get("logits", outputs)
    outputs = getattr(outputs, "logits", outputs)
    return outputs[0] if isinstance(outputs, (tuple, list)) and len(outputs) == 1 else outputs


def _arrays(outputs: Any) -> Any:
    """What a module returns as arrays: one, or several in a tuple or a dictionary."""
    if isinstance(outputs, dict):
        return {name: _as_numpy(tensor) for name, tensor in outputs.items()}
    if isinstance(outputs, (tuple, list)):
        return tuple(map(_as_numpy, outputs))
    return _as_numpy(outputs)


def _as_numpy(tensor: Any) -> Array:
    return np.asarray(tensor.detach().cpu().float().numpy())
