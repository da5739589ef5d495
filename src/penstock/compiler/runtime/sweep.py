"""A sweep: one call of a cell over T steps, as every backend takes it.

Legend: T time, B batch, I input, S width of a state.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor

from penstock.cells import Cell, Place


class Sweep(NamedTuple):
    """One direction of one layer over time: everything that a backend needs to run it.

    A named tuple, as a frozen dataclass takes five times as long to make, at every call.

    weights: by name, as `Cell.shapes` lists them. x: [T, B, I]. states: the initial ones, [B, S]
    each. below: the lower layer's sequences that the cell asks for, [T, B, S] each.
    valid [T, B] bool: where False, the state stays and the output is 0; None, all is valid.
    reset [T, B] bool: where True, the state is set to zero before that step; None, nowhere.
    reverse: walk from the last step to the first. key: the cell and place as `op` knows them.
    masks: of the modifiers, by name, [T, B, S], or [B, S] where fixed over time.
    returned: the output goes to the user as it is, who may change it: it shares no memory with
    what a gradient reads. every_state: all states are wanted at all steps, and not the first alone.
    shapes: those of the weights, for who runs the sweep without a kernel.
    """

    cell: Cell
    place: Place
    weights: Mapping[str, Tensor]
    x: Tensor
    states: tuple[Tensor, ...]
    below: tuple[Tensor, ...] = ()
    valid: Tensor | None = None
    reset: Tensor | None = None
    reverse: bool = False
    key: str = ""
    masks: Mapping[str, Tensor] = MappingProxyType({})
    returned: bool = False
    every_state: bool = False
    shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({})
