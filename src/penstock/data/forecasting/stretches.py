"""Other splits of series: stretches of half their time, each split as the whole is.

Two such stretches share 23 % of their test parts on average (that of length b = 1/8 of a series,
with starts that are uniform over half of it). Splits of a set by chance share 25 %, for which the
variance of Nadeau and Bengio is made; of longer stretches the test parts would share more than it
allows for.
"""

from dataclasses import replace

import numpy as np

from penstock.data.series import Dataset, Series
from penstock.errors import ArgumentError


def stretch(dataset: Dataset, number: int) -> Dataset:
    """Return half of each series, from a place that is drawn with `number` as seed.

    All series are cut at the same share of their length. Missing values at the ends of a half are
    cut off, and a series that has no other there is left out.

    Raises:
        ArgumentError: the user gave the parts.
    """
    if any(one.ends is not None for one in dataset.series):
        raise ArgumentError(
            f"the parts of {dataset.name} were told, and those of series are not drawn anew; leave "
            "out --split and --test"
        )
    place = np.random.default_rng(number).random()
    halves = [_half(one, place) for one in dataset.series]
    return replace(dataset, series=tuple(filter(len, halves)))


def _half(one: Series, place: float) -> Series:
    length = (len(one) + 1) // 2
    start = round(place * (len(one) - length))
    seen = start + np.flatnonzero(one.observed[start : start + length])
    kept = slice(seen[0], seen[-1] + 1) if len(seen) else slice(0, 0)
    return replace(
        one,
        times=one.times[kept],
        values=one.values[kept],
        observed=one.observed[kept],
        known=one.known[kept],
        past=one.past[kept],
        later=None,
    )
