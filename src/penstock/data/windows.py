"""Windows into many series: a context, then the values to forecast. Views, not copies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.data.scaling import Scale
from penstock.data.series import Series
from penstock.data.splits import Split


@dataclass(frozen=True)
class Panel:
    """Scaled series one after the other, each with its split.

    Attributes:
        values: [N] float64, scaled.
        observed: [N] bool.
        offsets: [S + 1], where each series starts.
        splits: the split of each series.
    """

    values: Tensor
    observed: Tensor
    offsets: NDArray[np.int64]
    splits: tuple[Split, ...]

    @staticmethod
    def of(series: Sequence[Series], scales: Sequence[Scale], splits: Sequence[Split]) -> "Panel":
        """Return the series as a panel, each scaled by its own scale."""
        scaled = [scale.apply(one.values) for one, scale in zip(series, scales, strict=True)]
        return Panel(
            torch.from_numpy(np.concatenate(scaled)),
            torch.from_numpy(np.concatenate([one.observed for one in series])),
            np.cumsum([0, *map(len, series)]),
            tuple(splits),
        )


@dataclass(frozen=True)
class Windows:
    """The windows of one part of a panel; a window is where its first target stands.

    Attributes:
        panel: what they look into.
        context: L, the steps before the targets.
        horizon: h, the targets.
        targets: [W], the first target's place in the panel.
        owner: [W], the number of the series.
        place: [W] in [0, 1), how far into the part of its series the window stands.
    """

    panel: Panel
    context: int
    horizon: int
    targets: Tensor
    owner: Tensor
    place: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return contexts [B, L], targets [B, h], and which targets were observed [B, h]."""
        starts = self.targets[index]
        contexts = self.panel.values.unfold(0, self.context, 1)[starts - self.context]
        targets = self.panel.values.unfold(0, self.horizon, 1)[starts]
        return contexts, targets, self.panel.observed.unfold(0, self.horizon, 1)[starts]


def windows(panel: Panel, part: str, context: int, horizon: int, limit: int) -> Windows:
    """Return the windows of a part ("train", "validation" or "test"), one a step.

    All targets lie inside the part, and at least one of them was observed. The context may reach
    back into the parts before. Of more than `limit` windows, `limit` are taken, evenly spread.
    """
    seen = np.concatenate([[0], np.cumsum(panel.observed.numpy())])
    targets, owners, places = [], [], []
    for owner, (offset, split) in enumerate(zip(panel.offsets[:-1], panel.splits, strict=True)):
        first, end = split.part(part)
        at = np.arange(max(first, context), end - horizon + 1) + offset
        at = at[seen[at + horizon] > seen[at]]
        targets.append(at)
        owners.append(np.full(len(at), owner))
        places.append(np.arange(len(at)) / max(len(at), 1))
    found = [torch.from_numpy(np.concatenate(parts)) for parts in (targets, owners, places)]
    if len(found[0]) > limit:
        chosen = torch.arange(limit) * len(found[0]) // limit
        found = [one[chosen] for one in found]
    return Windows(panel, context, horizon, *found)
