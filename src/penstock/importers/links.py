"""A model of another library as it was read: recurrent layers, and what stands between them.

Legend: I input, H hidden, S width of a state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.errors import ArgumentError


@dataclass(frozen=True)
class Way:
    """One direction of one layer.

    Attributes:
        cell: a cell's name.
        options: of `penstock.Recurrent` or of the cell, by name, in the order of the names.
        weights: by the cell's own names: "weight_ih" [G·H, I], "weight_hh" [G·H, H], and so on.
        initial: the states [S] from which every sequence starts, where they are not zero.
    """

    cell: str
    options: tuple[tuple[str, Any], ...]
    weights: Mapping[str, Tensor]
    initial: Mapping[str, Tensor] | None = None

    @property
    def input_size(self) -> int:
        """I."""
        return self.weights["weight_ih"].shape[1]

    @property
    def hidden_size(self) -> int:
        """H."""
        return self.weights["weight_hh"].shape[1]

    @property
    def signature(self) -> tuple[Any, ...]:
        """What layers of one module have in common."""
        kinds = tuple(sorted((name, value.dtype) for name, value in self.weights.items()))
        return self.cell, self.options, self.hidden_size, kinds


@dataclass(frozen=True)
class GivenLayer:
    """A layer in one direction, forwards, or in both, whose ways then have one signature.

    merge: "concat", "sum", "mean" or "product".
    """

    name: str
    ways: tuple[Way, ...]
    merge: str = "concat"

    @property
    def signature(self) -> tuple[Any, ...]:
        """What layers of one module have in common."""
        return (self.merge, *(way.signature for way in self.ways))

    @property
    def output_size(self) -> int:
        """Features that the next layer reads."""
        H = self.ways[0].hidden_size
        return H * len(self.ways) if self.merge == "concat" else H


@dataclass(frozen=True)
class Dropped:
    """Dropout of elements, in training."""

    rate: float


@dataclass(frozen=True)
class Turned:
    """Links that read from the last step to the first.

    restored: whether their output is put back in the order of the steps.
    """

    links: "Links"
    restored: bool


@dataclass(frozen=True)
class Sides:
    """Links that read forwards beside others that read backwards, their outputs merged."""

    forward: "Links"
    backward: Turned
    merge: str


Link = GivenLayer | Dropped | Turned | Sides
Links = Sequence[Link]


def both_ways(name: str, forward: Links, backward: Links, merge: str) -> Link:
    """Return two sides as one layer where they are of one kind, or else beside each other."""
    if len(forward) == len(backward) == 1:
        there, back = forward[0], backward[0]
        if isinstance(there, GivenLayer) and isinstance(back, GivenLayer) and len(there.ways) == 1:
            same = there.signature == back.signature
            if same and there.ways[0].input_size == back.ways[0].input_size:
                return GivenLayer(name, there.ways + back.ways, merge)
    return Sides(forward, Turned(backward, restored=True), merge)


def reordered(stack: NDArray[Any], gates: str, wanted: str) -> Tensor:
    """Return blocks of rows, one a gate, in another order, as a tensor."""
    blocks = dict(zip(gates, np.split(stack, len(gates)), strict=True))
    return as_tensor(np.concatenate([blocks[gate] for gate in wanted]))


def as_tensor(array: NDArray[Any]) -> Tensor:
    """Return a tensor with an array's values, which it does not share."""
    if array.dtype.name == "bfloat16":  # of ml_dtypes: torch does not know it
        return torch.from_numpy(array.astype(np.float32)).bfloat16()
    return torch.from_numpy(np.array(array, order="C"))


def names_of(name: str | Sequence[str] | None) -> list[str]:
    """Return the names that were asked for; none for all.

    Raises:
        ArgumentError: it is neither a name nor several.
    """
    names = [name] if isinstance(name, str) else name or ()
    if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
        raise ArgumentError(f"name is {name!r}; give a name, or a list of names")
    return list(names)
