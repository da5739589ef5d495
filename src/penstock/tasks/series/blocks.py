"""Stretches of test time that are long enough to be nearly independent of each other."""

import math
import statistics

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.data.forecasting.windows import Windows
from penstock.tasks.measuring import MOST_BLOCKS, Blocks
from penstock.tasks.series.selection import Selection
from penstock.tasks.shared import spread

_FEWEST = 3
_MOST_SERIES = 100  # whose memory is looked at, evenly spread
_CHANCE = 1.96  # times 1/√n: beyond it an autocorrelation is no chance


def blocks_of(chosen: Selection, test: Windows, observed: Tensor) -> Blocks:
    """Return blocks of the test windows: stretches of time of at least `memory` steps each.

    Their weights are how many of the targets [W, h] were observed.

    Where the test parts are too short for three such stretches, groups of series; of a single
    series two stretches that are too short, which a check tells.
    """
    several = len(chosen.series)
    places = tested_steps(chosen) - chosen.horizon + 1
    count = min(MOST_BLOCKS, places // memory(chosen))
    if count >= _FEWEST or several == 1:
        number, lag = (test.place * max(count, 2)).long(), 1
    else:
        number, lag = test.owner * min(MOST_BLOCKS, several) // several, 0
    number = torch.unique(number, return_inverse=True)[1]
    return Blocks(number, torch.bincount(number, observed.sum(dim=1).double()), lag)


def tested_steps(chosen: Selection) -> int:
    """Return the length of the longest test part."""
    return max(cut.end - cut.validation for cut in chosen.splits)


def memory(chosen: Selection) -> int:
    """Return for how many steps the errors of forecasts may go together: h at least.

    Of each series, twice the first lag at which the autocorrelation of |y_t − y_{t−s}| over its
    training part is no longer beyond chance, s being the season or seasons that hold a horizon; the
    median over series.
    """
    back = chosen.season * math.ceil(chosen.horizon / chosen.season)
    index = spread(len(chosen.series), _MOST_SERIES).tolist()
    lags = [
        _decorrelated(np.abs(values[back:] - values[:-back]))
        for values in (chosen.series[k].values[: chosen.splits[k].train] for k in index)
        if len(values) > back + 2
    ]
    return max(chosen.horizon, 2 * int(statistics.median(lags)) if lags else 1)


def _decorrelated(errors: NDArray[np.float64]) -> int:
    """Return the first lag at which an autocorrelation is not beyond chance."""
    count, centred = len(errors), errors - errors.mean()
    total = float(centred @ centred)
    for lag in range(1, count // 2):
        if centred[lag:] @ centred[:-lag] <= _CHANCE / math.sqrt(count) * total:
            return lag
    return max(1, count // 2)
