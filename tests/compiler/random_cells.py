"""Random cells in the language of cells, and random sweeps of them, held to the equations.

All choices come from a `random.Random`; hypothesis gives one of its own (``st.randoms``), so that
what fails is made small, and `benchmarks/agreement.py` a seeded one. A cell is text, so that a
failure can be reproduced from what it prints.

A *draw* is one sweep of one cell: sizes, weights, input, states, masks, direction, memory layout,
and which results have a gradient. The result, and the gradient of everything, of a backend are
compared with the equations run eagerly on the same numbers.

Values are kept moderate, so that a recurrence does not blow rounding up. Ties: where two values
are equal (amax, maximum) or a value is 0 (relu, abs) several gradients are right; random numbers
do not meet exactly, and where 0 meets 0 (a reset state) every way computes exactly 0 and takes
torch's rule. In float32 two values may come so near that rounding decides; `unjudged` finds
these draws, and they are counted apart. float64 has no such excuse.
"""

import linecache
import math
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

import penstock
from penstock.cells import Cell, Place
from penstock.cells.modifiers import Modifiers
from penstock.compiler import pipeline
from penstock.compiler.pipeline import Sweep
from penstock.layers.running import eager, function

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}

UNARY = (
    "torch.sigmoid({a})", "torch.tanh({a})", "torch.relu({a})", "({a}).sigmoid()", "({a}).tanh()",
    "torch.exp(torch.tanh({a}))", "torch.exp(-torch.abs({a}))", "torch.log(1.5 + ({a}) ** 2)",
    "torch.sqrt(0.5 + ({a}).abs())", "torch.sin({a})", "torch.cos({a})", "torch.abs({a})",
    "F.softplus({a})", "F.silu({a})", "F.leaky_relu({a}, 0.2)",
    "F.hardtanh({a})", "torch.clamp({a}, -0.7, 0.9)", "({a}).clamp(min=-0.4)", "-({a})",
    "1 / (1 + torch.square({a}))", "torch.rsqrt(1 + ({a}) * ({a}))", "torch.tanh({a}) ** 3",
    "torch.reciprocal(1.5 + torch.relu({a}))", "(1 - torch.sigmoid({a}))", "0.7 * ({a})",
    "torch.where({a} > 0.1, {a}, 0.5)", "({a}) / 2 - 0.25",
)  # fmt: skip
BINARY = (
    "({a} + {b})", "({a} - {b})", "({a}) * ({b})", "torch.sigmoid({a}) * ({b})",
    "torch.maximum({a}, {b})", "torch.minimum({a}, {b})", "({a}) / (1.5 + torch.abs({b}))",
    "torch.where(({a}) > ({b}), {a}, torch.tanh({b}))", "torch.where(({a}) < ({b}), {b}, -0.5)",
    "torch.lerp({a}, {b}, 0.3)", "torch.addcmul({a}, {a}, {b}, value=0.5)",
    "({a}) * torch.sign({b})", "torch.max({a}, {b}) - torch.min({a}, {b})",
)  # fmt: skip
ROWWISE = (
    "({a} - ({a}).mean(-1, keepdim=True))", "torch.softmax({a}, -1)", "norm({a})",
    "torch.sum({a}, -1, keepdim=True) / 8 * ({b})", "torch.softmax({a}, dim=-1) * ({b})",
    "({a} - torch.amax({a}, -1, keepdim=True))", "norm({a}) * torch.sigmoid({b})",
    "({b}) * torch.sigmoid(({a}).sum(dim=-1, keepdim=True))",
    "({a} + torch.tanh(({a}).mean(-1, keepdim=True) * ({b}).amax(-1, keepdim=True)))",
)  # fmt: skip
SQUASH = (
    "torch.tanh({a})", "torch.sigmoid({a})", "torch.clamp({a}, -1.5, 1.5)", "torch.sin({a})",
    "{a} / (1 + torch.abs({a}))", "torch.minimum(torch.relu({a}), torch.tanh(0.5 + ({a}) ** 2))",
)  # fmt: skip
NEW = (
    "(1 - torch.sigmoid({z})) * {s} + torch.sigmoid({z}) * {v}",
    "torch.sigmoid({z}) * {s} + torch.sigmoid({y}) * {v}",
    "0.9 * {s} + 0.1 * ({z})",
    "{s} + 0.2 * ({v} - {s})",
    "torch.lerp({s}, {v}, torch.sigmoid({z}))",
    "{v}",
)
OF_X = (
    "torch.tanh(x)", "x * torch.sigmoid(x.mean(-1, keepdim=True))", "torch.sin(x)",
    "(x - x.mean(-1, keepdim=True))", "torch.softmax(x, -1)", "x * torch.tanh({s})",
)  # fmt: skip
GATES = ("", "", "", "bias=False", "bias=1.0", "bias=-0.5")
_HEADER = """\
def norm(a):
    a = a - a.mean(-1, keepdim=True)
    return a / torch.sqrt(0.1 + (a * a).mean(-1, keepdim=True))


class RandomCell(Cell):
"""


@dataclass(frozen=True)
class Variant:
    """What one compiled kernel serves: all sizes and masks, but one dtype and one of these."""

    dtype: str
    lowest: bool = True
    bias: bool = True
    modifiers: Modifiers = field(default_factory=Modifiers)


class _Writer:
    """Writes one cell."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.declared: list[str] = []
        self.lines: list[str] = []
        self.states = ("h", "c", "n", "m")[: rng.choice((1, 1, 2, 2, 3, 4))]
        self.width = {s: "width" if self.chance(0.12) else "hidden_size" for s in self.states}
        self.pool: dict[str, list[str]] = {"hidden_size": [], "width": []}
        self.gates: list[tuple[str, bool, bool]] = []
        self.names: dict[str, list[str]] = {"vector": [], "matrix": []}
        self.has_products = not self.chance(0.2)
        for state, width in self.width.items():
            self.pool[width].append(state)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def declare(self, name: str, what: str) -> str:
        self.declared.append(f"    {name} = {what}")
        return name

    def vector(self) -> str:
        known = self.names["vector"]
        if not known or (len(known) < 3 and self.chance(0.5)):
            options = self.rng.choice(("", "", "0.3", "(-1.0, 1.0)", 'size="1"'))
            known.append(self.declare(f"p{len(known)}", f"Vector({options})"))
        return f"self.{self.rng.choice(known)}"

    def matrix(self, rows: str, columns: str) -> str:
        known = self.names["matrix"]
        sizes = (("rows", rows), ("columns", columns))
        given = ", ".join(f'{k}="{v}"' for k, v in sizes if v != "hidden_size")
        known.append(self.declare(f"q{len(known)}", f"Matrix({given})"))
        return f"self.{known[-1]}"

    def leaf(self, width: str) -> str:
        name = self.rng.choice(self.pool[width])
        if width == "hidden_size" and self.chance(0.15):
            return f"{self.vector()} * {name}"
        return name

    def value(self, width: str, depth: int = 2) -> str:
        """Return an expression of a width, of what is there already."""
        kind = self.rng.random()
        if depth == 0 or kind < 0.2:
            return self.leaf(width)
        a = self.value(width, depth - 1)
        if kind < 0.55:
            return self.fill(self.rng.choice(UNARY), a=a)
        if width == "width" and kind < 0.65:
            return f"F.layer_norm({a}, (self.width,), eps=0.1)"
        b = self.value(width, depth - 1)
        return self.fill(self.rng.choice(BINARY if kind < 0.85 else ROWWISE), a=a, b=b)

    def fill(self, form: str, **parts: str) -> str:
        """Return a form with its parts; one that stands there twice gets a line of its own."""
        for key, part in parts.items():
            if form.count(f"{{{key}}}") > 1 and not part.isidentifier():
                parts[key] = f"u{len(self.lines)}"
                self.lines.append(f"{parts[key]} = {part}")
        return form.format(**parts)

    def put(self, expression: str, width: str) -> str:
        """Write a line that names a value."""
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        self.pool[width].append(name)
        return name

    def gate(self) -> None:
        takes_h = self.has_products and self.chance(0.85)
        takes_x = not takes_h or self.chance(0.85)
        options = [*(["x=False"] * (not takes_x)), *(["h=False"] * (not takes_h))]
        options += [o for o in [self.rng.choice(GATES)] if o]
        name = self.declare(f"g{len(self.gates)}", f"Gate({', '.join(options)})")
        self.gates.append((name, takes_x, takes_h))
        self.call(*self.gates[-1])

    def call(self, name: str, takes_x: bool, takes_h: bool) -> None:
        first = self.width["h"]
        arguments = [self.x_argument()] if takes_x else []
        if takes_h:
            arguments.append("h" if self.chance(0.45) else self.value(first, 1))
        called = f"self.{name}({', '.join(arguments)})"
        activation = self.rng.choice(("{a}", "torch.sigmoid({a})", "torch.tanh({a})", "{a} * 0.5"))
        self.put(activation.format(a=called), "hidden_size")

    def x_argument(self) -> str:
        if self.chance(0.8):
            return "x"
        rows = f"({self.rng.choice(self.states)}).mean(-1, keepdim=True)"
        return self.rng.choice(OF_X).format(s=rows)

    def statement(self) -> None:
        """Write one line: a gate called again, a matrix, or elementwise."""
        kind = self.rng.random()
        if kind < 0.15 and self.gates:
            self.call(*self.rng.choice(self.gates))
        elif kind < 0.45 and self.has_products and len(self.names["matrix"]) < 3:
            self.put(self.product(), "hidden_size")
        else:
            width = self.rng.choice([w for w, pool in self.pool.items() if pool])
            self.put(self.squashed(width), width)

    def product(self) -> str:
        """Return a matrix, or a transposed one, or both, times something."""
        columns = self.rng.choice([w for w, pool in self.pool.items() if pool])
        if self.chance(0.2):
            columns = "input_size"
        argument = "x" if columns == "input_size" else self.value(columns, 1)
        if self.chance(0.5):
            return f"{self.matrix('hidden_size', columns)}({argument})"
        product = f"{self.matrix(columns, 'hidden_size')}.T({argument})"
        if columns != "hidden_size" or self.chance(0.5):
            return product
        return f"({product} - self.{self.names['matrix'][-1]}({self.value(columns, 1)}))"

    def squashed(self, width: str) -> str:
        if width == "width" and self.chance(0.5) and self.has_products:
            argument = self.value("hidden_size", 1)
            return f"torch.tanh({self.matrix('width', 'hidden_size')}({argument}))"
        return self.fill(self.rng.choice(SQUASH), a=f"({self.value(width)})")

    def new(self, state: str) -> str:
        """Return the expression of a new state."""
        width = self.width[state]
        others = [s for s in self.states if self.width[s] == width]
        if self.chance(0.04):
            return self.rng.choice(others)
        v = self.put(self.squashed(width), width)
        z, y = self.value(width, 1), self.value(width, 1)
        decay = f"torch.sigmoid({self.vector()}) * {{s}} + {{v}}" if width != "width" else "{v}"
        form = decay if self.chance(0.12) else self.rng.choice(NEW)
        return self.fill(form, s=state, v=v, z=z, y=y)

    def below(self) -> str | None:
        """Write what a state of the lower layer does; return its argument."""
        if not self.chance(0.25):
            return None
        state = self.rng.choice(self.states)
        instead = self.value(self.width[state], 1)
        self.lines.append(f"if {state}_below is None:")
        self.lines.append(f"    {state}_below = {instead}")
        self.pool[self.width[state]].append(f"{state}_below")
        self.put(f"torch.tanh({state}_below) * ({state})", self.width[state])
        return f"{state}_below=None"

    def output(self) -> list[str]:
        """Return the lines of an output map."""
        if not self.chance(0.25):
            return []
        self.pool, self.lines = {"hidden_size": [], "width": []}, []
        for state, width in self.width.items():
            self.pool[width].append(state)
        width = self.width[self.rng.choice(self.states)]
        result = self.value(width)
        if self.width["h"] == "hidden_size" and self.chance(0.4):
            result = f"self.{self.declare('out', 'Gate(x=False)')}({self.value('hidden_size', 1)})"
        elif self.chance(0.3):
            result = f"self.{self.declare('out', 'Gate(h=False)')}(x) * 0.5"
        head = f"    def output(self, x, {', '.join(self.states)}):"
        return ["", head, *(f"        {line}" for line in self.lines), f"        return {result}"]

    def text(self) -> str:
        """Return the whole class."""
        if not self.pool["hidden_size"] or self.chance(0.9):
            self.gate()
        below = self.below()
        for _ in range(self.rng.choice((0, 0, 1, 1, 2, 3, 5))):
            self.gate()
        for _ in range(self.rng.randrange(4)):
            self.statement()
        new = [self.new(s) for s in self.states]
        arguments = ["self", "x", *self.states, *([below] if below else [])]
        body = [f"    def step({', '.join(arguments)}):"]
        body += [f"        {line}" for line in self.lines]
        body += [f"        return {', '.join(new)}", *self.output(), ""]
        used = {*re.findall(r"self\.(\w+)", "\n".join(body))}
        declared = [d for d in self.declared if d.split()[0] in used]
        widths = {s: w for s, w in self.width.items() if w == "width"}
        head = [
            f"    states, widths = {self.states}, {widths}",
            *declared,
            "    width: int = 3",
            "",
        ]
        return _HEADER + "\n".join([*head, *body])


def write(rng: random.Random) -> str:
    """Return the text of a random cell."""
    return _Writer(rng).text()


def define(source: str) -> type[Cell]:
    """Return the class that a text defines."""
    name = f"<cell {abs(hash(source)):x}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    scope: dict[str, Any] = {"torch": torch, "F": F, "Cell": Cell, "__name__": "random_cells"}
    scope |= {k: getattr(penstock, k) for k in ("Gate", "Vector", "Matrix")}
    exec(compile(source, name, "exec"), scope)
    return scope["RandomCell"]


def variant(rng: random.Random, cls: type[Cell]) -> Variant:
    """Return a random variant of a cell."""
    dtype = rng.choice(sorted(TOLERANCE))
    lowest, bias = not cls.below or rng.random() < 0.5, rng.random() < 0.85
    return Variant(dtype, lowest, bias, _modifiers(rng, cls.states))


def _modifiers(rng: random.Random, states: tuple[str, ...]) -> Modifiers:
    """Return changes of the step, for one cell in three."""
    if rng.random() < 2 / 3:
        return Modifiers()
    zoned = {s: 0.3 for s in states if rng.random() < 0.3}
    return Modifiers(
        zoneout=tuple(zoned.items()),
        layer_norm=rng.random() < 0.6,
        clip_gates=rng.choice((0.0, 1.5)),
        clip_state=rng.choice((0.0, 1.0)),
        training=rng.random() < 0.5,
    )


@dataclass(frozen=True)
class Draw:
    """One sweep; the tensors whose gradient is wanted; the gradients of its results."""

    sweep: Sweep
    leaves: dict[str, Tensor]
    incoming: dict[str, Tensor]
    laid: str

    def __str__(self) -> str:
        sweep = self.sweep
        given = {"lengths": sweep.valid is not None, "reset": sweep.reset is not None}
        masks = [name for name, on in (given | {"reverse": sweep.reverse}).items() if on]
        return (
            f"x {[*sweep.x.shape]} {self.laid}, H {sweep.place.hidden_size}, "
            f"{sweep.cell.hyperparameters}, {masks}, gradients of {[*self.incoming]}, "
            f"wanted {[*self.leaves]}"
        )


class _Tensors:
    """Makes random tensors, some of them not contiguous."""

    def __init__(self, rng: random.Random, dtype: str) -> None:
        self.rng, self.dtype = rng, getattr(torch, dtype)
        self.generator = torch.Generator().manual_seed(rng.randrange(2**31))

    def plain(self, *shape: int) -> Tensor:
        drawn = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        return drawn.to(self.dtype)

    def laid(self, how: str, *shape: int) -> Tensor:
        """Return a random tensor laid out in memory in one of several ways."""
        if how == "transposed":
            return self.plain(shape[1], shape[0], *shape[2:]).transpose(0, 1)
        if how == "strided":
            return self.plain(*shape[:-1], 2 * shape[-1])[..., ::2]
        if how == "expanded":
            return self.plain(*shape[:-2], 1, shape[-1]).expand(shape)
        return self.plain(*shape)

    def mask(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator) < 0.3


LAID = ("contiguous", "contiguous", "transposed", "strided", "expanded")


def size(rng: random.Random, usual: int) -> int:
    """Return a size, mostly small, sometimes wider than a tile."""
    return rng.randint(33, 70) if rng.random() < 0.15 else rng.randint(1, usual)


def draw(rng: random.Random, cls: type[Cell], chosen: Variant, longest: int = 20) -> Draw:
    """Return a random sweep of a cell, of at most so many steps."""
    T, B = rng.choice((0, 1, *range(1, longest + 1))), rng.choice((0, 1, *range(1, 21)))
    I, H = size(rng, 20), size(rng, 20)
    sizes = (n for n, usual in cls().hyperparameters.items() if type(usual) is int)
    cell = cls(**{n: rng.choice((1, 2, 3, 5, 8, 17)) for n in sizes})
    place = Place(I, H, chosen.lowest, chosen.modifiers)
    new, how = _Tensors(rng, chosen.dtype), rng.choice(LAID)
    shapes = pipeline.shapes(cell, place)
    names = [n for n in shapes if chosen.bias or not n.startswith("bias")]
    weights = {n: new.plain(*shapes[n]) * 0.8 / math.sqrt(shapes[n][-1]) for n in names}
    x = new.laid(how, T, B, I)
    widths = dict(zip(cell.states, cell.state_sizes(H), strict=True))
    states = tuple(new.laid(rng.choice(LAID), B, w) * 0.5 for w in widths.values())
    lower = () if chosen.lowest else cell.below
    below = tuple(new.laid(how, T, B, widths[s]) for s in lower)
    valid, reset = _masks(rng, new, T, B)
    drawn = {n: new.mask(T, B, widths[str(s)]).to(x.dtype) for n, s, _ in chosen.modifiers.masks()}
    leaves = {**weights, "x": x, **dict(zip(widths, states, strict=True))}
    leaves |= {f"{s}_below": b for s, b in zip(lower, below, strict=True)}
    wanted = {n: t for n, t in leaves.items() if rng.random() < 0.85} or leaves
    wanted = {n: t.detach().requires_grad_() for n, t in wanted.items()}
    tensors = {**leaves, **wanted}
    sweep = Sweep(
        cell, place, {n: tensors[n] for n in names}, tensors["x"],
        tuple(tensors[s] for s in widths), tuple(tensors[f"{s}_below"] for s in lower),
        valid, reset, rng.random() < 0.4, masks=drawn,
    )  # fmt: skip
    O = cell.usage(place).output_size
    outputs = {"output": (T, B, O)} | {f"final {s}": (B, w) for s, w in widths.items()}
    outputs |= {f"sequence {s}": (T, B, w) for s, w in widths.items()}
    some = [n for n in outputs if rng.random() < 0.6] or ["output"]
    return Draw(sweep, wanted, {n: new.plain(*outputs[n]) for n in some}, how)


def _masks(
    rng: random.Random, new: _Tensors, T: int, B: int
) -> tuple[Tensor | None, Tensor | None]:
    valid = reset = None
    if rng.random() < 0.5:
        lengths = torch.randint(0, T + 1, (B,), generator=new.generator)
        valid = torch.arange(T)[:, None] < lengths
    if rng.random() < 0.5:
        reset = new.mask(T, B) if valid is None else new.mask(T, B) & valid
    return valid, reset


Results = dict[str, Tensor]


def results(drawn: Draw, run: Callable[[Sweep], Any]) -> Results:
    """Return everything that a way of running gives, gradients too."""
    swept, names = run(drawn.sweep), drawn.sweep.cell.states
    found = {"output": swept.output}
    found |= {f"final {s}": t for s, t in zip(names, swept.states, strict=True)}
    found |= {f"sequence {s}": t for s, t in zip(names, swept.sequences, strict=True)}
    given = {n: g for n, g in drawn.incoming.items() if found[n].requires_grad}
    gradients = [torch.zeros_like(t) for t in drawn.leaves.values()]
    if given:
        gradients = torch.autograd.grad(
            [found[n] for n in given], [*drawn.leaves.values()], [*given.values()],
            materialize_grads=True, allow_unused=True,
        )  # fmt: skip
    named = zip(drawn.leaves, gradients, strict=True)
    return {n: t.detach() for n, t in found.items()} | {f"gradient of {n}": g for n, g in named}


def on(backend: str) -> Callable[[Sweep], Any]:
    """Return what runs a sweep on a backend."""

    def run(sweep: Sweep) -> Any:
        with penstock.backend(backend):
            return function.run(sweep)

    return run


def errors(got: Results, wanted: Results) -> Iterator[tuple[str, float]]:
    """Yield the error of each result, relative to its norm."""
    for name, expected in wanted.items():
        if got[name].shape != expected.shape:
            yield name, math.inf
            continue
        distance = float(torch.linalg.vector_norm(got[name] - expected))
        error = distance / (1 + float(torch.linalg.vector_norm(expected)))
        yield name, error if math.isfinite(error) else math.inf


def worst(got: Results, wanted: Results) -> tuple[float, str]:
    """Return the largest error and what has it."""
    return max(((error, name) for name, error in errors(got, wanted)), default=(0.0, ""))


class _Margins(TorchFunctionMode):
    """Notes how near the equations come to where a derivative jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.least = math.inf

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        name = function.__name__
        # The second operand of these stands in args, or they jump at 0 (and ±1, as clamps do).
        if name in ("relu", "abs", "sign", "leaky_relu", "softplus", "logsigmoid"):
            self.note(args[0])
        elif name in ("gt", "lt", "maximum", "minimum", "max", "min", "__gt__", "__lt__"):
            self.note(args[0] - args[1])
        elif name in ("clamp", "hardtanh"):
            for limit in (-1.5, 1.5, -0.7, 0.9, -0.4, -1.0, 1.0):
                self.note(args[0] - limit)
        elif name == "amax" and args[0].shape[-1] > 1:
            top = args[0].topk(2, -1).values
            self.note(top[..., 0] - top[..., 1])
        return function(*args, **(kwargs or {}))

    def note(self, gap: Any) -> None:
        if not isinstance(gap, Tensor):  # a modified cell's step is traced
            return
        gap = gap.detach().abs()
        if (gap := gap[gap > 0]).numel():
            self.least = min(self.least, float(gap.min()))


def in_double(drawn: Draw) -> Draw:
    """Return the same draw in float64."""
    doubled = {id(t): t.detach().double().requires_grad_() for t in drawn.leaves.values()}

    def double(t: Tensor) -> Tensor:
        return doubled.get(id(t), t.double())

    s = drawn.sweep
    sweep = Sweep(
        s.cell, s.place, {n: double(w) for n, w in s.weights.items()}, double(s.x),
        tuple(map(double, s.states)), tuple(map(double, s.below)), s.valid, s.reset, s.reverse,
        masks={n: m.double() for n, m in s.masks.items()},
    )  # fmt: skip
    leaves = {n: doubled[id(t)] for n, t in drawn.leaves.items()}
    return Draw(sweep, leaves, {n: g.double() for n, g in drawn.incoming.items()}, drawn.laid)


def unjudged(drawn: Draw) -> str | None:
    """Return why a float32 draw that disagrees says nothing, None where it does.

    Either the equations themselves, run in float32 and in float64, are further apart than a
    quarter of the tolerance; or some value comes so near to a kink that rounding decides.
    """
    if drawn.sweep.x.dtype != torch.float32:
        return None
    exact = in_double(drawn)
    with _Margins() as margins:
        reference = results(exact, eager.run)
    own, _ = worst(results(drawn, eager.run), reference)
    if own > TOLERANCE["float32"] / 4:
        return f"ill-conditioned: eager float32 is itself {own:.1e} from float64"
    return f"{margins.least:.1e} from a kink" if margins.least < 3e-6 else None


@dataclass(frozen=True)
class Outcome:
    """What a draw showed: the worst error, where, and why it is not judged if it is not."""

    error: float
    where: str
    passed: bool
    excuse: str | None = None


def judge(drawn: Draw, backend: str, wanted: Results | None = None) -> Outcome:
    """Compare a backend with the equations on one draw."""
    wanted = wanted or results(drawn, eager.run)
    error, where = worst(results(drawn, on(backend)), wanted)
    dtype = str(drawn.sweep.x.dtype).removeprefix("torch.")
    if error <= TOLERANCE[dtype]:
        return Outcome(error, where, True)
    excuse = unjudged(drawn)
    return Outcome(error, where, excuse is not None, excuse)
