from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import stdtrit

from penstock.comparison.judging.comparisons import Differences, compare_all
from penstock.comparison.judging.statistics import difference, t_quantile
from penstock.comparison.judging.verdict import judge
from penstock.record.contestants import BaselineContestant, CellContestant, Contestant, Trial
from penstock.record.results import Verdict
from penstock.record.structure import Setting, Structure

SETTING = Setting(1e-3, 4000)

BLOCKS = np.array([1.0, 1.4, 0.8, 1.1, 1.2])  # hard and easy stretches, the same for everyone


ENTRANT: Any = {"rank": 1, "intervals": {}, "profile": [], "predictions": []}
COST: Any = {
    "structure": Structure(1), "parameters": 0, "recurrent_parameters": 0, "flops_per_step": 0,
    "setting": SETTING,
}  # fmt: skip


def cell(name: str, level: float, spread: float = 0.01, seeds: int = 3) -> CellContestant:
    rng = np.random.default_rng(len(name))
    blocks = BLOCKS + level + spread * rng.standard_normal((seeds, 5))
    trials = [Trial(s, SETTING, "finished", "steps", blocks=list(b)) for s, b in enumerate(blocks)]
    rows, mean = blocks.tolist(), {"MASE": float(blocks.mean())}
    return CellContestant(**ENTRANT, **COST, name=name, metrics=mean, blocks=rows, trials=trials)


def naive(name: str, level: float) -> BaselineContestant:
    blocks = BLOCKS[None] + level
    mean = {"MASE": float(blocks.mean())}
    rows = blocks.tolist()
    return BaselineContestant(**ENTRANT, kind="naive", name=name, metrics=mean, blocks=rows)


def verdict(*contestants: Contestant) -> Verdict:
    ranked = sorted(contestants, key=lambda one: one.metrics["MASE"])
    naive = [one.name for one in contestants if one.kind != "cell"]
    return judge(ranked, compare_all(ranked), naive, promised={"80 % coverage": 0.8})


def test_what_intervals_held_is_said_beside_what_they_should() -> None:
    def holding(one: Contestant, share: float) -> Contestant:
        return replace(one, metrics={**one.metrics, "80 % coverage": share})

    cells = holding(cell("a", 0.0), 0.6), holding(cell("bb", 0.5), 0.788)
    for level in (1.0, -1.0):  # a cell wins, a baseline wins
        found = verdict(*cells, holding(naive("last value", level), 0.7)).sentences
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
    assert (found.kind, found.best, found.recommended) == ("a baseline is better", "drift", None)


def test_nothing_beats_the_naive_forecast_where_intervals_overlap() -> None:
    found = verdict(cell("a", -0.01, 0.3), naive("last value", 0.0))
    assert (found.kind, found.best, found.recommended) == (
        "nothing beats the baselines",
        "last value",
        None,
    )
    assert found.sentences[0].startswith("Nothing beats the baseline 'last value'")


def test_a_cell_must_beat_every_naive_forecast() -> None:
    found = verdict(cell("a", 0.0), naive("last value", 1.0), naive("drift", -0.2))
    assert found.kind == "a baseline is better"


def test_one_seed_is_said() -> None:
    found = verdict(cell("a", 0.0, seeds=1), naive("last value", 1.0))
    assert any("one seed" in sentence for sentence in found.sentences)


@pytest.mark.parametrize("lost", [1, 3])
def test_diverged_trials_are_said(lost: int) -> None:
    whole = cell("a", 0.0)
    dead = [Trial(s, SETTING, "diverged", "diverged") for s in range(lost)]
    trials = [*dead, *whole.trials[lost:]]
    rank = 1 if lost < 3 else None
    broken = replace(whole, rank=rank, blocks=whole.blocks[lost:], trials=trials)
    found = verdict(broken, naive("last value", 1.0))
    assert "diverged" in " ".join(found.sentences)
    assert found.kind == ("failed" if lost == 3 else "best so far")


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


def test_the_naive_method_to_take_is_the_best_of_the_table() -> None:
    one, last, drift = cell("a", 2.0), naive("last value", 0.6), naive("drift", 0.0)
    rows = [[b + (1.9 if k % 2 else -1.1) for k, b in enumerate(BLOCKS)]]
    drift = replace(drift, blocks=rows, metrics={"MASE": float(np.mean(rows))})
    assert not Differences([drift, last], compare_all([drift, last])).below("drift", "last value")
    found = verdict(one, last, drift)  # 1.2 stands below 1.7, and cannot be told from it
    assert found.best == "drift"
    assert found.sentences[-1].startswith("Take 'drift'")


def test_the_simplest_of_naive_methods_with_the_same_error_stands_for_all() -> None:
    one, last, drift = cell("a", 0.5), naive("last value", 0.0), naive("drift", 0.0)
    assert verdict(one, last, drift).best == "last value"
    assert verdict(one, drift, last).best == "drift"


def test_a_cell_without_a_result_is_named() -> None:
    lost = replace(cell("c", 0.0), rank=None, metrics={}, blocks=[], trials=[])
    ranked = [cell("a", -1.0), naive("drift", 0.0), lost]
    found = judge(ranked, compare_all(ranked), ["drift"])
    assert "Not compared, as no trial was measured: c." in found.sentences


def test_a_pair_is_the_same_from_both_sides() -> None:
    found = {(one.first, one.second): one for one in compare_all([cell("a", 1), cell("b", 2)])}
    there, back = found["a", "b"], found["b", "a"]
    assert there.interval is not None
    assert there.interval[0] <= there.difference <= there.interval[1]
    assert there.difference == -back.difference < 0
    assert back.interval == (-there.interval[1], -there.interval[0])
    assert there.p == back.p


def test_blocks_that_touch_are_compared_as_such() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        rows = rng.standard_normal((2, 3, 10)).cumsum(axis=2)
        cells = [replace(one, blocks=x.tolist(), lag=1, trials=[
            replace(trial, blocks=row.tolist()) for trial, row in zip(one.trials, x, strict=True)
        ]) for one, x in zip((cell("a", 1), cell("b", 2)), rows, strict=True)]  # fmt: skip
        found = compare_all(cells)[0]
        expected = difference(*rows, np.ones(10), paired=True, lag=1)
        assert found.interval == pytest.approx(expected.interval)
        assert found.interval != difference(*rows, np.ones(10), paired=True).interval


def test_pairing_by_seed_removes_what_seeds_share() -> None:
    shared = np.array([[0.0], [2.0], [4.0]])
    rows = BLOCKS + shared
    trials = [Trial(s, SETTING, "finished", "steps", blocks=list(b)) for s, b in enumerate(rows)]
    one = replace(cell("a", 0.0), blocks=rows.tolist(), trials=trials)
    better = [
        Trial(s, SETTING, "finished", "steps", blocks=list(b - 0.1)) for s, b in enumerate(rows)
    ]
    other = replace(cell("b", 0.0), blocks=(rows - 0.1).tolist(), trials=better[::-1])
    (first, *_) = compare_all([other, one])
    half = t_quantile(4) * 0.1 / 30**0.5  # seeds and blocks are gone; the rule of succession
    assert first.interval == pytest.approx((-0.1 - half, -0.1 + half))


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_nobody_wins_below_three_seeds(seeds: int) -> None:
    found = verdict(cell("a", 0.0), cell("bb", 0.5, seeds=seeds), naive("last value", 1.0))
    assert found.best == found.recommended == "a"
    if seeds == 3:
        assert found.winner == "a"
    else:
        assert (found.kind, found.winner) == ("best so far", None)
        assert found.sentences[0].startswith("Best so far: a, MASE lower by 0.")
        assert found.sentences[0].endswith(f"measured were {seeds} of bb.")


def crowd(rng: np.random.Generator, levels: list[float]) -> list[Contestant]:
    """Cells of so many levels, whose seeds and blocks differ, and a baseline far off."""
    hard = rng.standard_normal(10)
    rows = [
        level + hard + 0.3 * rng.standard_normal((5, 1)) + 0.3 * rng.standard_normal((5, 10))
        for level in levels
    ]
    cells = [
        replace(
            cell(f"c{k}", 0.0),
            blocks=r.tolist(),
            metrics={"MASE": float(r.mean())},
            trials=[
                Trial(s, SETTING, "finished", "steps", blocks=b.tolist()) for s, b in enumerate(r)
            ],
        )
        for k, r in enumerate(rows)
    ]
    far = (hard + 50 + rng.standard_normal(10))[None]
    mean = {"MASE": float(far.mean())}
    return [*cells, replace(naive("drift", 0.0), blocks=far.tolist(), metrics=mean)]


def won(levels: list[float], draws: int = 120) -> float:
    kinds = [verdict(*crowd(np.random.default_rng(k), levels)).kind for k in range(draws)]
    return kinds.count("winner") / draws


def test_of_two_equals_one_wins_falsely_as_rarely_among_many() -> None:
    assert won([0.0, 0.0]) < 0.04  # 0.06 where p is not doubled
    assert won([0.0, 0.0, 3.0, 3.0, 3.0]) < 0.04
    assert won([0.0] * 5) < 0.02


def test_a_better_cell_wins_as_often_among_many() -> None:
    assert won([-0.8, 0.0], 80) == won([-0.8, 0.0, 3.0, 3.0, 3.0], 80) > 0.5


def test_a_winner_is_not_said_to_be_in_doubt() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        found = verdict(*crowd(rng, [-0.8, 0.0, 0.0, 0.0]))
        head = found.sentences[0]
        if found.kind == "winner":
            assert "not beyond doubt" not in head
        else:
            assert head.startswith("No clear winner: ")


def with_seeds(one: CellContestant, *seeds: int) -> CellContestant:
    trials = [replace(t, seed=s) for t, s in zip(one.trials, seeds, strict=True)]
    return replace(one, trials=trials)


@pytest.mark.parametrize("seeds", [2, 3])
def test_a_cell_of_lower_error_that_is_less_sure_is_named(seeds: int) -> None:
    unsure, steady = cell("aaaa", -0.3, 0.01, seeds), cell("bb", 0.0, 0.01, seeds)
    rows = [[x + 2.5 * (s - (seeds - 1) / 2) for x in row] for s, row in enumerate(unsure.blocks)]
    trials = [replace(t, blocks=row) for t, row in zip(unsure.trials, rows, strict=True)]
    unsure = replace(unsure, blocks=rows, trials=trials)
    found = verdict(unsure, steady, naive("last value", 1.0))
    assert unsure.metrics["MASE"] < steady.metrics["MASE"]
    assert found.best == found.recommended == "bb"
    said = "aaaa has a lower error, but is not better than every baseline beyond doubt."
    assert said in found.sentences
    assert "has a lower error" not in " ".join(
        verdict(cell("a", 0.0), steady, naive("n", 1.0)).sentences
    )


def test_what_is_told_apart_is_not_said_to_be_alike() -> None:
    """A pair that differs beyond doubt, where all cells judged at once may not: in other words."""
    seen = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        cells = crowd(rng, [0.0, 0.0, 0.5, 0.6, 0.7])
        order = sorted(cells, key=lambda one: one.metrics["MASE"])
        found = judge(order, compare_all(order), [one.name for one in cells if one.kind != "cell"])
        table = Differences(order, compare_all(order))
        first = found.sentences[0]
        if "cannot be told apart from" in first:
            alike = first.partition("told apart from ")[2].partition(":")[0]
            names = alike.replace(" and ", ", ").split(", ")
            assert not any(table.below(found.best, name) for name in names), (seed, first)
            seen += 1
    assert seen > 20


def test_cells_without_a_seed_in_common_keep_their_spread_over_seeds() -> None:
    rng = np.random.default_rng(1)
    spread = rng.standard_normal((2, 3, 1))
    one, other = (
        replace(
            cell(name, 0.0),
            blocks=rows.tolist(),
            trials=[
                Trial(s, SETTING, "finished", "steps", blocks=b.tolist())
                for s, b in enumerate(rows)
            ],
        )
        for name, rows in zip(
            "ab", BLOCKS + spread + 0.01 * rng.standard_normal((2, 3, 5)), strict=True
        )
    )
    (apart, _) = compare_all([one, with_seeds(other, 7, 8, 9)])
    error = (spread.var(axis=1, ddof=1).sum() / 3) ** 0.5
    assert apart.interval is not None
    assert apart.interval[1] - apart.interval[0] > 2 * 2 * error


def test_a_difference_is_that_of_the_table() -> None:
    share = [5.0, 1.0, 1.0, 1.0, 1.0]
    first, second = cell("a", 0.0, 0.3), cell("bb", 0.1, 0.3)
    second = replace(
        with_seeds(second, 0, 1, 5), trials=second.trials[:2], blocks=second.blocks[:2]
    )
    means = [np.average(c.blocks, axis=1, weights=share).mean() for c in (first, second)]
    (found, _) = compare_all([replace(c, weights=share) for c in (first, second)])
    assert found.difference == pytest.approx(means[0] - means[1])


def luck(p: float) -> Contestant:
    """A cell that by itself beats the baseline with that p-value."""
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(5)
    noise -= noise.mean()
    t = -stdtrit(4, p / 2)
    rows = BLOCKS + noise - t * noise.std(ddof=1) / 5**0.5
    trials = [Trial(s, SETTING, "finished", "steps", blocks=rows.tolist()) for s in range(3)]
    one = cell("lucky", 0.0)
    mean = {"MASE": float(rows.mean())}
    return replace(one, metrics=mean, blocks=[t.blocks for t in trials], trials=trials)


@pytest.mark.parametrize(
    ("p", "others", "kind"),
    [
        (0.02, 0, "winner"),
        (0.02, 2, "nothing beats the baselines"),
        (0.01, 2, "winner"),
    ],
)
def test_of_many_cells_one_beats_naive_by_chance(p: float, others: int, kind: str) -> None:
    more = [cell("c" * n, 5.0) for n in range(1, others + 1)]
    found = verdict(luck(p), *more, naive("drift", 0.0))
    assert found.kind == kind
    chance = "which is not beyond doubt among so many comparisons"
    assert (chance in " ".join(found.sentences)) == (kind != "winner")


def test_a_cell_that_beats_the_best_naive_method_alone_is_not_said_to_be_beaten() -> None:
    rows = [[b + (5.0 if k % 2 else -1.5) for k, b in enumerate(BLOCKS)]]
    wild = replace(naive("wild", 1.5), blocks=rows, metrics={"MASE": float(np.mean(rows))})
    found = verdict(cell("a", -0.5), naive("drift", 0.0), wild)
    assert found.kind == "nothing beats the baselines"
    assert found.sentences[0] == (
        "No cell beats every baseline beyond doubt: a cannot be told from 'wild'."
    )


def test_a_cell_that_was_cut_counts_with_its_best_weights() -> None:
    solved = cell("gru", -0.9)
    cut = [
        replace(trial, status="cut", ended="the time of the run was up") for trial in solved.trials
    ]
    found = verdict(replace(solved, trials=cut), cell("rnn", 0.0), naive("mean", 0.0))
    assert (found.kind, found.best) == ("winner", "gru")
    assert "Trials that were cut short, measured with their best weights: gru (3)." in (
        found.sentences
    )
