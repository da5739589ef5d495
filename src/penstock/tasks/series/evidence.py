"""What forecasting tells the checks: changes in one step, columns beside, and spans of time."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import torch

from penstock.data.forecasting.windows import Windows
from penstock.tasks.evidence import SAMPLE, Evidence
from penstock.tasks.series.blocks import memory, tested_steps
from penstock.tasks.series.selection import Selection


def forecast_evidence(
    chosen: Selection, train: Windows, known: tuple[str, ...], past: tuple[str, ...], timed: bool
) -> Evidence:
    """Return the evidence of training windows whose first target was observed.

    Of a column, its changes from step to step are what is compared with the change to come: levels
    that drift go together without a leak. Series share a time only where the file has a column of
    times, and these are no numbers of rows.
    """
    index = torch.arange(min(SAMPLE, len(train))) * len(train) // min(SAMPLE, len(train))
    context, target, observed = train.batch(index)
    seen = observed[:, 0]
    before, ahead = train.beside(index)
    columns = {
        **{name: before[seen, :, k].numpy() for k, name in enumerate(past)},
        **{name: ahead[seen, :, k].numpy() for k, name in enumerate(known)},
    }
    timed = timed and not _count_rows([one.times for one in chosen.series])
    until, start = _spans(chosen)
    one = len(chosen.series) == 1
    return Evidence(
        targets=(target[:, 0] - context[:, -1])[seen].numpy(),
        columns={name: np.diff(values.astype(np.float64)) for name, values in columns.items()},
        memory=memory(chosen) if one else None,
        tested=tested_steps(chosen) if one else None,
        trained_until=until if timed else None,
        tested_from=start if timed else None,
    )


def _count_rows(times: Sequence[pl.Series]) -> bool:
    """Whether times are the numbers of rows: of each series by itself, or of the whole file.

    Whole numbers one apart that all begin at 0 or at 1, or of which no two series have the same,
    say nothing about what happened at once.
    """
    if not all(one.dtype.is_integer() and (one.diff().drop_nulls() == 1).all() for one in times):
        return False
    spans = sorted((int(one[0]), int(one[-1])) for one in times)
    apart = all(end < start for (_, end), (start, _) in pairwise(spans))
    return {start for start, _ in spans} in ({0}, {1}) or (apart and len(spans) > 1)


def _spans(chosen: Selection) -> tuple[Any, Any]:
    """Return the last time in a training part, and the first in a test part."""
    pairs = list(zip(chosen.series, chosen.splits, strict=True))
    ends = [one.times[cut.train - 1] for one, cut in pairs]
    return max(ends), min(one.times[cut.validation] for one, cut in pairs)
