"""torch's functions, as the words that readers of equations know: ONE table.

A call such as ``torch.clip(a, max=1)``, ``a.clamp(None, 1)`` or ``a - b`` becomes a word and its
arguments: ``clamp(a, None, 1)``, ``sub(a, b)``. What the table lacks is its own word. A word that
torch makes of arithmetic, as ``lerp``, is that arithmetic here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

Say = Callable[..., Any]


def _operator(word: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """Return an operator, and the one with its sides exchanged."""
    return lambda a, b: a.say(word, a, b), lambda a, b: a.say(word, b, a)


class Worded(ABC):
    """A value in equations, on which torch's functions and Python's operators act as words."""

    @abstractmethod
    def say(self, word: str, *args: Any) -> Any:
        """Return a word of its arguments, of which this value is one."""

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Take a call of a torch function."""
        return _call(function.__name__, args, kwargs or {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("shape", "dtype", "device", "size", "ndim"):
            raise AttributeError(f"a value in equations has no {name!r}")
        return lambda *args, **kwargs: _call(name, (self, *args), kwargs)

    __add__, __radd__ = _operator("add")
    __sub__, __rsub__ = _operator("sub")
    __mul__, __rmul__ = _operator("mul")
    __truediv__, __rtruediv__ = _operator("div")
    __pow__, __rpow__ = _operator("pow")
    __gt__, __lt__ = _operator("gt")

    def __neg__(self) -> Any:
        return self.say("neg", self)

    def __eq__(self, other: object) -> Any:
        return self.say("eq", self, other)

    def __ne__(self, other: object) -> Any:
        return 1 - self.say("eq", self, other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError("the step branches on a value; use torch.where for that")


def _call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Say what a call of one of torch's functions is."""
    say = next(a for a in (*args, *kwargs.values()) if isinstance(a, Worded)).say
    kwargs.pop("inplace", None)
    if name in WORDS:
        return WORDS[name](say, *args, **kwargs)
    if kwargs:
        raise TypeError(f"there is no op for torch's {name}(…, {', '.join(kwargs)}=)")
    return say(name, *args)


def _other_name(word: str) -> Callable[..., Any]:
    return lambda say, *args: say(word, *args)


def _over_features(word: str) -> Callable[..., Any]:
    """Return a word for a row's features together, which must be asked for with keepdim."""

    def reduce(say: Say, a: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if dim not in (-1, (-1,), [-1], 1) or not keepdim:
            raise TypeError(f"there is {word} over dim=-1 with keepdim=True only")
        return say(word, a)

    return reduce


def _softmax(say: Say, a: Any, dim: int = -1, **_ignored: Any) -> Any:
    if dim not in (-1, 1):
        raise TypeError("there is softmax over dim=-1 only")
    return say("softmax", a)


def _layer_norm(
    say: Say,
    a: Any,
    normalized_shape: Any = None,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Any:
    del normalized_shape  # the features of a row, whatever their number
    y = say("layer_norm", a, eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


# torch's name → what it says, where that is not the word of this name with these arguments.
WORDS: dict[str, Callable[..., Any]] = {
    "true_divide": _other_name("div"),
    "divide": _other_name("div"),
    "multiply": _other_name("mul"),
    "subtract": _other_name("sub"),
    "negative": _other_name("neg"),
    "log_sigmoid": _other_name("logsigmoid"),
    "greater": _other_name("gt"),
    "max": _other_name("maximum"),
    "min": _other_name("minimum"),
    "lt": lambda say, a, b: say("gt", b, a),
    "less": lambda say, a, b: say("gt", b, a),
    "rsub": lambda say, a, b: say("sub", b, a),
    "square": lambda say, a: say("pow", a, 2),
    "reciprocal": lambda say, a: say("div", 1, a),
    "zeros_like": lambda say, a: say("full_like", a, 0.0),
    "ones_like": lambda say, a: say("full_like", a, 1.0),
    "clamp": lambda say, a, min=None, max=None: say("clamp", a, min, max),
    "clip": lambda say, a, min=None, max=None: say("clamp", a, min, max),
    "hardtanh": lambda say, a, min_val=-1.0, max_val=1.0: say("clamp", a, min_val, max_val),
    "leaky_relu": lambda say, a, negative_slope=0.01: say("leaky_relu", a, negative_slope),
    "lerp": lambda _, a, b, w: a + w * (b - a),
    "addcmul": lambda _, a, b, c, value=1: a + (b * c if value == 1 else value * b * c),
    "sum": _over_features("sum"),
    "amax": _over_features("amax"),
    "mean": _over_features("mean"),
    "softmax": _softmax,
    "layer_norm": _layer_norm,
}
