"""How much of what comes intervals of 80 % hold: python benchmarks/intervals.py [FOLDER].

A GRU is trained on each of a dozen series and more: made ones, the samples, and those in the CSV
files of FOLDER. Its own quantiles are measured on the test part, beside ways to correct them by the
validation part (Romano, Patterson & Candès 2019, arXiv:1905.03222). Printed: the share held, and
the interval score (Winkler 1972: mean width + 10 × what lies outside; lower is better) in units of
that of the network's own intervals.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from penstock.data import Options, Source
from penstock.data.reading import read_source
from penstock.data.samples import sample
from penstock.errors import PenstockError
from penstock.record.structure import Structure
from penstock.tasks import find_task
from penstock.tasks.task import Task
from penstock.training.loop import Budget, Training

Way = Callable[[Tensor], Tensor]


def made() -> Iterator[tuple[str, np.ndarray]]:
    """Yield series whose noise is known."""
    draw, t = np.random.default_rng(0), np.arange(800)
    noise = draw.standard_normal(800)
    yield "seasons and noise", np.sin(t / 2) + 0.3 * noise
    yield "random walk", noise.cumsum()
    yield "white noise", noise
    yield "trend", 0.02 * t + np.sin(t / 6) + 0.3 * noise
    yield "noise that grows", np.sin(t / 2) + 0.001 * t * noise
    yield "regimes", np.where(t // 50 % 2, 0.2, 1.5) * noise + np.sin(t / 5)
    skewed = np.exp(draw.standard_normal(800))
    yield "skewed noise", 3 * np.sin(t / 4) + skewed
    ar = np.zeros(800)
    for k in range(1, 800):
        ar[k] = 0.9 * ar[k - 1] + noise[k]
    yield "AR(1)", ar


def sources(folder: Path | None) -> Iterator[tuple[str, Source]]:
    """Yield each series by name."""
    for name, values in made():
        yield name, Source(name, pl.DataFrame({"y": values}))
    for name in ("sunspots", "shops"):
        yield name, sample(name)
    for path in sorted(folder.rglob("*.csv")) if folder else ():
        yield path.stem, read_source(path)


def level(scores: Tensor) -> Tensor:
    """Return the conformal quantile of 80 % of scores [V, J] over windows [J]."""
    share = 0.8 * (1 + 1 / (~scores.isnan()).sum(dim=0))
    columns = zip(scores.T, share.clamp(max=1).tolist(), strict=True)
    return torch.stack([one.nanquantile(q) for one, q in columns])


def corrections(ahead: Tensor, target: Tensor) -> dict[str, Way]:
    """Return each way to correct intervals, from validation forecasts and their targets."""
    low, middle, high = ahead.unbind(dim=-1)
    out = torch.maximum(low - target, target - high)
    below, above = ((one).clamp(min=1e-9) for one in (middle - low, high - middle))
    relative = torch.maximum((middle - target) / below, (target - middle) / above)
    errors = torch.stack([(target - middle).nanquantile(q, dim=0) for q in (0.1, 0.9)], dim=-1)

    def add(by: Tensor) -> Way:
        return lambda one: torch.stack([one[..., 0] - by, one[..., 1], one[..., 2] + by], dim=-1)

    def stretch(by: Tensor) -> Way:
        return lambda one: one[..., 1:2] + (one - one[..., 1:2]) * by[..., None]

    def beside(one: Tensor) -> Tensor:
        return torch.stack(
            [one[..., 1] + errors[:, 0], one[..., 1], one[..., 1] + errors[:, 1]], -1
        )

    return {
        "own": lambda one: one,
        "by step": add(level(out)),
        "by step, wider alone": add(level(out).clamp(min=0)),
        "over all steps, wider alone": add(level(out.reshape(-1, 1)).clamp(min=0)),
        "stretched, wider alone": stretch(level(relative.reshape(-1, 1)).clamp(min=1)),
        "errors alone": beside,
    }


def measured(ahead: Tensor, target: Tensor) -> tuple[float, float]:
    """Return the share held, and the interval score."""
    low, high = ahead[..., 0], ahead[..., -1]
    seen = ~target.isnan()
    inside = ((target >= low) & (target <= high))[seen].double().mean()
    outside = (low - target).clamp(min=0) + (target - high).clamp(min=0)
    return float(inside), float(((high - low) + 10 * outside)[seen].mean())


def run(task: Task) -> dict[str, tuple[float, float]]:
    """Return what each way holds and scores."""
    torch.manual_seed(0)
    network = task.network("gru", Structure(24))
    Training(task.problem, network, seed=0, budget=Budget(steps=400)).run()
    network.eval()
    parts = [task.problem.known(part) for part in ("validation", "test")]
    with torch.inference_mode():
        validation, test = (network.ahead(known.history) for known in parts)
    ways = corrections(validation, parts[0].target)
    return {name: measured(way(test), parts[1].target) for name, way in ways.items()}


def main() -> None:
    """Print a line for each series, and the means."""
    kind, rows = find_task("forecast"), []
    for name, source in sources(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        try:
            task = kind.prepare(kind.read(source, Options(task="forecast")))
        except PenstockError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        rows.append(found := run(task))
        score = found["own"][1]
        words = [f"{way} {held:.2f} ({other / score:.2f})" for way, (held, other) in found.items()]
        print(f"{name:18} {'  '.join(words)}", flush=True)
    for way in rows[0]:
        held = np.array([one[way][0] for one in rows])
        ratio = np.exp(np.mean([np.log(one[way][1] / one["own"][1]) for one in rows]))
        off = np.abs(held - 0.8).mean()
        print(f"{way:28} held {held.mean():.3f}, off by {off:.3f}, score {ratio:.3f}")


if __name__ == "__main__":
    main()
