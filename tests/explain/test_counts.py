"""Counts beside measures: torch's counter of FLOPs, real parameters, the memory of real sweeps."""

import math

import pytest
import torch
from shipped import CELLS, PLACED
from sympy import Symbol
from torch.nn.functional import linear
from torch.utils.flop_counter import FlopCounterMode

import penstock
from penstock.cells import Cell, Gate, Matrix, Place
from penstock.cells.language import Interpretation
from penstock.compiler import pipeline
from penstock.compiler.ir.plan import BufferKind as Kind
from penstock.compiler.pipeline import Sweep
from penstock.compiler.runtime.program import Program
from penstock.explain.counts import B, H, I, Sizes, T, count

SIZES = {T: 3, B: 16, I: 4, H: 5}  # with B = 16, buffers fill the cache lines that they lie in


every_cell = pytest.mark.parametrize(("name", "lowest"), PLACED)


def number(cell, expression):
    return int(expression.subs(values(cell)))


def values(cell, sizes=SIZES):
    """Return what the letters of a cell's formulas stand for."""
    own = Sizes(cell).own.items()
    return {**sizes, **{symbol: cell.hyperparameters[name] for name, symbol in own}}


def sweep(cell, lowest, make):
    """Return a sweep of a cell with tensors from `make`."""
    place = Place(SIZES[I], SIZES[H], lowest)
    weights = {name: make(*shape) for name, shape in cell.shapes(place).items()}
    states = tuple(make(SIZES[B], size) for size in cell.state_sizes(SIZES[H]))
    lower = () if lowest else cell.below
    below = tuple(make(SIZES[T], SIZES[B], SIZES[H]) for _ in lower)
    return Sweep(cell, place, weights, make(SIZES[T], SIZES[B], SIZES[I]), states, below)


class Plain(Interpretation):
    """The equations as they stand: each map makes its own product, though the same one once."""

    def __init__(self, cell, given):
        super().__init__(cell)
        use, self.weights, self.made = cell.usage(given.place), given.weights, {}
        for stack, gates in (("weight_ih", use.x_gates), ("weight_hh", use.h_gates)):
            blocks = self.weights[stack].split(SIZES[H]) if gates else ()
            own = (getattr(type(cell), gate) for gate in gates)
            halves = (gate.of_x if stack == "weight_ih" else gate.of_h for gate in own)
            self.weights |= dict(zip(halves, blocks, strict=True))

    def total(self, terms):
        key = tuple(terms)
        if key not in self.made:
            self.made[key] = sum(linear(value, self.matrix(affine)) for affine, value in terms)
        return self.made[key]

    def matrix(self, affine):
        if affine.reads != "z":
            return self.weights[affine]
        weight = self.weights[f"weight_{affine.name}"]
        return weight.T if affine.transposed else weight

    def vector(self, vector):
        return self.weights[f"weight_{vector.name}"]


@every_cell
@pytest.mark.parametrize("input_gradient", [False, True])
def test_products_are_those_that_torch_counts(name, lowest, input_gradient):
    cell = CELLS[name]()
    given = sweep(cell, lowest, lambda *shape: torch.randn(shape, requires_grad=True))
    x = given.x[0].detach().requires_grad_(input_gradient)
    plain, below = Plain(cell, given), [b[0] for b in given.below]
    with FlopCounterMode(display=False) as forward:
        new = plain.step(x, given.states, below)
        output = plain.output(x, new)
    with FlopCounterMode(display=False) as backward:
        sum(part.sum() for part in (output, *new)).backward()
    counted = count(cell, lowest)
    assert forward.get_total_flops() == SIZES[B] * number(cell, counted.forward.products)
    wanted = counted.backward.products + (counted.input_gradient if input_gradient else 0)
    assert backward.get_total_flops() == SIZES[B] * number(cell, wanted)


def test_all_operations_of_the_classical_cells():
    """By hand, per unit: sums of the products and biases, activations, and the state's equation."""
    wanted = {
        "rnn": 2 * H * (I + H) + (1 + 1 + 1) * H,  # + b, + U h, tanh
        "lstm": 2 * 4 * H * (I + H) + (4 + 4 + 4 + 3 + 2) * H,  # …, c = f c + i g, o tanh(c)
        "gru": 2 * 3 * H * (I + H) + (3 + 1 + 3 + 1 + 3 + 4) * H,  # b, b′, U h, r ⊙ ·, σσtanh, h
    }
    for name, flops in wanted.items():
        assert (count(CELLS[name]()).forward.total - flops).expand() == 0, name


@every_cell
@pytest.mark.parametrize("bias", [True, False])
def test_parameters_are_those_of_a_layer(name, lowest, bias):
    layer = penstock.Recurrent(name, SIZES[I], SIZES[H], num_layers=2 - lowest, bias=bias)
    end = "_l0" if lowest else "_l1"
    real = {n: tuple(p.shape) for n, p in layer.named_parameters() if n.endswith(end)}
    sizes = SIZES if lowest else {**SIZES, I: layer.cell.usage(Place(4, 5)).output_size}
    counted = count(layer.cell, lowest, bias).parameters
    shapes = {
        n: tuple(int(d.subs(values(layer.cell, sizes))) for d in s) for n, s in counted.items()
    }
    assert {f"{n}{end}": s for n, s in shapes.items()} == real


class Recorder:
    """A kernel that computes nothing and notes the memory that it is given."""

    def forward(self, call):
        pieces = call.buffers._pieces.items()
        self.numbers = {buffer: math.prod(shape) for buffer, (_, _, shape) in pieces}

    backward = forward

    def held(self, *others):
        """Return the numbers in all buffers but those that go in, and others."""
        given = (Kind.X, Kind.BELOW, Kind.VECTOR, Kind.DERIVED, Kind.MATRIX)
        without = (*given, *others)
        return sum(n for buffer, n in self.numbers.items() if buffer.kind not in without)


@every_cell
def test_memory_is_what_a_sweep_holds(name, lowest):
    cell = CELLS[name]()
    given = sweep(cell, lowest, torch.zeros)
    stages = pipeline.lower(cell, given.place)
    kernel = Recorder()
    made = (stages.hoisted, stages.plan, kernel, torch.float32)
    program = Program(cell, given.place, *made)
    counted = count(cell, lowest)

    every = bool(cell.below) or cell.output is not None  # as `layers.stack` asks
    program.forward(given._replace(every_state=every), keep=False)
    assert kernel.held() == number(cell, counted.sweep)
    kept = program.forward(given, keep=True)
    tensors = (*kept.states, kept.saved)
    assert sum(t.numel() for t in tensors) == number(cell, counted.kept)
    nothing = dict.fromkeys(cell.states)
    program.backward(given, kept, nothing, nothing, needs_x=False)
    assert kernel.held(Kind.STATE, Kind.LIFTED, Kind.SAVED) == number(cell, counted.working)


@every_cell
def test_memory_and_work_are_linear_in_time(name, lowest):
    counted = count(CELLS[name](), lowest)
    for memory in (counted.sweep, counted.kept, counted.working):
        assert memory.as_poly(T).degree() == 1
    assert T not in counted.forward.total.free_symbols | counted.backward.total.free_symbols


def test_a_matrix_that_is_not_square():
    class Low(Cell):
        """A recurrence of low rank."""

        a, p, q = Gate(h=False), Matrix(columns="rank"), Matrix(rows="rank")
        rank: int = 3

        def step(self, x, h):
            return torch.tanh(self.a(x) + self.p(self.q(h)))

    rank, counted = Symbol("R", positive=True, integer=True), count(Low())
    assert counted.forward.products == 2 * H * I + 4 * H * rank
    assert counted.backward.products == 2 * H * I + 8 * H * rank
    assert counted.parameters["weight_p"] == (H, rank)
    numbers = sum(math.prod(shape) for shape in counted.parameters.values())
    assert numbers == H * I + H + 2 * H * rank
