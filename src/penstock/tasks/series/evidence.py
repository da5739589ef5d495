"""What forecasting tells the checks: changes in one step, columns beside, and spans of time."""

from typing import Any

import numpy as np
import torch

from penstock.data.forecasting.windows import Windows
from penstock.tasks.evidence import SAMPLE, Evidence
from penstock.tasks.series.selection import Selection


def forecast_evidence(
    chosen: Selection, train: Windows, known: tuple[str, ...], past: tuple[str, ...], timed: bool
) -> Evidence:
    """Return the evidence of training windows whose first target was observed.

    Of a column, its changes from step to step are what is compared with the change to come: levels
    that drift go together without a leak. Series share a time only where the file has a column of
    times.
    """
    index = torch.arange(min(SAMPLE, len(train))) * len(train) // min(SAMPLE, len(train))
    context, target, observed = train.batch(index)
    seen = observed[:, 0]
    before, ahead = train.beside(index)
    columns = {
        **{name: before[seen, :, k].numpy() for k, name in enumerate(past)},
        **{name: ahead[seen, :, k].numpy() for k, name in enumerate(known)},
    }
    until, start = _spans(chosen)
    return Evidence(
        targets=(target[:, 0] - context[:, -1])[seen].numpy(),
        columns={name: np.diff(values.astype(np.float64)) for name, values in columns.items()},
        trained_until=until if timed else None,
        tested_from=start if timed else None,
    )


def _spans(chosen: Selection) -> tuple[Any, Any]:
    """Return the last time in a training part, and the first in a test part."""
    pairs = list(zip(chosen.series, chosen.splits, strict=True))
    ends = [one.times[cut.train - 1] for one, cut in pairs]
    return max(ends), min(one.times[cut.validation] for one, cut in pairs)
