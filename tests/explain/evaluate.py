"""Printed equations, read back and computed: what stands on a page must be what the cell does.

The grammar is that of a reader: a matrix before something is a product and binds tighter than
⊙, · and /, which bind tighter than + and −. Nothing here knows how the equations were made.
"""

import re

import torch
from torch import Tensor

RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True))
_DIGITS = "".join(RAISED)
TOKEN = re.compile(
    rf"\d+\.?\d*(?:e[+-]?\d+)?|√|[^\W\d{_DIGITS}][^\W{_DIGITS}]*(?:⁽[{_DIGITS}]+⁾)?₋?|[{_DIGITS}]+|\S"
)


def largest(*values):
    return values[0].amax(-1, keepdim=True) if len(values) == 1 else torch.maximum(*tensors(values))


def tensors(values):
    return [v if isinstance(v, Tensor) else torch.tensor(v, dtype=torch.float64) for v in values]


def normal(value, eps=1e-5):
    return torch.nn.functional.layer_norm(value, value.shape[-1:], eps=eps)


FUNCTIONS = {
    "σ": torch.sigmoid,
    "√": torch.sqrt,
    "LN": normal,
    "max": largest,
    "min": lambda *v: torch.minimum(*tensors(v)),
    "clamp": torch.clamp,
    "Σ": lambda a: a.sum(-1, keepdim=True),
    "mean": lambda a: a.mean(-1, keepdim=True),
    "softmax": lambda a: a.softmax(-1),
    "softplus": torch.nn.functional.softplus,
    "silu": torch.nn.functional.silu,
    "leaky_relu": torch.nn.functional.leaky_relu,
    **{f: getattr(torch, f) for f in ("tanh", "relu", "exp", "log", "sin", "cos", "abs", "sign")},
}


def evaluate(text, values):
    """Return the value of a right side, given those of its names."""
    reader = _Reader(TOKEN.findall(text), values)
    value = reader.choice()
    assert not reader.tokens, f"left over in {text!r}: {reader.tokens}"
    return value


class _Reader:
    def __init__(self, tokens, values):
        self.tokens, self.values = tokens, values

    def take(self, *wanted):
        """Take the next token if it is one of those; else return None."""
        if self.tokens and (not wanted or self.tokens[0] in wanted):
            return self.tokens.pop(0)
        return None

    def choice(self):
        value = self.comparison()
        if not self.take("if"):
            return value
        condition = self.comparison()
        assert self.take("else")
        no = self.choice()
        return torch.where(condition != 0, *tensors((value, no)))

    def comparison(self):
        value = self.sum()
        return (value > self.sum()).double() if self.take(">") else value

    def sum(self):
        value = -self.product() if self.take("−") else self.product()
        while sign := self.take("+", "−"):
            value = value + self.product() if sign == "+" else value - self.product()
        return value

    def product(self):
        value = self.term()
        while sign := self.take("⊙", "·", "/"):
            value = value / self.term() if sign == "/" else value * self.term()
        return value

    def term(self):
        if self.matrix() is not None:
            matrix = self.matrix()
            self.take()
            return self.power() @ matrix.T
        return self.power()

    def matrix(self):
        """Return the matrix that the next token names, None if it names none."""
        name = self.tokens[0]
        value = self.values.get(name.removesuffix("ᵀ"))
        if not isinstance(value, Tensor) or value.ndim != 2 or not name[0].isupper():
            return None
        return value.T if name.endswith("ᵀ") else value

    def power(self):
        value = self.atom()
        if self.tokens and self.tokens[0][0] in RAISED:
            return value ** int("".join(RAISED[d] for d in self.take()))
        return value ** self.atom() if self.take("^") else value

    def atom(self):
        token = self.take()
        if token == "(":
            value = self.choice()
            assert self.take(")")
            return value
        if token in FUNCTIONS and self.take("("):  # a name of a value may be "cos", as in LRU
            arguments = [self.choice()]
            while self.take(","):
                arguments.append(self.choice())
            assert self.take(")")
            return FUNCTIONS[token](*arguments)
        return float(token) if token[0].isdigit() else self.values[token]
