"""Modules of one class put in the place of another's, with the same parameters, hooks and mode."""

import copy
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from penstock.errors import ArgumentError


def exchange(module: nn.Module, pairs: dict[Any, Any]) -> nn.Module:
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
