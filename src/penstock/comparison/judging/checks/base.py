"""What a check is, and what it is given."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from penstock.comparison.judging.comparisons import Table
from penstock.record.results import Comparison, Contestant
from penstock.tasks import Task
from penstock.tasks.evidence import Evidence


@dataclass(frozen=True)
class Case:
    """A comparison, as the checks see it.

    Attributes:
        task: bound to the data.
        contestants: by rank.
        comparisons: of each with each.
        naive: names of the naive methods, the simplest first.
        rounds: of a training at most.
    """

    task: Task
    contestants: Sequence[Contestant]
    comparisons: Sequence[Comparison]
    naive: Sequence[str]
    rounds: int

    @cached_property
    def evidence(self) -> Evidence:
        """What the task tells about its data."""
        return self.task.problem.evidence()

    @cached_property
    def table(self) -> Table:
        """The comparisons by name."""
        return Table(self.contestants, self.comparisons)

    @property
    def cells(self) -> list[Contestant]:
        """The cells with a result, by rank."""
        return [one for one in self.contestants if one.kind == "cell" and one.rank is not None]


Look = Callable[[Case], Iterator[str]]


@dataclass(frozen=True)
class Check:
    """A check: its code and name, whether it puts all in doubt, and how it looks."""

    code: str
    name: str
    grave: bool
    look: Look


CHECKS: list[Check] = []


def check(code: str, name: str, *, grave: bool = False) -> Callable[[Look], Look]:
    """Enter a function into the list of checks."""

    def enter(look: Look) -> Look:
        CHECKS.append(Check(code, name, grave, look))
        return look

    return enter
