"""What cells learn: reach in time, and complex tasks."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from experiments.problems import PROBLEMS
from experiments.record import Check, Claim, Estimate, Rows, mean, shown, verdict
from experiments.training import PATIENCE, SOLVED, Run
from experiments.trials import RATES, WIDTHS, Entry, Results, Train, better, default, entries, tried

CELLS, PAIR = ("rnn", "lstm", "gru"), ("lstm", "gru")
REACH = ("adding", "copy", "latch")
COMPLEX = (("copy, 10 of 8", 40), ("five cups", 20), ("recall", 40))
Pick = Callable[[Results, str, int, str], Entry]


def word(share: Estimate) -> str:
    """Return how far a cell got, by the mean of its shares and the interval."""
    if share.mean >= 0.9:
        return "solved"
    above = share.interval is not None and share.interval[0] > 0
    return "chance" if share.mean < 0.05 and not above else "in part"


def shares(runs: Sequence[Run]) -> list[float]:
    """Return the shares of runs, by seed."""
    return [run.share for run in runs]


def ahead(what: str, one: Sequence[Run], other: Sequence[Run]) -> Check:
    """Check that the first of two goes further than the second, seed by seed."""
    pairs = zip(shares(one), shares(other), strict=True)
    return Check(f"{what}, in share", mean([a - b for a, b in pairs]), low=0)


def reach_checks(results: Results, pick: Pick) -> Iterator[Check]:
    """Yield what must be for the claim about range, with the starts that count."""
    lengths = sorted({entry.length for entry in results})
    short, long = lengths[0], lengths[-1]
    for problem in REACH:
        near = results[pick(results, problem, short, "rnn")]
        rnn, *gated = (results[pick(results, problem, long, cell)] for cell in CELLS)
        yield Check(f"{problem}, T = {short}: RNN, share", mean(shares(near)), low=0.5)
        yield Check(f"{problem}, T = {long}: RNN, share", mean(shares(rnn)), high=0.5)
        for name, runs in zip(("LSTM", "GRU"), gated, strict=True):
            what = f"{problem}, T = {long}: {name}"
            yield Check(f"{what}, share", mean(shares(runs)), low=0.5)
            yield ahead(f"{what} − RNN", runs, rnn)


def complex_checks(results: Results, pick: Pick) -> Iterator[Check]:
    """Yield what must be for the claim about complex tasks, with the starts that count."""
    for problem, T in COMPLEX:
        lstm, gru = (results[pick(results, problem, T, cell)] for cell in PAIR)
        yield ahead(f"{problem}, T = {T}: LSTM − GRU", lstm, gru)


HEAD = (
    "problem", "T", "cell", "start", "rate", "steps", "ended",
    "metric", "chance", "test", "share", "above 0.9", "so",
)  # fmt: skip


def rows(results: Results) -> Rows:
    """Return a row an entry; the start that counts is bold."""
    return [row(e, r, better(results, e.problem, e.length, e.cell)) for e, r in results.items()]


def row(entry: Entry, runs: Sequence[Run], counts: Entry) -> tuple[str, ...]:
    """Return what an entry was given, and what came of it."""
    problem = PROBLEMS[entry.problem]
    share, metric = mean(shares(runs)), mean([run.metric for run in runs])
    ends = ", ".join(f"{n} {end}" for end, n in sorted(Counter(r.ended for r in runs).items()))
    return (
        entry.problem, str(entry.length), entry.cell,
        f"**{entry.start}**" if entry == counts else entry.start,
        f"{runs[0].job.rate:g}", f"{sum(r.taken for r in runs) / len(runs):.0f}", ends,
        "accuracy" if problem.classes else "MSE", f"{problem.chance:.3g}",
        shown(metric), shown(share), f"{sum(s > 0.9 for s in shares(runs))} of {len(runs)}",
        word(share),
    )  # fmt: skip


def given(cells: Sequence[str], seeds: int, steps: int) -> str:
    """Return what every row was given."""
    units = ", ".join(f"{WIDTHS[cell]} units ({cell.upper()})" for cell in cells)
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    return (
        f"Every row was given the same: {units}, which have as many weights to 5 %; Adam, clipped "
        f"at norm 1, 32 new sequences a step; of the rates {rates} the one that, with a seed of "
        "its own, solved it soonest or else did best on 500 validation sequences; with it "
        f"{seeds} seeds, until the smoothed error is below {SOLVED:g} (*solved*), the smoothed "
        f"loss has not gained 1 % for {PATIENCE} steps (*rest*), or {steps} steps are gone "
        "(*limit*: it might get further). Two starts for every cell, so that one sees whether the "
        "cell or its start is at fault: that of torch.nn, and one that its literature advises for "
        "long times, orthogonal U for the RNN (arXiv:1312.6120), chrono biases for LSTM and GRU "
        "(arXiv:1804.11188, longest time T). **The start that counts**, in bold, is the one with "
        "the better mean of validation shares, as the claim is about what a cell can do, not about "
        "a library's default; of equals the quicker. "
    )


SHARE = (
    "Share is how much of the way from chance (0) to perfect (1) the test metric has gone, on "
    "2000 other sequences; chance of adding is the error of always saying 1. *Solved* stands "
    "where the mean share is at least 0.9; *chance* where it is under 0.05 and its interval is "
    "not wholly above 0; else *in part*. A cell may solve a problem with some seeds and stay at "
    "chance with others, which Student's interval covers badly: *above 0.9* counts the seeds."
)


def edges(results: Results) -> str:
    """Return how often a better rate may lie beyond those tried."""
    unsolved = [runs for runs in results.values() if word(mean(shares(runs))) != "solved"]
    taken = Counter(runs[0].job.rate for runs in unsolved)
    return (
        f" Of {len(unsolved)} rows that were not solved, {taken[min(RATES)]} took the lowest rate "
        f"and {taken[max(RATES)]} the highest, so that a wider range might bring them further."
    )


def otherwise(checks: Sequence[Check]) -> str:
    """Return what the verdict would be by the starts of torch.nn alone."""
    met = sum(check.met for check in checks)
    return (
        f" With torch.nn's starts alone {met} of the {len(checks)} checks would be met: "
        f"*{verdict(checks)}*."
    )


def reach(lengths: Sequence[int], seeds: int, steps: int, train: Train) -> Claim:
    """The claim about range."""
    problems = itertools.product(REACH, lengths)
    results = tried(entries(problems, CELLS), seeds, steps, train)
    return Claim(
        "RNN spans short range, LSTM and GRU long",
        "Three problems whose answer stands far back. A cell spans T where it goes more than half "
        f"of the way from chance to perfect. {given(CELLS, seeds, steps)}{SHARE}"
        + edges(results)
        + otherwise([*reach_checks(results, default)]),
        [*reach_checks(results, better)],
        HEAD,
        rows(results),
    )


def complex_tasks(seeds: int, steps: int, train: Train) -> Claim:
    """The claim about complex tasks."""
    results = tried(entries(COMPLEX, PAIR), seeds, steps, train)
    return Claim(
        "LSTM is ahead on complex tasks",
        "Three tasks that take more than a memory of one thing: ten of eight symbols to copy; five "
        "cups, of which two are swapped at every step, to follow, where any may be asked for; and "
        "values written to eight keys, overwritten, and asked for. "
        f"{given(PAIR, seeds, steps)}{SHARE}"
        + edges(results)
        + otherwise([*complex_checks(results, default)]),
        [*complex_checks(results, better)],
        HEAD,
        rows(results),
    )
