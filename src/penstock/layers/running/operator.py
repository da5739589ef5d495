"""A sweep as torch knows it: one operator, whole in torch.export, AOTInductor and torch.compile.

torch.export.load looks operators up by name, so these two must be known as soon as penstock and
torch are both imported (`penstock.loading` sees to it). What they do is found at their first use.
"""

import importlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def _work() -> Any:
    return importlib.import_module("penstock.layers.running.op")


# In torch's own words, for its older versions cannot read them from the functions' annotations.
_SWEEP = "str key, Tensor[] tensors, Tensor? valid, Tensor? reset, bool reverse"
_FORWARD = f"({_SWEEP}, bool keep) -> Tensor[]"
_BACKWARD = f"({_SWEEP}, Tensor[] results, Tensor[] gradients) -> Tensor[]"


@torch.library.custom_op("penstock::sweep", mutates_args=(), schema=_FORWARD)
def sweep(
    key: str,
    tensors: Sequence[Tensor],
    valid: Tensor | None,
    reset: Tensor | None,
    reverse: bool,
    keep: bool,
) -> list[Tensor]:
    """Return the sequences, the final states, and, to keep, what the gradient needs.

    tensors: x, states, below, weights and masks, in one list: AOTInductor makes None of empty ones.
    """
    found: list[Tensor] = _work().forward(key, tensors, valid, reset, reverse, keep)
    return found


@torch.library.custom_op("penstock::sweep_backward", mutates_args=(), schema=_BACKWARD)
def sweep_backward(
    key: str,
    tensors: Sequence[Tensor],
    valid: Tensor | None,
    reset: Tensor | None,
    reverse: bool,
    results: Sequence[Tensor],
    gradients: Sequence[Tensor],
) -> list[Tensor]:
    """Return the gradients of x, states, below and weights."""
    found: list[Tensor] = _work().backward(key, tensors, valid, reset, reverse, results, gradients)
    return found


@sweep.register_fake
def _(key: str, tensors: Sequence[Tensor], *rest: Any) -> list[Tensor]:
    found: list[Tensor] = _work().fake(key, tensors, keep=rest[-1])
    return found


@sweep_backward.register_fake
def _(key: str, tensors: Sequence[Tensor], *_rest: Any) -> list[Tensor]:
    return [torch.empty_like(t) for t in _work().differentiable(key, tensors)]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    ctx.key, tensors, *steps, ctx.reverse, ctx.keep = inputs
    ctx.count, ctx.given = len(tensors), [s is not None for s in steps]
    ctx.results = 2 * (len(output) // 3)  # n sequences, n finals, and then what is kept: n + 1
    kept = output[ctx.results :]
    ctx.save_for_backward(*tensors, *(s for s in steps if s is not None), *kept)


def _gradient(ctx: Any, gradients: list[Tensor]) -> tuple[Any, ...]:
    if not ctx.keep:
        raise RuntimeError(
            "this program was made under torch.no_grad, so it keeps nothing for gradients; export "
            "the layer again with gradients enabled, or call it under torch.no_grad"
        )
    tensors, rest = ctx.saved_tensors[: ctx.count], list(ctx.saved_tensors[ctx.count :])
    valid, reset = (rest.pop(0) if there else None for there in ctx.given)
    found = torch.ops.penstock.sweep_backward(
        ctx.key, tensors, valid, reset, ctx.reverse, rest, list(gradients[: ctx.results])
    )
    undifferentiated = [None] * (ctx.count - len(found))
    return None, [*found, *undifferentiated], None, None, None, None


torch.library.register_autograd("penstock::sweep", _gradient, setup_context=_setup)


@sweep.register_vmap
def _(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[list[Tensor], list[int]]:
    return _each(torch.ops.penstock.sweep, info, in_dims, arguments)


@sweep_backward.register_vmap
def _(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[list[Tensor], list[int]]:
    return _each(torch.ops.penstock.sweep_backward, info, in_dims, arguments)


def _each(
    operator: Any, info: Any, in_dims: tuple[Any, ...], arguments: tuple[Any, ...]
) -> tuple[list[Tensor], list[int]]:
    """Apply an operator to each element of a vmap in turn."""

    def select(value: Any, dim: Any, k: int) -> Any:
        if isinstance(value, list | tuple):
            dims = dim if isinstance(dim, list | tuple) else [dim] * len(value)
            return [select(v, d, k) for v, d in zip(value, dims, strict=True)]
        return value if dim is None else value.select(dim, k)

    results = [
        operator(*(select(a, d, k) for a, d in zip(arguments, in_dims, strict=True)))
        for k in range(info.batch_size)
    ]
    stacked = [torch.stack(each) for each in zip(*results, strict=True)]
    return stacked, [0] * len(stacked)
