"""What a comparison consists of: the same search for every cell, then the same seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from penstock.cells import Cell
from penstock.comparison.trials.budget import structure_of
from penstock.comparison.trials.space import Space
from penstock.comparison.trials.trial import Job, Purpose
from penstock.record.structure import Setting, Structure
from penstock.tasks.task import Task
from penstock.training.loop import Budget

Rung = Sequence[Job]
TUNING_SEED = 1_000_000  # none of those that are measured


@dataclass(frozen=True)
class Design:
    """The trials of a comparison.

    Attributes:
        task: bound to the data.
        cells: by name.
        seeds: trials of each cell that are measured.
        budget: of each trial, but for the learning rate.
        space: what the search may try.
        generations: settings that the search tries at a time, for each cell.
        bidirectional: whether layers read from the end as well.
        entrants: cells that a tournament leaves for the search; None where there is none.
        resplits: other splits of the data, on each of which each cell is trained once.
    """

    task: Task
    cells: Mapping[str, type[Cell]]
    seeds: int
    budget: Budget
    space: Space
    generations: tuple[int, ...] = ()
    bidirectional: bool = False
    entrants: int | None = None
    resplits: int = 0

    @property
    def finalists(self) -> int:
        """How many cells are searched and measured."""
        return len(self.cells) if self.entrants is None else min(self.entrants, len(self.cells))

    def tuning(self, cell: str, setting: Setting, until: int | None = None) -> Job:
        """Return a trial of the search, which pauses after `until` rounds."""
        return replace(self._job(cell, TUNING_SEED, setting, "tuning"), until=until)

    def testing(self, settings: Mapping[str, Setting]) -> list[Rung]:
        """Return the rungs that are measured, one a seed, each cell with its setting."""
        return [
            [self._job(cell, seed, setting, "test") for cell, setting in settings.items()]
            for seed in range(self.seeds)
        ]

    def resplit(self, number: int) -> "Design":
        """Return the design of one training of each cell, on another split of the data."""
        return replace(self, task=self.task.resplit(number), seeds=1, resplits=0)

    def record(self) -> dict[str, Any]:
        """Return the budgets, for the record."""
        budget = {k: v for k, v in vars(self.budget).items() if k != "learning_rate"}
        tried = {name: list(of) for name, of in self.space.choices().items()}
        return {**budget, "tried": tried}

    def structure(self, cell: str, setting: Setting) -> Structure:
        """Return the structure of a cell's network in a setting."""
        key = cell, setting.parameters, setting.layers
        if key not in self._widths:
            whole = structure_of(self.task, cell, setting, bidirectional=self.bidirectional)
            self._widths[key] = whole.width
        return Structure(
            self._widths[key], setting.layers, self.bidirectional, setting.dropout, setting.context
        )

    @cached_property
    def _widths(self) -> dict[tuple[str, int, int], int]:
        return {}

    def _job(self, cell: str, seed: int, setting: Setting, purpose: Purpose) -> Job:
        budget = replace(self.budget, learning_rate=setting.learning_rate)
        structure = self.structure(cell, setting)
        return Job.make(
            self.task, self._fingerprint, cell, structure, seed, budget, purpose,
            setting.parameters,
        )  # fmt: skip

    @cached_property
    def _fingerprint(self) -> str:
        return self.task.data.fingerprint()
