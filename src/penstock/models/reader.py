"""The network that reads sequences: a label for each, or one for each of its steps."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from penstock.cells import Cell
from penstock.models.stack import stack
from penstock.record.structure import Structure


class Inputs(NamedTuple):
    """Sequences side by side, as a model takes them.

    Legend: B batch, T time, F numbers, C symbols.

    Attributes:
        numbers: [B, T, F].
        symbols: [B, T, C] codes.
        lengths: [B] the steps of each row; None where all are as long.
        first: [B] which step of its sequence a row begins with, from 0; None where all do with 0.
    """

    numbers: Tensor
    symbols: Tensor
    lengths: Tensor | None = None
    first: Tensor | None = None

    def inside(self) -> Tensor:
        """Return which steps are inside their row [B, T]."""
        rows, steps = self.numbers.shape[:2]
        if self.lengths is None:
            return torch.ones(rows, steps, dtype=torch.bool)
        return torch.arange(steps) < self.lengths[:, None]


class SequenceNetwork(nn.Module):
    """Recurrent layers between embeddings and a linear map: ŷ = V o + b.

    V = 0 at first and b is given: an untrained network says what is most likely without looking
    (a class's logarithmic share, say), and what it learns is what is better than that.

    Legend: B batch, T time, F numbers, C symbols, O outputs.

    Args:
        cell: of the recurrent layers.
        structure: of the recurrent layers.
        numbers: F, the inputs that are numbers.
        sizes: [C] the number of codes of each symbol; see `embedding_width`.
        start: [O], b at first.
        every_step: an output for every step, instead of one after the last; o is then what the
            last step gives, and where layers read from the end as well, what that gives at the
            first.
    """

    def __init__(
        self,
        cell: str | type[Cell],
        structure: Structure,
        numbers: int,
        sizes: Sequence[int],
        start: Sequence[float],
        every_step: bool = False,
    ) -> None:
        super().__init__()
        self.every_step = every_step
        self.embeddings = nn.ModuleList(nn.Embedding(size, embedding_width(size)) for size in sizes)
        inputs = numbers + sum(embedding_width(size) for size in sizes)
        self.recurrent = stack(cell, inputs, structure)
        self.dropout = nn.Dropout(structure.dropout)
        self.head = nn.Linear(self.recurrent.output_size, len(start))
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor(start))

    def forward(self, numbers: Tensor, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return [B, O], or [B, T, O]; numbers [B, T, F], symbols [B, T, C], lengths [B]."""
        output, _ = self.recurrent(self.encoded(numbers, symbols), lengths=lengths)
        if not self.every_step:
            assert lengths is not None
            output = self._after_all(output, lengths)
        outputs: Tensor = self.head(self.dropout(output))
        return outputs

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return [B, O], or [B, T, O]; the steps before a row's first are not seen."""
        outputs: Tensor = self(inputs.numbers, inputs.symbols, inputs.lengths)
        return outputs

    def _after_all(self, output: Tensor, lengths: Tensor) -> Tensor:
        """Return what each direction gives after all steps [B, F]; output [B, T, F]."""
        last = output[torch.arange(output.shape[0], device=output.device), lengths - 1]
        if not self.recurrent.bidirectional:
            return last
        half = output.shape[-1] // 2
        return torch.cat([last[:, :half], output[:, 0, half:]], dim=-1)

    def encoded(self, numbers: Tensor, symbols: Tensor) -> Tensor:
        """Return what the recurrent layer reads: numbers and embedded symbols [B, T, I]."""
        embedded = [embed(symbols[..., c]) for c, embed in enumerate(self.embeddings)]
        return torch.cat([numbers, *embedded], dim=-1)


def embedding_width(size: int) -> int:
    """Return the width of an embedding of so many codes: 1.6 size^0.56, at most 600 and the size.

    That is fastai's rule (Howard & Gugger 2020, doi:10.3390/info11020108).
    """
    return min(size, 600, round(1.6 * math.pow(size, 0.56)))
