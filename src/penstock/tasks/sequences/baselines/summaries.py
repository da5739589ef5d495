"""What a sequence is without its order: what a model without recurrence may look at."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from penstock.models.reader import Inputs

_MOST_SHARES = 200  # codes of a column of symbols whose shares are taken


def count_summaries(numbers: int, codes: Sequence[int]) -> int:
    """Return K, how many summaries there are of so many numbers, and symbols of so many codes."""
    return 3 * numbers + sum(size for size in codes if size <= _MOST_SHARES) + 1


def summaries(inputs: Inputs, codes: Sequence[int]) -> Tensor:
    """Return what each sequence is without its order [B, K], float64.

    That is, of each number its mean, standard deviation and last value, the share of each symbol,
    and the logarithm of the length.
    """
    inside, count = inputs.inside(), len(inputs.numbers)
    steps = inside.sum(dim=1)
    lengths, owner = steps[:, None], torch.arange(count).repeat_interleave(steps)

    def mean(values: Tensor) -> Tensor:
        zeros = torch.zeros(count, values.shape[1], dtype=torch.float64)
        return zeros.index_add_(0, owner, values) / lengths

    values, symbols = inputs.numbers[inside].double(), inputs.symbols[inside]
    means = mean(values)
    deviations = (mean(values.square()) - means.square()).clamp(min=0).sqrt()
    shares = [
        torch.bincount(owner * size + symbols[:, c], minlength=count * size)
        .reshape(-1, size)
        .double()
        / lengths
        for c, size in enumerate(codes)
        if size <= _MOST_SHARES
    ]
    last = inputs.numbers[torch.arange(count), steps - 1].double()
    return torch.cat([means, deviations, last, *shares, lengths.double().log()], dim=1)


def all_summaries(batches: Iterable[Inputs], codes: Sequence[int]) -> Tensor:
    """Return the summaries of all sequences [W, K]."""
    return torch.cat([summaries(inputs, codes) for inputs in batches])
