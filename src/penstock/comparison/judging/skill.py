"""Comparisons on many data sets → how good each contestant is on data of this kind.

As fev-bench has it (Shchur et al. 2025, arXiv:2509.26468): win rates, and skill beside a baseline,
with intervals over the data sets by the bootstrap. Another data set differs by more than another
test part does, so nothing else is said of data that nobody has compared on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.errors import ArgumentError
from penstock.record.contestants import Bounds, baselines_among
from penstock.record.results import Record

_CLIPPED = 1e-2, 100.0  # an error beside the baseline's: no single data set decides
_DRAWS, _SEED = 10_000, 0
_FEWEST = 5  # data sets for an interval
_BESIDE = "seasonal naive", "most frequent class"  # where it was measured; else the first baseline


@dataclass(frozen=True)
class Skill:
    """A contestant over data sets.

    Attributes:
        name: of the contestant.
        wins: in how large a share of data sets it beats another contestant, of all of these; a tie
            is half a win.
        skill: 1 − the geometric mean of its error beside that of a baseline, whose own skill is 0.
        wins_interval, skill_interval: of 95 %, for other data sets of the kind; None where there
            are fewer than five.
    """

    name: str
    wins: float
    skill: float
    wins_interval: Bounds | None
    skill_interval: Bounds | None


@dataclass(frozen=True)
class Skills:
    """Contestants over data sets.

    Attributes:
        score: the error that is compared.
        beside: the baseline whose skill is 0.
        contestants: by skill, the best first.
        left_out: those that were not measured on every data set.
    """

    score: str
    beside: str
    contestants: list[Skill]
    left_out: list[str]


def skills(records: Mapping[str, Record]) -> Skills:
    """Return what comparisons say together, given by a name for each; of one task, two or more.

    Raises:
        ArgumentError: they are of different tasks, or share no baseline, or no two contestants.
    """
    first, *others = records
    score = records[first].metrics[0]
    for name in others:
        _check_alike(first, records[first], name, records[name])
    errors = {name: _errors(record) for name, record in records.items()}
    common = [one for one in errors[first] if all(one in of for of in errors.values())]
    every = sorted({one for of in errors.values() for one in of})
    baselines = [one.name for one in baselines_among(records[first].contestants)]
    beside = next((one for one in (*_BESIDE, *baselines) if one in common), None)
    if beside is None or len(common) < 2:
        raise ArgumentError("the comparisons have no baseline in common, or no contestant beside")
    table = np.array([[of[one] for one in common] for of in errors.values()])
    wins, ratios = _wins(table), _beside(table, common.index(beside))
    drawn = np.random.default_rng(_SEED).integers(len(table), size=(_DRAWS, len(table)))
    found = [
        Skill(
            one,
            float(wins[:, k].mean()),
            1 - float(np.exp(ratios[:, k].mean())),
            _interval(wins[drawn, k].mean(axis=1)) if len(table) >= _FEWEST else None,
            _interval(1 - np.exp(ratios[drawn, k].mean(axis=1))) if len(table) >= _FEWEST else None,
        )
        for k, one in enumerate(common)
    ]
    found.sort(key=lambda one: -one.skill)
    return Skills(score, beside, found, [one for one in every if one not in common])


def _check_alike(first: str, one: Record, second: str, other: Record) -> None:
    """Raise unless two comparisons are of one task: scores of two tasks may have one name."""
    if other.metrics[0] != one.metrics[0]:
        how = f"compares by {one.metrics[0]}, and {second} by {other.metrics[0]}"
    elif other.task != one.task:
        how = f"is of the task {one.task}, and {second} of {other.task}"
    else:
        return
    raise ArgumentError(f"{first} {how}; give comparisons of one task")


def _errors(record: Record) -> dict[str, float]:
    """Return the score of each contestant that was measured."""
    score = record.metrics[0]
    return {one.name: one.metrics[score] for one in record.contestants if one.rank is not None}


def _wins(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return of each data set and contestant the share of the others that it beats."""
    mine, theirs = table[:, :, None], table[:, None, :]
    won = (mine < theirs) + 0.5 * (mine == theirs)
    shares: NDArray[np.float64] = (won.sum(axis=2) - 0.5) / (table.shape[1] - 1)  # without itself
    return shares


def _beside(table: NDArray[np.float64], place: int) -> NDArray[np.float64]:
    """Return the logarithm of each error beside that of one contestant, 0 beside an equal one."""
    tiny = np.finfo(np.float64).tiny  # of two errors of 0 neither is better
    logs = np.log(np.maximum(table, tiny))  # whose difference no floats are too small for
    beside: NDArray[np.float64] = np.clip(logs - logs[:, [place]], *np.log(_CLIPPED))
    return beside


def _interval(values: NDArray[np.float64]) -> Bounds:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
