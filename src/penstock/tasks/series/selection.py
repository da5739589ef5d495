"""What forecasting needs to know of a dataset before it starts, decided from training parts."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from penstock.data import Dataset, Series
from penstock.data.scaling import Scale, fit_scale, naive_error, refilled
from penstock.data.splits import TEST_SHARE, VALIDATION_SHARE, Split, rows_needed, split
from penstock.data.time.season import find_season
from penstock.errors import ArgumentError, DataError

SHORTEST_CONTEXT = 8
_LONGEST_CONTEXT = 96
_SHORTEST_WANTED = 16
_LONGEST_DEFAULT_HORIZON = 12


@dataclass(frozen=True)
class Selection:
    """The series kept, in the order of the dataset, and what was decided about them.

    Attributes:
        horizon: h, the steps to forecast.
        context: L, the steps that the network sees.
        contexts: of these steps, how many it may look at, the usual number first.
        season: m, in steps; 1 is none.
        series, splits, scales: one each.
        known, past: the scale of each column beside the values, over all series.
        naive_errors: [S], the denominators of MASE, in each series' unit.
        notes: what was left out, and why.
    """

    horizon: int
    context: int
    contexts: tuple[int, ...]
    season: int
    series: tuple[Series, ...]
    splits: tuple[Split, ...]
    scales: tuple[Scale, ...]
    known: tuple[Scale, ...]
    past: tuple[Scale, ...]
    naive_errors: NDArray[np.float64]
    notes: tuple[str, ...]


def select(dataset: Dataset, horizon: int | None = None, context: int | None = None) -> Selection:
    """Return what to train on: all of it taken from the training parts alone.

    The horizon, unless given, is a twentieth of the median length of a series, 1 to 12. The
    context is two seasons or two horizons, whichever is longer, 16 to 96, but at most half of
    what a training part of median length leaves beside the targets; and where every series has
    room for it, twice as much as well.

    Raises:
        ArgumentError: the horizon is less than 1, or longer than every series; no series is as
            long as the context.
        DataError: every series is too short, or constant.
    """
    horizon = _checked_horizon(dataset, horizon)
    long = _long_enough(dataset, horizon)
    varied = [one for one in long if np.ptp(_training(dataset, one, horizon)[0])]
    if not varied:
        raise DataError(_constant_message(dataset, long, horizon))
    parts = [_training(dataset, one, horizon)[0] for one in varied]
    season = find_season(parts, dataset.spacing)
    lengths = [_cut(dataset, one, horizon).train for one in varied]
    room = max(SHORTEST_CONTEXT, (int(statistics.median(lengths)) - horizon) // 2)
    season = season if season <= room else 1
    contexts = _contexts(lengths, horizon, season, room) if context is None else (context,)
    kept = [one for one in varied if _cut(dataset, one, horizon).train >= contexts[0] + horizon]
    if not kept:
        raise ArgumentError(
            f"the context is {context} steps; the longest training part has {max(lengths)}, of "
            f"which {horizon} are forecast: choose a shorter one with --context"
        )
    notes = _left_out(dataset, kept, varied)
    return _selection(dataset, kept, horizon, contexts, season, notes)


def _contexts(lengths: Sequence[int], horizon: int, season: int, room: int) -> tuple[int, ...]:
    """Return the usual context, and twice as much where every series has room for it."""
    wanted = max(2 * season, 2 * horizon, _SHORTEST_WANTED)
    usual = max(season, min(wanted, _LONGEST_CONTEXT, room))
    fits = 2 * usual <= room and all(
        n >= 2 * usual + horizon for n in lengths if n >= usual + horizon
    )
    return (usual, 2 * usual) if fits else (usual,)


def _checked_horizon(dataset: Dataset, horizon: int | None) -> int:
    lengths = [len(one) for one in dataset.series]
    if horizon is None:
        return min(_LONGEST_DEFAULT_HORIZON, max(1, int(statistics.median(lengths)) // 20))
    if horizon < 1:
        raise ArgumentError(f"the horizon is {horizon}; it must be a whole number of steps from 1")
    if horizon >= max(lengths):
        raise ArgumentError(
            f"the horizon, {horizon} steps, is longer than what {dataset.name} has to learn from: "
            f"its longest series has {max(lengths)} rows; choose a shorter one with --horizon"
        )
    return horizon


def _long_enough(dataset: Dataset, horizon: int) -> list[Series]:
    long = [one for one in dataset.series if _fits(_cut(dataset, one, horizon), horizon)]
    if not long and dataset.series[0].ends:
        raise DataError(
            f"{dataset.name}: too few rows. At a horizon of {horizon} training takes "
            f"{SHORTEST_CONTEXT + horizon} rows, and validation and test {horizon} each; no series "
            "has them in the parts that were given"
        )
    if not long:
        needed = rows_needed(SHORTEST_CONTEXT, horizon)
        most = max(map(len, dataset.series))
        raise DataError(
            f"{dataset.name}: too few rows. A window in each of training, validation and test "
            f"takes {needed} rows at a horizon of {horizon}, but the longest series has {most}; "
            "give more rows" + (" or a shorter --horizon" if horizon > 1 else "")
        )
    return long


def _fits(cut: Split, horizon: int) -> bool:
    """Whether there is a window in each part."""
    tested = min(cut.validation - cut.train, cut.end - cut.validation)
    return cut.train >= SHORTEST_CONTEXT + horizon and tested >= horizon


def _cut(dataset: Dataset, one: Series, horizon: int) -> Split:
    """Return the parts of a series: those given, or by shares of its length."""
    if one.ends is None:
        return split(len(one), horizon, dataset.last)
    train, validation = one.ends
    if train == validation:
        share = VALIDATION_SHARE / (1 - TEST_SHARE)
        train -= max(horizon, round(share * train))
    return Split(train, validation, len(one))


def _training(
    dataset: Dataset, one: Series, horizon: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    end = _cut(dataset, one, horizon).train
    return one.values[:end], one.observed[:end]


def _constant_message(dataset: Dataset, long: Sequence[Series], horizon: int) -> str:
    first = long[0]
    part = "" if not np.ptp(first.values) else " in its training part"
    end = _cut(dataset, first, horizon).train
    return (
        f"{dataset.name}: series {first.id!r} is constant{part} ({first.values[0]:g} in rows 1 to "
        f"{len(first) if not part else end}); there is nothing to learn: "
        "give data that change, or choose another column with --target"
    )


def _left_out(
    dataset: Dataset, kept: Sequence[Series], varied: Sequence[Series]
) -> tuple[str, ...]:
    kept_ids, varied_ids = {one.id for one in kept}, {one.id for one in varied}
    short = [s.id for s in dataset.series if s.id not in kept_ids and np.ptp(s.values)]
    constant = [s.id for s in dataset.series if s.id not in varied_ids and s.id not in short]
    return tuple(
        f"{len(ids)} of {len(dataset.series)} series left out, {why}: {', '.join(ids[:5])}"
        + (" …" if len(ids) > 5 else "")
        for ids, why in ((short, "too short or without change in training"), (constant, "constant"))
        if ids
    )


def _selection(
    dataset: Dataset,
    kept: Sequence[Series],
    horizon: int,
    contexts: tuple[int, ...],
    season: int,
    notes: tuple[str, ...],
) -> Selection:
    kept = [replace(one, values=refilled(one.values, one.observed, season)) for one in kept]
    parts = [_training(dataset, one, horizon) for one in kept]
    known = _beside([one.known[: len(part)] for one, (part, _) in zip(kept, parts, strict=True)])
    past = _beside([one.past[: len(part)] for one, (part, _) in zip(kept, parts, strict=True)])
    return Selection(
        horizon,
        max(contexts),
        contexts,
        season,
        tuple(kept),
        tuple(_cut(dataset, one, horizon) for one in kept),
        tuple(fit_scale(values, observed) for values, observed in parts),
        known,
        past,
        np.array([naive_error(values, season, seen) for values, seen in parts]),
        (*dataset.notes, *notes, *_unchanged(dataset, (*known, *past))),
    )


def _unchanged(dataset: Dataset, scales: Sequence[Scale]) -> tuple[str, ...]:
    """Return which columns beside the values nothing can be learned of, in words."""
    columns = dataset.columns
    names = columns.spread((*columns.known, *columns.beside))
    still = [name for name, scale in zip(names, scales, strict=True) if not scale.std]
    what = ", ".join(still[:5]) + (" …" if len(still) > 5 else "")
    return (f"constant in training, and so not used: {what}",) if still else ()


def _beside(parts: Sequence[NDArray[np.float64]]) -> tuple[Scale, ...]:
    """Return the scale of each column of parts [n, F]; a column without a value has 0 and 0."""
    if not parts[0].shape[1]:
        return ()
    whole = np.concatenate(parts)
    seen = ~np.isnan(whole)
    return tuple(
        fit_scale(whole[:, k], seen[:, k]) if seen[:, k].any() else Scale(0.0, 0.0)
        for k in range(whole.shape[1])
    )
