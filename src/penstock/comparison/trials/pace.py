"""How fast the cells train here, measured before the time of a run is shared out."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

from penstock.comparison.trials.design import Design
from penstock.comparison.trials.workers import one_thread
from penstock.training.loop import Training


@dataclass(frozen=True)
class Pace:
    """Seconds of a step, and of a validation."""

    step: float
    validation: float

    def training(self, steps: int, round_steps: int) -> float:
        """Return the seconds of a whole training, the validation before its first step too."""
        return steps * self.step + (1 + ceil(steps / round_steps)) * self.validation


Paces = Mapping[tuple[str, int], Pace]  # by cell and size
_UNMEASURED = Pace(3600.0, 3600.0)  # where there is no time even for that: too slow for anything


def measure_paces(design: Design, seconds: float) -> Paces:
    """Return the pace of each cell at each size, as far as it could be measured in some seconds.

    Each cell is measured at the smallest size, and the first at larger ones while there is time;
    what is missing is thought to grow as that of the first cell did, or else with the size.
    """
    ends, sizes, cells = time.monotonic() + seconds, design.space.parameters, [*design.cells]
    if seconds <= 0:
        return {(cell, size): _UNMEASURED for cell in cells for size in sizes}
    measured: dict[tuple[str, int], Pace] = {}
    for cell, size in [(cells[0], size) for size in sizes] + [(c, sizes[0]) for c in cells[1:]]:
        if not measured or time.monotonic() < ends:
            measured[cell, size] = measure_pace(design, cell, size, seconds / 4)
    base = measured[cells[0], sizes[0]]

    def pace(cell: str, size: int) -> Pace:
        known = measured.get((cell, size))
        if known:
            return known
        small = measured.get((cell, sizes[0]), base)
        large = measured.get((cells[0], size))
        growth = large.step / base.step if large else size / sizes[0]
        return Pace(small.step * growth, small.validation * growth)

    return {(cell, size): pace(cell, size) for cell in cells for size in sizes}


def measure_pace(design: Design, cell: str, size: int, limit: float) -> Pace:
    """Return the pace of a cell at a size; see `penstock.training.loop.Training.pace`."""
    setting = replace(design.space.first(), parameters=size)
    with one_thread():
        network = design.task.network(cell, design.structure(cell, setting))
        training = Training(design.task.problem, network, seed=0, budget=design.budget)
        return Pace(*training.pace(limit))
