"""Training on a toy learner: a line through noise, learned in milliseconds."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from penstock.training import checkpoint
from penstock.training.loop import Budget, Progress, Training, derive_seed, weights_at

BUDGET = Budget(steps=23, round_steps=4, patience=10, batch_size=8, learning_rate=0.1)


class Line:
    """Learn y = 2 x − 1; `broken` makes the loss NaN from that call on."""

    def __init__(self, broken: int | None = None) -> None:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(200, 1, generator=generator)
        self.data = x, 2 * x - 1 + 0.1 * torch.randn(200, 1, generator=generator)
        self.broken, self.calls = broken, 0

    def size(self, part: str) -> int:
        return 150 if part == "train" else 50

    def draw(self, steps: int, batch_size: int) -> Tensor:
        return torch.randint(self.size("train"), (steps, batch_size))

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        shifted = index if part == "train" else index + 150
        return self.data[0][shifted], self.data[1][shifted]

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        self.calls += 1
        factor = float("nan") if self.broken is not None and self.calls > self.broken else 1.0
        return (network(batch[0]) - batch[1]).square().mean() * factor


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(1, 3), nn.Dropout(0.1), nn.Linear(3, 1))


def train(path: Path | None = None, budget: Budget = BUDGET) -> tuple[nn.Module, Progress]:
    net = network()
    return net, Training(Line(), net, seed=5, budget=budget, path=path).run()


def assert_same(one: tuple[nn.Module, Progress], other: tuple[nn.Module, Progress]) -> None:
    for a, b in zip(one[0].parameters(), other[0].parameters(), strict=True):
        assert torch.equal(a, b)
    assert replace(one[1], times=[]) == replace(other[1], times=[])


def test_it_learns_and_keeps_the_best_weights() -> None:
    net, progress = train(budget=replace(BUDGET, steps=200))
    losses = [loss for _, loss in progress.losses]
    assert progress.best_loss == min(losses) < 0.05 < losses[0]
    found = Line().loss(net.eval(), Line().batch("validation", torch.arange(50)))
    assert float(found.detach()) == progress.best_loss


def test_the_last_round_is_cut_to_the_budget() -> None:
    learner = Line()
    Training(learner, network(), seed=0, budget=BUDGET).run()
    assert learner.calls == 23 + 1 + 6  # steps, and a validation before and after each round


def test_patience_stops() -> None:
    budget = replace(BUDGET, steps=4000, patience=3)
    _, progress = train(budget=budget)
    assert progress.ended(budget) == "patience"
    assert progress.round - progress.best_round == 3


@pytest.mark.parametrize("call", [0, 1, 3, 9])
def test_a_loss_that_is_not_finite_ends_it(call: int) -> None:
    progress = Training(Line(broken=call), network(), seed=0, budget=BUDGET).run()
    assert progress.diverged
    assert progress.ended(BUDGET) == "diverged"


def test_the_trail_holds_the_weights_of_each_round_that_was_the_best(tmp_path: Path) -> None:
    net = network()
    training = Training(Line(), net, seed=5, budget=BUDGET, trail=tmp_path)
    progress = training.run()
    losses = [float("inf") if loss is None else loss for _, loss in progress.losses]
    lowest = [n for n, loss in enumerate(losses) if all(loss < other for other in losses[:n])]
    assert {path.stem for path in tmp_path.iterdir()} == {str(n) for n in lowest}
    for number in lowest:
        net.load_state_dict(checkpoint.load(weights_at(tmp_path, number))[0])
        assert training._validate() == losses[number]
    assert len(progress.times) == progress.round + 1


def test_gradients_are_clipped() -> None:
    class Steep(Line):
        def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
            return 1e6 * super().loss(net, batch)

    net = network()
    Training(Steep(), net, seed=0, budget=replace(BUDGET, steps=1)).run()
    norm = torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None]).norm()
    assert float(norm) == pytest.approx(1.0, rel=1e-4)


def test_each_round_draws_batches_of_its_own() -> None:
    class Recording(Line):
        def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
            if part == "train":
                drawn.append(tuple(index.tolist()))
            return super().batch(part, index)

    drawn: list[tuple[int, ...]] = []
    Training(Recording(), network(), seed=0, budget=BUDGET).run()
    assert len({*drawn}) == len(drawn) == 23


def test_two_runs_are_equal_and_another_seed_is_not() -> None:
    assert_same(train(), train())
    net = network()
    Training(Line(), net, seed=6, budget=BUDGET).run()
    assert not torch.equal(next(net.parameters()), next(train()[0].parameters()))


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_it_goes_on_in_the_same_process(tmp_path: Path, stop: int) -> None:
    path = tmp_path / "checkpoint.safetensors"

    def interrupt(progress: Progress) -> None:
        if progress.round == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Training(Line(), network(), seed=5, budget=BUDGET, path=path).run(interrupt)
    assert checkpoint.load(path)[1]["round"] == stop
    assert_same(train(path), train())


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_loop import BUDGET, Line, network
from penstock.training.loop import Training
calls = 0
def kill_at(function, number):
    def wrapped(*args):
        global calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args)
    return wrapped
where, number = sys.argv[3], int(sys.argv[4])
learner = Line()
if where == "loss":
    learner.loss = kill_at(learner.loss, number)
else:  # between writing a checkpoint and putting it in place
    os.replace = kill_at(os.replace, number)
Training(learner, network(), seed=5, budget=BUDGET, path=Path(sys.argv[2])).run()
"""


@pytest.mark.parametrize(("where", "number"), [("loss", 13), ("loss", 28), ("replace", 4)])
def test_it_goes_on_after_kill_9(tmp_path: Path, where: str, number: int) -> None:
    path = tmp_path / "checkpoint.safetensors"
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", KILLED, here, str(path), where, str(number)]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert 0 < checkpoint.load(path)[1]["round"] < BUDGET.rounds
    assert_same(train(path), train())


def test_seeds_are_well_mixed() -> None:
    assert len({derive_seed(a, b) for a in range(30) for b in range(30)}) == 900
