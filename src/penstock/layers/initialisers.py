"""Ways to draw a layer's parameters, by name.

Each takes a layer whose parameters have their values of torch.nn, and changes some of them.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from penstock.cells import Cell, Gate, Usage, Vector
from penstock.errors import ArgumentError, nearest


class Layer(Protocol):
    """What an initialiser knows of a `Recurrent`."""

    cell: Cell
    hidden_size: int

    def uses(self) -> Iterator[tuple[Usage, dict[str, str]]]:
        """Yield what the cell uses in each layer and direction, and its parameters' names here."""

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield all parameters by name."""


Initialiser = Callable[[Layer], None]


def find_initialiser(init: str | Initialiser) -> Initialiser:
    """Return an initialiser by name; a function is returned as it is.

    Raises:
        ArgumentError: there is none of that name.
    """
    if callable(init):
        return init
    if init not in INITIALISERS:
        raise ArgumentError(f"no initialiser {init!r}; {nearest(init, INITIALISERS)}")
    return INITIALISERS[init]


def draw(layer: Layer) -> None:
    """Draw all parameters from U(−1/√H, 1/√H), or as the cell's declarations say."""
    bound = 1 / math.sqrt(layer.hidden_size)
    for use, names in layer.uses():
        values = {name: getattr(layer, full).detach() for name, full in names.items()}
        for value in values.values():
            nn.init.uniform_(value, -bound, bound)
        for name in use.others:
            own, declared = values.pop(f"weight_{name}"), layer.cell.declared[name]
            if isinstance(declared, Vector):
                declared.start(own)
        for name, value in values.items():  # of modifiers
            if name.startswith(("weight_gain_", "weight_shift_")):
                value.fill_(float(name.startswith("weight_gain_")))
    for kind in _BIASES:
        for gate, bias in _blocks(layer, kind):
            declared = layer.cell.declared[gate]
            if isinstance(declared, Gate) and not isinstance(declared.bias, bool):
                beside_w = declared.x and kind == "bias_hh"  # where the other part has the value
                bias.fill_(0 if beside_w else declared.bias)


def glorot(layer: Layer) -> None:
    """Draw each gate's W from U(−a, a), a = √(6 / (I + H)) (Glorot and Bengio 2010)."""
    for _, weight in _blocks(layer, "weight_ih"):
        nn.init.xavier_uniform_(weight)


def orthogonal(layer: Layer) -> None:
    """Draw each gate's U as an orthogonal matrix, which keeps the length of the state.

    Source: Saxe et al. 2014, arXiv:1312.6120.
    """
    for _, weight in _blocks(layer, "weight_hh"):
        nn.init.orthogonal_(weight)


def unit_forget(layer: Layer) -> None:
    """Set the bias of gate f to 1, so that the state is kept at first (Jozefowicz et al. 2015)."""
    _set_bias(layer, "f", torch.ones_like)


def keras(layer: Layer) -> None:
    """Draw W by `glorot`, U by `orthogonal`; biases 0, that of the forget gate 1: as Keras does."""
    glorot(layer)
    orthogonal(layer)
    for name, bias in layer.named_parameters():
        if name.startswith("bias_"):
            nn.init.zeros_(bias)
    unit_forget(layer)


def chrono(layer: Layer, longest: int = 100) -> None:
    """Set the bias of gate f to log u, u from U(1, longest − 1), and that of gate i to −log u.

    The cell then remembers over times up to `longest` steps from the start (Tallec and Ollivier
    2018, arXiv:1804.11188).
    """
    times: dict[str, Tensor] = {}

    def forget(bias: Tensor) -> Tensor:
        times["u"] = torch.empty_like(bias).uniform_(1, max(longest - 1, 1))
        return times["u"].log()

    _set_bias(layer, "f", forget)
    if times:
        _set_bias(layer, "i", lambda _: -times["u"].log())


def leave(_layer: Layer) -> None:
    """Leave the parameters as torch.nn draws them, from U(−1/√H, 1/√H)."""


INITIALISERS: dict[str, Initialiser] = {
    "torch": leave,
    "glorot": glorot,
    "orthogonal": orthogonal,
    "unit_forget": unit_forget,
    "keras": keras,
    "chrono": partial(chrono, longest=100),
}


def _blocks(layer: Layer, kind: str) -> Iterator[tuple[str, Tensor]]:
    """Yield each gate's block of a stack of weights or biases, in all layers and directions."""
    for use, names in layer.uses():
        gates = use.x_gates if kind.endswith("ih") else use.h_gates
        gates = layer.cell.biased(gates) if kind.startswith("bias") else gates
        if kind in names:
            stack = getattr(layer, names[kind]).detach()
            yield from zip(gates, torch.split(stack, layer.hidden_size), strict=True)


def _set_bias(layer: Layer, gate: str, value: Callable[[Tensor], Tensor]) -> None:
    """Give a gate's bias a value: of its two parts, the one beside W has it, the other is 0."""
    sides = {kind: [b for g, b in _blocks(layer, kind) if g == gate] for kind in _BIASES}
    first = next((kind for kind in _BIASES if sides[kind]), None)
    for kind, parts in sides.items():
        for bias in parts:
            bias.copy_(value(bias) if kind == first else torch.zeros_like(bias))


_BIASES = ("bias_ih", "bias_hh")
