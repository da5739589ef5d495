from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from penstock.comparison.judging.comparisons import compare_all
from penstock.comparison.judging.verdict import judge
from penstock.record.contestants import BaselineContestant, CellContestant, Contestant, Trial
from penstock.record.results import Verdict

BLOCKS = np.array([1.0, 1.4, 0.8, 1.1, 1.2])  # hard and easy stretches, the same for everyone


ENTRANT: Any = {"rank": 1, "intervals": {}, "profile": [], "predictions": []}
COST: Any = {"width": 1, "parameters": 0, "flops_per_step": 0, "learning_rate": 1e-3}


def cell(name: str, level: float, spread: float = 0.01, seeds: int = 3) -> CellContestant:
    rng = np.random.default_rng(len(name))
    blocks = BLOCKS + level + spread * rng.standard_normal((seeds, 5))
    trials = [Trial(s, 1e-3, "finished", "steps", blocks=list(b)) for s, b in enumerate(blocks)]
    rows, mean = blocks.tolist(), {"MASE": float(blocks.mean())}
    return CellContestant(**ENTRANT, **COST, name=name, metrics=mean, blocks=rows, trials=trials)


def naive(name: str, level: float) -> BaselineContestant:
    blocks = BLOCKS[None] + level
    mean = {"MASE": float(blocks.mean())}
    return BaselineContestant(**ENTRANT, name=name, metrics=mean, blocks=blocks.tolist())


def verdict(*contestants: Contestant) -> Verdict:
    ranked = sorted(contestants, key=lambda one: one.metrics["MASE"])
    naive = [one.name for one in contestants if one.kind == "baseline"]
    return judge(ranked, compare_all(ranked), naive)


def test_what_intervals_held_is_said_beside_what_they_should() -> None:
    def missing(one: Contestant, share: float) -> Contestant:
        return replace(one, metrics={**one.metrics, "80 % missed": share})

    cells = missing(cell("a", 0.0), 0.4), missing(cell("bb", 0.5), 0.212)
    for level in (1.0, -1.0):  # a cell wins, a naive method wins
        found = verdict(*cells, missing(naive("last value", level), 0.3)).sentences
        assert "The 80 % interval held 60 % (a) and 79 % (bb) of the test values." in found
    assert "interval held" not in " ".join(verdict(cell("a", 0), naive("drift", 1)).sentences)


def test_a_winner() -> None:
    found = verdict(cell("a", 0.0), cell("bb", 0.5), naive("last value", 1.0))
    assert (found.kind, found.best, found.recommended) == ("winner", "a", "a")
    assert found.sentences[0].startswith("Winner: a, MASE lower by 0.499 than 'bb'")


def test_no_clear_winner_names_those_that_overlap() -> None:
    found = verdict(
        cell("a", 0.0, 0.2), cell("bb", 0.05, 0.2), cell("ccc", 0.6, 0.01), naive("drift", 3.0)
    )
    assert found.kind == "no clear winner"
    assert found.recommended == "a"
    assert "cannot be told apart from bb:" in found.sentences[0]


def test_the_naive_forecast_is_better() -> None:
    found = verdict(cell("a", 0.5), cell("bb", 0.6), naive("drift", 0.0), naive("last value", 0.9))
    assert (found.kind, found.best, found.recommended) == ("naive is better", "drift", None)


def test_nothing_beats_the_naive_forecast_where_intervals_overlap() -> None:
    found = verdict(cell("a", -0.01, 0.3), naive("last value", 0.0))
    assert (found.kind, found.best, found.recommended) == (
        "nothing beats naive",
        "last value",
        None,
    )
    assert found.sentences[0].startswith("Nothing beats the naive method 'last value'")


def test_a_cell_must_beat_every_naive_forecast() -> None:
    found = verdict(cell("a", 0.0), naive("last value", 1.0), naive("drift", -0.2))
    assert found.kind == "naive is better"


def test_one_seed_is_said() -> None:
    found = verdict(cell("a", 0.0, seeds=1), naive("last value", 1.0))
    assert any("one seed" in sentence for sentence in found.sentences)


@pytest.mark.parametrize("lost", [1, 3])
def test_diverged_trials_are_said(lost: int) -> None:
    whole = cell("a", 0.0)
    dead = [Trial(s, 1e-3, "diverged", "diverged") for s in range(lost)]
    trials = [*dead, *whole.trials[lost:]]
    rank = 1 if lost < 3 else None
    broken = replace(whole, rank=rank, blocks=whole.blocks[lost:], trials=trials)
    found = verdict(broken, naive("last value", 1.0))
    assert "diverged" in " ".join(found.sentences)
    assert found.kind == ("failed" if lost == 3 else "winner")


def sized(one: CellContestant, parameters: int, flops: int, seconds: float) -> CellContestant:
    times = {"predict": seconds, "step": 0.1, "same_clock": {"metrics": {"MASE": seconds}}}
    return replace(one, parameters=parameters, flops_per_step=flops, times=times)


def test_under_three_aims() -> None:
    best = sized(cell("a", 0.0, 0.2), 4000, 7000, 2.0)
    alike = sized(cell("bb", 0.03, 0.2), 4010, 7010, 1.9)
    last = naive("last value", 3.0)
    found = verdict(best, alike, last)
    assert (found.best, found.smallest, found.times["fastest"]) == ("a", "a", "a")
    small = sized(cell("ccc", 0.12, 0.2), 4010, 5000, 1.0)
    found = verdict(best, alike, small, last)
    assert (found.best, found.smallest, found.times["fastest"]) == ("a", "ccc", "ccc")
    assert any("where size counts, take ccc" in sentence for sentence in found.sentences)
    assert "where speed counts, take ccc, 2 times as fast" in found.times["sentences"][0]
    worse = sized(cell("dddd", 1.0), 100, 100, 0.1)  # small and fast, but told from the best
    found = verdict(best, worse, last)
    assert (found.smallest, found.times["fastest"]) == ("a", "a")


def test_the_simplest_of_equal_naive_methods_stands_for_all() -> None:
    one, last, drift = cell("a", 0.5), naive("last value", 0.0), naive("drift", -0.001)
    assert verdict(one, last, drift).best == "drift"  # better in every block
    rows = [[b + (0.1 if k % 2 else -0.1) for k, b in enumerate(BLOCKS)]]
    assert verdict(one, last, replace(drift, blocks=rows)).best == "last value"


def test_a_cell_without_a_result_is_named() -> None:
    lost = replace(cell("c", 0.0), rank=None, metrics={}, blocks=[], trials=[])
    ranked = [cell("a", -1.0), naive("drift", 0.0), lost]
    found = judge(ranked, compare_all(ranked), ["drift"])
    assert "Not compared, as no trial finished: c." in found.sentences


def test_pairing_by_seed_removes_what_seeds_share() -> None:
    shared = np.array([[0.0], [2.0], [4.0]])
    rows = BLOCKS + shared
    trials = [Trial(s, 1e-3, "finished", "steps", blocks=list(b)) for s, b in enumerate(rows)]
    one = replace(cell("a", 0.0), blocks=rows.tolist(), trials=trials)
    better = [Trial(s, 1e-3, "finished", "steps", blocks=list(b - 0.1)) for s, b in enumerate(rows)]
    other = replace(cell("b", 0.0), blocks=(rows - 0.1).tolist(), trials=better[::-1])
    (first, *_) = compare_all([other, one])
    assert first.interval == pytest.approx((-0.1, -0.1))
