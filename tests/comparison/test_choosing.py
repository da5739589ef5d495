"""What the best of several cells is worth where other data chose it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from penstock.comparison.judging.choosing import after_choosing
from penstock.comparison.judging.comparisons import compare_all
from penstock.comparison.judging.verdict import judge
from penstock.record.contestants import BaselineContestant, CellContestant, Trial
from penstock.record.structure import Setting, Structure

SETTING = Setting(1e-3, 4000)
SAME: Any = {"rank": 1, "intervals": {}, "profile": [], "predictions": []}


def cell(name: str, rows: np.ndarray, weights: list[float] | None = None) -> CellContestant:
    trials = [
        Trial(s, SETTING, "finished", "steps", blocks=row) for s, row in enumerate(rows.tolist())
    ]
    mean = float(np.average(rows.mean(0), weights=weights))
    return CellContestant(
        **SAME, name=name, metrics={"MASE": mean}, blocks=rows.tolist(), weights=weights or [],
        trials=trials, structure=Structure(1), parameters=0, recurrent_parameters=0,
        flops_per_step=0, setting=SETTING,
    )  # fmt: skip


def test_each_block_is_scored_by_the_choice_of_the_others() -> None:
    draw = np.random.default_rng(0)
    rows, weights = draw.normal(1, 0.3, (4, 3, 6)), [1.0, 2.0, 1.0, 3.0, 1.0, 2.0]
    cells = [cell(f"c{k}", row, weights) for k, row in enumerate(rows)]
    total = 0.0
    for block in range(6):
        rest = [k for k in range(6) if k != block]
        means = [np.average(row.mean(0)[rest], weights=np.array(weights)[rest]) for row in rows]
        total += weights[block] * rows[int(np.argmin(means))].mean(0)[block]
    assert after_choosing(cells) == pytest.approx(total / sum(weights))
    assert after_choosing(cells[:1]) is None
    assert after_choosing([cell(str(k), row[:, :2]) for k, row in enumerate(rows)]) is None


def test_of_equal_cells_the_best_is_expected_to_be_as_they_all_are() -> None:
    """The mean of the table is too good by what the best of 10 gains by luck; this is not."""
    draw, known, expected = np.random.default_rng(1), [], []
    for _ in range(300):
        cells = [cell(str(k), draw.normal(1, 0.1, (3, 10))) for k in range(10)]
        known.append(min(one.metrics["MASE"] for one in cells))
        expected.append(after_choosing(cells))
    assert np.mean(known) < 0.98
    assert np.mean(expected) == pytest.approx(1, abs=0.004)


def test_the_verdict_says_so_where_it_matters() -> None:
    draw = np.random.default_rng(2)
    equal = [cell(f"c{k}", draw.normal(1, 0.05, (3, 8))) for k in range(6)]
    clear = [replace(equal[0], name="best"), cell("worse", draw.normal(2, 0.05, (3, 8)))]
    naive = BaselineContestant(
        **SAME, kind="naive", name="naive", metrics={"MASE": 9.0}, blocks=[[9.0] * 8]
    )
    said = []
    for cells in (equal, clear):
        ranked = sorted([*cells, naive], key=lambda one: one.metrics["MASE"])
        said.append(" ".join(judge(ranked, compare_all(ranked), ["naive"]).sentences))
    assert "did not choose it, the best has MASE 1" in said[0]
    assert "did not choose it" not in said[1]
