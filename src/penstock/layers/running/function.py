"""A sweep on the backend chosen for it, differentiable to any order."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import torch
from torch import Tensor

from penstock.cells import Cell
from penstock.compiler import pipeline
from penstock.compiler.pipeline import Kept, Program, Sweep
from penstock.errors import BackendError
from penstock.layers.running import autocast, eager, native, op, scanned
from penstock.layers.running.eager import Swept
from penstock.layers.running.followed import is_followed

_everywhere = os.environ.get("PENSTOCK_BACKEND", "auto")
_chosen: ContextVar[str | None] = ContextVar("penstock_backend", default=None)
_programs = dict[tuple[str, torch.dtype, str, bool], Program]()
_eager_only = set[tuple[type[Cell], str]]()  # of whom it has been said that they run eager, and why


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Run the layers called inside the ``with`` block on one backend.

    Args:
        name: ``"auto"`` takes the fastest that can run the cell where its tensors are, ``"eager"``
            the equations as written, ``"c"`` the compiled CPU kernel. The environment variable
            PENSTOCK_BACKEND sets it for a whole process.

    Raises:
        BackendError: there is no backend of that name, or, from a layer inside the block, it
            cannot run that layer.
    """
    token = _chosen.set(_known(name))
    try:
        yield
    finally:
        _chosen.reset(token)


def run(sweep: Sweep) -> Swept:
    """Run a sweep on the chosen backend."""
    return autocast.run(sweep, _run) if autocast.is_on(sweep.x) else _run(sweep)


def _run(sweep: Sweep) -> Swept:
    if torch.compiler.is_compiling() and (scanned.is_on() or native.has_kernels_for(sweep.x)):
        return scanned.run(sweep) if scanned.is_on() else op.run(sweep)
    name = _known(_chosen.get() or _everywhere)
    if name == "auto" and native.takes(sweep):
        return native.run(sweep)
    if name == "eager" or is_followed(_everything(sweep)):
        return eager.run(sweep)
    if name == "auto" and not native.has_kernels_for(sweep.x):
        return eager.run(sweep)
    gradient = torch.is_grad_enabled() and any(t.requires_grad for t in _tensors(sweep))
    try:
        program = _program(sweep, "c" if name == "auto" else name, op.streams(sweep.x, gradient))
    except BackendError as error:
        if name != "auto":
            raise
        say_once(type(sweep.cell), str(error))
        return eager.run(sweep)
    return _compiled(sweep, program, gradient)


def _program(sweep: Sweep, name: str, streaming: bool) -> Program:
    """Return the program for a sweep, by its key if it has one: a place takes longer to hash."""
    known = sweep.key, sweep.x.dtype, name, streaming
    if known in _programs:
        return _programs[known]
    bias = any(weight.startswith("bias_") for weight in sweep.weights)
    dtype = str(sweep.x.dtype).removeprefix("torch.")
    program = pipeline.program(sweep.cell, sweep.place, bias, dtype, name, streaming)
    if sweep.key:
        _programs[known] = program
    return program


def _everything(sweep: Sweep) -> tuple[Tensor, ...]:
    """Return all that a sweep computes with."""
    return (
        sweep.x, *sweep.states, *sweep.below, *sweep.weights.values(), *sweep.masks.values(),
        *(steps for steps in (sweep.valid, sweep.reset) if steps is not None),
    )  # fmt: skip


def _known(name: str) -> str:
    if name not in _choices():
        raise BackendError(f"no backend {name!r}; there are: {', '.join(_choices())}")
    return name


@cache
def _choices() -> tuple[str, ...]:
    return ("auto", "eager", *sorted(pipeline.find_backends()))


def say_once(cell: type[Cell], why: str) -> None:
    """Warn that a cell runs by its equations, once for each reason."""
    if (cell, why) not in _eager_only:
        _eager_only.add((cell, why))
        warnings.warn(f"{cell.__name__} runs eager, step by step: {why}", stacklevel=2)


def _tensors(sweep: Sweep) -> tuple[Tensor, ...]:
    """Return what a sweep is differentiated by."""
    return (sweep.x, *sweep.states, *sweep.below, *sweep.weights.values())


def _compiled(sweep: Sweep, program: Program, gradient: bool) -> Swept:
    if gradient:
        results: Any = _Function.apply(sweep, program, *_tensors(sweep))
    else:
        results = _results(sweep, program.forward(sweep, keep=False).states, sweep.every_state)
    n = len(results) - len(sweep.states)
    sequences, states = results[:n], results[n:]
    return Swept(eager.output(sweep, sequences), states, sequences)


class _Function(torch.autograd.Function):
    """Sequences and final states of a sweep, as a function of x, states, below and weights."""

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run it, without asking first for a transform of torch.func: none is on (3 µs a call)."""
        return super(torch.autograd.Function, cls).apply(*args)  # type: ignore[misc]

    @staticmethod
    def forward(ctx: Any, sweep: Sweep, program: Program, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the forward loop."""
        kept = program.forward(sweep, keep=True)  # whose tensors these are
        ctx.sweep, ctx.program, ctx.count = sweep, program, len(tensors)
        ctx.save_for_backward(*tensors, *kept.states, kept.saved)
        ctx.set_materialize_grads(False)
        first, *rest = _results(sweep, kept.states, every=True)
        return (first.clone() if sweep.returned else first, *rest)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run the backward loop, or the equations where the gradient is itself looked into.

        That is where its gradient is wanted, or many at once (is_grads_batched).
        """
        saved = ctx.saved_tensors  # read once, as torch.utils.checkpoint asks
        tensors = saved[: ctx.count]
        if torch.is_grad_enabled() or is_followed(gradients):
            return (None, None, *_equations_gradient(ctx.sweep, tensors, gradients))
        names, n = ctx.sweep.cell.states, len(ctx.sweep.states)
        result = ctx.program.backward(
            _with(ctx.sweep, tensors),
            Kept(saved[ctx.count : -1], saved[-1]),
            dict(zip(names, gradients[:n], strict=True)),
            dict(zip(names, gradients[n:], strict=True)),
            needs_x=ctx.needs_input_grad[2],
        )
        weights = (result.weights.get(name) for name in ctx.sweep.weights)
        return (None, None, result.x, *result.states, *result.below, *weights)


def _results(sweep: Sweep, states: Sequence[Tensor], every: bool) -> tuple[Tensor, ...]:
    """Return the sequences of the states [T, B, S], then the final ones, from all [T+1, B, S].

    Of the first state alone if not every; the others may have two places [2, B, S].
    """
    sequences = [s[:-1] if sweep.reverse else s[1:] for s in (states if every else states[:1])]
    last = 0 if sweep.reverse else len(sweep.x)
    return (*sequences, *(s[last % len(s)] for s in states))


def _with(sweep: Sweep, tensors: tuple[Tensor, ...]) -> Sweep:
    """Return a sweep with other tensors in place of those that it is differentiated by."""
    n, m = len(sweep.states), len(sweep.below)
    x, states, below, weights = (
        tensors[0], tensors[1 : 1 + n], tensors[1 + n : 1 + n + m], tensors[1 + n + m :]
    )  # fmt: skip
    names = dict(zip(sweep.weights, weights, strict=True))
    return sweep._replace(weights=names, x=x, states=states, below=below)


def _equations_gradient(
    sweep: Sweep, tensors: tuple[Tensor, ...], gradients: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    """Return the gradients as differentiable functions, by way of the equations."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        swept = eager.run(_with(sweep, tensors))
    results = zip((*swept.sequences, *swept.states), gradients, strict=True)
    given = [(r, g) for r, g in results if g is not None]
    wanted = [t for t in tensors if t.requires_grad]
    found = torch.autograd.grad(
        [r for r, _ in given], wanted, [g for _, g in given],
        create_graph=create_graph, allow_unused=True,
    )  # fmt: skip
    by_tensor = iter(found)
    return tuple(next(by_tensor) if t.requires_grad else None for t in tensors)
