"""ONNX's RNN, LSTM and GRU nodes as links.

Legend: T time, B batch, I input, H hidden, D directions, G gates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import ArgumentError, ModelFileError
from penstock.importers.links import (
    GivenLayer,
    Link,
    Sides,
    Turned,
    Way,
    as_tensor,
    both_ways,
    reordered,
)
from penstock.importers.onnx_files import library
from penstock.importers.onnx_values import Values, label

Array = NDArray[Any]
Warn = Callable[[str], None]


@dataclass(frozen=True)
class _OnnxCell:
    """An operator: its gates in their order and in that of ours, and its usual activations.

    inputs: the names of its inputs, by place. states: ours, with the inputs that start them.
    """

    gates: str
    wanted: str
    activations: tuple[str, ...]
    inputs: tuple[str, ...]


_SHARED = ("X", "W", "R", "B", "sequence_lens", "initial_h")
_KINDS = {
    "RNN": _OnnxCell("a", "a", ("tanh",), _SHARED),
    "GRU": _OnnxCell("zrn", "rzn", ("sigmoid", "tanh"), _SHARED),
    "LSTM": _OnnxCell("iofg", "ifgo", ("sigmoid", "tanh", "tanh"), (*_SHARED, "initial_c", "P")),
}
_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


@dataclass(frozen=True)
class RecurrentNode:
    """A recurrent node, its attributes and the names of its inputs."""

    proto: Any
    attributes: dict[str, Any]
    inputs: dict[str, str]

    @property
    def op(self) -> str:
        """Its operator."""
        return str(self.proto.op_type)

    @property
    def direction(self) -> str:
        """Its direction."""
        return _text(self.attributes.get("direction", "forward"))

    @property
    def batch_first(self) -> bool:
        """Whether X is [B, T, I], and Y [B, T, D, H]."""
        return bool(self.attributes.get("layout", 0))


def as_node(proto: Any) -> RecurrentNode:
    """Return a recurrent node with its attributes read.

    Raises:
        ModelFileError: it has no such direction.
    """
    read = library().helper.get_attribute_value
    attributes = {one.name: read(one) for one in proto.attribute}
    inputs = dict(zip(_KINDS[proto.op_type].inputs, proto.input, strict=False))
    node = RecurrentNode(proto, attributes, {place: name for place, name in inputs.items() if name})
    if not node.inputs.keys() >= {"X", "W", "R"}:
        raise ModelFileError(f"{label(proto)} has no X, W or R")
    if node.direction not in _DIRECTIONS:
        raise ModelFileError(f"{label(proto)} has direction={node.direction!r}")
    return node


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def sizes(node: RecurrentNode, values: Values) -> tuple[int, int, int]:
    """Return D, I and H of a node.

    Raises:
        ArgumentError: its weights are not known.
        ModelFileError: they do not fit each other.
    """
    w, r = (weight(node, values, place) for place in ("W", "R"))
    D, G = _DIRECTIONS[node.direction], len(_KINDS[node.op].gates)
    H = r.shape[-1] if r.ndim == 3 else 0
    if not H or r.shape != (D, G * H, H) or w.ndim != 3 or w.shape[:2] != r.shape[:2]:
        raise ModelFileError(f"{label(node.proto)} has W {w.shape} and R {r.shape}")
    return D, w.shape[2], H


def weight(node: RecurrentNode, values: Values, place: str) -> Array:
    """Return a node's constant input.

    Raises:
        ArgumentError: it is not known; the message says why.
    """
    name = node.inputs[place]
    value = values.constant(name)
    if value is None:
        raise ArgumentError(
            f"{label(node.proto)} has the {place} {name!r}, which is {values.origin(name)}, and no "
            f"constant; give it by weights={{{name!r}: array}}"
        )
    return value


def read_node(node: RecurrentNode, values: Values, steps: int, warn: Warn) -> Link:
    """Return a node as a link.

    Args:
        node: the node.
        values: of its graph.
        steps: T, as far as the graph says it.
        warn: told what a call must be given.

    Raises:
        ArgumentError: an activation, or a combination of attributes, has no counterpart.
        ModelFileError: the weights do not fit each other.
    """
    D, _, _ = sizes(node, values)
    name = label(node.proto)
    _check_lengths(node, values, steps, warn)
    initial = _initial(node, values, D, warn)
    ways = [_way(node, values, d, D, initial) for d in range(D)]
    layers = [GivenLayer(name, (way,)) for way in ways]
    if D == 2:
        return both_ways(name, layers[:1], layers[1:], "concat")
    return Turned(layers, restored=True) if node.direction == "reverse" else layers[0]


def merged(link: Link, merge: str) -> Link:
    """Return a link of two directions with another merge."""
    if isinstance(link, GivenLayer):
        return GivenLayer(link.name, link.ways, merge)
    return Sides(link.forward, link.backward, merge) if isinstance(link, Sides) else link


def _way(node: RecurrentNode, values: Values, d: int, D: int, initial: dict[str, Array]) -> Way:
    kind, given = _KINDS[node.op], node.attributes.get("activations")
    count = len(kind.activations)
    names = list(map(_text, given)) if isinstance(given, list) else []
    if names and len(names) != count * D:
        raise ModelFileError(f"{label(node.proto)} has {len(names)} activations")
    own = tuple(name.lower() for name in names[d * count : (d + 1) * count]) or kind.activations
    relu = node.op == "RNN" and own == ("relu",)
    if own != kind.activations and not relu:
        raise ArgumentError(
            f"{label(node.proto)} has the activations {', '.join(names)}, and Penstock's layer has "
            f"{', '.join(kind.activations)}; write its equations as a penstock.Cell, and copy the "
            "weights"
        )
    cell, options = _cell(node), {"clip_gates": float(node.attributes.get("clip", 0.0))}
    found = {name: value for name, value in options.items() if value}
    kept = tuple(sorted((found | ({"nonlinearity": own[0]} if cell == "rnn" else {})).items()))
    states = {s: as_tensor(value[d]) for s, value in initial.items()} or None
    return Way(cell, kept, _weights(node, values, d, cell), states)


def _cell(node: RecurrentNode) -> str:
    """Return the name of our cell for a node."""
    if node.op == "GRU":
        return "gru" if node.attributes.get("linear_before_reset", 0) else "gru_reset_before_keep"
    coupled, peepholes = node.attributes.get("input_forget", 0), "P" in node.inputs
    if node.op == "LSTM" and coupled and peepholes:
        raise ArgumentError(
            f"{label(node.proto)} has both input_forget=1 and peepholes P, and no cell of Penstock "
            "has; write its equations as a penstock.Cell, and copy the weights"
        )
    return "cifg" if coupled else "peephole_lstm" if peepholes else node.op.lower()


def _weights(node: RecurrentNode, values: Values, d: int, cell: str) -> dict[str, Any]:
    """Return one direction's weights by our names."""
    kind = _KINDS[node.op]
    wanted = "igo" if cell == "cifg" else kind.wanted
    stacks = {"weight_ih": weight(node, values, "W")[d], "weight_hh": weight(node, values, "R")[d]}
    H = stacks["weight_hh"].shape[1]
    if "B" in node.inputs:
        both = _fitting(node, values, "B", d, 2 * len(kind.gates) * H)
        stacks |= dict(zip(("bias_ih", "bias_hh"), np.split(both, 2), strict=True))
    found = {name: reordered(stack, kind.gates, wanted) for name, stack in stacks.items()}
    if cell == "peephole_lstm":
        links = np.split(_fitting(node, values, "P", d, 3 * H), 3)
        found |= {f"weight_p_{g}": as_tensor(p) for g, p in zip("iof", links, strict=True)}
    if len({value.dtype for value in found.values()}) > 1:
        raise ModelFileError(f"{label(node.proto)} has weights of several types")
    return found


def _fitting(node: RecurrentNode, values: Values, place: str, d: int, width: int) -> Array:
    value = weight(node, values, place)
    if value.ndim != 2 or value.shape[0] <= d or value.shape[1] != width:
        raise ModelFileError(f"{label(node.proto)} has {place} {value.shape}, not [D, {width}]")
    return np.asarray(value[d])


def _check_lengths(node: RecurrentNode, values: Values, steps: int, warn: Warn) -> None:
    name = node.inputs.get("sequence_lens", "")
    value = values.constant(name)
    if not name or values.is_given(name) or (value is not None and np.all(value == steps)):
        return
    what = values.origin(name) if value is None else f"{value.ravel().tolist()[:8]}"
    warn(f"{label(node.proto)} has the sequence_lens {what}; give them as lengths= in the call")


def _initial(node: RecurrentNode, values: Values, D: int, warn: Warn) -> dict[str, Array]:
    """Return the constant initial states [D, H] that are not zero."""
    found: dict[str, Array] = {}
    for place, name in node.inputs.items():
        if not place.startswith("initial_"):
            continue
        value = values.constant(name)
        if value is None:
            if not values.is_given(name):
                warn(
                    f"{label(node.proto)} starts from {name!r}, {values.origin(name)}; give it as "
                    "state= in the call"
                )
            continue
        if not np.any(value):
            continue
        rows = value.swapaxes(0, 1) if value.ndim == 3 and node.batch_first else value
        if rows.ndim != 3 or rows.shape[0] != D or not rows.shape[1]:
            raise ModelFileError(f"{label(node.proto)} has {place} {value.shape}")
        if np.any(rows != rows[:, :1]):
            raise ArgumentError(
                f"{label(node.proto)} starts each row from another constant, {name!r}; give "
                f"weights={{{name!r}: zeros of the same shape}}, and state= in the call"
            )
        found[place.removeprefix("initial_")] = np.asarray(rows[:, 0])
    return found
