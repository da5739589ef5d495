"""Trees as arrays say what scikit-learn's own say."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from penstock.errors import DataError
from penstock.tasks import trees
from penstock.tasks.methods import load
from penstock.tasks.trees import Forest, Goal, Samples, boosted

K = 4


class Four(Forest):
    def columns(self) -> int:
        return K


def drawn(classes: int, seed: int = 0) -> tuple[Samples, Samples]:
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((300, K))
    level = x[:, 0] + x[:, 1] * x[:, 2] + 0.1 * draw.standard_normal(300)
    y = np.digitize(level, np.linspace(-1, 1, classes - 1)) if classes else level
    both = torch.from_numpy(x), torch.from_numpy(y)
    return Samples(both[0][:200], both[1][:200]), Samples(both[0][200:], both[1][200:])


@pytest.mark.parametrize("classes", [0, 2, 3, 5])
def test_arrays_predict_as_scikit_learn(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "_LEAVES", (7,))
    monkeypatch.setattr(trees, "_MOST_ROUNDS", 30)
    train, validation = drawn(classes)
    goal: Goal = "class" if classes else "number"
    sizes = {"outputs": classes or 1}
    weights = boosted(train, validation, goal, sizes)
    found = Four(sizes, weights).summed(validation.x)
    rounds = len(weights["output"]) // (1 if classes <= 2 else classes)
    same: dict[str, Any] = {
        "max_iter": rounds, "max_leaf_nodes": 7, "early_stopping": False, "random_state": 0
    }  # fmt: skip
    x, y = train.x.numpy(), train.y.numpy()
    if classes:
        theirs = HistGradientBoostingClassifier(**same).fit(x, y)
        expected = theirs.predict_proba(validation.x.numpy())
        assert found.softmax(dim=1).numpy() == pytest.approx(expected, abs=1e-9)
    else:
        theirs = HistGradientBoostingRegressor(loss="absolute_error", **same).fit(x, y)
        assert found[:, 0].numpy() == pytest.approx(theirs.predict(validation.x.numpy()), abs=1e-9)


def test_validation_chooses_the_number_of_trees() -> None:
    train, validation = drawn(0)
    noise = torch.randn(len(train.y), dtype=torch.float64, generator=torch.manual_seed(1))
    few = boosted(Samples(train.x, noise), validation, "number", {"outputs": 1})["output"]
    many = boosted(train, validation, "number", {"outputs": 1})["output"]
    assert len(few) < len(many) / 3


def test_a_class_that_training_lacks_is_never_said() -> None:
    train, validation = drawn(3)
    some = train.y != 1
    weights = boosted(Samples(train.x[some], train.y[some]), validation, "class", {"outputs": 3})
    said = Four({"outputs": 3}, weights).summed(validation.x).argmax(dim=1)
    assert {*said.tolist()} == {0, 2}


@pytest.mark.parametrize(
    ("name", "value"),
    [("left", 0), ("right", 99), ("left", -1), ("feature", K), ("feature", -1), ("output", 2)],
)
def test_trees_from_a_file_never_lead_nowhere(name: str, value: int) -> None:
    weights = boosted(*drawn(2), "class", {"outputs": 2})
    load({"four": Four}, "four", {"outputs": 2}, weights)
    spoilt = weights[name].clone()
    spoilt[(0,) * spoilt.dim() if name != "left" or value else (0, 2)] = value
    with pytest.raises(DataError, match="lead where there is nothing"):
        load({"four": Four}, "four", {"outputs": 2}, {**weights, name: spoilt})
