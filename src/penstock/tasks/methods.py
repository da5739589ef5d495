"""Baselines as models: fitted once, kept in a file, used on other data."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from penstock.errors import DataError, nearest

MethodKind = Literal["blind", "naive", "classical"]
Sizes = Mapping[str, Any]  # whole numbers, and tuples of them that no shape names


class Method(nn.Module):
    """A baseline: a method whose weights are buffers, learned without a recurrent network.

    A subclass predicts as a network of its task does.

    Attributes:
        kind: "blind" where it never looks at the input, "naive" where a rule of thumb is all of
            it, "classical" where a model is fitted.
        shapes: of each weight, sizes by name. A name is a size that the task's specification
            fixes (see `Codec.sizes`), or else one that is the same wherever the name stands.
        whole: which weights are whole numbers (int64); all others are float64.
    """

    kind: ClassVar[MethodKind] = "classical"
    shapes: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    whole: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, sizes: Sizes, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        for name in self.shapes:
            self.register_buffer(name, weights[name])

    @classmethod
    def of(cls, sizes: Sizes, **weights: Tensor) -> Self:
        """Return the method with weights that have been fitted."""
        return cls(sizes, weights)

    def check(self) -> None:
        """Raise where the values of the weights, as a file has them, are not to be used.

        Raises:
            DataError: they are not.
        """


def load(
    methods: Mapping[str, type[Method]], name: str, sizes: Sizes, weights: Mapping[str, Tensor]
) -> Method:
    """Return the method of that name with weights from a file.

    Raises:
        DataError: there is no such method, or the weights are not its own, or not finite.
    """
    if name not in methods:
        raise DataError(f"unknown baseline {name!r}: {nearest(name, methods)}")
    method = methods[name]
    if {*weights} != {*method.shapes}:
        raise DataError(f"{name!r} has the weights {sorted(weights)}, not {sorted(method.shapes)}")
    known = dict(sizes)
    for weight, shape in method.shapes.items():
        value = weights[weight]
        dtype = torch.int64 if weight in method.whole else torch.float64
        fits = value.dim() == len(shape) and all(
            known.setdefault(size, n) == n for size, n in zip(shape, value.shape, strict=True)
        )
        if not fits or value.dtype != dtype:
            raise DataError(f"the weight {weight!r} of {name!r} does not fit what is said of it")
        if not value.isfinite().all():
            raise DataError(f"the weight {weight!r} of {name!r} holds what is no finite number")
    loaded = method(sizes, weights)
    loaded.check()
    return loaded
