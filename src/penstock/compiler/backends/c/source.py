"""Writes a plan's loops as C: products and elementwise ops fused, stage by stage.

What is written for a loop, here the LSTM's forward one, of one stage::

    forward_args     all that a call is told: sizes, masks, buffers, matrices, threads
    forward_0_body   the elementwise ops of one vector of columns, of one row     (body.py)
    forward_0        the stage: panels of rows × blocks of columns; in each, the product U h
                     into p0, then the body over p0
    forward_pack     the matrices, laid out once a call in the order in which products read them
    forward_walk     what each thread does: for every step, every stage, over its rows or columns
    forward          the entry

A block holds the same columns of all nodes of a group, side by side, so that a body finds i, f, g
and o of its units together::

    p0:  row 0   [i f g o][i f g o] …      a bracket is 4 vectors of LANES units: `at` picks
         row 1   [i f g o][i f g o] …      bracket q of row i as p0 + (i · V0 + q · 4) · LANES

Where rows are many, each thread walks all steps over rows of its own and waits for nobody; where
they are few, threads share columns and `meet` after every stage.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from penstock.compiler.backends.c.body import Bodies, c_name
from penstock.compiler.backends.c.templates import (
    ACROSS,
    BODY,
    PRODUCT,
    ROWS,
    WALK,
    WIDE_STAGE,
)
from penstock.compiler.ir.graph import Origin, Weight
from penstock.compiler.ir.plan import Access, Buffer, LoopPlan, Stage, matrix

_FIXED = "kernel.h", "step_input.h"
_MEET = "    if (a->by_columns) meet(&a->arrived, &met, team);"


def source(plan: LoopPlan, dtype: str) -> str:
    """Return the whole C source of a plan's kernel, for ``"float32"`` or ``"float64"``."""
    fixed = [files(__package__).joinpath(name).read_text("utf-8") for name in _FIXED]
    return "\n".join([f"#define REAL_IS_DOUBLE {int(dtype == 'float64')}", *fixed, generated(plan)])


def generated(plan: LoopPlan) -> str:
    """Return the part of the source that depends on the cell."""
    loops = {"forward": plan.forward, "backward": plan.backward}
    return "\n".join(LoopSource(name, loop).text() for name, loop in loops.items() if loop.stages)


@dataclass(frozen=True)
class PackedTerm:
    """Matrices side by side times one value: in which stage and group, and of what."""

    stage: int
    group: int
    index: int
    arg: int
    weights: tuple[Weight, ...]

    @property
    def name(self) -> str:
        """The field that holds the packed matrices."""
        return f"weights_{self.stage}_{self.group}_{self.index}"


class LoopSource(Bodies):
    """One loop as C: the functions around the bodies, the arguments, the entry."""

    def text(self) -> str:
        """Return the loop's struct, its stages, and its entry."""
        members = "\n".join(f"  {kind}{name}{rest};" for kind, name, rest in self.fields())
        struct = f"typedef struct {{\n{members}\n}} {self.name}_args;\n"
        stages = [
            self._wide_stage(run[0])
            if len(run) == 1 and not self.is_narrow(run[0])
            else self._rows(run)
            for run in self.runs
        ]
        return "\n".join([struct, *stages, self._packing(), self._walk()])

    def fields(self) -> Iterator[tuple[str, str, str]]:
        """Yield every argument: its C type, its name, and what follows the name."""
        numbers = [
            "T",
            "B",
            "reverse",
            "keep",
            "places",
            "by_columns",
            "threads",
            "pack",
            "arrived",
        ]
        yield from (("int64_t ", n, "") for n in [*numbers, *self.widths()])
        yield "void (*", "parallel", ")(void (*)(void *), void *, unsigned, unsigned)"
        yield from (("int (*", n, ")(void)") for n in ("thread", "team"))
        yield from (("const uint8_t *", n, "") for n in ("valid", "reset"))
        buffers, carries, matrices = self.tensors()
        yield from (("real *", c_name(buffer), "") for buffer in buffers)
        names = ["zeros", *(f"incoming_{c_name(carry)}" for carry in carries)]
        names += map(c_name, matrices)
        yield from (("const real *", n, "") for n in names)
        yield from (("real *", n, "") for n in ["packed", *(t.name for t in self._terms())])

    def tensors(self) -> tuple[list[Buffer], list[Buffer], list[Buffer]]:
        """Return the buffers, those of them that gradients are added to, and the matrices."""
        matrices = dict.fromkeys(matrix(w) for n in self.nodes for w in n.weights)
        return list(self.loop.buffers), list(self._carries()), list(matrices)

    def count_terms(self) -> int:
        """Return how many packed operands the products have."""
        return len(list(self._terms()))

    def widths(self) -> list[str]:
        """Return the widths that occur, but for 1."""
        named = {str(n.name) for n in self.nodes if n.op == Origin.FEATURES}
        return sorted((named | {n.width for n in self.nodes}) - {"1"})

    def _carries(self) -> dict[Buffer, str]:
        """Return the buffers of gradients that come in at every step, and their widths."""
        loads = self.loop.loads.items()
        return {
            s.buffer: self.size(self.nodes[k].width) for k, s in loads if s.access is Access.FROM
        }

    def _terms(self) -> Iterator[PackedTerm]:
        for s, stage in enumerate(self.loop.stages):
            for g, group in enumerate(stage.groups):
                for t, arg in enumerate(group.args):
                    yield PackedTerm(
                        s, g, t, arg, tuple(self.nodes[k].weights[t] for k in group.nodes)
                    )

    def _rows(self, run: list[int]) -> str:
        """Return stages that need no product as one function, which takes row after row."""
        bodies, lines, named = list[str](), list[str](), set[int]()
        narrow = [s for s in run if self.is_narrow(s)]
        # Several stages may test the same: a dict keeps each condition once, in order.
        lines += {line: 0 for s in narrow for line in self.conditions(self.loop.stages[s].body)}
        for s in run:
            stage = self.loop.stages[s]
            if s in narrow:
                lines += self.body(stage.body, {}, named)
                named |= {*stage.body}
                continue
            sums = [k for k, at in self.sums.items() if at == s]
            used = {a for k in stage.body for a in self.nodes[k].args if self.width(a) == "1"}
            lines += [f"const vec v{k} = {self.load(k)};" for k in sorted(used - named)]
            named |= used
            given = sorted(used)
            more = [f", vec v{k}" for k in given] + [f", vec *sum{k}" for k in sums]
            body = [*self.conditions(stage.body), *self.body(stage.body, {}, {*given})]
            body += [f"*sum{k} += first(v{self.nodes[k].args[0]}, n);" for k in sums]
            bodies.append(self._function(s, "".join(more), body))
            lines += [f"vec sum{k} = {{0}};" for k in sums]
            more = [f", v{k}" for k in given] + [f", &sum{k}" for k in sums]
            width = self.size(stage.width)
            across = ACROSS.substitute(loop=self.name, k=s, width=width, more="".join(more))
            lines += across.splitlines()
        text = "\n".join(f"    {line}" for line in lines)
        return "\n".join([*bodies, ROWS.substitute(loop=self.name, k=run[0], body=text)])

    def _function(self, k: int, more: str, lines: Sequence[str]) -> str:
        """Return the elementwise body of a stage as a function of one vector."""
        body = "\n".join(f"  {line}" for line in lines)
        return BODY.substitute(loop=self.name, k=k, more=more, body=body)

    def _wide_stage(self, k: int) -> str:
        """Return a stage over columns: an elementwise body of one vector, the loops around it."""
        stage = self.loop.stages[k]
        groups = [(g, len(group.nodes)) for g, group in enumerate(stage.groups)]
        at = {
            node: f"load(p{g} + {c} * LANES, LANES)"
            for g, group in enumerate(stage.groups)
            for c, node in enumerate(group.nodes)
        }
        spread = "1"
        for _, n in groups:
            spread = f"SPREAD({n})" if spread == "1" else f"MAX({spread}, SPREAD({n}))"
        lines = [*self.conditions([*at, *stage.body]), *self.body(stage.body, at, set())]
        return WIDE_STAGE.substitute(
            loop=self.name,
            k=k,
            body=self._function(k, "".join(f", const real *p{g}" for g, _ in groups), lines),
            spread=spread,
            vectors="".join(f", V{g} = CHUNKS({n} * M) * TILE" for g, n in groups),
            width=self.size(stage.width),
            multiply="\n".join(self._multiply(k, stage)),
            at="".join(f", p{g} + (i * V{g} + q * {n}) * LANES" for g, n in groups),
        )

    def _multiply(self, k: int, stage: Stage) -> Iterator[str]:
        """Yield the products of a stage for a tile of rows."""
        for g in range(len(stage.groups)):
            yield f"      real p{g}[PANEL * V{g} * LANES] __attribute__((aligned(64)));"
        for term in self._terms():
            if term.stage == k:
                yield PRODUCT.substitute(
                    row=self.row(self.loop.loads[term.arg], self.width(term.arg), "r + i"),
                    nodes=len(term.weights),
                    weights=term.name,
                    g=term.group,
                    K=self.size(self.width(term.arg)),
                    more=int(term.index > 0),
                )

    def _packing(self) -> str:
        """Return the function that lays the matrices out for the products."""
        lines = [f"static int64_t {self.name}_pack({self.name}_args *a, real *to, int write) {{"]
        lines += ["  int64_t total = 0;"]
        for term in self._terms():
            W, K = self.size(self.loop.stages[term.stage].width), self.size(self.width(term.arg))
            layout = f"1, {W}" if term.weights[0].transposed else f"{K}, 1"
            matrices = ", ".join(f"a->{c_name(matrix(w))}" for w in term.weights)
            spread = f"{self.name}_{term.stage}_spread"
            call = f"{len(term.weights)}, {spread}, {W}, {K}, {layout}"
            lines += [
                f"  a->{term.name} = to + total;",
                f"  const real *m_{term.name}[] = {{{matrices}}};",
                f"  if (write) pack(to + total, m_{term.name}, {call});",
                f"  total += pack(0, 0, {call});",
            ]
        return "\n".join([*lines, "  return total;", "}", ""])

    def _walk(self) -> str:
        """Return the function that each thread runs over its rows or columns, and the entries."""
        lines = [line for carry, W in self._carries().items() for line in _take_in(carry, W)]
        lines += [_MEET] if lines else []
        for k, *more in self.runs:
            call = f"    {self.name}_{k}(a, &s, "
            if more or self.is_narrow(k):
                lines += [f"{call}rows_from, rows_to);", _MEET]
                continue
            width = f"({self.name}_{k}_spread * LANES)"
            blocks = f"(({self.size(self.loop.stages[k].width)} + {width} - 1) / {width})"
            share = f"{blocks} * part / parts, {blocks} * (part + 1) / parts"
            lines += [f"{call}first, end, {share});", _MEET]
        at = "a->T - 1 - k" if self.name == "backward" else "k"
        direction = -1 if self.name == "backward" else 1
        text = "\n".join(lines)
        return WALK.substitute(loop=self.name, at=at, direction=direction, stages=text)


def _take_in(carry: Buffer, W: str) -> list[str]:
    """Return the lines that add the gradients that come in at this step to a carry."""
    name = c_name(carry)
    return [
        f"    if (a->incoming_{name})",
        f"      for (int64_t e = rows_from * {W}; e < rows_to * {W}; ++e)",
        f"        a->{name}[s.from * a->B * {W} + e] +=",
        f"            a->incoming_{name}[s.t * a->B * {W} + e];",
    ]
