"""Where the values of a sweep lie, and the loops that read and write them: the plan.

All that is to be known of a buffer stands in two tables. Its `BufferKind` says how many steps it
holds and whose memory it is; the `Access` of a slot says which of them a step reads or writes, what
is put there for a row past its end, and what a reset does. Backends, the interpreter, the products
around the loop, memory and the counts of `explain` read these tables and know no more.

Legend: T steps, B rows, W the width of a value, n columns (values side by side) of a buffer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from penstock.compiler.ir.graph import Graph, LeafName, Origin, StepInput, Weight, product_text


class Steps(Enum):
    """How many steps' values a buffer holds, each of them for B rows."""

    BEFORE_TOO = auto()  # T + 1: those after every step, and the one before the first
    EVERY = auto()  # T
    IF_KEPT = auto()  # T where the gradient is wanted, else 1, over and over
    TWO = auto()  # two places, to and fro
    NONE = auto()  # every step the same place
    FOR_ALL_ROWS = auto()  # not even a place for each row


class Owner(Enum):
    """Whose memory a buffer is."""

    CALLER = auto()  # a tensor that comes in, or is made before the loop
    GRADIENT = auto()  # handed from a sweep to its gradient, where that reads it
    WORKSPACE = auto()  # nobody's after the sweep
    RESULT = auto()  # new memory that goes out


class BufferKind(Enum):
    """What a buffer is for; the set is closed. The rules of each stand beside it."""

    STATE = "state", Steps.BEFORE_TOO, Owner.CALLER
    X = "x", Steps.EVERY, Owner.CALLER
    BELOW = "below", Steps.EVERY, Owner.CALLER  # the lower layer's states
    MASK = "mask", Steps.EVERY, Owner.CALLER  # drawn anew for every step
    HELD_MASK = "held_mask", Steps.NONE, Owner.CALLER  # drawn once for all steps
    VECTOR = "vector", Steps.FOR_ALL_ROWS, Owner.CALLER
    DERIVED = "derived", Steps.FOR_ALL_ROWS, Owner.CALLER
    MATRIX = "matrix", Steps.FOR_ALL_ROWS, Owner.CALLER
    LIFTED = "lifted", Steps.EVERY, Owner.GRADIENT  # W x + b of the lifted gates
    SAVED = "saved", Steps.IF_KEPT, Owner.GRADIENT
    SCRATCH = "scratch", Steps.NONE, Owner.WORKSPACE  # from one stage of a step to another
    CARRY = "grad", Steps.TWO, Owner.CALLER  # a state's gradient, from step to step
    GRAD_X = "grad_x", Steps.EVERY, Owner.RESULT
    GRAD_BELOW = "grad_below", Steps.EVERY, Owner.RESULT
    ADJOINT = "adjoint", Steps.EVERY, Owner.WORKSPACE  # left factors of the products after
    OPERAND = "operand", Steps.EVERY, Owner.WORKSPACE  # right factors that lie nowhere else
    TOTAL = "total", Steps.NONE, Owner.WORKSPACE  # summed over the steps; 0 when a sweep begins

    def __init__(self, label: str, steps: Steps, owner: Owner) -> None:
        self.label, self.steps, self.owner = label, steps, owner

    def leading(self, T: Any, B: Any, keep: bool = True) -> tuple[Any, ...]:
        """Return the sizes before the columns; T and B are numbers or symbols."""
        return {
            Steps.BEFORE_TOO: (T + 1, B),
            Steps.EVERY: (T, B),
            Steps.IF_KEPT: (T if keep else 1, B),
            Steps.TWO: (2, B),
            Steps.NONE: (B,),
            Steps.FOR_ALL_ROWS: (),
        }[self.steps]


class At(Enum):
    """Which of the steps in a buffer a slot is at, as the loop stands at step t."""

    BEFORE = auto()  # of states: the one before the step in the order of the walk
    AFTER = auto()
    NOW = auto()  # t
    SOURCE = auto()  # of two places: the one written by the step before
    TARGET = auto()  # the other
    ROW = auto()  # the buffer has no steps
    ALL = auto()  # nor rows


class PastEnd(Enum):
    """What is put away for a row whose sequence has ended."""

    ANYTHING = auto()  # nobody reads it
    ZERO = auto()
    UNCHANGED = auto()  # what the step found: see `Access.before`
    NO_MORE = auto()  # to a sum nothing is added


class Access(Enum):
    """How a slot is read or written; the set is closed. The rules of each stand beside it.

    At a reset the state before the step counts as 0, and no gradient goes further back.
    """

    OLD = "old", At.BEFORE, PastEnd.ANYTHING, True
    NEW = "new", At.AFTER, PastEnd.UNCHANGED, False
    TIME = "time", At.NOW, PastEnd.ANYTHING, False
    ADJOINT = "adjoint", At.NOW, PastEnd.ZERO, False
    FROM = "from", At.SOURCE, PastEnd.ANYTHING, False
    TO = "to", At.TARGET, PastEnd.UNCHANGED, True
    ROW = "row", At.ROW, PastEnd.ANYTHING, False
    TOTAL = "total", At.ROW, PastEnd.NO_MORE, False
    VECTOR = "vector", At.ALL, PastEnd.ANYTHING, False

    def __init__(self, label: str, at: At, past_end: PastEnd, is_cut: bool) -> None:
        self.label, self.at, self.past_end = label, at, past_end
        self.is_cut = is_cut  # 0 at a reset: `OLD` as it is read, `TO` as it is put away

    @property
    def before(self) -> "Access":
        """How that is read which stays where it is past a row's end."""
        return {Access.NEW: Access.OLD, Access.TO: Access.FROM}[self]


@dataclass(frozen=True, eq=False)
class Buffer:
    """A piece of memory of a sweep: its kind, which of that kind, the width of its columns.

    What has columns for several values is named after their width.
    There is one object for each value, so that a call, which looks up every buffer, need not
    compare or hash their parts.
    """

    kind: BufferKind
    name: LeafName
    width: str

    def __new__(cls, *value: Any) -> "Buffer":
        """Return the object of a value."""
        return _BUFFERS.setdefault(value, super().__new__(cls))

    def __reduce__(self) -> Any:
        return Buffer, (self.kind, self.name, self.width)

    def __str__(self) -> str:
        return f"{self.kind.label} {self.name}".strip()


_BUFFERS: dict[tuple[Any, ...], Buffer] = {}
X = Buffer(BufferKind.X, "", "input_size")
LIFTED = Buffer(BufferKind.LIFTED, "", "hidden_size")
ADJOINTS = Buffer(BufferKind.ADJOINT, "hidden_size", "hidden_size")
GRAD_X = Buffer(BufferKind.GRAD_X, "", "input_size")


def matrix(weight: Weight) -> Buffer:
    """Return where a weight lies."""
    return Buffer(BufferKind.MATRIX, weight.as_stored(), "")


@dataclass(frozen=True)
class Slot:
    """Where a value lies: a column of a buffer, and how a step gets at it.

    Where the buffer has steps, a row b is ``buffer[s, b, column * W : (column + 1) * W]``. The `At`
    of its access says which step s is meant, and `moments` of `backends.base` gives its number.
    """

    buffer: Buffer
    access: Access
    column: int = 0

    def __str__(self) -> str:
        return f"{self.buffer}[{self.access.label}, {self.column}]"


# Where the inputs of a step lie. Lifted and saved ones have a column each; numbers lie nowhere.
_LEAVES = {
    Origin.STATE: (BufferKind.STATE, Access.OLD),
    Origin.NEW: (BufferKind.STATE, Access.NEW),
    Origin.X: (BufferKind.X, Access.TIME),
    Origin.BELOW: (BufferKind.BELOW, Access.TIME),
    Origin.MASK: (BufferKind.MASK, Access.TIME),
    Origin.HELD_MASK: (BufferKind.HELD_MASK, Access.ROW),
    Origin.VECTOR: (BufferKind.VECTOR, Access.VECTOR),
    Origin.DERIVED: (BufferKind.DERIVED, Access.VECTOR),
    Origin.GRAD: (BufferKind.CARRY, Access.FROM),
}


def leaf_slot(leaf: StepInput, width: str) -> Slot:
    """Return where an input of a step lies that has a buffer of its own."""
    kind, access = _LEAVES[leaf.origin]
    return Slot(Buffer(kind, leaf.name, width), access)


@dataclass(frozen=True)
class Group:
    """Products made together: node k is Σ over terms of weights[k][term] times args[term]."""

    nodes: tuple[int, ...]
    args: tuple[int, ...]


@dataclass(frozen=True)
class Stage:
    """A pass over the columns of one width: products, then an elementwise body, in this order."""

    width: str
    groups: tuple[Group, ...]
    body: tuple[int, ...]

    @property
    def nodes(self) -> tuple[int, ...]:
        """All that it computes."""
        return (*(n for group in self.groups for n in group.nodes), *self.body)


@dataclass(frozen=True, eq=False)
class Loop:
    """What a kernel does for every step.

    loads: where the inputs, and what other stages made, are read. stores: where values are put.
    buffers: all of these, each with its number of columns.
    """

    graph: Graph[Any]
    stages: tuple[Stage, ...]
    loads: Mapping[int, Slot]
    stores: Mapping[int, tuple[Slot, ...]]
    buffers: Mapping[Buffer, int]

    def __str__(self) -> str:
        lines, nodes = [], self.graph.nodes
        for k, stage in enumerate(self.stages):
            lines.append(f"stage {k}, over {stage.width}:")
            for group in stage.groups:
                lines += [f"  product %{n} = {product_text(nodes[n])}" for n in group.nodes]
            for n in stage.body:
                lines.append(f"  %{n} = {nodes[n].op}({', '.join(f'%{a}' for a in nodes[n].args)})")
        lines += [f"read %{k} from {slot}" for k, slot in self.loads.items()]
        lines += [f"put %{k} in {slot}" for k, slots in self.stores.items() for slot in slots]
        return "\n".join(lines)


@dataclass(frozen=True)
class Operand:
    """A weight's gradient as a GEMM of two buffers: Σ over T·B rows of adjointᵀ value."""

    weight: Weight
    adjoint: Slot
    value: Slot


@dataclass(frozen=True)
class LoopPlan:
    """The forward loop, the backward loop, and the products after it.

    lifted: the gates whose W x + b is made before the loop, in the order of their columns.
    """

    forward: Loop
    backward: Loop
    operands: tuple[Operand, ...]
    lifted: tuple[str, ...]

    def __str__(self) -> str:
        products = [f"gradient of {o.weight} = {o.adjoint}ᵀ {o.value}" for o in self.operands]
        parts = ["forward", str(self.forward), "", "backward", str(self.backward), "", *products]
        return "\n".join(parts)
