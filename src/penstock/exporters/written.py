"""A recurrent layer as values: what every exporter prints.

Legend: L layers, D directions, I input, H hidden, S width of a state, O features of an output.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from penstock.cells import cell_name
from penstock.compiler.pipeline import WrittenStep, written
from penstock.errors import ExportError
from penstock.layers.making.connections import Connection
from penstock.layers.recurrent import Recurrent


@dataclass(frozen=True)
class Direction:
    """One direction of one layer.

    Attributes:
        name: "l0", or "l0_reverse", as its parameters' names end.
        step: what it does at each step, in evaluation.
        states: the width of each state, in the cell's order.
        below: the states of the layer below, at the same step, that it reads.
        output_size: features of its output.
        reverse: whether it goes from the last step to the first.
    """

    name: str
    step: WrittenStep
    states: Mapping[str, int]
    below: tuple[str, ...]
    output_size: int
    reverse: bool


@dataclass(frozen=True)
class WrittenLayer:
    """One layer: directions, and what joins them to what the next layer reads.

    With y the outputs of the directions and x the layer's input: z = merge(y), then W_p z where
    there is a projection; then z + x where `adds`; or t ⊙ z + (1 − t) ⊙ x, t = σ(W_t x + b_t),
    where there is a gate.

    Attributes:
        directions: one, or that forwards and that backwards.
        merge: "concat", "sum", "mean" or "product".
        projection: W_p [P, O], or None.
        adds: whether x is added.
        gate: W_t and b_t, or None.
        output_size: features that the next layer reads.
    """

    directions: tuple[Direction, ...]
    merge: str
    projection: Tensor | None
    adds: bool
    gate: tuple[Tensor, Tensor] | None
    output_size: int


@dataclass(frozen=True)
class WrittenStack:
    """A `Recurrent` as values.

    Attributes:
        cell: the name of its cell.
        layers: from the lowest up.
        input_size: I.
        batch_first: whether x and the output are [B, T, ·] instead of [T, B, ·].
        initial: the learned initial states, [L·D, S] each, or None where they are zero.
    """

    cell: str
    layers: tuple[WrittenLayer, ...]
    input_size: int
    batch_first: bool
    initial: Mapping[str, Tensor] | None

    @property
    def output_size(self) -> int:
        """Features of the output."""
        return self.layers[-1].output_size


def write_layer(layer: Recurrent) -> WrittenStack:
    """Return a layer as values, as it computes in evaluation.

    Parametrizations are taken as what they give now.

    Raises:
        ExportError: something else than the layer's own equations runs in it.
    """
    check_hooks(layer)
    cell = layer.cell
    states = dict(zip(cell.states, layer._state_sizes, strict=True))
    layers = []
    for number, parts in enumerate(layer._parts):
        directions = tuple(
            Direction(
                name=f"l{number}_reverse" if d else f"l{number}",
                step=written(
                    cell, part.place,
                    {name: layer._weight(full).detach() for name, full in part.names.items()},
                ),
                states=states,
                below=cell.below if number else (),
                output_size=cell.usage(part.place).output_size,
                reverse=d == 1,
            )
            for d, part in enumerate(parts)
        )  # fmt: skip
        layers.append(_joined(directions, layer.connections[number] if layer.connections else None))
    initial = None
    if layer.trainable_state:
        initial = {name: layer._weight(f"initial_{name}").detach() for name in states}
    return WrittenStack(
        cell_name(type(cell)), tuple(layers), layer.input_size, layer.batch_first, initial
    )


def _joined(directions: tuple[Direction, ...], connection: Connection | None) -> WrittenLayer:
    if connection is None:
        size = sum(one.output_size for one in directions)
        return WrittenLayer(directions, "concat", None, False, None, size)
    projection, gate = connection.projection, connection.gate
    return WrittenLayer(
        directions,
        connection.merge,
        None if projection is None else projection.weight.detach(),
        connection.adds,
        None if gate is None else (gate.weight.detach(), gate.bias.detach()),
        connection.output_size,
    )


def check_hooks(layer: nn.Module) -> None:
    """Raise where a hook would change what a layer, or a module that holds one, gives.

    Raises:
        ExportError: there is one; the message says where.
    """
    kinds = ("_forward_hooks", "_forward_pre_hooks")
    for name, module in layer.named_modules():
        if any(getattr(module, kind) for kind in kinds):
            raise ExportError(
                f"{name or 'the layer'} has forward hooks, which no file can hold; remove them "
                "with the handle that registering them returned"
            )
