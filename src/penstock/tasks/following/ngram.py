"""N-grams: what a network must beat to be of use on text."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from penstock.errors import DataError
from penstock.tasks.following.counting import Codes, Floats, Level, Smoothing
from penstock.tasks.methods import Method, Sizes

_AT_ONCE = 1 << 18  # symbols of a row whose probabilities are looked up together


class NGram(Method):
    """The probability of a symbol given the n − 1 before it, counted in the training part.

    Interpolated down to p = 1/size below the first order; see `Smoothing`.

    Weights: grams [G], the key of each run of up to n symbols, sorted, those of one symbol first
    (see `penstock.tasks.following.counting`); counts [G], how often each came; kinds [n], how many
    there are of each length.
    """

    shapes: ClassVar = {"grams": ("grams",), "counts": ("grams",), "kinds": ("order",)}
    whole = frozenset(shapes)
    grams: Tensor
    counts: Tensor
    kinds: Tensor

    @classmethod
    def of_levels(cls, sizes: Sizes, levels: Sequence[Level], **weights: Tensor) -> Self:
        """Return the n-gram of runs of each length."""
        keys, counts = ([getattr(one, name) for one in levels] for name in ("keys", "counts"))
        return cls.of(
            sizes,
            grams=torch.from_numpy(np.concatenate(keys)),
            counts=torch.from_numpy(np.concatenate(counts)),
            kinds=torch.tensor([len(one) for one in keys]),
            **weights,
        )

    def check(self) -> None:
        """Raise unless runs of each length are sorted, go on from shorter ones, and were counted.

        Raises:
            DataError: they are not.
        """
        good = len(self.kinds) > 0 and bool((self.kinds > 0).all())
        good = good and int(self.kinds.sum()) == len(self.grams) and bool((self.counts > 0).all())
        if good:
            limits = np.array([1, *self.kinds[:-1].tolist()]) * self.sizes["outputs"]
            runs = zip(torch.split(self.grams, self.kinds.tolist()), limits.tolist(), strict=True)
            good = all(one[0] >= 0 and one[-1] < n and (one.diff() > 0).all() for one, n in runs)
        if not good:
            raise DataError("the counts of an n-gram do not fit together")

    def log_probabilities(self, codes: Tensor, warm: int) -> Tensor:
        """Return ln p of each symbol given those before it, but for a row's first `warm` + 1.

        Shapes: codes [B, N], result [B, N − warm − 1].
        """
        rows, order = codes.numpy(), len(self.kinds)
        several = []
        for first in range(warm + 1, rows.shape[1], _AT_ONCE):
            begin = max(0, first - order + 1)
            part = rows[:, begin : first + _AT_ONCE]
            several.append(np.log(self._probabilities(part, first - begin)))
        return torch.from_numpy(np.concatenate(several, axis=1))

    def follow(self, codes: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return ln p [V] of what follows codes [N], and the symbols to go on from."""
        history = codes if state is None else torch.cat([state, codes])
        history = history[max(0, len(history) - len(self.kinds) + 1) :]
        size = self.sizes["outputs"]
        rows = torch.cat([history.expand(size, -1), torch.arange(size)[:, None]], dim=1)
        p = self._probabilities(rows.numpy(), len(history))[:, 0]
        return torch.from_numpy(np.log(p)), history

    def _probabilities(self, rows: Codes, first: int) -> Floats:
        """Return p of the symbols of each row from `first` on, given those before them.

        Runs that begin before a row are not looked at. Shapes: rows [B, N], result [B, N − first].
        """
        reading = Histories(rows, rows.shape[1] - first)
        p = reading.start(self.sizes["outputs"])
        for smoothing in self._smoothings:
            if not reading.lengthen(smoothing.level):
                break
            p = reading.mixed(smoothing, p)
        return p

    @cached_property
    def _smoothings(self) -> list[Smoothing]:
        size, kinds = self.sizes["outputs"], self.kinds.tolist()
        both = torch.split(self.grams, kinds), torch.split(self.counts, kinds)
        levels = [
            Level(size, keys.numpy(), counts.numpy(), shorter)
            for keys, counts, shorter in zip(*both, [1, *kinds[:-1]], strict=True)
        ]
        return self.smoothed(levels)

    @abstractmethod
    def smoothed(self, levels: Sequence[Level]) -> list[Smoothing]:
        """Return how each level is mixed with the shorter ones."""


class WittenBell(NGram):
    """An n-gram whose counts are mixed by the rule of Witten & Bell (1991, method C)."""

    def smoothed(self, levels: Sequence[Level]) -> list[Smoothing]:
        """Return how each level is mixed with the shorter ones."""
        return [Smoothing(level) for level in levels]


class Unigram(WittenBell):
    """The share of each symbol."""

    kind = "blind"


class Bigram(WittenBell):
    """The share of each symbol after the last one."""

    kind = "naive"


class KneserNey(NGram):
    """An n-gram by modified Kneser–Ney (Chen & Goodman 1999), interpolated.

    Runs of fewer than n symbols are counted by how many different symbols came before them.

    Weights: as `NGram`, and discounts [n, 3].
    """

    kind = "classical"
    shapes: ClassVar = {**NGram.shapes, "discounts": ("order", "taken")}
    discounts: Tensor

    def check(self) -> None:
        """Raise as `NGram.check`, and unless discounts leave what can be.

        Raises:
            DataError: they do not.
        """
        super().check()
        given = self.discounts
        if given.shape[1] != 3 or not ((given > 0) & (given < torch.arange(1, 4))).all():
            raise DataError("the discounts of an n-gram are not between 0 and what was counted")

    def smoothed(self, levels: Sequence[Level]) -> list[Smoothing]:
        """Return how each level is mixed with the shorter ones."""
        taken = self.discounts.numpy()
        return [Smoothing(level, one) for level, one in zip(levels, taken, strict=True)]


class Histories:
    """Rows that are read with longer and longer histories.

    Args:
        rows: [B, N] symbols.
        predicted: how many of each row's last are predicted.
    """

    def __init__(self, rows: Codes, predicted: int) -> None:
        self._rows, self._told, self._length = rows, predicted, 0
        self._places = self._histories = np.zeros((len(rows), rows.shape[1] + 1), np.int64)

    def start(self, size: int) -> Floats:
        """Return the probabilities that every symbol has before any is counted [B, predicted]."""
        return np.full((len(self._rows), self._told), 1 / size)

    def lengthen(self, level: Level) -> bool:
        """Find the runs of one symbol more; False where no row has as many."""
        n = self._length = self._length + 1
        if n > self._rows.shape[1]:
            return False
        self._histories = self._places[:, :-1]
        self._places = level.find(self._histories, self._rows[:, n - 1 :])
        return True

    def mixed(self, smoothing: Smoothing, shorter: Floats) -> Floats:
        """Return p [B, predicted] by this length; where fewer are before, what they had."""
        last = min(self._told, self._places.shape[1])
        p = shorter.copy()
        p[:, -last:] = smoothing.mix(
            self._places[:, -last:], self._histories[:, -last:], shorter[:, -last:]
        )
        return p
