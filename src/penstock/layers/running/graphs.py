"""Layers where torch.fx, torch.jit.script and torch.ao.quantization look for torch.nn's."""

import warnings
from typing import Any

from torch import fx, nn

from penstock.errors import ArgumentError


def call_module(layer: nn.Module, x: fx.Proxy, *rest: Any, **keywords: Any) -> fx.Proxy:
    """Record a call of a layer as one node, as torch.fx records its own layers.

    Raises:
        ArgumentError: the layer is all that is traced, and not a part of a module.
    """
    name = x.tracer.path_of_module(layer)  # type: ignore[attr-defined]
    if not name:
        raise ArgumentError(
            f"torch.fx takes {type(layer).__name__} as one node, and cannot look into it; trace "
            "a module that holds it, or use torch.export.export"
        )
    arguments = list(rest)
    while arguments and arguments[-1] is None:
        arguments.pop()
    given = {name: value for name, value in keywords.items() if value}
    return x.tracer.create_proxy("call_module", name, (x, *arguments), given)


class Unread(nn.Module):
    """A layer that torch.jit.script and torch.ao.quantization cannot change, and that says so."""

    def __prepare_scriptable__(self) -> nn.Module:
        """Return what torch.jit.script is to read instead, or raise."""
        raise ArgumentError(
            f"torch.jit.script cannot read {type(self).__name__}: its cell is equations, not "
            "source; use torch.export.export, or torch.jit.trace for sequences of one length"
        )

    @property
    def qconfig(self) -> None:
        """How torch.ao.quantization should change the layer: not at all."""

    @qconfig.setter
    def qconfig(self, value: Any) -> None:  # noqa: ARG002
        warnings.warn(
            f"torch.ao.quantization leaves penstock's {type(self).__name__} as it is; "
            "penstock.to_torch(model) makes RNN, LSTM and GRU torch.nn's, which it can change",
            stacklevel=2,
        )

    @qconfig.deleter
    def qconfig(self) -> None:
        pass
