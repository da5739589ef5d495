"""penstock's layers in the place of torch.nn's, and back: by their names, or in a model at hand."""

from contextlib import ExitStack
from typing import Any

from torch import nn

from penstock.layers.dropins.exchange import exchange
from penstock.layers.dropins.modules import GRU, LSTM, RNN
from penstock.layers.dropins.patching import Patch

_DROP_INS: tuple[Any, ...] = (RNN, LSTM, GRU)
_PATCH = Patch(_DROP_INS)


def patch_torch() -> ExitStack:
    """Let torch.nn.RNN, LSTM and GRU be penstock's, so that other people's code makes those.

    Code that says ``nn.LSTM`` gets penstock.LSTM from now on; what took its name before
    (``from torch.nn import LSTM``) keeps torch's, and so does torch.nn.modules.rnn, by which
    modules are pickled. Modules that were made stay what they are. torch.compile leaves what is
    an nn.LSTM to Python: undo this before compiling.

    It holds for all threads, until all who called this have undone it, in whatever order.

    Returns:
        what undoes it: a context manager, with a method close().
    """
    undo = ExitStack()
    _PATCH.put()
    undo.callback(_PATCH.let_go)
    return undo


def from_torch(module: nn.Module) -> nn.Module:
    """Put penstock's layers in the place of all torch.nn.RNN, LSTM and GRU in a module.

    They have the same parameters, hooks and mode. Subclasses are left as they are.

    Returns:
        the module, or the layer that takes its place.

    Raises:
        ArgumentError: a layer's weights are not its own parameters, as under weight norm.
    """
    return exchange(module, {ours.original: ours for ours in _DROP_INS})


def to_torch(module: nn.Module) -> nn.Module:
    """Put torch.nn's layers in the place of all penstock.RNN, LSTM and GRU in a module.

    For what asks for torch's classes, such as torch.ao.quantization and torch.jit.script.

    Returns:
        the module, or the layer that takes its place.

    Raises:
        ArgumentError: a layer's weights are not its own parameters, as under weight norm.
    """
    return exchange(module, {ours: ours.original for ours in _DROP_INS})
