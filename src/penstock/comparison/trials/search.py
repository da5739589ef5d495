"""The search: the same number of settings for every cell, the poor dropped, the best kept.

A generation of settings is trained for a sixth of the rounds, the best third of it for half of
them, and the best third of that to the end: successive halving (Jamieson & Talwalkar 2016,
arXiv:1502.07943), for every cell by itself. All trials of a rung end before the next begins, so
what is dropped does not depend on which ended first: it is the same on any number of workers, and
in a run that goes on where another was cut off.

A tournament does so with the cells: all of them begin, and after each rung the better half by
validation loss goes on, until few enough are left for the search.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, log
from typing import Any

from penstock.comparison.trials.design import Design, Rung
from penstock.comparison.trials.space import Sampler
from penstock.comparison.trials.trial import Job
from penstock.comparison.trials.workers import Outcome
from penstock.record.contestants import Trial
from penstock.record.structure import Setting

RUNGS = 1 / 6, 1 / 2, 1.0  # of the rounds of a training
_KEPT = 1 / 3  # of the settings of a rung
_TOURNAMENT = 0.125, 0.25, 0.5
_TOURNAMENT_RATES = 3
_SEED = 0  # of what the samplers draw
Train = Callable[[Sequence[Rung]], list[Outcome]]  # the trials of the rungs that fit into the time


@dataclass
class Search:
    """One search for every cell.

    Attributes:
        design: of the comparison.
        train: runs rungs, and returns what came out of those that there was time for.
        drop: called with a trial that does not go on.
        trials: the last of each cell and setting.
        standings: of a tournament, how far each cell came, the best first.
    """

    design: Design
    train: Train
    drop: Callable[[Job], None]

    def __post_init__(self) -> None:
        self.trials: dict[tuple[str, Setting], Outcome] = {}
        self.standings: list[dict[str, Any]] = []

    @property
    def _generations(self) -> tuple[int, ...]:
        return self.design.space.generations(self.design.generations)

    @property
    def asked(self) -> int:
        """How many settings of a cell are to be tried."""
        return min(self.design.space.size, sum(self._generations))

    def expected(self) -> int:
        """Return how many trials there are to be, counted anew each time they go on."""
        each = sum(sum(in_rungs(count)) for count in self._generations)
        tournament = sum(cells * settings for cells, settings in _tournament_rungs(self.design))
        return tournament + each * self.design.finalists

    def best(self) -> dict[str, Setting]:
        """Return the setting of each cell, or of each that the tournament left.

        It is the one with the lowest validation loss among all that were tried, and the usual one
        for a cell none of whose trials ended well.
        """
        cells = [*self.design.cells]
        if self.design.finalists < len(cells):
            cells = self._tournament(cells)
        samplers = {cell: Sampler(self.design.space, _SEED) for cell in cells}
        for count in self._generations:
            asked = {cell: sampler.ask(count) for cell, sampler in samplers.items()}
            if not any(asked.values()) or not self._halve(asked, RUNGS):
                break
            for cell, sampler in samplers.items():
                sampler.tell([self._told(cell, setting) for setting in asked[cell]])
        return {cell: self._best_of(cell) for cell in cells}

    def words(self) -> list[str]:
        """Return what the tournament did, for the notes; nothing where there was none."""
        if not self.standings:
            return []
        out = len(self.standings) - self.design.finalists
        return [
            f"a tournament of {len(self.standings)} cells: {out} fell behind by validation loss, "
            f"early in training; {self.design.finalists} were searched and measured"
        ]

    def tried(self, cells: Sequence[str]) -> int:
        """Return how many settings were trained of the cell of which fewest were."""
        return min(sum(cell == name for name, _ in self.trials) for cell in cells)

    def _tournament(self, cells: Sequence[str]) -> list[str]:
        """Return the cells that are left of many, the best first; see above."""
        usual, most = self.design.space.first(), self.design.finalists
        rates = self.design.space.learning_rate
        middle = sorted(rates, key=lambda rate: abs(log(rate / usual.learning_rate)))
        settings = [replace(usual, learning_rate=rate) for rate in middle[:_TOURNAMENT_RATES]]
        going, order = dict.fromkeys(cells, settings), list(cells)
        for share in _TOURNAMENT:
            if len(going) <= most:
                break
            done = self._rung(going, share)
            order = sorted(going, key=self._loss_of)
            kept = order[: max(most, ceil(len(order) / 2)) if done else most]
            self.standings += [self._standing(cell) for cell in reversed(order[len(kept) :])]
            self._drop((c, s) for c in order[len(kept) :] for s in going[c])
            going = {cell: self._best_third(cell, going[cell]) for cell in kept}
        self.standings = [*map(self._standing, order[:most]), *self.standings[::-1]]
        return order[:most]

    def _standing(self, cell: str) -> dict[str, Any]:
        """Return how far a cell came in the tournament, for the record."""
        rounds = [len(trial.losses) - 1 for (name, _), (_, trial) in self.trials.items()
                  if name == cell and trial.losses]  # fmt: skip
        loss = self._loss_of(cell)
        return {
            "cell": cell,
            "rounds": max(rounds, default=0),
            "loss": loss if loss < inf else None,
        }

    def _halve(self, asked: Mapping[str, Sequence[Setting]], shares: Iterable[float]) -> bool:
        """Train settings rung by rung; return whether there was time for all of it."""
        going = dict(asked)
        for share in shares:
            if not self._rung(going, share):
                return False
            going = {
                cell: settings if share == 1 else self._best_third(cell, settings)
                for cell, settings in going.items()
            }
        return True

    def _rung(self, going: Mapping[str, Sequence[Setting]], share: float) -> bool:
        """Train for a share of the rounds; a setting of each cell, then the next of each."""
        until = max(1, ceil(share * self.design.budget.rounds)) if share < 1 else None
        most = max(map(len, going.values()))
        rungs = [
            [self.design.tuning(cell, of[k], until) for cell, of in going.items() if k < len(of)]
            for k in range(most)
        ]
        outcomes = self.train(rungs)
        for job, trial in outcomes:
            self.trials[job.cell, job.setting] = job, trial
        return len(outcomes) == sum(map(len, rungs))

    def _best_third(self, cell: str, settings: Sequence[Setting]) -> list[Setting]:
        order = sorted(settings, key=lambda setting: self._told(cell, setting)[2])
        kept = order[: ceil(_KEPT * len(order))]
        self._drop((cell, setting) for setting in order if setting not in kept)
        return kept

    def _drop(self, dropped: Iterable[tuple[str, Setting]]) -> None:
        for key in dropped:
            if key in self.trials:
                self.drop(self.trials[key][0])

    def _told(self, cell: str, setting: Setting) -> tuple[Setting, int, float]:
        """Return a setting, its rounds, and its best validation loss, ∞ where it has none."""
        if (cell, setting) not in self.trials:
            return setting, 0, inf
        _, trial = self.trials[cell, setting]
        return setting, max(0, len(trial.losses) - 1), _loss(trial)

    def _of(self, cell: str) -> Iterator[tuple[float, Setting]]:
        for (name, setting), (_, trial) in self.trials.items():
            if name == cell and _loss(trial) < inf:
                yield _loss(trial), setting

    def _loss_of(self, cell: str) -> float:
        return min((loss for loss, _ in self._of(cell)), default=inf)

    def _best_of(self, cell: str) -> Setting:
        best = min(self._of(cell), key=lambda pair: pair[0], default=None)
        return self.design.space.first() if best is None else best[1]


def in_rungs(count: int) -> tuple[int, ...]:
    """Return how many of so many settings are in each of the rungs."""
    left = [count]
    for _ in RUNGS[1:]:
        left.append(ceil(_KEPT * left[-1]))
    return tuple(left)


def whole_trainings(design: Design, generations: Sequence[int]) -> tuple[float, float]:
    """Return how many whole trainings a tournament is, and the search of each that it leaves."""
    tournament = [cells * each for cells, each in _tournament_rungs(design)]
    searched = sum(_whole(in_rungs(count), RUNGS) for count in generations)
    return _whole(tournament, _TOURNAMENT), searched


def _whole(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Return how many whole trainings rungs are that go on to a share of one each."""
    gone = zip(counts, (0.0, *shares), shares, strict=False)  # a tournament may end before its last
    return sum(count * (share - before) for count, before, share in gone)


def _tournament_rungs(design: Design) -> Iterator[tuple[int, int]]:
    """Give the cells and the settings of each of the rungs of a tournament."""
    cells, settings = len(design.cells), _TOURNAMENT_RATES
    for _ in _TOURNAMENT:
        if cells <= design.finalists:
            return
        yield cells, settings
        cells, settings = max(design.finalists, ceil(cells / 2)), ceil(_KEPT * settings)


def _loss(trial: Trial) -> float:
    """Return the best validation loss, ∞ for a trial that failed or diverged."""
    return inf if trial.status in ("failed", "diverged") else trial.best_loss
