"""How gradients go back through time, and what gates and clipping do to them."""

import math
from collections.abc import Callable

import numpy as np
import torch

import penstock
from experiments.problems import PROBLEMS
from experiments.record import Check, Claim, mean, proportion, shown
from experiments.training import Job, evaluate, initialiser, network, train
from penstock.inspect.gradients import Flow, state_flow

T, B, I, H = 50, 8, 3, 32
LONGEST = 100  # the time up to which gates are biased to keep
RATE, FACTOR = 0.05, 2.0
LEFT = 0.1 ** (1 / T)  # the growth at which a tenth is left after T steps


def fit(flow: Flow) -> float:
    """Return R² of a line through ln ‖∂h_T/∂h_t‖ against the steps back."""
    norms = np.array(flow.norms[1:])
    return float(np.corrcoef(np.arange(len(norms)), np.log(norms))[0, 1] ** 2)


def start(cell: str, init: str, factor: float = 1) -> Callable[[int], Flow]:
    """Return the flow of a new layer, its U times a factor, as a function of the seed."""

    def flow(seed: int) -> Flow:
        torch.manual_seed(seed)
        layer = penstock.Recurrent(cell, I, H, init=initialiser(cell, init, LONGEST))
        with torch.no_grad():
            layer.weight_hh_l0.mul_(factor)
        return state_flow(layer, torch.randn(T, B, I))

    return flow


def trained(steps: int) -> Callable[[int], Flow]:
    """Return the flow of an RNN trained on the adding problem as a function of the seed."""

    def flow(seed: int) -> Flow:
        net = train(Job("adding", "rnn", "torch", T, H, seed, steps, 0.01))[1]
        return state_flow(net[0], PROBLEMS["adding"].draw(T, B)[0])

    return flow


def decay(seeds: int, steps: int) -> Claim:
    """The claim about tanh."""
    cases = {
        "weights as torch.nn": start("rnn", "torch"),
        "orthogonal U": start("rnn", "orthogonal"),
        "orthogonal U times 1.5": start("rnn", "orthogonal", 1.5),
        f"trained to add, {steps} steps": trained(steps),
    }
    checks, rows = list[Check](), list[tuple[str, ...]]()
    for what, case in cases.items():
        flows = [case(seed) for seed in range(seeds)]
        growth, line = mean([f.growth for f in flows]), mean([fit(f) for f in flows])
        checks.append(Check(f"{what}: growth per step", growth, high=1))
        checks.append(Check(f"{what}: R² of ln norm over steps", line, low=0.9))
        half = f"{math.log(0.5) / math.log(growth.mean):.1f}" if growth.mean < 1 else "none"
        rows.append((what, shown(growth), half, shown(line)))
    return Claim(
        "tanh RNN's gradients decay exponentially",
        f"‖∂h_T/∂h_t‖ of an RNN of {H} units over T = {T} steps of noise (of the problem, where "
        "it is trained). Growth is the factor per step back, fitted to the logarithm; it decays "
        "where that is below 1, and exponentially where a line fits: R² above 0.9. One case has "
        "larger weights than one starts with, as tanh alone does not make a gradient small.",
        checks,
        ("RNN", "growth", "steps to a half", "R²"),
        rows,
    )


def cures(seeds: int, bursts: int, steps: int) -> Claim:
    """The claim about gates and clipping."""
    rnn = [start("rnn", "torch")(seed).growth for seed in range(seeds)]
    checks, rows = list[Check](), [("rnn", "as torch.nn", shown(mean(rnn)), left(rnn))]
    for cell in ("lstm", "gru"):
        for init, words in {"torch": "as torch.nn", "chrono": "gates biased to keep"}.items():
            growth = [start(cell, init)(seed).growth for seed in range(seeds)]
            more = mean([g - r for g, r in zip(growth, rnn, strict=True)])
            if init == "torch":
                checks.append(Check(f"{cell.upper()} − RNN, growth, {words}", more, low=0))
            checks.append(Check(f"{cell.upper()}, growth, {words}", mean(growth), low=LEFT))
            rows.append((cell, words, shown(mean(growth)), left(growth)))
    for what, clip, factor, limits in BURSTS:
        share = proportion([diverges(seed, clip, factor, steps) for seed in range(bursts)])
        checks.append(Check(f"share diverging, {what}", share, **limits))
    return Claim(
        "The gates cure vanishing, clipping cures explosion",
        f"Growth at the start of training as above; vanishing is cured where more than a tenth of "
        f"the gradient is left after {T} steps, a growth above {LEFT:.3f}. Explosion: RNN with "
        f"orthogonal U times {FACTOR:g} on the adding problem, T = {T}, SGD at {RATE:g}, {bursts} "
        f"seeds, {steps} steps; it diverges if its last 10 losses are on average above 10 times "
        "chance, or not finite. Clipped is by norm 1. That the explosion makes it diverge, not "
        "the rate, is seen from the same without the factor. Intervals of shares are Wilson's.",
        checks,
        ("cell", "weights", "growth", f"left after {T} steps"),
        rows,
    )


def left(growth: list[float]) -> str:
    """Return what is left of a gradient after T steps."""
    return f"{float(np.mean(growth)) ** T:.2g}"


BURSTS: tuple[tuple[str, float | None, float, dict[str, float]], ...] = (
    ("U not enlarged, not clipped", None, 1.0, {"high": 0.1}),
    ("not clipped", None, FACTOR, {"low": 0.5}),
    ("clipped", 1.0, FACTOR, {"high": 0.1}),
)


def diverges(seed: int, clip: float | None, factor: float, steps: int) -> bool:
    """Return whether an RNN whose U is orthogonal times a factor ends worse than it began."""
    net, problem = (
        network(Job("adding", "rnn", "orthogonal", T, H, seed, steps, RATE)),
        PROBLEMS["adding"],
    )
    with torch.no_grad():
        net[0].weight_hh_l0.mul_(factor)
    optimiser, losses = torch.optim.SGD(net.parameters(), lr=RATE), list[float]()
    for _ in range(steps):
        optimiser.zero_grad()
        loss, value = evaluate(net, problem, problem.draw(T, 32))
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimiser.step()
        losses.append(value)
    return not np.mean(losses[-10:]) < 10 * problem.chance
