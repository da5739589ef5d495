"""Baselines on sequences, held to scikit-learn, to Newton's method and to the paper's loops."""

from itertools import combinations

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.linear_model import Ridge

from penstock.data import Options, Source
from penstock.models.reader import Inputs
from penstock.tasks import find_task, linear
from penstock.tasks.linear import logistic, ridge, ridge_of_classes, ridges
from penstock.tasks.sequences.baselines import rocket
from penstock.tasks.sequences.baselines.columns import positions, windows
from penstock.tasks.trees import Samples


def drawn(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    draw = np.random.default_rng(seed)
    return torch.from_numpy(draw.standard_normal((rows, columns)) * 3 + 2)


@pytest.mark.parametrize("columns", [3, 60])  # fewer and more than there are rows
def test_ridge_for_every_penalty_as_scikit_learn(columns: int) -> None:
    x, y = drawn(40, columns), drawn(40, 2, 1)
    z = ((x - x.mean(0)) / x.std(0, correction=0)).numpy()
    for penalty, one in zip(linear._PENALTIES, ridges(x, y), strict=True):
        expected = Ridge(alpha=penalty).fit(z, y.numpy()).predict(z[:5])
        assert one(x[:5]).numpy() == pytest.approx(expected, abs=1e-8)


def test_validation_chooses_the_penalty() -> None:
    x, noise = drawn(40, 30), drawn(40, 1, 1)[:, 0]
    truth = x @ torch.ones(30, dtype=torch.float64)
    loose = ridge(Samples(x, truth), Samples(x, truth))
    tight = ridge(Samples(x, noise), Samples(drawn(40, 30, 2), noise))
    assert loose.weight.norm() > 10 * tight.weight.norm()
    assert (loose(x)[:, 0] - truth).abs().max() < 0.1


def test_logistic_regression_is_at_the_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_PENALTIES", (1.0,))
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(60, 2, generator=draw, dtype=torch.float64)
    y = (x[:, 0] + 0.5 * torch.randn(60, generator=draw) > 0).long()
    found = logistic(Samples(x, y), Samples(x, y), 2)(x).softmax(dim=1)
    z = np.c_[((x - x.mean(0)) / x.std(0, correction=0)).numpy(), np.ones(60)]
    u, penalty = np.zeros(3), np.diag([1.0, 1.0, 0.0])
    for _ in range(30):  # Newton's method
        p = 1 / (1 + np.exp(-z @ u))
        gradient = z.T @ (p - y.numpy()) + penalty @ u
        u -= np.linalg.solve(z.T @ (z * (p * (1 - p))[:, None]) + penalty, gradient)
    assert found[:, 1].numpy() == pytest.approx(1 / (1 + np.exp(-z @ u)), abs=1e-4)


@pytest.mark.parametrize("fit", [logistic, ridge_of_classes])
def test_a_class_that_training_lacks_is_never_said(fit: object) -> None:
    x = drawn(60, 3)
    y = torch.arange(60) % 2 * 2
    x[:, 0] += 50 * y
    said = fit(Samples(x, y), Samples(x, y), 3)(x)  # type: ignore[operator]
    assert torch.equal(said.argmax(dim=1), y)
    assert said.softmax(dim=1)[:, 1].max() < 0.4


def some_inputs() -> Inputs:
    numbers = drawn(6, 2).reshape(2, 3, 2)
    return Inputs(numbers, torch.tensor([[[1], [0], [2]], [[0], [2], [1]]]), torch.tensor([3, 2]))


def test_positions_and_windows_by_loops() -> None:
    inputs = some_inputs()
    steps = [
        [
            [*inputs.numbers[b, t].tolist(), *np.eye(3)[inputs.symbols[b, t, 0]]]
            if t < int(inputs.lengths[b])  # type: ignore[index]
            else [0.0] * 5
            for t in range(3)
        ]
        for b in range(2)
    ]
    for kept in (2, 4):
        rows = [[v for step in (*one, [0.0] * 5)[:kept] for v in step] for one in steps]
        assert positions(inputs, [3], kept).tolist() == rows
    before = [[0.0] * 5]
    expected = [[one[t] + (before + one)[t] for t in range(3)] for one in steps]
    assert windows(inputs, [3], 2).tolist() == expected


def test_shares_of_minirocket_by_the_paper() -> None:
    """Each kernel by loops, for sequences of unequal lengths and two columns."""
    draw = np.random.default_rng(0)
    numbers = torch.from_numpy(draw.standard_normal((5, 30, 2))).float()
    lengths = torch.tensor([30, 30, 21, 12, 5])
    inputs = Inputs(numbers, torch.zeros(5, 30, 0, dtype=torch.int64), lengths)
    sizes = {"outputs": 2, "numbers": 2, "all_codes": 0, "codes": ()}
    method = rocket.MiniRocket.drawn(sizes, inputs)
    shares = method.look(inputs).reshape(5, len(method.dilations), 84, -1)
    chosen = list(combinations(range(9), 3))
    for row, (place, kernel) in enumerate(draw.integers([len(method.dilations), 84], size=(40, 2))):
        who, dilation = row % 5, int(method.dilations[place])
        reads = method.channels[84 * place + kernel].numpy()
        x = (numbers[who, : lengths[who]].numpy() * reads).sum(axis=1)
        weights = [2.0 if tap in chosen[kernel] else -1.0 for tap in range(9)]
        given = [
            sum(
                w * x[t + (tap - 4) * dilation]
                for tap, w in enumerate(weights)
                if 0 <= t + (tap - 4) * dilation < len(x)
            )
            for t in range(len(x))
        ]
        inner = given[4 * dilation : len(x) - 4 * dilation] if kernel % 2 else given
        biases = method.biases[84 * place + kernel].numpy()
        expected = [np.mean(np.array(inner or given) > bias) for bias in biases]
        assert shares[who, place, kernel].numpy() == pytest.approx(np.array(expected), abs=0.07)
        assert np.mean(np.abs(shares[who, place, kernel].numpy() - expected)) < 0.01


def test_dilations_have_room_and_features_are_those_of_the_paper() -> None:
    assert rocket._dilations(9) == [1]
    found = rocket._dilations(1000)
    assert found[0] == 1
    assert 8 * found[-1] <= 999
    assert rocket._quantiles(500 * 100, len(rocket._dilations(100))) * 84 * 13 > 8000


def shapes_that_no_summary_tells(count: int = 120) -> pl.DataFrame:
    """Rises before falls, or falls before rises, at a place of chance: order alone tells."""
    draw = np.random.default_rng(3)
    rows = []
    for number in range(count):
        x, at, up = draw.normal(0, 0.1, 60), draw.integers(5, 35), number % 2
        x[at : at + 8] += 1 if up else -1
        x[at + 10 : at + 18] += -1 if up else 1
        rows += [(f"s{number}", t, float(v), "up" if up else "down") for t, v in enumerate(x)]
    return pl.DataFrame(rows, ["id", "t", "x", "label"], orient="row")


def test_minirocket_sees_what_summaries_do_not() -> None:
    kind = find_task("classify")
    source = Source("shapes.csv", shapes_that_no_summary_tells())
    task = kind.prepare(kind.read(source, Options(id="id", task="classify", target="label")))
    errors = {
        name: task.problem.measure(one.predict()).metrics["error rate"]
        for name, one in task.baselines.items()
    }
    assert errors["MiniRocket"] == 0
    assert errors["logistic on summaries"] > 0.2
    assert {one.method.kind for one in task.baselines.values()} == {"blind", "classical"}
