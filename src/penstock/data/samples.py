"""Data that come with Penstock, by name: one real series, and one made sample for each task.

The made ones are drawn from fixed seeds, and small, so that `penstock compare` can be tried on
every kind of data in a minute.
"""

from collections.abc import Callable
from importlib import resources

import numpy as np
import polars as pl

from penstock.data.files import Source
from penstock.data.reading import read_source as load
from penstock.errors import ArgumentError, nearest


def samples() -> dict[str, Callable[[], Source]]:
    """Return what makes each sample, by name."""
    return {
        "sunspots": _sunspots,
        "shops": _shops,
        "gestures": _gestures,
        "adding": _adding,
        "brackets": _brackets,
        "rhyme": _rhyme,
        "canon": _canon,
    }


def sample(name: str) -> Source:
    """Return the sample of that name.

    Raises:
        ArgumentError: there is none.
    """
    known = samples()
    if name not in known:
        raise ArgumentError(f"unknown sample {name!r}: {nearest(name, known)}")
    return known[name]()


def _sunspots() -> Source:
    with resources.as_file(resources.files("penstock.data") / "sunspots.csv") as path:
        return load(path)


def _shops() -> Source:
    """Many series in long form: sales with a weekly season, and promotions that raise them."""
    draw, parts = np.random.default_rng(1), []
    for shop in range(8):
        day = np.arange(200)
        promo = (draw.random(200) < 0.15).astype(int)
        season = 10 * np.sin(2 * np.pi * (day + shop) / 7)
        sold = 100 + 5 * shop + season + 30 * promo + 3 * draw.standard_normal(200)
        parts.append(pl.DataFrame({"day": day, "promo": promo, "y": sold.round(1)}))
    ids = [f"shop {shop}" for shop in range(8) for _ in range(200)]
    return Source("shops", pl.concat(parts).insert_column(0, pl.Series("unique_id", ids)))


def _gestures() -> Source:
    """Sequences of points with a class each: a circle one way, the other way, or to and fro."""
    draw, parts = np.random.default_rng(2), []
    for number in range(150):
        kind = ("left turn", "right turn", "to and fro")[number % 3]
        steps = int(draw.integers(15, 40))
        angle = draw.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi, steps)
        way = {"left turn": angle, "right turn": -angle, "to and fro": np.pi * np.sin(angle)}[kind]
        points = np.stack([np.cos(way), np.sin(way)]) + 0.3 * draw.standard_normal((2, steps))
        columns = {"id": [f"g{number}"] * steps, "x": points[0].round(3), "y": points[1].round(3)}
        parts.append(pl.DataFrame({**columns, "label": [kind] * steps}))
    return Source("gestures", pl.concat(parts))


def _adding() -> Source:
    """Sequences with a number each: the sum of the two values that are marked.

    The adding problem (Hochreiter & Schmidhuber 1997, section 5.4), with 10 to 20 steps.
    """
    draw, parts = np.random.default_rng(3), []
    for number in range(400):
        steps = int(draw.integers(10, 21))
        value, marked = draw.random(steps).round(3), np.zeros(steps, int)
        marked[draw.choice(steps, 2, replace=False)] = 1
        total = round(float(value @ marked), 3)
        columns = {"id": [f"a{number}"] * steps, "value": value, "marked": marked}
        parts.append(pl.DataFrame({**columns, "label": [total] * steps}))
    return Source("adding", pl.concat(parts))


def _brackets() -> Source:
    """Sequences of symbols with a label at every step: what is inside brackets is a "yes"."""
    draw, parts = np.random.default_rng(4), []
    for number in range(120):
        steps, inside = int(draw.integers(20, 60)), False
        symbols, tags = [], []
        for _ in range(steps):
            turn = draw.random() < 0.15
            symbols.append((")" if inside else "(") if turn else draw.choice(list("abc")))
            inside = inside != turn
            tags.append("yes" if inside else "no")
        columns = {"id": [f"s{number}"] * steps, "symbol": symbols, "tag": tags}
        parts.append(pl.DataFrame(columns))
    return Source("brackets", pl.concat(parts))


def _rhyme() -> Source:
    """Text: sentences drawn from a small grammar, two lines a verse with the same last word."""
    draw = np.random.default_rng(5)
    subjects, verbs = ["the river", "the gate", "a stone", "the wheel"], ["holds", "turns", "feeds"]
    ends = ["the mill", "the hill", "the rain", "the grain"]
    verses = []
    for _ in range(300):
        end = draw.choice(ends)
        lines = [f"{draw.choice(subjects)} {draw.choice(verbs)} {end}" for _ in range(2)]
        verses.append(",\n".join(lines) + ".\n")
    return Source("rhyme.txt", text="".join(verses).encode())


def _canon() -> Source:
    """Multi-hot frames: two voices walk a scale, the second four steps behind the first."""
    draw, arrays = np.random.default_rng(6), {}
    for number in range(24):
        steps = int(draw.integers(40, 80))
        walk = np.clip(draw.integers(0, 12) + np.cumsum(draw.choice([-1, 1, 2], steps)), 0, None)
        notes = walk % 12
        roll = np.zeros((steps, 12), np.uint8)
        roll[np.arange(steps), notes] = 1
        roll[np.arange(4, steps), notes[:-4]] = 1
        arrays[f"piece {number}"] = roll
    return Source("canon", arrays=arrays)
