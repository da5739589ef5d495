"""Gradient flow: how much of a gradient is left when it has gone back through many steps.

Legend: T time, B batch, I input, L layers, S width of a state, O features of the output.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import linear_regression
from typing import Any

import torch
from torch import Tensor, nn

from penstock.errors import ArgumentError
from penstock.inspect.probing import by_lag, probe
from penstock.layers.recurrent import Recurrent, State


@dataclass(frozen=True)
class Flow:
    """Norms of gradients with respect to the state, by steps back from the last.

    norms: [T], the first that of the last step, each a mean over the batch.
    """

    norms: tuple[float, ...]

    @property
    def growth(self) -> float:
        """The factor by which the norm grows with each step back; NaN where it cannot be told.

        exp of the slope of ln norm against the steps back, by least squares, from the first step
        back on; norms of 0 are left out. Below 1 gradients vanish, above 1 they explode.
        """
        back = [k for k, norm in enumerate(self.norms) if k and 0 < norm < math.inf]
        if len(back) < 2:
            return math.nan
        return math.exp(linear_regression(back, [math.log(self.norms[k]) for k in back]).slope)


def state_flow(
    layer: Recurrent,
    x: Tensor,
    state: State | None = None,
    lengths: Tensor | None = None,
    probes: int = 16,
) -> Flow:
    """Return ‖∂h_T/∂h_t‖_F, where h is all that a layer carries: every state of every layer.

    Args:
        layer: over any cell, in one direction.
        x: [T, B, I], or [B, T, I] with batch_first.
        state, lengths: as the layer takes them.
        probes: products with random vectors that estimate a norm; it is exact where h has no
            more values than that. See `penstock.inspect.probing`.

    Raises:
        ArgumentError: the layer has two directions, or an argument does not fit.
    """
    states = unroll(layer, x, state, lengths).states
    wanted = [s for step in states for s in step]
    parts = probe(_flat(states[-1]), wanted, probes)
    squares = torch.stack([part.pow(2).sum(dim=(0, 1, 3)) for part in parts])  # of [P, L, B, S]
    norms = squares.view(len(states), -1, squares.shape[-1]).sum(dim=1).sqrt()
    return Flow(by_lag(norms, lengths))


def loss_flow(network: nn.Module, loss: Callable[[Any], Tensor]) -> Flow:
    """Return ‖∂loss/∂h_t‖, where h is all that the network's recurrent layer carries.

    What the loss takes from the output of the same step counts where the output is the state
    itself. A loss that is a mean over the batch makes the gradient of each row smaller by B.

    Args:
        network: a `Recurrent`, or a network with one; of several, the first called is looked at.
        loss: from the network to a scalar, such as ``lambda net: net(x)[0][-1].pow(2).sum()``.

    Raises:
        ArgumentError: the layer has two directions, or was not called.
    """
    seen: list[tuple[Unrolled, Tensor | None]] = []
    layer = find_layer(network)

    def instead(_layer: nn.Module, args: Any, kwargs: Any, _result: Any) -> Any:
        unrolled = unroll(layer, *args, **kwargs)
        seen.append((unrolled, args[2] if len(args) > 2 else kwargs.get("lengths")))
        states = unrolled.states[-1]
        return unrolled.output, states if len(states) > 1 else states[0]

    hook = layer.register_forward_hook(instead, with_kwargs=True)
    try:
        value = loss(network)
    finally:
        hook.remove()
    if not seen:
        raise ArgumentError("the loss never called the recurrent layer")
    unrolled, lengths = seen[0]
    return Flow(by_lag(_norms(layer, value, unrolled), lengths))


def _norms(layer: Recurrent, loss: Tensor, unrolled: "Unrolled") -> Tensor:
    """Return the norms [T, B] of the gradients with respect to all states."""
    T, n = len(unrolled.states), len(unrolled.states[0])
    wanted = [*(s for step in unrolled.states for s in step), *unrolled.outputs]
    gradients = torch.autograd.grad(loss, wanted, materialize_grads=True)
    parts = [gradient.double() for gradient in gradients]
    if layer.cell.output is None and not layer.connections:
        for t, direct in enumerate(parts[T * n :]):
            parts[t * n] = torch.cat([parts[t * n][:-1], parts[t * n][-1:] + direct])
    squares = torch.stack([part.pow(2).sum(dim=(0, 2)) for part in parts[: T * n]])
    return squares.view(T, n, -1).sum(dim=1).sqrt()


@dataclass(frozen=True)
class Unrolled:
    """A layer run step by step: output as the layer's; outputs [1, B, O]; states [L, B, S]."""

    output: Tensor
    outputs: list[Tensor]
    states: list[tuple[Tensor, ...]]


def unroll(
    layer: Recurrent, x: Tensor, state: State | None = None, lengths: Tensor | None = None
) -> Unrolled:
    """Run a layer step by step, so that every state is a value that gradients can be taken of.

    Raises:
        ArgumentError: the layer has two directions, or x is no padded batch.
    """
    if layer.bidirectional:
        raise ArgumentError("gradients of a state are those of one direction; this layer has two")
    if not isinstance(x, Tensor) or x.ndim != 3:
        raise ArgumentError("x must be a padded batch, [T, B, I], or [B, T, I] with batch_first")
    time = 1 if layer.batch_first else 0
    x = x if x.requires_grad else x.detach().clone().requires_grad_()
    outputs, states = list[Tensor](), list[tuple[Tensor, ...]]()
    for t, part in enumerate(torch.split(x, 1, dim=time)):
        output, state = layer.forward(part, state)
        assert state is not None
        new = as_tuple(state)
        output = output.transpose(0, 1) if layer.batch_first else output
        if lengths is not None:
            goes_on = (torch.as_tensor(lengths).to(x.device) > t)[None, :, None]
            output = output * goes_on
            if states:
                pairs = zip(new, states[-1], strict=True)
                new = tuple(torch.where(goes_on, n, s) for n, s in pairs)
        outputs.append(output)
        states.append(new)
        state = new if len(new) > 1 else new[0]
    joined = torch.cat(outputs)
    return Unrolled(joined.transpose(0, 1) if layer.batch_first else joined, outputs, states)


def inputs_read(network: nn.Module, run: Callable[[Any], Any]) -> tuple[Tensor, Tensor | None]:
    """Return what a network's first recurrent layer reads in a run: x, and lengths or None.

    Raises:
        ArgumentError: it has no such layer, or the run never called it.
    """
    seen: list[tuple[Tensor, Tensor | None]] = []

    def note(_layer: nn.Module, args: Any, kwargs: Any) -> None:
        seen.append((args[0].detach(), args[2] if len(args) > 2 else kwargs.get("lengths")))

    hook = find_layer(network).register_forward_pre_hook(note, with_kwargs=True)
    try:
        run(network)
    finally:
        hook.remove()
    if not seen:
        raise ArgumentError("the recurrent layer was never called")
    return seen[0]


def find_layer(network: nn.Module) -> Recurrent:
    """Return a network's first recurrent layer.

    Raises:
        ArgumentError: it has none.
    """
    for module in network.modules():
        if isinstance(module, Recurrent):
            return module
    raise ArgumentError(f"{type(network).__name__} has no penstock.Recurrent to look into")


def _flat(states: Sequence[Tensor]) -> Tensor:
    """Return states [L, B, S] as one [B, N]."""
    return torch.cat([s.transpose(0, 1).flatten(1) for s in states], dim=-1)


def as_tuple(state: State) -> tuple[Tensor, ...]:
    """Return a layer's final state as a tuple, also where there is one alone."""
    return (state,) if isinstance(state, Tensor) else tuple(state)
