"""Contestants and comparisons → the verdict in words.

A cell is of use if it beats every baseline beyond doubt, by Holm's correction for the number of
cells. It wins if it beats every other cell too, and the model confidence set holds it alone. Where
it does not, the cells that cannot be told from the best are equals, and of equals the smallest or
the fastest may be the one to take. Below three seeds of each cell nobody wins: the lowest error is
that of the best so far.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from penstock.comparison.judging.choosing import after_choosing
from penstock.comparison.judging.comparisons import Differences, names
from penstock.comparison.judging.equals import equals_of_best
from penstock.record.contestants import CellContestant, Contestant, cells_among
from penstock.record.results import Comparison, Finding, Kind, Verdict

FEWEST_SEEDS = 3  # with fewer no cell wins: luck may decide
_SAME_SIZE = 1.05  # widths are whole numbers, so equal budgets differ by some per cent
_SAME_SPEED = 1.2

Cells = Sequence[CellContestant]


def judge(
    contestants: Sequence[Contestant],
    comparisons: Sequence[Comparison],
    simplest: Sequence[str],
    findings: Sequence[Finding] = (),
    promised: Mapping[str, float] = MappingProxyType({}),
) -> Verdict:
    """Return the verdict on contestants in the order of their rank.

    The baseline to take is the one with the lowest error, and of equal ones the first of
    `simplest`. What a check found that puts the whole comparison in doubt comes before the
    answer, and what a check has to say for the verdict right behind it. `promised` is how much of
    what comes intervals should hold, by the name of the metric that says how much they did.
    """
    cells = [one for one in cells_among(contestants) if one.rank is not None]
    differences = Differences(contestants, comparisons)
    naive = _best_naive(simplest, contestants, differences.score)
    able = differences.useful()
    useful = [cell for cell in cells if cell.name in able]
    if not cells:
        verdict = _failed(contestants, naive)
    elif not useful:
        verdict = _naive_wins(contestants, cells, naive, differences, promised)
    else:
        verdict = _cell_wins(contestants, cells, useful, differences, promised)
    answer, *reasons = verdict.sentences
    sentences = [*_doubts(findings), answer, *_spoken(findings), *reasons]
    return replace(verdict, sentences=sentences)


def _doubts(findings: Sequence[Finding]) -> list[str]:
    return [
        f"Do not trust this comparison yet: {message} ({one.code} {one.name})."
        for one in findings
        if one.grave
        for message in one.messages
    ]


def _spoken(findings: Sequence[Finding]) -> list[str]:
    return [f"{message}." for one in findings if one.spoken for message in one.messages]


def _failed(contestants: Sequence[Contestant], naive: str) -> Verdict:
    words = f"No trial of any cell finished; the best baseline is '{naive}'."
    return Verdict(
        kind="failed",
        best=naive,
        recommended=None,
        sentences=[words, *_lost_words(contestants)],
    )


def _cell_wins(
    contestants: Sequence[Contestant],
    cells: Cells,
    useful: Cells,
    differences: Differences,
    promised: Mapping[str, float],
) -> Verdict:
    best, alike = useful[0], equals_of_best(cells)
    rivals = [
        c
        for c in cells
        if c is not best and (c.name in alike or not differences.below(best.name, c.name))
    ]
    equals = [c for c in useful if c is best or c in rivals]
    smallest, closest = _smallest(best, equals), differences.naive[0]
    kind, answer = _answer(best, cells, rivals, differences)
    return Verdict(
        kind=kind,
        best=best.name,
        recommended=best.name,
        sentences=[
            answer,
            *_missing_words(contestants),
            f"{best.name} beats every baseline: {differences.words(best.name, closest)}.",
            *_chosen_words(best, cells, differences.score),
            *_lost_words(contestants),
            *_seed_words(cells),
            *_size_words(best, smallest, equals),
            *_interval_words(cells, promised),
            *_health_words(cells),
        ],
        smallest=smallest.name,
        times=_speed(best, equals, cells, differences.score),
    )


def _best_naive(simplest: Sequence[str], contestants: Sequence[Contestant], score: str) -> str:
    """Return the baseline with the lowest error; the simplest of those that have the same."""
    errors = {one.name: one.metrics[score] for one in contestants if one.metrics}
    return min(simplest, key=lambda name: errors[name])


def _answer(
    best: CellContestant, cells: Cells, rivals: Cells, differences: Differences
) -> tuple[Kind, str]:
    if few := [cell for cell in cells if len(cell.measured) < FEWEST_SEEDS]:
        return "best so far", _so_far(best, cells, few, differences)
    if rivals:
        return "no clear winner", _unclear(best, rivals, differences)
    return "winner", _clear(best, cells, differences)


def _so_far(best: CellContestant, cells: Cells, few: Cells, differences: Differences) -> str:
    against = _against(best, cells, differences)
    counts = names([f"{len(cell.measured)} of {cell.name}" for cell in few])
    return (
        f"Best so far: {best.name}{against}. This is no winner yet, as luck may decide below "
        f"{FEWEST_SEEDS} seeds of each cell; measured were {counts}."
    )


def _against(best: CellContestant, cells: Cells, differences: Differences) -> str:
    words = "; ".join(differences.words(best.name, c.name) for c in cells if c is not best)
    return f", {words}" if words else ", the only cell compared"


def _clear(best: CellContestant, cells: Cells, differences: Differences) -> str:
    return f"Winner: {best.name}{_against(best, cells, differences)}."


def _missing_words(contestants: Sequence[Contestant]) -> list[str]:
    missing = [one.name for one in contestants if one.rank is None]
    return [f"Not compared, as no trial was measured: {names(missing)}."] if missing else []


def _unclear(best: CellContestant, rivals: Cells, differences: Differences) -> str:
    words = "; ".join(differences.words(best.name, one.name) for one in rivals)
    who = names([one.name for one in rivals])
    return f"No clear winner: {best.name} cannot be told apart from {who}: {words}."


def _naive_wins(
    contestants: Sequence[Contestant],
    cells: Cells,
    naive: str,
    differences: Differences,
    promised: Mapping[str, float],
) -> Verdict:
    reasons = [f"{c.name}: {differences.words(c.name, naive)}." for c in cells]
    take = f"Take '{naive}', which has the lowest error of the baselines."
    sentences = [*reasons, *_lost_words(contestants), *_seed_words(cells)]
    sentences += [*_interval_words(cells, promised), *_health_words(cells), take]
    if all(differences.above(cell.name, naive) for cell in cells):
        head = f"The baseline '{naive}' beats every cell."
        return Verdict("a baseline is better", naive, None, [head, *sentences])
    head = _unbeaten(cells, naive, differences)
    return Verdict("nothing beats the baselines", naive, None, [head, *sentences])


def _unbeaten(cells: Cells, naive: str, differences: Differences) -> str:
    """Say that no cell beats all; which one stands in the way where it is not the best by error."""
    if not any(differences.below(cell.name, naive) for cell in cells):
        return f"Nothing beats the baseline '{naive}' beyond doubt."
    best = cells[0].name
    others = [f"'{name}'" for name in differences.naive if not differences.below(best, name)]
    why = f": {best} cannot be told from {names(others)}" if others else ""
    return f"No cell beats every baseline beyond doubt{why}."


def _chosen_words(best: CellContestant, cells: Cells, score: str) -> list[str]:
    """Say how good the best is where other data chose it, if that is worse than the table says."""
    known, expected = best.metrics[score], after_choosing(cells)
    if expected is None or f"{expected:.3g}" == f"{known:.3g}" or expected < known:
        return []
    return [
        f"Being the best of {len(cells)} cells is luck in part: on stretches of the test that did "
        f"not choose it, the best has {score} {expected:.3g} ({known:.3g} in the table)."
    ]


def _lost_words(contestants: Sequence[Contestant]) -> list[str]:
    """Say which trials came to no end of their own, and what was made of them."""
    sentences = []
    for status, head in (("diverged", "diverged"), ("failed", "failed"), ("cut", "were cut short")):
        for measured, what in ((False, ""), (True, ", measured with their best weights")):
            counts = {
                one.name: sum(t.status == status and t.measured == measured for t in one.trials)
                for one in cells_among(contestants)
            }
            if lost := [f"{name} ({count})" for name, count in counts.items() if count]:
                sentences.append(f"Trials that {head}{what}: {', '.join(lost)}.")
    return sentences


def _interval_words(cells: Cells, promised: Mapping[str, float]) -> list[str]:
    """Say how much of what came lay in the intervals."""
    return [
        f"The {share:.0%} interval held ".replace("%", " %")
        + names([f"{100 * one.metrics[metric]:.0f} % ({one.name})" for one in cells])
        + " of the test values."
        for metric, share in promised.items()
        if metric in cells[0].metrics
    ]


def _health_words(cells: Cells) -> list[str]:
    """Say how far back each cell remembers, and what becomes of its gradient."""
    known = [(cell.name, cell.health) for cell in cells if cell.health]
    spans = [
        f"{name} {h['span']:.3g}" if h["span"] is not None else f"{name} over {h['steps']}"
        for name, h in known
    ]
    grown = [f"{name} {h['growth']:.3g}" for name, h in known if h["growth"] is not None]
    words = [f"An input counts for less than 1 % after (steps): {', '.join(spans)}."]
    if grown:
        words.append(f"Gradients grow with each step back by the factor: {', '.join(grown)}.")
    return words if known else []


def _seed_words(cells: Cells) -> list[str]:
    if min(len(cell.blocks) for cell in cells) < 2:
        return ["With one seed the spread over seeds is unknown: the intervals leave it out."]
    return []


def _smallest(best: CellContestant, equals: Cells) -> CellContestant:
    """Return the one with clearly the fewest parameters, or else FLOPs; or else the best."""
    for cost in ("parameters", "flops_per_step"):
        least = min(equals, key=lambda one: getattr(one, cost))
        if getattr(least, cost) * _SAME_SIZE < getattr(best, cost):
            return least
    return best


def _size_words(best: CellContestant, smallest: CellContestant, equals: Cells) -> list[str]:
    cost = f"{best.name} has {best.parameters:,} parameters and takes {best.flops_per_step:,} FLOPs"
    if len(equals) == 1:
        return [f"{cost} a step."]
    if smallest is best:
        return [f"{cost} a step; no cell that cannot be told from it is clearly smaller."]
    return [
        f"{cost} a step; where size counts, take {smallest.name}, which cannot be told from it: "
        f"{smallest.parameters:,} parameters, {smallest.flops_per_step:,} FLOPs a step."
    ]


def _speed(
    best: CellContestant,
    equals: Cells,
    cells: Cells,
    score: str,
) -> dict[str, object]:
    """Return what rests on measured time, kept apart as it differs from run to run."""
    timed = [one for one in equals if one.times]
    if best not in timed:
        return {}
    fastest = min(timed, key=lambda one: one.times["predict"])
    ratio = best.times["predict"] / fastest.times["predict"]
    if ratio < _SAME_SPEED:
        fastest = best
    words = (
        f"{best.name} predicts all test windows in {_seconds(best.times['predict'])} and takes "
        f"{_seconds(best.times['step'])} a training step"
    )
    if fastest is not best:
        words += f"; where speed counts, take {fastest.name}, {ratio:.2g} times as fast to predict"
    elif len(timed) > 1:
        words += "; no cell that cannot be told from it is clearly faster"
    clock = min((c for c in cells if c.times), key=lambda c: _at_clock(c, score))
    same = f"Within the time of the fastest cell's training, {clock.name} has the lowest {score}"
    return {"fastest": fastest.name, "sentences": [f"{words}.", f"{same}."]}


def _at_clock(one: CellContestant, score: str) -> float:
    value: float = one.times["same_clock"]["metrics"][score]
    return value


def _seconds(value: float) -> str:
    return f"{value:.2g} s" if value >= 1 else f"{1000 * value:.2g} ms"
