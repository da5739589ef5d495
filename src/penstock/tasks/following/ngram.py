"""N-grams: what a network must beat to be of use on text."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.errors import DataError
from penstock.tasks.methods import Method, Sizes

Codes = NDArray[np.int64]


class NGram(Method):
    """The probability of a symbol given the n − 1 before it, counted in the training part.

    Interpolated by the rule of Witten & Bell (1991, method C): with history h, h′ that without its
    first symbol, n the counts and T(h) the number of different symbols that came after h,

        p(c | h) = (n(h c) + T(h) p(c | h′)) / (n(h) + T(h)),

    p(c | h) = p(c | h′) where h never came, and p = 1/size below the first order.

    Weights: grams [G], each run of up to n symbols as one number, sorted, those of one symbol
    first; counts [G], how often each came; kinds [n], how many there are of each length. The
    number of symbols to that power must fit 63 bits.
    """

    shapes: ClassVar = {"grams": ("grams",), "counts": ("grams",), "kinds": ("order",)}
    whole = frozenset(shapes)
    grams: Tensor
    counts: Tensor
    kinds: Tensor

    @classmethod
    def fit(cls, sizes: Sizes, codes: Codes, order: int) -> Self:
        """Return the n-gram of that order, counted in codes [N] from 0 to size − 1."""
        tables = [
            np.unique(_keys(codes, sizes["outputs"], n), return_counts=True)
            for n in range(1, order + 1)
        ]
        return cls.of(
            sizes,
            grams=torch.from_numpy(np.concatenate([grams for grams, _ in tables])),
            counts=torch.from_numpy(np.concatenate([counts for _, counts in tables])),
            kinds=torch.tensor([len(grams) for grams, _ in tables]),
        )

    def check(self) -> None:
        """Raise unless runs of each length are sorted and known by number, and were counted.

        Raises:
            DataError: they are not.
        """
        size, order = self.sizes["outputs"], len(self.kinds)
        good = order > 0 and size**order < 2**63 and bool((self.kinds > 0).all())
        good = good and int(self.kinds.sum()) == len(self.grams) and bool((self.counts > 0).all())
        if good:
            runs = enumerate(torch.split(self.grams, self.kinds.tolist()), start=1)
            good = all(
                one[0] >= 0 and one[-1] < size**n and (one.diff() > 0).all() for n, one in runs
            )
        if not good:
            raise DataError("the counts of an n-gram do not fit together")

    def log_probabilities(self, codes: Tensor, warm: int) -> Tensor:
        """Return ln p of each symbol given those before it, but for a row's first `warm` + 1.

        Shapes: codes [B, N], result [B, N − warm − 1].
        """
        return torch.from_numpy(np.log(self._probabilities(codes.numpy(), warm + 1)))

    def follow(self, codes: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return ln p [V] of what follows codes [N], and the symbols to go on from."""
        history = codes if state is None else torch.cat([state, codes])
        history = history[max(0, len(history) - len(self.kinds) + 1) :]
        size = self.sizes["outputs"]
        rows = torch.cat([history.expand(size, -1), torch.arange(size)[:, None]], dim=1)
        p = self._probabilities(rows.numpy(), len(history))[:, 0]
        return torch.from_numpy(np.log(p)), history

    def _probabilities(self, rows: Codes, first: int) -> NDArray[np.float64]:
        """Return p of the symbols of each row from `first` on, given those before them.

        Runs that begin before a row are not looked at. Shapes: rows [B, N], result [B, N − first].
        """
        size, told = self.sizes["outputs"], rows.shape[1] - first
        p = np.full((len(rows), told), 1 / size)
        for n, (runs, histories) in enumerate(self._tables, start=1):
            if n > rows.shape[1]:
                break
            wanted = _keys(rows, size, n)[:, -told:]
            (count,) = runs.look_up(wanted)
            before, kinds = histories.look_up(wanted // size)
            shorter = p[:, told - wanted.shape[1] :]  # where so many symbols are in the row
            longer = (count + kinds * shorter) / np.maximum(before + kinds, 1)
            shorter[:] = np.where(before > 0, longer, shorter)
        return p

    @cached_property
    def _tables(self) -> list[tuple["_Seen", "_Seen"]]:
        """Of runs of each length their counts; of their histories, how often each came and how
        many different symbols came after it.
        """
        tables, size, kinds = [], self.sizes["outputs"], self.kinds.tolist()
        both = torch.split(self.grams, kinds), torch.split(self.counts, kinds)
        for grams, counts in zip(*(map(Tensor.numpy, part) for part in both), strict=True):
            histories, first = np.unique(grams // size, return_index=True)
            different = np.diff(np.append(first, len(grams)))
            came = np.add.reduceat(counts, first)
            tables.append((_Seen(grams, (counts,)), _Seen(histories, (came, different))))
        return tables


@dataclass(frozen=True)
class _Seen:
    """Counts by key; keys are sorted."""

    keys: Codes
    counts: tuple[Codes, ...]

    def look_up(self, wanted: Codes) -> Iterator[Codes]:
        """Return each count of the keys wanted, 0 where there is none."""
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        known = self.keys[place] == wanted
        return (np.where(known, counts[place], 0) for counts in self.counts)


def _keys(codes: Codes, size: int, n: int) -> Codes:
    """Return each run of n symbols [..., N] as one number; the last is its remainder by size."""
    steps = codes.shape[-1] - n + 1
    keys = np.zeros((*codes.shape[:-1], steps), np.int64)
    for k in range(n):
        keys = keys * size + codes[..., k : steps + k]
    return keys
