"""What decides: from contestants and their differences to the answer, without a word of it.

A cell is of use if it beats every baseline beyond doubt, by Holm's correction for the number of
cells. The best of these wins if it beats each other cell too (`Differences.winner`). If not, the
cells that the model confidence set keeps, and those that it does not beat beyond doubt, are its
rivals, and of equals the smallest or the fastest may be the one to take. Below three seeds of each
cell nobody wins: the best of use is the best so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.comparison.judging.comparisons import Differences
from penstock.comparison.judging.equals import equals_of_best
from penstock.record.contestants import CellContestant, Contestant, cells_among
from penstock.record.results import Kind

FEWEST_SEEDS = 3  # with fewer no cell wins: luck may decide
_SAME_SIZE = 1.05  # widths are whole numbers, so equal budgets differ by some per cent
_SAME_SPEED = 1.2

Cells = Sequence[CellContestant]


@dataclass(frozen=True)
class Decision:
    """The answer, and what it rests on.

    Attributes:
        kind: as `Verdict.kind`.
        naive: the baseline to take where no cell is.
        cells: those with a result, by rank.
        best: the cell to take, or None.
        rivals: the cells that cannot be told from it.
        equals: it, and those of its rivals that are of use.
        few: the cells with too few seeds for a winner.
    """

    kind: Kind
    naive: str
    cells: Cells
    best: CellContestant | None = None
    rivals: Cells = ()
    equals: Cells = ()
    few: Cells = ()


def decide(
    contestants: Sequence[Contestant], differences: Differences, simplest: Sequence[str]
) -> Decision:
    """Return what follows from contestants in the order of their rank.

    The baseline to take is the one with the lowest error, and of equal ones the first of
    `simplest`.
    """
    cells = [one for one in cells_among(contestants) if one.rank is not None]
    errors = {one.name: one.metrics[differences.score] for one in contestants if one.metrics}
    naive = min(simplest, key=lambda name: errors[name])
    if not cells:
        return Decision("failed", naive, cells)
    able = differences.useful()
    useful = [cell for cell in cells if cell.name in able]
    if useful:
        return _of_use(cells, useful, naive, differences)
    if all(differences.above(cell.name, naive) for cell in cells):
        return Decision("a baseline is better", naive, cells)
    return Decision("nothing beats the baselines", naive, cells)


def _of_use(cells: Cells, useful: Cells, naive: str, differences: Differences) -> Decision:
    best, alike = useful[0], equals_of_best(cells)
    wins = differences.winner == best.name
    rivals = [
        one
        for one in cells
        if one is not best
        and not wins
        and (one.name in alike or not differences.below(best.name, one.name))
    ]
    few = [cell for cell in cells if len(cell.measured) < FEWEST_SEEDS]
    kind: Kind = "best so far" if few else "winner" if wins else "no clear winner"
    equals = [cell for cell in useful if cell is best or cell in rivals]
    return Decision(kind, naive, cells, best, rivals, equals, few)


def smallest(best: CellContestant, equals: Cells) -> CellContestant:
    """Return the one with clearly the fewest parameters, or else FLOPs; or else the best."""
    for cost in ("parameters", "flops_per_step"):
        least = min(equals, key=lambda one: getattr(one, cost))
        if getattr(least, cost) * _SAME_SIZE < getattr(best, cost):
            return least
    return best


def fastest(best: CellContestant, equals: Cells) -> CellContestant:
    """Return the one that is clearly the quickest to predict; or else the best."""
    quickest = min((one for one in equals if one.times), key=lambda one: one.times["predict"])
    ratio: float = best.times["predict"] / quickest.times["predict"]
    return best if ratio < _SAME_SPEED else quickest
