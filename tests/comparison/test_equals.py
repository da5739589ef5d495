from dataclasses import replace

import numpy as np
import pytest

from penstock.comparison.judging.equals import equals_of_best
from penstock.record.contestants import CellContestant, Trial
from penstock.record.structure import Setting, Structure

SETTING = Setting(1e-3, 4000)


def cell(name: str, rows: np.ndarray, first: int = 0) -> CellContestant:
    trials = [
        Trial(s, SETTING, "finished", "", blocks=r.tolist()) for s, r in enumerate(rows, first)
    ]
    return CellContestant(
        name=name, rank=1, metrics={"s": float(rows.mean())}, intervals={}, profile=[],
        blocks=rows.tolist(), predictions=[], structure=Structure(1), parameters=0,
        recurrent_parameters=0, flops_per_step=0, setting=SETTING, trials=trials,
    )  # fmt: skip


def drawn(rng: np.random.Generator, levels: list[float], apart: bool = False) -> list:
    shared = rng.standard_normal((1, 10))
    return [
        cell(
            str(k),
            level + shared + 0.5 * rng.standard_normal((5, 1)) + rng.standard_normal((5, 10)),
            100 * k if apart else 0,
        )
        for k, level in enumerate(levels)
    ]


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("cells", [2, 10])
def test_of_equals_all_stay_in_nearly_all_cases(cells: int, apart: bool) -> None:
    rng = np.random.default_rng(0)
    lost = sum(len(equals_of_best(drawn(rng, [0.0] * cells, apart))) < cells for _ in range(150))
    assert lost / 150 < 0.1


def test_the_worse_go_and_the_best_stay() -> None:
    rng, kept = np.random.default_rng(0), []
    for _ in range(50):
        kept.append(equals_of_best(drawn(rng, [0.0, 0.0, 3.0, 4.0])))
    assert sum(one == ["0", "1"] for one in kept) >= 46


def test_one_block_tells_nothing_apart() -> None:
    cells = [cell(str(k), np.full((3, 1), float(k))) for k in range(3)]
    assert equals_of_best(cells) == ["0", "1", "2"]


def test_cells_that_lost_a_seed_are_in_it_with_those_they_have() -> None:
    rng = np.random.default_rng(0)
    first, second, worse = drawn(rng, [0.0, 0.0, 9.0])
    lost = replace(second, trials=second.trials[1:], blocks=second.blocks[1:])
    assert equals_of_best([first, lost, worse]) == ["0", "1"]
