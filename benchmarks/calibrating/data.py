"""Data sets drawn anew for each number, each with much more of the same to test on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from penstock.data import Options, Source
from penstock.data.following.text import encode
from penstock.data.splits import Split
from penstock.tasks import find_task
from penstock.tasks.following.symbols import TextProblem
from penstock.tasks.problem import Problem
from penstock.tasks.task import Task

PARTS = np.array(["train", "validation", "test"])
_LENGTH, _FRESH = 500, 3000  # rows of a series, and those that come after them
_SETS, _FRESH_SETS, _STEPS = 200, 1500, 8  # sequences, and their steps
_TEXT, _FRESH_TEXT = 4000, 40_000


@dataclass(frozen=True)
class Drawn:
    """A data set.

    Attributes:
        task: bound to it.
        fresh: the same problem, tested on much more that was drawn like it.
        null: whether no cell can be better than the best baseline.
    """

    task: Task
    fresh: Problem
    null: bool


def series(values: np.ndarray) -> tuple[Task, Problem]:
    """Return the forecasting of the next value: first rows, and rows with all that follow."""
    days = np.arange(len(values))
    place = np.searchsorted([0.6 * _LENGTH, 0.75 * _LENGTH], days, side="right")
    frame = pl.DataFrame({"ds": days, "y": values, "part": PARTS[place]})
    short, long = (_bound("forecast", frame[:n], split="part") for n in (_LENGTH, len(values)))
    return short, long.problem


def sequences(
    rng: np.random.Generator, name: str, label: Callable[[np.ndarray], np.ndarray]
) -> tuple[Task, Problem]:
    """Return a task on sequences of a number x, with labels of x [S, T]: one each, or a step."""
    count = _SETS + _FRESH_SETS
    x = rng.standard_normal((count, _STEPS))
    labels = label(x)
    each = np.broadcast_to(labels[:, None], x.shape) if labels.ndim == 1 else labels
    part = PARTS[np.searchsorted([0.6 * _SETS, 0.75 * _SETS], np.arange(count), side="right")]
    frame = pl.DataFrame(
        {
            "id": np.repeat(np.arange(count), _STEPS).astype(str),
            "step": np.tile(np.arange(_STEPS), count),
            "x": x.ravel(),
            "label": np.array(["a", "b"])[each.ravel().astype(int)],
            "part": np.repeat(part, _STEPS),
        }
    )
    short, long = (
        _bound(name, frame[: n * _STEPS], split="part", target=("label",), id="id", time="step")
        for n in (_SETS, count)
    )
    return short, long.problem


def text(rng: np.random.Generator) -> tuple[Task, Problem]:
    """Return the text of a Markov chain, of which an n-gram knows all there is to know."""
    chain = rng.dirichlet(np.full(6, 0.7), 6).cumsum(axis=1)
    codes, draws = [0], rng.random(_TEXT + _FRESH_TEXT)
    for u in draws[1:]:
        codes.append(min(5, int(np.searchsorted(chain[codes[-1]], u))))
    written = bytes(97 + code for code in codes)
    kind = find_task("text")
    short = kind.prepare(kind.read(Source("text", text=written[:_TEXT]), Options(task="text")))
    long = kind.read(Source("text", text=written), Options(task="text"))
    problem = short.problem
    assert isinstance(problem, TextProblem)
    ends = Split(problem.parts.train, problem.parts.validation, len(long.codes))
    fresh = replace(problem, data=long, codes=encode(long, problem.alphabet), parts=ends)
    return short, fresh


def _bound(name: str, frame: pl.DataFrame, **options: Any) -> Task:
    kind = find_task(name)
    read = kind.read(Source(name, table=frame), Options(task=name, **options))
    return kind.prepare(read, 1) if kind.has_horizon else kind.prepare(read)


def _walk(rng: np.random.Generator) -> tuple[Task, Problem]:
    return series(rng.standard_normal(_LENGTH + _FRESH).cumsum())


def _noise(rng: np.random.Generator) -> tuple[Task, Problem]:
    return series(rng.standard_normal(_LENGTH + _FRESH))


def _regimes(rng: np.random.Generator) -> tuple[Task, Problem]:
    loud = 1 + 4 * (np.arange(_LENGTH + _FRESH) // 50 % 2)
    return series(loud * rng.standard_normal(_LENGTH + _FRESH))


def _random_regimes(rng: np.random.Generator) -> tuple[Task, Problem]:
    """Return noise whose spread is drawn anew every fifty rows: what a test part holds is luck."""
    length = _LENGTH + _FRESH
    loud = np.repeat(rng.choice([1, 5], -(-length // 50)), 50)[:length]
    return series(loud * rng.standard_normal(length))


def _season(rng: np.random.Generator) -> tuple[Task, Problem]:
    steps = np.arange(_LENGTH + _FRESH)
    return series(np.sin(2 * np.pi * steps / 12) + 0.5 * rng.standard_normal(len(steps)))


def _random_labels(rng: np.random.Generator) -> tuple[Task, Problem]:
    return sequences(rng, "classify", lambda x: rng.integers(0, 2, len(x)))


def _signs(rng: np.random.Generator) -> tuple[Task, Problem]:
    return sequences(
        rng, "classify", lambda x: x.mean(axis=1) + 0.3 * rng.standard_normal(len(x)) > 0
    )


def _tags(rng: np.random.Generator) -> tuple[Task, Problem]:
    return sequences(
        rng, "tag", lambda x: x.cumsum(axis=1) + 0.5 * rng.standard_normal(x.shape) > 0
    )


KINDS: dict[str, tuple[Callable[[np.random.Generator], tuple[Task, Problem]], bool]] = {
    "forecast: random walk": (_walk, True),
    "forecast: white noise": (_noise, True),
    "forecast: regimes": (_regimes, True),
    "forecast: random regimes": (_random_regimes, True),
    "forecast: season": (_season, False),
    "classify: random labels": (_random_labels, True),
    "classify: sums": (_signs, False),
    "tag: running sums": (_tags, False),
    "text: Markov chain": (text, True),
}


def draw(name: str, number: int) -> Drawn:
    """Return the data set of a kind and number."""
    make, null = KINDS[name]
    rng = np.random.default_rng([number, *name.encode()])
    return Drawn(*make(rng), null)
