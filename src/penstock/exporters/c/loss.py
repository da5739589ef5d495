"""What int8 weights cost in accuracy: the same steps in torch, with the weights and without.

Legend: T steps, B sequences, I input, O output, S width of a state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from penstock.compiler.ir.ops import OPS
from penstock.exporters.c.arrays import in_bytes
from penstock.exporters.c.values import (
    Applied,
    GivenValue,
    KnownValue,
    ProductSum,
    StepValues,
    Value,
)

_STEPS = 100


@dataclass(frozen=True)
class Loss:
    """By how much the output differs.

    Attributes:
        most: the largest difference.
        rms: the root of the mean square of the differences.
        size: the root of the mean square of the output itself.
        steps: T.
        given: whether the input was an example; else it was drawn from N(0, 1).
    """

    most: float
    rms: float
    size: float
    steps: int
    given: bool

    def __str__(self) -> str:
        what = "the example" if self.given else "numbers drawn from N(0, 1)"
        return (
            f"int8 weights change the output by at most {self.most:.2g}, rms {self.rms:.2g}, "
            f"where it is {self.size:.2g} rms itself ({self.steps} steps of {what})"
        )


def measure(
    steps: StepValues, states: Mapping[str, Tensor], inputs: int, example: Tensor | None = None
) -> Loss:
    """Return the loss over an example [T, B, I], or 100 steps of random numbers.

    states: where each begins, [S], by name. inputs: I.

    Raises:
        ExportError: a weight is no finite number.
    """
    x = example
    if x is None:
        draws = torch.Generator().manual_seed(0)
        x = torch.randn(_STEPS, 1, inputs, generator=draws)
    x = x.detach().double()
    exact, rough = (run(s, states, x) for s in (steps, coarse(steps)))
    off = exact - rough
    most, rms, size = off.abs().max(), off.square().mean().sqrt(), exact.square().mean().sqrt()
    return Loss(most.item(), rms.item(), size.item(), len(x), example is not None)


def coarse(steps: StepValues) -> StepValues:
    """Return a step whose matrices are what int8 leaves of them."""
    return replace(steps, values=tuple(map(_coarse_value, steps.values)))


def run(steps: StepValues, states: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Return the outputs [T, B, O] of x [T, B, I], float64."""
    now = {name: state.double().expand(x.shape[1], -1) for name, state in states.items()}
    outputs = []
    for row in x:
        given = {"x": row, **now}
        made: list[Tensor] = []
        for value in steps.values:
            if isinstance(value, GivenValue):
                made.append(given[value.name])
            elif isinstance(value, KnownValue):
                made.append(value.values)
            elif isinstance(value, ProductSum):
                parts = [made[a] @ m.T for a, m in value.terms]
                parts += [] if value.bias is None else [value.bias.expand_as(parts[0])]
                made.append(torch.stack(parts).sum(0))
            else:
                made.append(_applied(value, [made[a] for a in value.args], len(row)))
        now = {name: made[k] for name, k in steps.states.items()}
        assert steps.output is not None
        outputs.append(made[steps.output])
    return torch.stack(outputs)


def _applied(value: Applied, args: list[Tensor], rows: int) -> Tensor:
    if value.op == "copy":
        return args[0].expand(rows, value.width)
    result: Tensor = OPS[value.op].torch(*args)
    return result


def _coarse_value(value: Value) -> Value:
    if not isinstance(value, ProductSum):
        return value
    return replace(value, terms=tuple((a, _coarse(matrix)) for a, matrix in value.terms))


def _coarse(matrix: Tensor) -> Tensor:
    whole, scale = in_bytes(matrix)
    return whole.double() * scale[:, None]
