"""Each cell's best trial by validation, and what is made of it.

Neither an error here nor a lack of time ends a run: what is left out is said.
"""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from penstock.comparison.judging.clock import Outcomes
from penstock.comparison.judging.contestants import best_trial
from penstock.comparison.trials.trial import Job
from penstock.record.contestants import Trial

Chosen = Mapping[str, tuple[Job, Trial]]
Made = TypeVar("Made")


def choose(outcomes: Mapping[str, Outcomes]) -> Chosen:
    """Return the best trial of each cell that has one, with its job."""
    best = {cell: best_trial([trial for _, trial in outcomes[cell]]) for cell in outcomes}
    return {cell: pair for cell in outcomes for pair in outcomes[cell] if pair[1] is best[cell]}


def of_each(
    chosen: Chosen,
    what: str,
    make: Callable[[Job, Trial], Made],
    until: float = float("inf"),
) -> tuple[dict[str, Made], dict[str, str]]:
    """Return by cell what is made of its best trial, or why it is left out, as a sentence.

    None is begun that would not end by `until`, of `time.monotonic()`, if it took as long as the
    longest so far.
    """
    made, left, longest = dict[str, Made](), dict[str, str](), 0.0
    for cell, pair in chosen.items():
        start = time.monotonic()
        if start + longest > until:
            left[cell] = f"{what} of {cell}: left out, as time was short."
            continue
        try:
            made[cell] = make(*pair)
        except Exception as error:  # all else in the results is good
            said = f"{type(error).__name__}: {error}".partition("\n")[0]
            left[cell] = f"{what} of {cell}: left out because of an error ({said})."
        longest = max(longest, time.monotonic() - start)
    return made, left
