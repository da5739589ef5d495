"""How a layer is made of parts: each direction of each layer of the stack, and what joins them.

Legend: I input, H hidden.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from penstock.cells import Cell, Place
from penstock.cells.modifiers import Modifiers
from penstock.compiler import pipeline
from penstock.layers.making.connections import Connection
from penstock.layers.running import op


@dataclass(frozen=True)
class Mode:
    """A part as it is in training, or in evaluation."""

    place: Place
    key: str


@dataclass(frozen=True)
class Part:
    """One direction of one layer.

    names: its parameters' in the module, by those of the cell. shapes: by the latter, too.
    """

    names: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    training: Mode
    evaluation: Mode

    @property
    def place(self) -> Place:
        """Where the cell stands."""
        return self.evaluation.place


@dataclass(frozen=True)
class Architecture:
    """What a stack of layers is made of.

    join: merge, connection and projection size of each layer's `Connection`.
    """

    cell: Cell
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    bidirectional: bool
    modifiers: Modifiers
    join: tuple[str, str, int]


def build(
    module: nn.Module, architecture: Architecture, **like: Any
) -> tuple[list[list[Part]], list[Connection]]:
    """Register the parameters of all layers in a module; return its parts, by layer.

    like: device and dtype.
    """
    parts: list[list[Part]] = []
    joined: list[Connection] = []
    size = architecture.input_size
    for layer in range(architecture.num_layers):
        place = Place(size, architecture.hidden_size, layer == 0, architecture.modifiers)
        shapes = pipeline.shapes(architecture.cell, place)
        names = [n for n in shapes if architecture.bias or not n.startswith("bias")]
        suffixes = [f"_l{layer}", f"_l{layer}_reverse"][: 1 + architecture.bidirectional]
        modes = [_mode(architecture.cell, place, names, training) for training in (True, False)]
        parts.append([Part({n: n + s for n in names}, shapes, *modes) for s in suffixes])
        for name, full in (n for part in parts[-1] for n in part.names.items()):
            module.register_parameter(full, nn.Parameter(torch.empty(shapes[name], **like)))
        out = architecture.cell.usage(place).output_size
        wide = out * len(suffixes) if architecture.join[0] == "concat" else out
        joined.append(Connection(size, wide, *architecture.join, **like))
        size = joined[-1].output_size
    return parts, joined


def _mode(cell: Cell, place: Place, names: Sequence[str], training: bool) -> Mode:
    changed = replace(place.modifiers, training=training)
    place = replace(place, modifiers=changed if changed.any else Modifiers())
    return Mode(place, op.register(cell, place, tuple(names)))
