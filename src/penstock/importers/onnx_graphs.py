"""Recurrent nodes of an ONNX graph in the order in which one reads the other.

Which value a node reads is told by numbers: a probe stands in the place of the graph's input and of
each node's output, and what arrives at the next node is compared with it.

Legend: T time, B batch, I input, H hidden, D directions.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import ArgumentError, nearest
from penstock.importers.links import Link
from penstock.importers.onnx_files import Beside
from penstock.importers.onnx_nodes import RecurrentNode, Warn, as_node, merged, read_node, sizes
from penstock.importers.onnx_values import (
    MOVES,
    Values,
    is_known,
    is_recurrent,
    key_of,
    label,
    name_of,
    needed,
)

Array = NDArray[Any]

_T, _B = 5, 3  # of the probe, where the graph leaves them free
_LARGEST = 2**24  # elements of a probe
_MERGES: dict[str, Callable[[Array], Array]] = {  # of Y [T, B, D, H]
    "concat": lambda y: y.reshape(*y.shape[:2], -1),
    "sum": lambda y: y.sum(2),
    "mean": lambda y: y.mean(2),
    "product": lambda y: y.prod(2),
}


@dataclass(frozen=True)
class Found:
    """Links of a graph that follow each other, and whether the first reads [B, T, I]."""

    links: list[Link]
    batch_first: bool


@dataclass
class _Probes:
    """Numbers in the place of the graph's sequence, and of what its nodes give."""

    chosen: set[str]  # keys of nodes
    name: str = ""  # of the graph's sequence, and its probe, as the graph takes it
    sequence: Array | None = None
    nodes: dict[str, RecurrentNode] = field(default_factory=dict)
    given: dict[str, Array] = field(default_factory=dict)  # by a node's key: Y [T, B, D, H]
    outputs: list[Array] = field(default_factory=list)  # all that nodes give
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def drawn(self, *shape: int) -> Array:
        """Return numbers that no other value has."""
        return self.random.standard_normal(shape).astype(np.float32)

    def of(self, proto: Any, values: Values) -> Mapping[str, Array] | None:
        """Return the outputs of a chosen node by name."""
        key = key_of(proto)
        if key not in self.chosen:
            return None
        self.nodes[key] = node = as_node(proto)
        D, _, H = sizes(node, values)
        x = values.get(node.inputs["X"])
        T, B = (_T, _B) if x is None or x.ndim != 3 else _steps_first(x, node).shape[:2]
        y = self.drawn(T, B, D, H)
        self.given[key] = y
        laid_out = y.swapaxes(0, 1) if node.batch_first else y.swapaxes(1, 2)
        rows = (B, D, H) if node.batch_first else (D, B, H)
        made = laid_out, self.drawn(*rows), self.drawn(*rows)
        self.outputs += made
        return {name: value for name, value in zip(proto.output, made, strict=False) if name}


def read_graph(
    model: Any, beside: Beside | None, given: Mapping[str, Any], names: Sequence[str], warn: Warn
) -> Found:
    """Return the recurrent nodes of a model, or those named, as links that follow each other.

    Raises:
        ArgumentError: other nodes stand beside them, or they do not follow each other.
        ModelFileError: the model is damaged.
    """
    graph = model.graph
    chosen = _chosen(graph, names)
    ends = {one.name for one in graph.output}
    wanted = needed(graph, {n for node in chosen for n in node.output} if names else ends)
    if not names:
        _check_others(wanted, chosen)
    probes = _Probes({key_of(node) for node in chosen})
    _put_sequence(probes, graph, given, chosen[0])
    sequence = {} if probes.sequence is None else {probes.name: probes.sequence}
    values = Values(model, beside, given, sequence, wanted, probes.of)
    nodes = [probes.nodes[key_of(proto)] for proto in chosen]
    links: list[Link] = []
    for k, node in enumerate(nodes):
        if k:
            merge = _merge(node, nodes[k - 1], values, probes)
            links[-1] = merged(links[-1], merge)
        steps = probes.given[key_of(node.proto)].shape[0]
        links.append(read_node(node, values, steps, warn))
    if not names:
        merge = _last_merge(nodes[-1], ends, values, probes)
        links[-1] = merged(links[-1], merge)
    return Found(links, _is_batch_first(nodes[0], values, probes, bool(names)))


def _chosen(graph: Any, names: Sequence[str]) -> list[Any]:
    recurrent = [node for node in graph.node if is_recurrent(node)]
    if not recurrent:
        inner = [label(n) for n in graph.node if any(a.HasField("g") for a in n.attribute)]
        also = f"; what is inside of {inner[0]} is not read" if inner else ""
        raise ArgumentError(
            f"the model has no RNN, LSTM or GRU node{also}; an exporter that unrolls leaves none"
        )
    found = {key_of(node): node for node in recurrent} | {name_of(n): n for n in recurrent}
    for name in names:
        if name not in found:
            known = map(name_of, recurrent)
            raise ArgumentError(f"the model has no recurrent node {name!r}; {nearest(name, known)}")
    return [found[name] for name in names] if names else recurrent


def _check_others(wanted: list[Any], chosen: list[Any]) -> None:
    """Raise where the model is more than recurrent nodes, and what lays values out."""
    names = [name_of(node) for node in chosen]
    how = f"name={names[0]!r}" if len(names) == 1 else f"name={names!r}, or one of them"
    others = [label(node) for node in wanted if not is_known(node)]
    if others:
        listed = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if others[5:] else "")
        raise ArgumentError(f"the model also has {listed}; take its recurrent nodes by {how}")
    used = {key_of(node) for node in wanted}
    for node in chosen:
        if key_of(node) not in used:
            raise ArgumentError(f"no output of the model needs {label(node)}; name another")


def _put_sequence(probes: _Probes, graph: Any, given: Mapping[str, Any], first: Any) -> None:
    """Put a probe in the place of the input that the first node's X is made of."""
    producers = {name: node for node in graph.node for name in node.output}
    name, seen = first.input[0], set[str]()
    while name in producers and producers[name].op_type in MOVES and name not in seen:
        seen.add(name)
        name = next(iter(producers[name].input), "")
    held = {one.name: one.dims for one in graph.initializer}
    free = [one for one in graph.input if one.name == name and name not in held]
    if not free or name in given:
        return
    declared = [d.dim_value for d in free[0].type.tensor_type.shape.dim] or [0, 0, 0]
    w = np.shape(given[first.input[1]]) if first.input[1] in given else held.get(first.input[1], ())
    if len(declared) != 3 or not (declared[2] or len(w) == 3):
        return
    I = declared[2] or w[2]
    shape = declared[0] or _T, declared[1] or _B, I
    shape = shape if math.prod(shape) <= _LARGEST else (_T, _B, I)
    if min(shape) > 0 and math.prod(shape) <= _LARGEST:
        probes.name, probes.sequence = name, probes.drawn(*shape)


def _merge(node: RecurrentNode, before: RecurrentNode, values: Values, probes: _Probes) -> str:
    """Return how a node reads the outputs of the one before.

    Raises:
        ArgumentError: it reads something else.
    """
    x = values.get(node.inputs["X"])
    y = probes.given[key_of(before.proto)]
    for merge in _MERGES if x is not None else ():
        if x is not None and _equal(_steps_first(x, node), _MERGES[merge](y)):
            return merge
    raise ArgumentError(
        f"{label(node.proto)} does not read the output of {label(before.proto)} as the next layer "
        f"of a stack does: what it reads is {values.origin(node.inputs['X'])}; take one of them by "
        f"name={name_of(before.proto)!r} or {name_of(node.proto)!r}"
    )


def _last_merge(node: RecurrentNode, ends: set[str], values: Values, probes: _Probes) -> str:
    """Return what the graph's outputs make of the last node's directions.

    Raises:
        ArgumentError: an output is something else than what nodes give, laid out anew.
    """
    y = probes.given[key_of(node.proto)]
    wholes = {merge: made(y) for merge, made in _MERGES.items()}
    pool = np.concatenate([value.ravel() for value in (*probes.outputs, *wholes.values())])
    found = []
    for name in ends:
        value = values.get(name)
        if value is not None and name in values.probed and np.isin(value, pool).all():
            found.append(value)
        elif not values.is_given(name):
            raise ArgumentError(
                f"the output {name!r} of the model is {values.origin(name)}, and more than its "
                f"recurrent nodes give; take these by name={name_of(node.proto)!r}, or several"
            )
    for merge, whole in wholes.items():
        if any(_equal(value, whole) or _equal(value, whole.swapaxes(0, 1)) for value in found):
            return merge
    return "concat"


def _is_batch_first(node: RecurrentNode, values: Values, probes: _Probes, named: bool) -> bool:
    """Return whether what the first node reads comes as [B, T, I].

    Raises:
        ArgumentError: it reads no input of the model, and was not named.
    """
    name = node.inputs["X"]
    x = values.get(name)
    if x is not None and probes.sequence is not None and name != probes.name:
        if _equal(x, probes.sequence.swapaxes(0, 1)):
            return not node.batch_first
        if _equal(x, probes.sequence):
            return node.batch_first
    if not named and name != probes.name and values.why.get(name) != name:
        raise ArgumentError(
            f"{label(node.proto)} does not read the model's input as it is; take it by "
            f"name={name_of(node.proto)!r}, and give it what it reads, {name!r}"
        )
    return node.batch_first


def _steps_first(x: Array, node: RecurrentNode) -> Array:
    return x.swapaxes(0, 1) if node.batch_first else x


def _equal(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-4, atol=1e-5))
