"""The forecasting network.

Recurrent layers read x_t = (y_t − y_T, tanh y_t), t = 1 … T, y in scaled units. A linear map V
of its last output o_T gives the changes from the last value: ŷ_{T+k} = y_T + (V o_T + b)_k, with
V = 0 and b = 0 at first. An untrained network is therefore the forecast "last value", and what it
learns is what is better than that. Each ŷ is three: the quantiles of `QUANTILES`.

Why these two inputs: the first is the same at any level, so that a series that leaves the range
of its training part (a trend, a random walk) does not lead the network into the unknown; the
second tells the level, within bounds, for series that swing between limits.

Columns beside the values join x_t. Where some are known ahead, the layer goes on reading them
over the h steps to forecast, with the other inputs held at their last values, and each ŷ_{T+k} is
a map of its own output o_{T+k}.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from penstock.cells import Cell
from penstock.models.stack import stack
from penstock.record.structure import Structure

QUANTILES = (0.1, 0.5, 0.9)
MEDIAN = 1
_BATCH = 1024  # windows predicted at once
_INPUTS = 2


class History(NamedTuple):
    """What came before the steps to forecast, in scaled units.

    Attributes:
        contexts: [W, L] the last values, float64.
        past, known: [W, L, P] and [W, L + h, K] the columns beside.
        first: [W] the first value of each series.
        elapsed: [W] the steps from it to the last one.
    """

    contexts: Tensor
    past: Tensor
    known: Tensor
    first: Tensor
    elapsed: Tensor


class Forecaster(nn.Module):
    """The network.

    Shapes: context [B, L], past [B, L, P], known [B, L + h, K]; result [B, h, Q], the changes; all
    in scaled units.
    """

    def __init__(
        self,
        cell: str | type[Cell],
        structure: Structure,
        horizon: int,
        past: int = 0,
        known: int = 0,
    ) -> None:
        super().__init__()
        inputs, self.horizon, self.known = _INPUTS + past + known, horizon, known
        self.context = structure.context
        self.recurrent = stack(cell, inputs, structure)
        self.dropout = nn.Dropout(structure.dropout)
        self.head = nn.Linear(
            self.recurrent.output_size, len(QUANTILES) * (1 if known else horizon)
        )
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.widening: Tensor
        self.register_buffer("widening", torch.zeros(horizon))

    def widen(self, history: History, target: Tensor) -> None:
        """Widen the intervals so that they hold 80 % of known targets [V, h], NaN where unknown.

        At each step ahead by the quantile of max(low − y, y − high) over the V windows, and never
        by less than 0 (conformalized quantile regression: Romano, Patterson & Candès 2019,
        arXiv:1905.03222; there they may also shrink).
        """
        self.widening.zero_()
        ahead = self.ahead(history)
        outside = torch.maximum(ahead[..., 0] - target, target - ahead[..., -1])
        share = (QUANTILES[-1] - QUANTILES[0]) * (1 + 1 / (~target.isnan()).sum(dim=0))
        columns = zip(outside.T, share.clamp(max=1).tolist(), strict=True)
        widths = [column.nanquantile(q) for column, q in columns]
        self.widening.copy_(torch.stack(widths).nan_to_num(0.0).clamp(min=0))

    def ahead(self, history: History) -> Tensor:
        """Return forecasts [W, h, Q] float64.

        Quantiles that cross are put in order, which makes none worse (Chernozhukov,
        Fernández-Val & Galichon 2010, arXiv:0704.3649), and the interval is then widened.
        """
        given = history.contexts, history.past, history.known
        batches = zip(*(torch.split(one, _BATCH) for one in given), strict=True)
        return torch.cat([self.at_once(*batch) for batch in batches])

    def at_once(self, contexts: Tensor, past: Tensor, known: Tensor) -> Tensor:
        """Return what `ahead` does, of all windows at once."""
        changes: Tensor = self(contexts.float(), past, known)
        outward = self.widening[:, None] * torch.tensor([-1.0, 0.0, 1.0])
        return contexts[:, -1:, None] + changes.sort(dim=-1).values + outward

    def forward(
        self, context: Tensor, past: Tensor | None = None, known: Tensor | None = None
    ) -> Tensor:
        """Return the changes from the last value, for each step ahead and quantile."""
        longer = 0 if self.context is None else context.shape[1] - self.context
        # max, also where torch.export leaves L free
        skipped = torch.sym_max(0, longer)  # type: ignore[no-untyped-call]
        context = context[:, skipped:]
        inputs = torch.stack([context - context[:, -1:], context.tanh()], dim=-1)
        if past is not None:
            inputs = torch.cat([inputs, past[:, skipped:]], dim=-1)
        if known is not None and self.known:
            held = inputs[:, -1:].expand(-1, self.horizon, -1)
            inputs = torch.cat([torch.cat([inputs, held], dim=1), known[:, skipped:]], dim=-1)
        output, _ = self.recurrent(inputs)
        ahead = output[:, -self.horizon :] if self.known else output[:, -1]
        changes: Tensor = self.head(self.dropout(ahead)).reshape(
            context.shape[0], self.horizon, len(QUANTILES)
        )
        return changes
