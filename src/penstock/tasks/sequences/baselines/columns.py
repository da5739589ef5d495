"""Sequences as rows of columns: what a model without recurrence may look at."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from penstock.models.reader import Inputs


def step_columns(inputs: Inputs, codes: Sequence[int]) -> Tensor:
    """Return the numbers of each step, and a column for each code of its symbols.

    Shapes: [B, T, F + all codes], float64; zeros past the end of a row.
    """
    symbols = [one_hot(inputs.symbols[..., c].long(), size) for c, size in enumerate(codes)]
    steps = torch.cat([inputs.numbers.double(), *(one.double() for one in symbols)], dim=2)
    return steps * inputs.inside()[..., None]


def positions(inputs: Inputs, codes: Sequence[int], steps: int) -> Tensor:
    """Return the columns of the first steps side by side [B, steps (F + all codes)].

    Steps that a sequence has not are zeros.
    """
    columns = step_columns(inputs, codes)[:, :steps]
    return pad(columns, (0, 0, 0, steps - columns.shape[1])).flatten(1)


def windows(inputs: Inputs, codes: Sequence[int], width: int) -> Tensor:
    """Return of each step its columns and those of the steps before it, the nearest first.

    Shapes: [B, T, width (F + all codes)]; zeros before the beginning.
    """
    columns = pad(step_columns(inputs, codes), (0, 0, width - 1, 0))
    steps = inputs.numbers.shape[1]
    return torch.cat([columns[:, w : w + steps] for w in reversed(range(width))], dim=2)
