"""What cells cost: parameters, time and memory."""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from sympy import Expr
from torch import Tensor, nn

import penstock
from experiments.record import Check, Claim, Estimate, exact, geometric, median
from experiments.training import CLEAR, Run
from experiments.trials import Entry, Train, tried
from penstock.cells import find_cell
from penstock.explain.counts import H, I, count


def parameters() -> Claim:
    """The claim about parameters."""
    counted = {name: weights(name) for name in ("gru", "lstm")}
    saved = 1 - float((counted["gru"] / counted["lstm"]).simplify())
    figures = {name: int(formula.subs({I: 128, H: 256})) for name, formula in counted.items()}
    rows = [(name, str(counted[name].factor()), f"{n:,}") for name, n in figures.items()]
    return Claim(
        "GRU has 25 % fewer parameters than LSTM at equal width",
        "Counted from the cells' equations, for any I and H; three gates instead of four.",
        [Check("share of weights saved", exact(saved), low=0.2499, high=0.2501)],
        ("cell", "weights", "I = 128, H = 256"),
        rows,
    )


def weights(name: str) -> Expr:
    """Return the number of a cell's weights as a formula."""
    shapes = count(find_cell(name)()).parameters.values()
    return sum(math.prod(shape) for shape in shapes)


def training_step(cell: str, width: int, T: int, home: Any = penstock) -> Callable[[], Tensor]:
    """Return a step of training: forward, backward, Adam; B = 16, I = 16; `home` has the layer."""
    torch.manual_seed(0)
    layer, x = getattr(home, cell.upper())(16, width), torch.randn(T, 16, 16)
    optimiser = torch.optim.Adam(layer.parameters())

    def step() -> Tensor:
        optimiser.zero_grad()
        loss = layer(x)[0].square().mean()
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


def alternately(steps: Sequence[Callable[[], Tensor]], rounds: int) -> np.ndarray:
    """Return seconds [rounds, steps]; each step is taken once a round, so that load is shared."""
    for step in steps:
        step(), step()
    seconds = np.empty((rounds, len(steps)))
    for row in seconds:
        for k, step in enumerate(steps):
            start = time.perf_counter()
            step()
            row[k] = time.perf_counter() - start
    return seconds


EQUAL, WIDE, SPAN = 64, 75, 20  # 3 (16 H + H² + 2 H) of 75 is nearest to an LSTM's 4 of 64
CASES = (("lstm", EQUAL), ("gru", EQUAL), ("gru", WIDE))


def speed(seeds: int, limit: int, rounds: int, train: Train) -> Claim:
    """The claim about GRU's training."""
    pair = [Entry("adding", SPAN, cell, "torch") for cell in ("lstm", "gru")]
    lstm, gru = tried(pair, seeds, limit, train).values()
    needed = geometric([ratio(g, m) for m, g in zip(lstm, gru, strict=True)])
    checks, rows = list[Check](), list[tuple[str, ...]]()
    for home, name in ((penstock, "penstock"), (nn, "torch.nn")):
        steps = [training_step(cell, width, 50, home) for cell, width in CASES]
        seconds = alternately(steps, rounds)
        equal, wide = (median(list(seconds[:, k] / seconds[:, 0])) for k in (1, 2))
        checks.append(Check(f"{name}: time of a step, equal width", equal, high=1))
        checks.append(Check(f"{name}: time of a step, equal parameters", wide, high=1))
        whole = times(needed, wide.mean)
        checks.append(
            Check(f"{name}: time to an error of {CLEAR}, equal parameters", whole, high=1)
        )
        for (cell, width), taken in zip(CASES, np.median(seconds, axis=0), strict=True):
            rows.append((name, cell, str(width), f"{1e3 * taken:.2f}"))
    return Claim(
        "GRU trains faster",
        "Seconds of a training step (forward, backward, Adam), GRU / LSTM, taken in turn in one "
        f"process with one thread: T = 50, B = 16, I = 16, LSTM of {EQUAL} units, GRU of {EQUAL} "
        f"(equal width) or {WIDE} (equal parameters); the median of {rounds} rounds; with "
        "Penstock's layers and with torch.nn's, as the answer may be one about kernels. Steps are "
        f"those until the smoothed error on the adding problem, T = {SPAN}, is below {CLEAR}, by "
        f"{lstm[0].job.width} and {gru[0].job.width} units from torch.nn's start, each at the rate "
        f"that was quickest with a seed of its own ({lstm[0].job.rate:g} and "
        f"{gru[0].job.rate:g}): LSTM {listed(lstm)}; GRU {listed(gru)}, by seed. A run that never "
        "gets there counts with all its steps, and where both of a seed never do there is no "
        "figure. Time to that error is their ratio times the median ratio of time; its interval "
        "is that of the steps.",
        checks,
        ("layers", "cell", "width", "ms a step"),
        rows,
    )


def ratio(one: Run, other: Run) -> float:
    """Return the ratio of the steps that two runs needed; NaN where neither got there."""
    if one.reached is None and other.reached is None:
        return math.nan
    return (one.reached or one.taken) / (other.reached or other.taken)


def listed(runs: Sequence[Run]) -> str:
    """Return the steps that runs needed as text."""
    return ", ".join(str(r.reached or "never") for r in runs)


def times(figure: Estimate, factor: float) -> Estimate:
    """Return a figure and its interval times a factor."""
    low, high = figure.interval or (math.nan, math.nan)
    return Estimate(factor * figure.mean, (factor * low, factor * high))


def kept(step: Callable[[], Tensor]) -> int:
    """Return how many numbers a step keeps for its backward pass, what is shared counted once."""
    seen = dict[int, tuple[int, int]]()

    def note(tensor: Tensor) -> Tensor:
        # What is seen of a storage, not its size: large ones are aligned, with 2 MiB to spare.
        first, key = tensor.storage_offset(), tensor.untyped_storage().data_ptr()
        low, high = seen.get(key, (first, first))
        seen[key] = min(low, first), max(high, first + tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        step()
    return sum(high - low for low, high in seen.values())


def exponent(lengths: Sequence[int], values: Sequence[float]) -> float:
    """Return the slope of ln value against ln T."""
    return float(np.polyfit(np.log(lengths), np.log(values), 1)[0])


def linear(lengths: Sequence[int], rounds: int) -> Claim:
    """The claim about time and memory."""
    checks, rows = list[Check](), list[tuple[str, ...]]()
    for cell in ("rnn", "lstm", "gru"):
        steps = [training_step(cell, 64, T) for T in lengths]
        seconds = alternately(steps, rounds)
        slope = partial(exponent, lengths)
        numbers = [kept(step) for step in steps]
        checks.append(Check(f"{cell}: exponent of time", median([*map(slope, seconds)]), high=1.1))
        checks.append(Check(f"{cell}: exponent of memory", exact(slope(numbers)), high=1.1))
        middle = np.median(seconds, axis=0)
        for T, taken, number in zip(lengths, middle, numbers, strict=True):
            rows.append((cell, str(T), f"{1e3 * taken:.2f}", f"{number:,}"))
    return Claim(
        "Time and memory are O(T)",
        "A training step of 64 units, B = 16, I = 16, one thread, at growing T: its time, the "
        f"median of {rounds} rounds in turn, and the numbers that autograd is seen to keep for the "
        "backward pass. The exponent is the slope of their logarithms; linear growth is at most "
        "T to the power 1.1.",
        checks,
        ("cell", "T", "ms a step", "numbers kept"),
        rows,
    )
