"""Every op of the table: derivative against torch.autograd, C against the oracle, extremes.

All ops are run as one cell, whose states are the arguments a, b and m and one result an op, so
that each goes all the way that a cell goes. Tied and zero arguments are among them: torch's rule
is held to there as well.
"""

import dataclasses
import math
import random
import warnings

import pytest
import random_cells as rc
import torch
from torch.nn import functional as F

import penstock
from penstock.cells import Cell, Gate, Place
from penstock.cells.words import WORDS
from penstock.compiler import pipeline
from penstock.compiler.ir.builder import Value
from penstock.compiler.ir.ops import OPS
from penstock.compiler.passes import trace as tracing
from penstock.compiler.pipeline import Sweep
from penstock.errors import TraceError
from penstock.layers.running import eager

# expand is for the gradient pass, which knows its width; held has no gradient, on purpose
TABLE = sorted(set(OPS) - {"expand", "held"})
BACKENDS = [*pipeline.find_backends()]
DTYPES = {"float32": torch.float32, "float64": torch.float64}
# exp, log, tanh, sigmoid, sin and cos are a few units in the last place from exact
TOLERANCE = {"float32": 3e-7, "float64": 1e-14}
W = 37  # no multiple of a vector's lanes


def apply(name, a, b, m):
    """Return an op's result, of a traced value or of tensors; one number a row is spread."""
    arguments = {1: (a,), 2: (a, b), 3: (m, a, b)}[OPS[name].arity]
    if not isinstance(a, Value):
        return OPS[name].torch(*arguments).expand_as(a)
    result = a.builder.emit(name, *arguments)
    return a.builder.emit("where", 1.0, result, a) if OPS[name].rowwise else result


def cell_of(ops):
    """Return a cell of ops; each argument and each result is a state."""
    states = ("a", "b", "m", *(f"r_{name}" for name in ops))
    results = ", ".join(f"apply({name!r}, a, b, m)" for name in ops)
    text = (
        f"class Ops(Cell):\n    states = {states}\n"
        f"    def step(self, x, {', '.join(states)}):\n        return a, b, m, {results}\n"
    )
    scope = {"Cell": Cell, "apply": apply, "__name__": "ops"}
    exec(text, scope)
    return scope["Ops"]


WHOLE = cell_of(TABLE)
# A gradient of 0 that passes log, sqrt or div at 0 is NaN, as with torch: they go apart.
NOT_AT_ZERO = ("div", "log", "rsqrt", "sqrt")
CHOICES = ["relu", "maximum", "minimum", "abs"]
HELD = cell_of(["held"])
ANYWHERE = cell_of([name for name in TABLE if name not in NOT_AT_ZERO])


def sweep_of(arguments, cell):
    """Return a sweep of one step over the arguments."""
    (B, width), dtype = arguments[0].shape, arguments[0].dtype
    zeros = tuple(torch.zeros(B, width, dtype=dtype) for _ in cell.states[3:])
    x = torch.zeros(1, B, 1, dtype=dtype)
    return Sweep(cell(), Place(1, width), {}, x, (*arguments, *zeros))


def run_ops(arguments, run, cell=WHOLE):
    """Return each op's result by its name."""
    states = run(sweep_of(arguments, cell)).states
    return {s.removeprefix("r_"): r for s, r in zip(cell.states[3:], states[3:], strict=True)}


def ordinary(dtype):
    """Return arguments with a row of zeros, ties between a and b and ties within a row."""
    g = torch.Generator().manual_seed(0)
    a, b = (torch.randn(7, W, generator=g, dtype=torch.float64) for _ in range(2))
    a[1], b[2], a[3, ::2], b[4] = 0, 0, 0.5, a[4]
    m = (torch.rand(7, W, generator=g) < 0.5).to(a)
    return [t.to(DTYPES[dtype]) for t in (a, b, m)]


def moderate(a, b, m):
    """Return arguments for ops that are not defined everywhere: log, sqrt, div."""
    return a.abs() + 0.5, b.abs() + 0.5, m


# ---------------------------------------------------------------- derivatives


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cell", [ANYWHERE, WHOLE], ids=["anywhere", "above zero"])
def test_derivatives(cell, backend, dtype):
    """Each op's gradient for each argument: at ordinary points, zeros and ties, and above 0."""
    a, b, m = ordinary(dtype)
    leaves = [t.requires_grad_() for t in ((a, b, m) if cell is ANYWHERE else moderate(a, b, m))]
    ours, theirs = (run_ops(leaves, run, cell) for run in (rc.on(backend), eager.run))
    tolerance = 100 * TOLERANCE[dtype]
    for name, result in ours.items():
        got, wanted = (gradients(r, leaves) for r in (result, theirs[name]))
        for argument, x, y in zip("abm", got, wanted, strict=True):
            torch.testing.assert_close(
                x, y, rtol=tolerance, atol=tolerance,
                msg=lambda text, n=name, k=argument: f"d {n} / d {k}: {text}",
            )  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("incoming", [1.0, math.inf, math.nan])
def test_derivatives_of_choices_at_nan(incoming, backend):
    """What chooses between values passes NaN on, and 0 of what it does not choose, as torch."""
    specials = torch.tensor([math.nan, math.inf, -math.inf, 1.0, 0.0, -1.0], dtype=torch.float64)
    a, b = (t.reshape(-1, 1) for t in torch.meshgrid(specials, specials, indexing="ij"))
    leaves = [t.clone().requires_grad_() for t in (a, b, (a > 0).double())]
    chosen = CHOICES if incoming == 1 else CHOICES[:1]  # 0 · ∞ is NaN elsewhere
    ours, theirs = (run_ops(leaves, run, cell_of(chosen)) for run in (rc.on(backend), eager.run))
    for name in chosen:
        for x, y in zip(*(passed(r[name], leaves, incoming) for r in (ours, theirs)), strict=True):
            torch.testing.assert_close(
                x, y, equal_nan=True, msg=lambda text, n=name: f"{n}: {text}"
            )


def passed(result, leaves, incoming):
    """Return what passes of a gradient to a, and to b."""
    return torch.autograd.grad(
        result, leaves[:2], torch.full_like(result, incoming), materialize_grads=True,
        allow_unused=True, retain_graph=True,
    )  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_held(backend):
    """A held value is itself, and has no gradient."""
    leaves = [t.requires_grad_() for t in ordinary("float64")]
    held = run_ops(leaves, rc.on(backend), HELD)["held"]
    torch.testing.assert_close(held, leaves[0], rtol=0, atol=0)
    assert not gradients(held, leaves)[0].any()


def gradients(result, leaves):
    """Return the gradients of a fixed, uneven sum of an op's results."""
    incoming = torch.randn(result.shape, generator=torch.Generator().manual_seed(1))
    if not result.requires_grad:
        return [torch.zeros_like(t) for t in leaves]
    return torch.autograd.grad(
        result, leaves, incoming.to(result.dtype), retain_graph=True, materialize_grads=True,
        allow_unused=True,
    )  # fmt: skip


def agreement(cell, seed):
    """Return the worst error of the interpreter over a few draws of a cell, in float64."""
    cls, rng = rc.define(cell), random.Random(seed)
    drawn = [rc.draw(rng, cls, rc.Variant("float64")) for _ in range(6)]
    outcomes = [rc.judge(d, "interpreter") for d in drawn if d.sweep.x.numel()]
    return max(o.error for o in outcomes)


SABOTAGE = {
    "tanh": lambda d, y, *_: (d * (1 - y),),
    "sigmoid": lambda d, y, *_: (d * (y * (1 - y)) * 1.0001,),
    "mul": lambda d, _, a, b: (d * a, d * b),
    "sub": lambda d, *_: (d, d),
    "sum": lambda d, *_: (d * 0.999,),
}


@pytest.mark.parametrize("op", SABOTAGE)
def test_a_wrong_derivative_is_seen(op, monkeypatch):
    """The check of the random cells goes red where a derivative is wrong, by little even."""
    cell = (
        "class RandomCell(Cell):\n    a, b = Gate(), Gate()\n    width: int = 3\n"
        "    def step(self, x, h):\n        z = torch.sigmoid(self.a(x, h))\n"
        "        return z * h - torch.tanh(self.b(x, z * h)) * h.sum(-1, keepdim=True) / 9\n"
    )
    assert agreement(cell, 1) < rc.TOLERANCE["float64"]
    monkeypatch.setitem(OPS, op, dataclasses.replace(OPS[op], derivative=SABOTAGE[op]))
    assert agreement(cell, 1) > 1e-6


# ---------------------------------------------------------------- values


def wide(dtype):
    """Return rows from the smallest normal number to large ones, both signs, and near 0."""
    top, least = (30, 37) if dtype == "float32" else (250, 307)
    powers = torch.logspace(-least, top, W, dtype=torch.float64)
    near = torch.linspace(-30, 30, W, dtype=torch.float64)
    a = torch.stack([powers, -powers, near, near / 100, near * 4, near + 0.1, powers.flip(0)])
    b = torch.stack([powers.flip(0), powers, near.flip(0), near * 3, near + 1, near, -powers])
    m = (torch.arange(a.numel()).view(a.shape) % 3 > 0).to(a)
    return [t.to(DTYPES[dtype]) for t in (a, b, m)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_over_a_wide_range(dtype):
    arguments = wide(dtype)
    got = run_ops(arguments, rc.on("c"))
    exact = run_ops([t.double() for t in arguments], eager.run)
    # a sum is as exact as its largest terms; sin and cos are as exact as their range
    scale = {"sum": arguments[0].double().abs().sum(-1, keepdim=True)}
    tiny = 2 * torch.finfo(DTYPES[dtype]).tiny  # what is less may count as 0 in a kernel
    for name in TABLE:
        wanted = exact[name].to(DTYPES[dtype]).double()
        size = scale.get(name, wanted.abs())
        if name in ("sin", "cos"):
            size = torch.ones_like(wanted)
        error = (got[name].double() - wanted).abs()
        close = (error <= TOLERANCE[dtype] * size + tiny) | same(got[name].double(), wanted)
        where = [arguments[0][~close][:4], got[name][~close][:4], wanted[~close][:4]]
        assert close.all(), f"{name}: of, got, wanted: {where}"


def same(a, b):
    return (a == b) | (a.isnan() & b.isnan())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_infinity_and_nan(backend, dtype):
    """They come out as torch has them."""
    specials = torch.tensor([math.inf, -math.inf, math.nan, 0.0, 1.5, -2.0], dtype=DTYPES[dtype])
    a = specials.repeat(6, 1).T.contiguous()  # each with each, and rows of one kind for the sums
    b = specials.repeat(6, 1).contiguous()
    mixed = torch.stack([b[0], torch.tensor([math.inf, 1, 2, 3, 4, 5]).to(b)])
    for x, y in ((a, b), (b, a), (mixed, mixed.flip(1))):
        arguments = (x, y, (x > 0).to(x))
        got, wanted = (run_ops(arguments, run) for run in (rc.on(backend), eager.run))
        for name in TABLE:
            torch.testing.assert_close(
                got[name], wanted[name], rtol=1e-6, atol=1e-6, equal_nan=True,
                msg=lambda text, n=name: f"{n}: {text}",
            )  # fmt: skip


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65])
def test_every_width(width):
    """Rows that fill no vector, one, and several."""
    g = torch.Generator().manual_seed(width)
    arguments = [torch.randn(3, width, generator=g).abs() + 0.1 for _ in range(3)]
    got, wanted = (run_ops(arguments, run) for run in (rc.on("c"), eager.run))
    for name in TABLE:
        torch.testing.assert_close(got[name], wanted[name], rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------- spellings of the language

SPELLED = (
    "F.softmax(z, -1)", "F.softmax(z, dim=-1)", "torch.softmax(z, 1)", "z.softmax(-1)",
    "F.relu(z)", "F.silu(z)", "F.logsigmoid(z)", "F.softplus(z)", "F.leaky_relu(z)",
    "F.hardtanh(z, -0.5, 0.7)", "F.tanh(z)", "F.sigmoid(z)", "torch.clip(z, -0.5, 0.5)",
    "z.clamp(max=0.3)", "z.exp()", "z.relu()", "z ** 2",
    "torch.pow(z, 3)", "z.square()", "torch.sqrt(z.abs() + 1)", "(z.abs() + 1) ** 0.5",
    "torch.rsub(z, h)", "2 / (2 + z.abs())", "1 - z", "z / 3", "-z", "torch.neg(z)",
    "torch.lerp(z, h, 0.25)", "torch.lerp(z, h, torch.sigmoid(z))", "z.lerp(h, 0.1)",
    "torch.addcmul(z, z, h)", "torch.mul(z, h)", "torch.subtract(z, h)", "z.maximum(h)",
    "torch.max(z, h)", "z.min(h)", "torch.where(z > 0, z, h)", "torch.where(z < h, 0.5, h)",
    "torch.where(torch.gt(z, h), z, 0.0)", "z.sum(-1, keepdim=True) * h",
    "z.mean(dim=-1, keepdim=True) + h", "z.mean((-1,), keepdim=True) + h",
    "torch.amax(z, 1, keepdim=True) - z", "z.sigmoid().log()", "torch.zeros_like(z) + z",
    "torch.ones_like(z) - z", "torch.tensor(0.5) * z", "math.pi * z", "z * torch.sign(h)",
    "torch.true_divide(z, 2)", "(z > 0) * h", "torch.multiply(z, h)", "torch.negative(z)",
    "torch.divide(z, 3)", "torch.reciprocal(2 + z.abs())", "torch.where(torch.lt(z, h), z, h)",
    "torch.where(torch.less(z, h), z, 0.0)", "torch.where(torch.greater(z, h), z, 0.5)",
    "F.layer_norm(z, (5,))",
)  # fmt: skip
# Ways of writing that must either be compiled rightly or refused: never another value.
TREACHEROUS = (
    "(h == 0) * z", "(h != 0) * z", "torch.where(h == 0, z, 2 * z)", "torch.where(z >= 0, z, h)",
    "F.leaky_relu(z, 2.0)", "torch.ones_like(z).sum(-1, keepdim=True) * z",
    "z.amax(-1, keepdim=True).mean(-1, keepdim=True) * z", "self.g(x, torch.zeros_like(z))",
    "self.g(x, torch.ones_like(z))", "F.softmax(z, 0)", "z.sum(0, keepdim=True) + z",
    "(torch.zeros_like(z) + z.amax(-1, keepdim=True)).sum(-1, keepdim=True) * z",
    "F.softplus(z, beta=2)", "torch.add(z, h, alpha=2)", "torch.div(z, h, rounding_mode='floor')",
    "F.layer_norm(z, z.shape[-1:])", "torch.max(z, -1, keepdim=True).values * z", "z % 2",
    "torch.clamp(z, max=-1.0, min=1.0)", "F.gelu(z)", "F.elu(z)", "z ** -1", "2 ** z",
    "torch.sum(z, -1, keepdim=True, dtype=torch.float64).to(z.dtype) * z", "z.amin(-1, True) * z",
    "torch.softmax(z.sum(-1, keepdim=True), -1) * z", "self.p ** 2 * z",
    "torch.sigmoid(self.p) + torch.tanh(self.p).sum() * z", "F.layer_norm(z, (z.shape[1],))",
    "F.normalize(z, dim=-1)", "torch.cumsum(z, -1)", "z.mean() * z", "z.flip(-1)", "z.float()",
    "torch.cat([z, h], -1)[:, :z.shape[1]]", "z[:, :1] * h", "torch.einsum('bi,bi->bi', z, h)",
)  # fmt: skip


def spelled(expression):
    """Return a cell that has an expression of a computed value z and the state h."""
    text = (
        "class Spelled(Cell):\n    g, p = Gate(), Vector()\n    def step(self, x, h):\n"
        f"        z = self.g(x, h) + self.p\n        return torch.tanh({expression}) + z / 9\n"
    )
    scope = {"Cell": Cell, "torch": torch, "F": F, "math": math, "__name__": "spelled"}
    exec(text, scope | {"Gate": Gate, "Vector": penstock.Vector}, found := {})
    return found["Spelled"]


def assert_compiled_rightly(cell, backend):
    """Fail unless values and gradients are those of the equations."""
    torch.manual_seed(0)
    layer = penstock.Recurrent(cell, 3, 5, dtype=torch.float64)
    x = torch.randn(4, 3, 3, dtype=torch.float64, requires_grad=True)
    found = []
    for name in (backend, "eager"):
        with penstock.backend(name):
            output, state = layer(x)
        leaves = [x, *layer.parameters()]
        total = (output.square().sum() + state.sum()) / 3
        grads = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
        found.append([output, state, *grads])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("expression", SPELLED)
def test_spellings_that_are_compiled(expression):
    assert_compiled_rightly(spelled(expression), "interpreter")


def test_every_word_and_composite_is_spelled(monkeypatch):
    """A line of these tables that no expression calls would be one that nobody has tried."""
    tables, called = (WORDS, tracing._COMPOSED), set()

    def noted(word, made):
        return lambda *args, **options: (called.add(word), made(*args, **options))[1]

    for table in tables:
        for word, made in table.items():
            monkeypatch.setitem(table, word, noted(word, made))
    for expression in SPELLED:
        tracing.trace(spelled(expression)(), lowest=True, bias=True)
    assert called == {*tables[0], *tables[1]}


@pytest.mark.parametrize("expression", TREACHEROUS)
def test_never_another_value(expression):
    """What is not compiled is refused with a TraceError; what is, is right, in C as well."""
    cell = spelled(expression)
    try:
        assert_compiled_rightly(cell, "interpreter")
    except TraceError:
        return
    assert_compiled_rightly(cell, "c")


# ---------------------------------------------------------------- ops that the table lacks


def test_a_missing_op_is_told_with_op_cell_and_line():
    class Unusual(Cell):
        g = Gate()

        def step(self, x, h):
            z = self.g(x, h)
            return torch.sinc(z)

    with pytest.raises(TraceError) as told:
        pipeline.lower(Unusual(), Place(3, 4))
    for part in ("Unusual", "sinc", "step, line", "return torch.sinc(z)"):
        assert part in str(told.value)
    layer = penstock.Recurrent(Unusual, 3, 4)
    x = torch.randn(5, 2, 3)
    with pytest.warns(UserWarning, match="Unusual runs eager.*sinc") as said:
        output, _ = layer(x)
    assert len(said) == 1
    with warnings.catch_warnings():  # said once, also for another layer, mode or size
        warnings.simplefilter("error")
        layer(x)
        penstock.Recurrent(Unusual, 3, 4)(x)
        layer.eval()(x)
    with penstock.backend("eager"):
        assert torch.equal(output, layer(x)[0])
    with penstock.backend("c"), pytest.raises(TraceError, match="sinc"):
        layer(x)


def test_a_branch_on_a_value_is_told():
    class Branching(Cell):
        g = Gate()

        def step(self, x, h):
            return torch.tanh(self.g(x, h)) if torch.is_tensor(h) or h > 0 else h

    with pytest.raises(TraceError, match=r"Branching.*branches on a value; use torch\.where"):
        pipeline.lower(Branching(), Place(3, 4))


@pytest.mark.parametrize("function", ["softplus", "logsigmoid"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_slope_of_one_half_where_the_argument_is_zero(function, backend):
    """As at a first step without bias and input; softplus is smooth there, its parts are not."""

    class Smooth(Cell):
        a = Gate(h=False)

        def step(self, x, h):
            return getattr(F, function)(self.a(x)) + 0 * h

    layer, x = penstock.Recurrent(Smooth, 2, 3), torch.zeros(1, 1, 2)
    with torch.no_grad():
        layer.bias_ih_l0.zero_()
    with penstock.backend(backend):
        layer(x)[0].sum().backward()
    assert torch.equal(layer.bias_ih_l0.grad, torch.full((3,), 0.5))
