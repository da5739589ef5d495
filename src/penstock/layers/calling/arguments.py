"""Checks of what a layer is called with: what was given, and what is wanted.

Legend: T time, B batch, I input, S width of a state.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from penstock.errors import ArgumentError
from penstock.layers.running import autocast

State = Tensor | tuple[Tensor, ...]  # a tuple, in the cell's order, where it has several


def check_input(x: Tensor, input_size: int, dtype: torch.dtype) -> None:
    """Raise unless x is [T, B, I], and of the dtype of the layer's weights.

    Raises:
        ArgumentError: it is not.
    """
    if x.ndim != 3 or x.shape[-1] != input_size:
        raise ArgumentError(
            f"the input has shape {list(x.shape)}; this layer takes 2 or 3 dimensions, the "
            f"last of input_size = {input_size}"
        )
    if not _go_together(x, dtype):
        raise ArgumentError(
            f"the input is {x.dtype}, the layer's weights are {dtype}; convert one: "
            f"x.to({dtype}) or layer.to({x.dtype})"
        )


def _go_together(x: Tensor, dtype: torch.dtype) -> bool:
    """Return whether a tensor of this type can be used with x: under autocast many can."""
    if x.dtype == dtype:
        return True
    castable = x.is_floating_point() and dtype.is_floating_point and dtype != torch.float64
    return castable and autocast.is_on(x)


def states(
    state: State, x: Tensor, sizes: Mapping[str, int], rows: int, single: bool
) -> tuple[Tensor, ...]:
    """Return initial states as [rows, B, S] each.

    sizes: S by the states' names. single: they are given without B.

    Raises:
        ArgumentError: their number, shapes or types do not fit.
    """
    given = (state,) if isinstance(state, Tensor) else tuple(state)
    if not all(isinstance(s, Tensor) for s in given):
        kinds = ", ".join(type(s).__name__ for s in given)
        raise ArgumentError(f"state is of {kinds}; give a tensor, or a tuple of tensors")
    if any(s.device != x.device for s in given):
        places = ", ".join(str(s.device) for s in given)
        raise ArgumentError(f"state lies on {places}, the input on {x.device}; move one of them")
    if not all(_go_together(x, s.dtype) for s in given):
        kinds = ", ".join(str(s.dtype) for s in given)
        raise ArgumentError(f"state is of {kinds}; it must be of the input's {x.dtype}")
    batch = [] if single else [x.shape[1]]
    wanted = [[rows, *batch, size] for size in sizes.values()]
    shapes = [list(s.shape) for s in given]
    if shapes != wanted:
        raise ArgumentError(
            f"state has shapes {shapes}; for this input the states "
            f"({', '.join(sizes)}) must be {wanted}"
        )
    return tuple(s[:, None] for s in given) if single else given
