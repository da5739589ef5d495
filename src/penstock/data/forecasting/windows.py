"""Windows into many series: a context, then the values to forecast. Views, not copies."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.data.scaling import Scale, check_fits
from penstock.data.series import Dataset, Series
from penstock.data.splits import Split


@dataclass(frozen=True)
class Panel:
    """Scaled series one after the other, each with its split.

    Attributes:
        values: [N] float64, scaled.
        observed: [N] bool.
        known, past: [N, K] and [N, P] float32, scaled columns beside the values.
        offsets: [S + 1], where each series starts.
        splits: the split of each series.
    """

    values: Tensor
    observed: Tensor
    known: Tensor
    past: Tensor
    offsets: NDArray[np.int64]
    splits: tuple[Split, ...]

    @staticmethod
    def of(
        series: Sequence[Series],
        scales: Sequence[Scale],
        splits: Sequence[Split],
        known: Sequence[Scale] = (),
        past: Sequence[Scale] = (),
    ) -> "Panel":
        """Return the series as a panel: each by its own scale, columns beside by one for all."""
        scaled = [scale.apply(one.values) for one, scale in zip(series, scales, strict=True)]
        for one, values in zip(series, scaled, strict=True):
            check_fits(values[:, None], one.place)
        return Panel(
            torch.from_numpy(np.concatenate(scaled)),
            torch.from_numpy(np.concatenate([one.observed for one in series])),
            scale_columns([one.known[: len(one)] for one in series], known),
            scale_columns([one.past for one in series], past),
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

    def beside(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return past [B, L, P] and known [B, L + h, K] columns of windows."""
        starts = self.targets[index] - self.context
        steps = self.context, self.context + self.horizon
        past, known = (
            columns.unfold(0, length, 1)[starts].transpose(1, 2)
            if columns.shape[1]
            else torch.empty(len(index), length, 0)
            for columns, length in zip((self.panel.past, self.panel.known), steps, strict=True)
        )
        return past, known

    def last_of_each(self) -> "Windows":
        """Return the last window of each series."""
        last = torch.ones(len(self), dtype=torch.bool)
        last[:-1] = self.owner[1:] != self.owner[:-1]
        parts = self.targets[last], self.owner[last], self.place[last]
        return Windows(self.panel, self.context, self.horizon, *parts)


def check_beside(
    dataset: Dataset, series: Sequence[Series], known: Sequence[Scale], past: Sequence[Scale]
) -> None:
    """Raise where a scaled column beside the values does not fit what networks compute in.

    Raises:
        DataError: one does not; the message names column, series, time and value.
    """
    names = (dataset.columns.spread(getattr(dataset.columns, n)) for n in ("known", "beside"))
    for columns, scales, part in zip(names, (known, past), ("known", "past"), strict=True):
        for one in series if scales else ():
            values = getattr(one, part)
            scaled = [scale.apply(values[:, k]) for k, scale in enumerate(scales)]
            check_fits(np.stack(scaled, axis=1), partial(_place, one, columns, values))


def _place(
    one: Series, columns: Sequence[str], values: NDArray[np.float64], row: int, column: int
) -> str:
    time = one.times[row] if row < len(one) else f"step {row - len(one) + 1} after its end"
    return f"column {columns[column]!r}, series {one.id!r}, {time}: {values[row, column]:g}"


def scale_columns(parts: Sequence[NDArray[np.float64]], scales: Sequence[Scale]) -> Tensor:
    """Return parts [n, F] one after the other, scaled, float32; what is missing is the mean, 0.

    So is all of a column that was constant in training: what its changes mean was not learned.
    """
    if not scales:
        return torch.empty(sum(map(len, parts)), 0)
    whole = np.concatenate(parts)
    columns = [scale.apply(whole[:, k]) * (scale.std > 0) for k, scale in enumerate(scales)]
    return torch.from_numpy(np.nan_to_num(np.stack(columns, axis=1)).astype(np.float32))


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
    kept = [torch.from_numpy(np.concatenate(parts)) for parts in (targets, owners, places)]
    if len(kept[0]) > limit:
        chosen = torch.arange(limit) * len(kept[0]) // limit
        kept = [one[chosen] for one in kept]
    return Windows(panel, context, horizon, *kept)
