"""What tasks on labelled sequences tell the checks: the targets, and the columns beside them."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.tasks.evidence import SAMPLE, Evidence

if TYPE_CHECKING:
    from penstock.tasks.sequences.problem import SequenceProblem


def of_sequences(problem: "SequenceProblem") -> Evidence:
    """Return the evidence of training sequences.

    Of a column of numbers the first, the mean and the last are looked at; of symbols the first
    and the last. Where a sequence is a row, each step is a column, and looked at by itself.
    """
    train = problem.parts["train"]
    index = torch.arange(min(SAMPLE, len(train))) * len(train) // min(SAMPLE, len(train))
    labelled = problem.targets[train.owners[index]].double().numpy()
    layout, groups, labels = problem.data.layout, problem.data.like_groups, problem.has_classes
    if len(layout.steps) > 1 and layout.numbers == layout.made:
        return Evidence(labelled, labels, _steps(problem, index), like_groups=groups)
    starts, lengths = train.starts[index], train.lengths[index]
    ends = starts + lengths - 1
    means = torch.stack([problem.numbers[s : s + n].mean(0) for s, n in _pairs(starts, lengths)])
    numbers = torch.stack([problem.numbers[starts], means, problem.numbers[ends]], dim=-1)
    symbols = torch.stack([problem.symbols[starts], problem.symbols[ends]], dim=-1)
    return Evidence(labelled, labels, _columns(problem, numbers, symbols), like_groups=groups)


def of_steps(problem: "SequenceProblem") -> Evidence:
    """Return the evidence of training steps: each column beside the label of the same step."""
    targets = problem.targets
    rows = problem.parts["train"].all_rows()
    rows = rows[targets[rows] >= 0]
    rows = rows[torch.arange(min(SAMPLE, len(rows))) * len(rows) // min(SAMPLE, len(rows))]
    numbers, symbols = problem.numbers[rows, :, None], problem.symbols[rows, :, None]
    columns = _columns(problem, numbers, symbols)
    labels = targets[rows].double().numpy()
    return Evidence(labels, True, columns, like_groups=problem.data.like_groups)


def _pairs(starts: Tensor, lengths: Tensor) -> list[tuple[int, int]]:
    return list(zip(starts.tolist(), lengths.tolist(), strict=True))


def _steps(problem: "SequenceProblem", index: Tensor) -> dict[str, NDArray[np.float64]]:
    """Return the columns of sequences in rows by name, [N, 1] each; past its end a row's last."""
    numbers = problem.inputs("train", index)[0][..., 0].double()
    last = numbers.shape[1] - 1
    names = enumerate(problem.data.layout.steps)
    return {name: numbers[:, [min(step, last)]].numpy() for step, name in names}


def _columns(
    problem: "SequenceProblem", numbers: Tensor, symbols: Tensor
) -> dict[str, NDArray[np.float64]]:
    """Return the columns by name, from [N, F, J] numbers and [N, C, J] symbols."""
    layout = problem.data.layout
    pairs = zip(layout.numbers, numbers.double().unbind(1), strict=True)
    codes = zip(layout.symbols, symbols.double().unbind(1), strict=True)
    return {name: values.numpy() for name, values in (*pairs, *codes)}
