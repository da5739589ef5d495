"""The cells for which ONNX has an operator: RNN, LSTM and GRU.

A step is compared, node by node, with those of the cells here: whatever class it is from, an equal
step is the same function. ONNX's gates are in an order of their own, and its GRU's z keeps h.
Its `clip` limits what the gates' activations read, as `clip_gates` does.

Legend: B batch, I input, H hidden, G gates, D directions, T time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np

from penstock.cells import (
    Cell,
    Place,
    cifg,
    gru,
    gru_reset_before,
    gru_reset_before_keep,
    lstm,
    peephole_lstm,
    rnn,
)
from penstock.cells.modifiers import Modifiers
from penstock.compiler import pipeline
from penstock.compiler.ir.graph import BIASES, Graph, Origin, Stacked, Weight
from penstock.exporters.onnx.steps import Fixed
from penstock.exporters.onnx.sweeps import Named, SweepInput, SweepOutput
from penstock.exporters.onnx.values import (
    ABSENT,
    OnnxGraph,
    OnnxValue,
    joined,
    with_axis,
    without_axis,
)


@dataclass(frozen=True)
class Operator:
    """How a cell is said by an operator.

    Attributes:
        op: its name.
        gates: the cell's gates in ONNX's order, each as it is called in `weight_ih` and in
            `weight_hh`; "-" before one whose sign is turned, for σ(−a) = 1 − σ(a).
        peepholes: the cell's vectors in ONNX's order.
        attributes: of the node.
        clip: the limit of what activations read, 0 for none.
        bias: whether there are biases.
    """

    op: str
    gates: tuple[tuple[str, str], ...]
    peepholes: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    clip: float = 0.0
    bias: bool = True


def _same(names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name) for name in names.split())


_RESET_AFTER = (("z", "z"), ("r", "r"), ("n", "n_h"))
_CELLS: tuple[tuple[Cell, Operator], ...] = (
    (rnn.RNN(), Operator("RNN", _same("a"), attributes={"activations": ["Tanh"]})),
    (
        rnn.RNN(nonlinearity="relu"),
        Operator("RNN", _same("a"), attributes={"activations": ["Relu"]}),
    ),
    (lstm.LSTM(), Operator("LSTM", _same("i o f g"))),
    # f = 1 − i is in the weights too, for runtimes that pass over the attribute
    (cifg.CIFG(), Operator("LSTM", _same("i o -i g"), attributes={"input_forget": 1})),
    (
        peephole_lstm.PeepholeLSTM(),
        Operator("LSTM", _same("i o f g"), peepholes=("p_i", "p_o", "p_f")),
    ),
    (gru.GRU(), Operator("GRU", _RESET_AFTER, attributes={"linear_before_reset": 1})),
    (
        gru_reset_before.GRUResetBefore(),
        Operator("GRU", _same("-z r n"), attributes={"linear_before_reset": 0}),
    ),
    (
        gru_reset_before_keep.GRUResetBeforeKeep(),
        Operator("GRU", _same("z r n"), attributes={"linear_before_reset": 0}),
    ),
)


def operator_of(graph: Graph[str]) -> Operator | None:
    """Return the operator that does a step, None where ONNX has none."""
    limits = {n.value for n in graph.nodes if n.op == Origin.CONST and n.value > 0}
    for limit in (0.0, *sorted(limits)):
        for known, operator in _steps(limit):
            if known == graph:
                return operator
    return None


@cache
def _steps(clip: float) -> tuple[tuple[Graph[str], Operator], ...]:
    return tuple(_limited(clip))


def _limited(clip: float) -> Iterator[tuple[Graph[str], Operator]]:
    place = Place(1, 1, modifiers=Modifiers(clip_gates=clip))
    for cell, operator in _CELLS:
        for bias in (True, False):
            yield pipeline.modified(cell, place, bias), replace(operator, clip=clip, bias=bias)


def sweep(
    out: OnnxGraph,
    operator: Operator,
    fixed: Sequence[Fixed],
    x: OnnxValue,
    states: Named,
    lengths: OnnxValue,
    direction: str,
) -> tuple[OnnxValue, dict[str, OnnxValue]]:
    """Print the directions of a layer as one operator.

    Args:
        fixed: of each direction.
        x: [T, B, I].
        states: the initial ones [D, B, H], or none for zeros.
        lengths: [B] int32, or `ABSENT`.
        direction: "forward", "reverse" or "bidirectional".

    Returns:
        the first state at all steps [T, D, B, H], 0 past a row's end; the final states [D, B, H].
    """
    stack = partial(_stack, out, operator, fixed)
    args = [x, stack(_gates, Stacked.W), stack(_gates, Stacked.U)]
    args += [stack(_biases) if operator.bias else ABSENT, lengths]
    args += states.values() if states else ()
    if operator.peepholes:
        args += [ABSENT] * (7 - len(args))
        args.append(stack(_peepholes))
    attributes = {
        name: value * len(fixed) if isinstance(value, list) else value
        for name, value in operator.attributes.items()
    }
    names = ("h", "c") if operator.op == "LSTM" else ("h",)
    sequence, *finals = out.calls(
        operator.op,
        args,
        1 + len(names),
        hidden_size=fixed[0].sizes["hidden_size"],
        direction=direction,
        **attributes | ({"clip": operator.clip} if operator.clip else {}),
    )
    if lengths is not ABSENT and states:
        finals = _some_or_none(out, lengths, finals, [*states.values()])
    return sequence, dict(zip(names, finals, strict=True))


def _some_or_none(
    out: OnnxGraph,
    lengths: OnnxValue,
    finals: Sequence[OnnxValue],
    initial: Sequence[OnnxValue],
) -> list[OnnxValue]:
    """Return final states where a row of no steps ends as it began; in onnxruntime it ends in 0."""
    some = out.call("Greater", lengths, OnnxValue(numbers=np.array(0, np.int32)))
    some = with_axis(out, some, 1)
    pairs = zip(finals, initial, strict=True)
    return [out.call("Where", some, final, first) for final, first in pairs]


def one_sweep(
    out: OnnxGraph,
    operator: Operator,
    fixed: Fixed,
    given: SweepInput,
    lengths: OnnxValue,
    reverse: bool,
) -> SweepOutput:
    """Print one direction, given and giving states [B, H], as `sweeps.scan` does."""
    states = {name: with_axis(out, value, 0) for name, value in given.states.items()}
    direction = "reverse" if reverse else "forward"
    sequence, finals = sweep(out, operator, [fixed], given.x, states, lengths, direction)
    flat = {name: without_axis(out, value, 0) for name, value in finals.items()}
    return SweepOutput({"h": without_axis(out, sequence, 1)}, flat)


def _stack(
    out: OnnxGraph,
    operator: Operator,
    fixed: Sequence[Fixed],
    make: Callable[..., OnnxValue],
    *what: Stacked,
) -> OnnxValue:
    """Return what is made of each direction's weights, [D, ·]."""
    each = [make(out.once, operator, one, *what) for one in fixed]
    return joined(out.once, [with_axis(out.once, one, 0) for one in each], 0)


def _gates(out: OnnxGraph, operator: Operator, fixed: Fixed, stack: Stacked) -> OnnxValue:
    """Return the gates' matrices in ONNX's order, [G·H, ·], or their biases, [G·H]."""
    known = {w.gate: value for w, value in fixed.weights.items() if w.parameter == stack}
    side = int(stack in (Stacked.U, Stacked.BIAS_H))
    parts = []
    for names in operator.gates:
        value = known[names[side].removeprefix("-")]
        parts.append(out.call("Neg", value) if names[side].startswith("-") else value)
    return joined(out, parts, 0)


def _biases(out: OnnxGraph, operator: Operator, fixed: Fixed) -> OnnxValue:
    both = [_gates(out, operator, fixed, stack) for stack in BIASES]
    return joined(out, both, 0)


def _peepholes(out: OnnxGraph, operator: Operator, fixed: Fixed) -> OnnxValue:
    return joined(out, [fixed.weights[Weight(f"weight_{p}")] for p in operator.peepholes], 0)
