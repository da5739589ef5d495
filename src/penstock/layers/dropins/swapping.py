"""penstock's layers in the place of torch.nn's, and back: by their names, or in a model at hand."""

import copy
from contextlib import ExitStack
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from penstock.errors import ArgumentError

_NAMES = ("RNN", "LSTM", "GRU")


def patch_torch() -> ExitStack:
    """Let torch.nn.RNN, LSTM and GRU be penstock's, so that other people's code makes those.

    Code that says ``nn.LSTM`` gets penstock.LSTM from now on; what took its name before
    (``from torch.nn import LSTM``) keeps torch's, and so does torch.nn.modules.rnn, by which
    modules are pickled. Modules that were made stay what they are. torch.compile leaves what is
    an nn.LSTM to Python: undo this before compiling.

    Returns:
        what undoes it: a context manager, with a method close().
    """
    undo = ExitStack()
    for home in (nn, nn.modules):
        for name, ours in _classes().items():
            undo.callback(setattr, home, name, getattr(home, name))
            setattr(home, name, ours)
    return undo


def from_torch(module: nn.Module) -> nn.Module:
    """Put penstock's layers in the place of all torch.nn.RNN, LSTM and GRU in a module.

    They have the same parameters, hooks and mode. Subclasses are left as they are.

    Returns:
        the module, or the layer that takes its place.

    Raises:
        ArgumentError: a layer's weights are not its own parameters, as under weight norm.
    """
    pairs = {ours.original: ours for ours in _classes().values()}
    return _swap(module, pairs)


def to_torch(module: nn.Module) -> nn.Module:
    """Put torch.nn's layers in the place of all penstock.RNN, LSTM and GRU in a module.

    For what asks for torch's classes, such as torch.ao.quantization and torch.jit.script.

    Returns:
        the module, or the layer that takes its place.

    Raises:
        ArgumentError: a layer's weights are not its own parameters, as under weight norm.
    """
    pairs = {ours: ours.original for ours in _classes().values()}
    return _swap(module, pairs)


def _classes() -> dict[str, Any]:
    """Return the drop-ins by name."""
    from penstock.layers.dropins import modules  # noqa: PLC0415  (they can be put back by this)

    return {name: getattr(modules, name) for name in _NAMES}


def _swap(module: nn.Module, pairs: dict[Any, Any]) -> nn.Module:
    """Replace modules of some classes, wherever they stand, those met twice by one."""
    kinds = {part: type_before_parametrizations(part) for part in module.modules()}
    new = {part: _made(part, pairs[kind]) for part, kind in kinds.items() if kind in pairs}
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            parent._modules[name] = new.get(child, child)
    return new.get(module, module)


def _made(layer: Any, kind: Any) -> nn.Module:
    """Return a layer of another class with the same parameters, hooks and mode."""
    names = (
        "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout",
        "bidirectional", *(["nonlinearity"] if hasattr(layer, "nonlinearity") else []),
        *(["proj_size"] if layer.proj_size else []),
    )  # fmt: skip
    made: nn.RNNBase = kind(**{name: getattr(layer, name) for name in names}, device="meta")
    if list(made._parameters) != list(layer._parameters):
        raise ArgumentError(
            f"the parameters of a {type(layer).__name__} are {list(layer._parameters)}, and should "
            f"be {list(made._parameters)}; undo what changed them, such as weight norm, first"
        )
    for name in vars(nn.Module()):  # what every module keeps: parameters, hooks, mode
        object.__setattr__(made, name, copy.copy(getattr(layer, name)))
    made._init_flat_weights()  # torch's own layer also has its weights in a list
    return made
