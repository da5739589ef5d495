"""What a comparison consists of: the same trials for every cell, as rungs of jobs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from penstock.cells import Cell
from penstock.comparison.trials.budget import PARAMETERS, choose_width
from penstock.comparison.trials.schedule import TUNING_SEED, Rung
from penstock.comparison.trials.trial import Job, Purpose
from penstock.tasks.task import Task
from penstock.training.loop import Budget


@dataclass(frozen=True)
class Design:
    """The trials of a comparison.

    Attributes:
        task: bound to the data.
        cells: by name.
        seeds: trials of each cell that are measured.
        budget: of each trial, but for the learning rate.
        learning_rates: to try for each cell; a single one is taken as it is.
    """

    task: Task
    cells: Mapping[str, type[Cell]]
    seeds: int
    budget: Budget
    learning_rates: tuple[float, ...]

    @cached_property
    def widths(self) -> dict[str, int]:
        """The width that gives each cell the same number of parameters."""
        return {cell: choose_width(self.task, cell, PARAMETERS) for cell in self.cells}

    def tuning(self) -> list[Rung]:
        """Return the rungs that tune the learning rate, one a rate."""
        if len(self.learning_rates) == 1:
            return []
        return [
            [self._job(cell, TUNING_SEED, rate, "tuning") for cell in self.cells]
            for rate in self.learning_rates
        ]

    def testing(self, rates: Mapping[str, float]) -> list[Rung]:
        """Return the rungs that are measured, one a seed, with each cell's learning rate."""
        return [
            [self._job(cell, seed, rates[cell], "test") for cell in self.cells]
            for seed in range(self.seeds)
        ]

    def record(self) -> dict[str, Any]:
        """Return the budgets, for the record."""
        budget = {k: v for k, v in vars(self.budget).items() if k != "learning_rate"}
        rates = sorted(self.learning_rates)
        return {**budget, "parameters": PARAMETERS, "learning_rates": rates}

    def _job(self, cell: str, seed: int, rate: float, purpose: Purpose) -> Job:
        budget, width = replace(self.budget, learning_rate=rate), self.widths[cell]
        return Job.make(self.task, self._fingerprint, cell, width, seed, budget, purpose)

    @cached_property
    def _fingerprint(self) -> str:
        return self.task.data.fingerprint()
