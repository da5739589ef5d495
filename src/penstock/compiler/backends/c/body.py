"""The bodies of a loop's stages as C: what is read, computed of one vector, and put away.

A body is straight-line code; value k of the graph is ``v`` and k::

    const vec v3 = load(p0 + 0 * LANES, LANES);            products, made just before
    const vec v2 = load(a->lifted + … + j, n);             inputs, and what other stages made
    const vec v4 = v2 + v3;                                the ops, in the graph's order
    store(a->state_c + …, past_end ? … : v20, n);          what is put away, by its access

n is LANES but for the last vector of a row, of which load and store touch n numbers alone.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from penstock.compiler.ir.graph import Origin
from penstock.compiler.ir.ops import OPS
from penstock.compiler.ir.plan import (
    Access,
    At,
    Buffer,
    BufferKind,
    Loop,
    Owner,
    PastEnd,
    Slot,
    Stage,
    Steps,
)

_SPELLING = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "neg": "-{}",
    "gt": "number({} > {})",
    "eq": "number({} == {})",
    "where": "pick({} != 0, {}, {})",
    "expand": "{}",
    "held": "{}",
}

_FAR = frozenset((BufferKind.LIFTED, BufferKind.SAVED, BufferKind.STATE))
_AT = {
    At.BEFORE: "s->old", At.AFTER: "s->new", At.NOW: "s->t",
    At.SOURCE: "s->from", At.TARGET: "s->to", At.ROW: "",
}  # fmt: skip


def c_name(buffer: Buffer) -> str:
    """Return the C identifier of a buffer."""
    name = str(buffer.name)
    return f"{buffer.kind.label}_{name}".replace(".", "_") if name else buffer.kind.label


class Bodies:
    """What the stages of a loop compute, line by line.

    at: the stages that compute each node. runs: the stages, by number; those of one run are one
    function of a row. sums: for each sum that gathers while a stage makes what it is of, the stage.
    turning: the states of which two steps may be all that is kept; `places` is then 1, else −1.
    """

    def __init__(self, name: str, loop: Loop) -> None:
        self.name, self.loop, self.nodes = name, loop, loop.graph.nodes
        self.users = loop.graph.users()
        self.at: dict[int, set[int]] = defaultdict(set)
        for s, stage in enumerate(loop.stages):
            for k in stage.nodes:
                self.at[k].add(s)
        self.far = _FAR if name == "backward" else _FAR - {BufferKind.STATE}
        self.turning = {*_turning(loop)}
        self.runs = list(_runs(loop.stages))
        self.sums = {k: at for run in self.runs for k, at in self._sums(run)}

    def conditions(self, members: Sequence[int]) -> Iterator[str]:
        """Yield what the lines of a body ask about the row."""
        ways = {s.access for k in members for s in self.loop.stores.get(k, ())}
        read = {a for k in members for a in (k, *self.nodes[k].args)}
        ways |= {self.loop.loads[k].access for k in read if k in self.loop.loads}
        if any(way.past_end is not PastEnd.ANYTHING for way in ways):
            yield "const int past_end = a->valid && !a->valid[s->t * a->B + row];"
        ways |= {way.before for way in ways if way.past_end is PastEnd.UNCHANGED}
        if any(way.is_cut for way in ways):
            yield "const int cut = a->reset && a->reset[s->t * a->B + row];"

    def body(
        self, body: Sequence[int], products: Mapping[int, str], named: set[int]
    ) -> Iterator[str]:
        """Yield the elementwise lines of a stage: what it reads, computes and puts away.

        named: the values that have a name already; those that are read are added.
        """
        members = [*products, *body]
        used = [a for k in body if not self.reduces(k) for a in self.nodes[k].args]
        used += [k for k in body if self.nodes[k].is_input]
        read = [
            k
            for k in dict.fromkeys(used)
            if k not in named and (k not in members or self.nodes[k].is_input)
        ]
        named |= {*read}
        yield from (f"const vec v{k} = {place};" for k, place in products.items())
        yield from (line for k in read for line in self._fetch(k))
        yield from (f"const vec v{k} = {self.load(k)};" for k in read)
        made = (k for k in body if not self.nodes[k].is_input)
        yield from (f"const vec v{k} = {self._expression(k)};" for k in made)
        for k in members:
            yield from (
                self._store(k, s) for s in self.loop.stores.get(k, ()) if self._is_read(k, s)
            )

    def _is_read(self, k: int, slot: Slot) -> bool:
        """Return whether anyone reads what is put there, rather than a name or a sum under way."""
        if slot.access is not Access.ROW:
            return True
        own = {r for r, run in enumerate(self.runs) if self.at[k] & {*run}}
        for u in self.users[k]:
            if u in self.sums:
                continue
            named = self.at[k].union(*(self.runs[r] for r in own if self.width(k) == "1"))
            if self.nodes[u].op == "linear" or self.reduces(u) or self.at[u] - named:
                return True
        return False

    def load(self, k: int) -> str:
        """Return the expression that reads an input, or what another stage made."""
        node = self.nodes[k]
        if node.op == Origin.CONST:
            return f"all((real){node.value!r})".replace("inf", "INFINITY")
        if node.op == Origin.FEATURES:
            return f"all({self.size(str(node.name))})"
        row = self.row(self.loop.loads[k], node.width, "row", "cut")
        return f"all(*({row}))" if node.width == "1" else f"load({row} + j, n)"

    def _fetch(self, k: int) -> Iterator[str]:
        """Yield the line that asks for what is read in the same place at the next step.

        What lies there for every step was put there long ago, and comes from far.
        """
        slot = self.loop.loads.get(k)
        if slot is None or slot.buffer.kind not in self.far:
            return
        name, W = f"a->{c_name(slot.buffer)}", self.size(self.width(k))
        columns = self.loop.buffers[slot.buffer]
        place = f"(({_AT[slot.access.at]} + s->ahead) * a->B + row) * {columns} * {W}"
        yield f"__builtin_prefetch({name} + {place} + {slot.column} * {W} + j);"

    def _expression(self, k: int) -> str:
        node = self.nodes[k]
        if k in self.sums:
            return f"all(over_lanes(sum{k}))"
        if self.reduces(k):
            width = self.width(node.args[0])
            row = self.row(self.loop.loads[node.args[0]], width, "row")
            return f"all(row_{node.op}({row}, {self.size(width)}))"
        usual = f"op_{node.op}({', '.join('{}' for _ in node.args)})"
        return _SPELLING.get(node.op, usual).format(*(f"v{a}" for a in node.args))

    def _store(self, k: int, slot: Slot) -> str:
        """Return the line that puts a value away; rows past their end as the slot's access says."""
        width, value, past_end = self.width(k), f"v{k}", slot.access.past_end
        place = self.row(slot, width, "row")
        if slot.buffer.kind.owner is Owner.GRADIENT and k not in self.loop.loads:
            return f"if (a->keep) store({place} + j, {value}, n);"
        if past_end is PastEnd.ZERO:
            value = f"past_end ? all(0) : {value}"
        elif past_end is PastEnd.UNCHANGED:
            before = self.row(Slot(slot.buffer, slot.access.before), width, "row", "cut")
            value = f"past_end ? load({before} + j, n) : {value}"
        elif past_end is PastEnd.NO_MORE:
            value = f"load({place} + j, n) + (past_end ? all(0) : {value})"
        if slot.access.is_cut:
            value = f"cut ? all(0) : {value}"
        return f"store({place} + j, {value}, n);"

    def row(self, slot: Slot, width: str, row: str, cut: str = "") -> str:
        """Return the address where a slot's row begins.

        Of a buffer of n columns: ``buffer + (step * a->B + row) * n * W + column * W``.
        """
        name, W, at = f"a->{c_name(slot.buffer)}", self.size(width), slot.access.at
        if at is At.ALL:
            return name
        place = _AT[at]
        if slot.buffer.kind.steps is Steps.IF_KEPT:
            place = f"(a->keep ? {place} : 0)"
        if slot.buffer in self.turning:
            place = f"({place} & a->places)"
        columns = self.loop.buffers[slot.buffer]
        stride = W if columns == 1 else f"{columns} * {W}"
        start = f"({place} * a->B + {row})" if place else f"({row})"
        column = f" + {slot.column} * {W}" if slot.column else ""
        address = f"{name} + {start} * {stride}{column}"
        if slot.access is not Access.OLD:
            return address
        return f"({cut or f'a->reset && a->reset[s->t * a->B + {row}]'} ? a->zeros : {address})"

    def _sums(self, run: list[int]) -> Iterator[tuple[int, int]]:
        """Yield the sums that gather while a stage of the run before makes what they are of."""
        for at in run:
            for k in self.loop.stages[at].body:
                (arg, *_) = self.nodes[k].args or (-1,)
                before = [s for s in run if s < at and arg in self.loop.stages[s].body]
                if self.nodes[k].op == "sum" and before and not self.is_narrow(before[-1]):
                    yield k, before[-1]

    def is_narrow(self, stage: int) -> bool:
        """Return whether a stage makes one number a row."""
        return self.loop.stages[stage].width == "1"

    def width(self, k: int) -> str:
        """Return the width of a node."""
        return self.nodes[k].width

    def size(self, width: str) -> str:
        """Return a width in C."""
        return "1" if width == "1" else f"a->{width}"

    def reduces(self, k: int) -> bool:
        """Return whether a node is a reduction over the features."""
        node = self.nodes[k]
        return node.op in OPS and OPS[node.op].rowwise


def _turning(loop: Loop) -> Iterator[Buffer]:
    """Yield where the states lie, in a loop forward, but for the first, which is the output."""
    for _, k in list(loop.graph.outputs.items())[1:]:
        yield from (s.buffer for s in loop.stores.get(k, ()) if s.access is Access.NEW)


def _runs(stages: Sequence[Stage]) -> Iterator[list[int]]:
    """Yield each stage, by number; neighbours without products, but with reductions, together."""
    for multiplies, found in groupby(range(len(stages)), lambda k: bool(stages[k].groups)):
        run = list(found)
        if not multiplies and any(stages[k].width == "1" for k in run):
            yield run
        else:
            yield from ([k] for k in run)
