"""The op table: what a step can be made of.

A record says all that the compiler knows of an op: how torch computes it (the oracle that the
tests hold every backend to), whether it reduces over the features of a row, and its derivative.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Op:
    """One op.

    torch: the oracle. derivative: from (d, y, *args), the gradient d of the result, the result y
    and the arguments, to the gradient of each argument (None where it has none). rowwise: reduces
    [B, width] to [B, 1]. number: the op on Python floats, where it is used for folding.
    """

    arity: int
    torch: Callable[..., Any]
    derivative: Callable[..., tuple[Any, ...]]
    rowwise: bool = False
    number: Callable[..., float] | None = None


def _sum(x: torch.Tensor) -> torch.Tensor:
    return x.sum(-1, keepdim=True)


def _mask(condition: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return condition.to(like.dtype)


def _emit(op: str, *args: Any) -> Any:
    return args[0].builder.emit(op, *args)


OPS: dict[str, Op] = {
    "add": Op(2, torch.add, lambda d, y, a, b: (d, d), number=lambda a, b: a + b),
    "sub": Op(2, torch.sub, lambda d, y, a, b: (d, -d), number=lambda a, b: a - b),
    "mul": Op(2, torch.mul, lambda d, y, a, b: (d * b, d * a), number=lambda a, b: a * b),
    "div": Op(2, torch.div, lambda d, y, a, b: (d / b, -d * y / b)),
    "neg": Op(1, torch.neg, lambda d, y, a: (-d,), number=lambda a: -a),
    "sigmoid": Op(1, torch.sigmoid, lambda d, y, a: (d * (y * (1 - y)),)),
    "tanh": Op(1, torch.tanh, lambda d, y, a: (d * (1 - y * y),)),
    "relu": Op(1, torch.relu, lambda d, y, a: (_emit("where", _emit("eq", y, 0.0), 0.0, d),)),
    "exp": Op(1, torch.exp, lambda d, y, a: (d * y,)),
    "log": Op(1, torch.log, lambda d, y, a: (d / a,)),
    "sqrt": Op(1, torch.sqrt, lambda d, y, a: (d * 0.5 / y,)),
    "rsqrt": Op(1, torch.rsqrt, lambda d, y, a: (d * -0.5 * (y * y * y),)),
    "sin": Op(1, torch.sin, lambda d, y, a: (d * _emit("cos", a),)),
    "cos": Op(1, torch.cos, lambda d, y, a: (-d * _emit("sin", a),)),
    "abs": Op(1, torch.abs, lambda d, y, a: (d * _emit("sign", a),)),
    "sign": Op(1, torch.sign, lambda d, y, a: (None,)),
    "gt": Op(2, lambda a, b: _mask(a > b, a + b), lambda d, y, a, b: (None, None)),
    "eq": Op(2, lambda a, b: _mask(a == b, a + b), lambda d, y, a, b: (None, None)),
    # m is 1 or 0
    "where": Op(
        3,
        lambda m, a, b: torch.where(m != 0, a, b),
        lambda d, y, m, a, b: (None, d * m, d * (1 - m)),
    ),
    "maximum": Op(
        2,
        torch.maximum,
        lambda d, y, a, b: (d * _share(a, b), d * _share(b, a)),
    ),
    "minimum": Op(
        2,
        torch.minimum,
        lambda d, y, a, b: (d * _share(b, a), d * _share(a, b)),
    ),
    # one number a row, in every feature; made by the gradient pass, which nothing differentiates
    "expand": Op(1, lambda a: a, lambda d, y, a: (None,)),
    # a value whose part in the gradient is known to cancel; the oracle still has it
    "held": Op(1, lambda a: a, lambda d, y, a: (None,)),
    "sum": Op(1, _sum, lambda d, y, a: (d,), rowwise=True),
    "amax": Op(
        1,
        lambda a: a.amax(-1, keepdim=True),
        lambda d, y, a: (_emit("eq", a, y) * (d / _emit("sum", _emit("eq", a, y))),),
        rowwise=True,
    ),
}


def _share(a: Any, b: Any) -> Any:
    """Return 1 where a > b or one is NaN, ½ where they are equal, else 0, as torch does."""
    return 1.0 - (_emit("gt", b, a) + 0.5 * _emit("eq", a, b))
