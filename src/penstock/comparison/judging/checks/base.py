"""What a check is, and what it is given."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from penstock.comparison.judging.comparisons import Differences
from penstock.record.contestants import CellContestant, Contestant, baselines_among, cells_among
from penstock.record.results import Comparison
from penstock.tasks.evidence import Evidence
from penstock.tasks.task import Task


@dataclass(frozen=True)
class Case:
    """A comparison, as the checks see it.

    Attributes:
        task: bound to the data.
        contestants: by rank.
        comparisons: of each with each.
        baselines: their names, the simplest first.
        rounds: of a training at most.
    """

    task: Task
    contestants: Sequence[Contestant]
    comparisons: Sequence[Comparison]
    baselines: Sequence[str]
    rounds: int

    @cached_property
    def evidence(self) -> Evidence:
        """What the task tells about its data."""
        return self.task.problem.evidence()

    @cached_property
    def table(self) -> Differences:
        """The comparisons by name."""
        return Differences(self.contestants, self.comparisons)

    @property
    def cells(self) -> list[CellContestant]:
        """The cells with a result, by rank."""
        return [one for one in cells_among(self.contestants) if one.rank is not None]

    @property
    def cells_with_result(self) -> list[CellContestant]:
        """The cells with a result, by rank.

        Raises:
            NotApplicable: there is none.
        """
        if not self.cells:
            raise NotApplicable("no trial of any cell finished")
        return self.cells

    @property
    def guesses(self) -> list[str]:
        """The baselines that never look at the input, the simplest first."""
        kinds = {one.name: one.kind for one in baselines_among(self.contestants)}
        return [name for name in self.baselines if kinds[name] == "blind"]


Look = Callable[[Case], Iterator[str]]


class NotApplicable(Exception):  # noqa: N818  (a check says it, and nothing is wrong)
    """A check has nothing to look at; the message says why. That is not a pass."""


@dataclass(frozen=True)
class Check:
    """A check.

    Attributes:
        code, name: by which it is known.
        grave: where it fires, the comparison itself cannot be trusted.
        spoken: where it fires, the verdict says so among its reasons.
        look: gives a sentence for each thing that it finds.
    """

    code: str
    name: str
    grave: bool
    spoken: bool
    look: Look


CHECKS: list[Check] = []


def check(
    code: str, name: str, *, grave: bool = False, spoken: bool = False
) -> Callable[[Look], Look]:
    """Enter a function into the list of checks."""

    def enter(look: Look) -> Look:
        CHECKS.append(Check(code, name, grave, spoken, look))
        return look

    return enter
