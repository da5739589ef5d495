"""Values → values: sums of products become one each, and what nobody reads is left out.

Of the LSTM's  σ(((W_i x + b_i) + b′_i) + U_i h)  the argument becomes one `ProductSum`: the terms
(x, W_i) and (h, U_i), and the bias b_i + b′_i, added in float64. R h − Rᵀ h becomes (R − Rᵀ) h.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from penstock.exporters.c.values import (
    Applied,
    KnownValue,
    Maker,
    ProductSum,
    StepValues,
    Value,
    arguments,
)

_SUMS = ("add", "sub", "neg")
_Test = Callable[[int], bool]


def gather(steps: StepValues) -> StepValues:
    """Return the same step with sums gathered, and only what is read."""
    values, users = steps.values, steps.users()
    ends = {*steps.states.values(), steps.output}

    def is_inner(k: int) -> bool:
        """Return whether a value is a part of one sum alone."""
        if k in ends or len(users[k]) != 1:
            return False
        user = values[users[k][0]]
        part = isinstance(values[k], ProductSum) or _is_sum(values[k])
        once = isinstance(user, Applied) and user.args.count(k) == 1
        return part and once and _is_sum(user) and values[k].width == user.width

    maker, at = Maker(), dict[int, int]()
    for k in _needed(steps):
        value = values[k]
        if _is_sum(value) and not is_inner(k):
            at[k] = _add_sum(maker, values, at, k, is_inner)
        elif not is_inner(k):
            at[k] = maker.add(_moved(value, at))
    output = None if steps.output is None else at[steps.output]
    return StepValues(tuple(maker.values), {s: at[k] for s, k in steps.states.items()}, output)


def _is_sum(value: Value) -> bool:
    return isinstance(value, Applied) and value.op in _SUMS


def _needed(steps: StepValues) -> list[int]:
    """Return the values on which a new state or the output depends."""
    found: set[int] = set()
    waiting = [*steps.states.values(), *([] if steps.output is None else [steps.output])]
    while waiting:
        k = waiting.pop()
        if k not in found:
            found.add(k)
            waiting += arguments(steps.values[k])
    return sorted(found)


def _leaves(values: tuple[Value, ...], k: int, sign: int, is_inner: _Test) -> list[tuple[int, int]]:
    """Return the signed parts of a sum."""
    value = values[k]
    assert isinstance(value, Applied)
    signs = {"add": (sign, sign), "sub": (sign, -sign), "neg": (-sign,)}[value.op]
    parts: list[tuple[int, int]] = []
    for a, s in zip(value.args, signs, strict=True):
        inner = _is_sum(values[a]) and is_inner(a)
        parts += _leaves(values, a, s, is_inner) if inner else [(a, s)]
    return parts


def _add_sum(
    maker: Maker, values: tuple[Value, ...], at: dict[int, int], k: int, is_inner: _Test
) -> int:
    """Add a sum: its products and constants as one `ProductSum`, then the rest."""
    leaves = _leaves(values, k, 1, is_inner)
    products = [
        (values[a], s) for a, s in leaves if isinstance(values[a], ProductSum) and is_inner(a)
    ]
    if not products:
        return maker.add(_as_it_was(maker, values, at, k, is_inner))
    terms, biases = dict[int, Tensor](), list[Tensor]()
    for total, s in products:
        assert isinstance(total, ProductSum)
        for arg, matrix in total.terms:
            terms[at[arg]] = terms[at[arg]] + s * matrix if at[arg] in terms else s * matrix
        biases += [s * total.bias] if total.bias is not None else []
    width, rest = values[k].width, list[tuple[int, int]]()
    for a, s in leaves:
        value = values[a]
        if isinstance(value, KnownValue):
            biases.append(s * value.values.expand(width))
        elif not (isinstance(value, ProductSum) and is_inner(a)):
            rest.append((at[a], s))
    bias = torch.stack(biases).sum(0) if biases else None
    result = maker.add(ProductSum(tuple(terms.items()), bias, width))
    for a, s in rest:
        result = maker.apply("add" if s > 0 else "sub", result, a)
    return result


def _as_it_was(
    maker: Maker, values: tuple[Value, ...], at: dict[int, int], k: int, is_inner: _Test
) -> Value:
    """Return a sum without products, its inner sums added before it."""
    value = values[k]
    assert isinstance(value, Applied)
    for a in value.args:
        if is_inner(a) and a not in at:
            at[a] = maker.add(_as_it_was(maker, values, at, a, is_inner))
    return _moved(value, at)


def _moved(value: Value, at: dict[int, int]) -> Value:
    """Return a value that reads the same values at their new numbers."""
    if isinstance(value, ProductSum):
        return replace(value, terms=tuple((at[a], m) for a, m in value.terms))
    if isinstance(value, Applied):
        return replace(value, args=tuple(at[a] for a in value.args))
    return value
