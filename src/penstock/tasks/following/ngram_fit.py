"""N-grams fitted: counted in the training part, order and smoothing chosen on validation data."""

from dataclasses import dataclass, field

import numpy as np
import torch

from penstock.tasks.following.counting import (
    Codes,
    Counter,
    Floats,
    Level,
    Smoothing,
    discounts,
)
from penstock.tasks.following.ngram import Bigram, Histories, KneserNey, NGram, Unigram, WittenBell
from penstock.tasks.methods import Method, Sizes

LONGEST = 12  # symbols of a run
MOST_COUNTED = 10_000_000  # symbols at the end of the training part
_SHORTEST = 3  # below it n-grams have names of their own
_WORTH = 0.998  # a longer run must lower the loss by two thousandths
_IN_VAIN = 2  # lengths without a better loss before no longer runs are counted
_OTHER = " Kneser-Ney"

NAMES: dict[str, type[NGram]] = {
    "1-gram": Unigram,
    "2-gram": Bigram,
    **{f"{n}-gram": WittenBell for n in range(_SHORTEST, LONGEST + 1)},
    **{f"{n}-gram{_OTHER}": KneserNey for n in range(_SHORTEST, LONGEST + 1)},
}


def fit(sizes: Sizes, codes: Codes, rows: Codes, predicted: int) -> dict[str, Method]:
    """Return the 1-gram, the 2-gram, and the n-gram that predicts validation data best.

    Args:
        sizes: {"outputs": the number of symbols}.
        codes: [N], the training part.
        rows: [B, predicted or more] symbols of the validation part; the last `predicted` count.
        predicted: see there.
    """
    race = _Race(Counter(codes[-MOST_COUNTED:], sizes["outputs"]), Histories(rows, predicted))
    race.run()
    levels, best = race.counter.levels, race.best
    chosen: NGram
    if best.continued:
        runs = [*best.continued, levels[best.order - 1]]
        taken = np.stack([discounts(one.counts) for one in runs])
        chosen = KneserNey.of_levels(sizes, runs, discounts=torch.from_numpy(taken))
    else:
        chosen = WittenBell.of_levels(sizes, levels[: best.order])
    return {
        "1-gram": Unigram.of_levels(sizes, levels[:1]),
        "2-gram": Bigram.of_levels(sizes, levels[:2]),
        f"{best.order}-gram{_OTHER if best.continued else ''}": chosen,
    }


@dataclass(frozen=True)
class _Best:
    """The best so far: its loss, its order, and of Kneser–Ney the counts of its shorter runs."""

    loss: float = float("inf")
    order: int = 0
    continued: tuple[Level, ...] = ()


@dataclass
class _Race:
    """Longer and longer runs, with both ways to smooth them, read on validation data."""

    counter: Counter
    reading: Histories
    best: _Best = field(default_factory=_Best)

    def run(self) -> None:
        """Lengthen runs until that does not help."""
        wb = kn = self.reading.start(self.counter.size)
        continued: list[Level] = []
        while (order := len(self.counter.levels)) < min(LONGEST, self.counter.longest):
            if order >= self.best.order + _IN_VAIN and order > _SHORTEST:
                return
            level, shorter = self.counter.lengthen()
            if shorter is not None:
                kn = self.reading.mixed(Smoothing(shorter, discounts(shorter.counts)), kn)
                continued.append(shorter)
            self.reading.lengthen(level)
            wb = self.reading.mixed(Smoothing(level), wb)
            self._hear(wb, order + 1, ())
            top = self.reading.mixed(Smoothing(level, discounts(level.counts)), kn)
            self._hear(top, order + 1, tuple(continued))

    def _hear(self, p: Floats, order: int, continued: tuple[Level, ...]) -> None:
        loss = -float(np.log(p).mean())
        if order == _SHORTEST and not continued:
            self.best = _Best(loss, order)
        elif order >= _SHORTEST and loss < _WORTH * self.best.loss:
            self.best = _Best(loss, order, continued)
