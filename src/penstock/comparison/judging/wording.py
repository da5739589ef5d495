"""What says it: a decision → the verdict's sentences."""

from collections.abc import Mapping, Sequence

from penstock.comparison.judging.choosing import expected_of_best
from penstock.comparison.judging.comparisons import Differences, names
from penstock.comparison.judging.deciding import (
    FEWEST_SEEDS,
    Cells,
    Decision,
    fastest,
    smallest,
)
from penstock.record.contestants import CellContestant, Contestant, cells_among
from penstock.record.results import Finding

Promised = Mapping[str, float]  # how much intervals should hold, by the metric that says they did


def failed_words(decision: Decision, contestants: Sequence[Contestant]) -> list[str]:
    """Say that nothing was trained to the end."""
    words = f"No trial of any cell finished; the best baseline is '{decision.naive}'."
    return [words, *_lost_words(contestants)]


def cell_words(
    decision: Decision,
    best: CellContestant,
    contestants: Sequence[Contestant],
    differences: Differences,
    promised: Promised,
) -> list[str]:
    """Say which cell to take, and why."""
    cells, closest = decision.cells, differences.naive[0]
    return [
        _answer(decision, best, differences),
        *_lower_words(best, cells),
        *_missing_words(contestants),
        f"{best.name} beats every baseline: {differences.words(best.name, closest)}.",
        *_chosen_words(best, cells, differences.score),
        *_lost_words(contestants),
        *_seed_words(cells),
        *_size_words(best, smallest(best, decision.equals), decision.equals),
        *_interval_words(cells, promised),
        *_health_words(cells),
    ]


def naive_words(
    decision: Decision,
    contestants: Sequence[Contestant],
    differences: Differences,
    promised: Promised,
) -> list[str]:
    """Say that no cell is worth it, and why."""
    cells, naive = decision.cells, decision.naive
    head = f"The baseline '{naive}' beats every cell."
    if decision.kind != "a baseline is better":
        head = _unbeaten(cells, naive, differences)
    return [
        head,
        *(f"{c.name}: {differences.words(c.name, naive)}." for c in cells),
        *_lost_words(contestants),
        *_seed_words(cells),
        *_interval_words(cells, promised),
        *_health_words(cells),
        f"Take '{naive}', which has the lowest error of the baselines.",
    ]


def doubts(findings: Sequence[Finding]) -> list[str]:
    """Say what puts the whole comparison in doubt."""
    return [
        f"Do not trust this comparison yet: {message} ({one.code} {one.name})."
        for one in findings
        if one.grave
        for message in one.messages
    ]


def spoken(findings: Sequence[Finding]) -> list[str]:
    """Say what checks have to say for the verdict."""
    return [f"{message}." for one in findings if one.spoken for message in one.messages]


def _answer(decision: Decision, best: CellContestant, differences: Differences) -> str:
    if decision.kind == "best so far":
        return _so_far(best, decision.cells, decision.few, differences)
    if decision.kind == "winner" and len(decision.cells) == 1:
        return f"{best.name}, the only cell compared, is worth it."
    if decision.kind == "winner":
        return f"Winner: {best.name}{_against(best, decision.cells, differences)}."
    return _unclear(best, decision.rivals, differences)


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


def _missing_words(contestants: Sequence[Contestant]) -> list[str]:
    missing = [one.name for one in contestants if one.rank is None]
    return [f"Not compared, as no trial was measured: {names(missing)}."] if missing else []


def _unclear(best: CellContestant, rivals: Cells, differences: Differences) -> str:
    """Say which cells may be as good; of some it is better one to one, but not among all."""
    beaten = [one.name for one in rivals if differences.below(best.name, one.name)]
    others = [one.name for one in rivals if one.name not in beaten]
    said = []
    if others:
        words = "; ".join(differences.words(best.name, name) for name in others)
        said.append(f"{best.name} cannot be told apart from {names(others)}: {words}")
    if beaten:
        words = "; ".join(differences.words(best.name, name) for name in beaten)
        said.append(f"judged beside all others, {names(beaten)} may be the best too: {words}")
    return f"No clear winner: {', and '.join(said)}."


def _lower_words(best: CellContestant, cells: Cells) -> list[str]:
    """Name the cells of lower error that are not taken: what they reach is less sure."""
    lower = [one.name for one in cells[: cells.index(best)]]
    if not lower:
        return []
    are = "has a lower error, but is" if len(lower) == 1 else "have lower errors, but are"
    return [f"{names(lower)} {are} not better than every baseline beyond doubt."]


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
    known, expected = best.metrics[score], expected_of_best(cells)
    if expected is None or f"{expected:.3g}" == f"{known:.3g}" or expected < known:
        return []
    return [
        f"Being the best of {len(cells)} cells is luck in part: on seeds and stretches of the test "
        f"that did not choose it, the best has {score} {expected:.3g} ({known:.3g} in the table)."
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


def _size_words(best: CellContestant, smallest: CellContestant, equals: Cells) -> list[str]:
    counts, flops = f"{best.parameters:,} parameters in all", f"{best.flops_per_step:,} FLOPs"
    cost = f"{best.name} has {counts} and takes {flops}"
    if len(equals) == 1:
        return [f"{cost} a step."]
    if smallest is best:
        return [f"{cost} a step; no cell that cannot be told from it is clearly smaller."]
    return [
        f"{cost} a step; where size counts, take {smallest.name}, which cannot be told from it: "
        f"{smallest.parameters:,} parameters, {smallest.flops_per_step:,} FLOPs a step."
    ]


def speed_words(
    decision: Decision, best: CellContestant, score: str
) -> tuple[str | None, list[str]]:
    """Return the fastest of the equals, and say what rests on measured time."""
    timed = [one for one in decision.equals if one.times]
    if best not in timed:
        return None, []
    quickest = fastest(best, timed)
    words = (
        f"{best.name} predicts all test windows in {_seconds(best.times['predict'])} and takes "
        f"{_seconds(best.times['step'])} a training step"
    )
    if quickest is not best:
        ratio = best.times["predict"] / quickest.times["predict"]
        words += f"; where speed counts, take {quickest.name}, {ratio:.2g} times as fast to predict"
    elif len(timed) > 1:
        words += "; no cell that cannot be told from it is clearly faster"
    clock = min((c for c in decision.cells if c.times), key=lambda c: _at_clock(c, score))
    same = f"Within the time of the fastest cell's training, {clock.name} has the lowest {score}"
    return quickest.name, [f"{words}.", f"{same}."]


def _at_clock(one: CellContestant, score: str) -> float:
    value: float = one.times["same_clock"]["metrics"][score]
    return value


def _seconds(value: float) -> str:
    return f"{value:.2g} s" if value >= 1 else f"{1000 * value:.2g} ms"
