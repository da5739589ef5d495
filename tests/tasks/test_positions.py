"""Naive Bayes by position, beside the same in numpy; and where it is a baseline."""

import numpy as np
import polars as pl
import pytest
import torch

from penstock.data import Options
from penstock.data.files import Source
from penstock.errors import DataError
from penstock.models.reader import Inputs
from penstock.tasks import find_task
from penstock.tasks.sequences.baselines.positions import ByPosition
from penstock.tasks.task import Task

SIZES = {"outputs": 3, "numbers": 2, "codes": (4, 3), "all_codes": 7}


def drawn(steps: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    classes = np.arange(40) % 3
    numbers = rng.standard_normal((40, steps, 2)) + classes[:, None, None] * [0.5, -1.0]
    symbols = np.stack([rng.integers(0, size, (40, steps)) for size in (4, 3)], axis=2)
    return numbers, symbols, classes


def by_hand(numbers: np.ndarray, symbols: np.ndarray, classes: np.ndarray, row: int) -> list[float]:
    """ln p(class, sequence) of a row, one value after the other."""
    found = []
    for k in range(3):
        own = classes == k
        total = np.log((own.sum() + 1) / (len(classes) + 3))
        for t in range(numbers.shape[1]):
            for f in range(2):
                x, every = numbers[own, t, f], numbers[:, t, f]
                v = (((x - x.mean()) ** 2).sum() + every.var()) / (own.sum() + 1)
                d = numbers[row, t, f] - x.mean()
                total += -0.5 * (d * d / v + np.log(2 * np.pi * v))
            for c, size in enumerate((4, 3)):
                same = (symbols[own, t, c] == symbols[row, t, c]).sum()
                total += np.log((same + 1) / (own.sum() + size))
        found.append(float(total))
    return found


def fitted() -> ByPosition:
    numbers, symbols, classes = map(torch.from_numpy, drawn())
    return ByPosition.fit(SIZES, numbers, symbols, classes)


def test_it_is_what_it_says() -> None:
    numbers, symbols, classes = drawn()
    outputs = fitted().outputs(Inputs(torch.from_numpy(numbers), torch.from_numpy(symbols)))
    for row in range(len(numbers)):
        assert outputs[row].tolist() == pytest.approx(by_hand(numbers, symbols, classes, row))


def test_what_is_past_an_end_does_not_count() -> None:
    numbers, symbols, _ = map(torch.from_numpy, drawn())
    short = fitted().outputs(Inputs(numbers[:, :3], symbols[:, :3]))
    padded = fitted().outputs(Inputs(numbers, symbols, torch.full((40,), 3)))
    assert torch.allclose(short, padded)
    beyond = torch.cat([numbers, numbers], dim=1), torch.cat([symbols, symbols], dim=1)
    assert torch.equal(
        fitted().outputs(Inputs(*beyond)), fitted().outputs(Inputs(numbers, symbols))
    )


def test_a_variance_of_nothing_is_refused() -> None:
    weights = {**fitted().state_dict(), "variance": torch.zeros(3, 5, 2, dtype=torch.float64)}
    with pytest.raises(DataError, match="not above 0"):
        ByPosition(SIZES, weights).check()


def told_by_place(odd: int) -> Task:
    """Sequences whose order alone tells the class; one in five is `odd` steps longer."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(200):
        kind = "ab"[number % 2]
        values = [1.0, 2.0, 1.0, 2.0] if kind == "a" else [2.0, 1.0, 2.0, 1.0]
        values = [*values, 1.5, *[1.5] * (odd if number % 5 == 0 else 0)]
        for step, value in enumerate(values):
            rows.append((f"s{number}", step, value + 0.1 * rng.standard_normal(), kind))
    frame = pl.DataFrame(rows, schema=["id", "step", "x", "kind"], orient="row")
    kind = find_task("classify")
    options = Options(task="classify", target=("kind",), id="id")
    return kind.prepare(kind.read(Source("made", table=frame), options))


def test_it_is_to_be_beaten_where_lengths_agree() -> None:
    task = told_by_place(odd=0)
    errors = {
        name: task.problem.measure(one.predict()).metrics["error rate"]
        for name, one in task.baselines.items()
    }
    assert errors["naive Bayes by position"] == 0
    assert errors["logistic on summaries"] > 0.2
    assert "naive Bayes by position" not in told_by_place(odd=1).baselines
