"""Splits of time: the past trains, what follows validates, the end tests; and of sets, by id."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DataError

PARTS = ("train", "validation", "test")
VALIDATION_SHARE = 0.15
TEST_SHARE = 0.25
SHARES = {"train": 1 - VALIDATION_SHARE - TEST_SHARE, "validation": VALIDATION_SHARE,
          "test": TEST_SHARE}  # fmt: skip

Members = dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Split:
    """Where the parts of a series end: train [0, train), validation [train, validation), test."""

    train: int
    validation: int
    end: int

    def part(self, name: str) -> tuple[int, int]:
        """Return (first row, row after the last) of the part of that name."""
        ends = {
            "train": (0, self.train),
            "validation": (self.train, self.validation),
            "test": (self.validation, self.end),
        }
        return ends[name]


def split(length: int, horizon: int, last: bool = False) -> Split:
    """Return the split of a series: shares of its length, but at least a horizon to each part.

    Where the last window alone is tested, the test is one horizon.
    """
    test = horizon if last else max(horizon, round(TEST_SHARE * length))
    validation = max(horizon, round(VALIDATION_SHARE * length))
    return Split(length - test - validation, length - test, length)


def rows_needed(context: int, horizon: int) -> int:
    """Return the shortest length with one window (context, then horizon) in each of the parts.

    The contexts of validation and test windows may reach back into the part before.
    """
    lengths = itertools.count(context + 3 * horizon)
    return next(n for n in lengths if split(n, horizon).train >= context + horizon)


def split_set(strata: NDArray[np.int64], number: int = 0) -> Members:
    """Return the members of each part of a set [S], drawn by chance with `number` as seed.

    Each stratum (a class, say) gives each part its share, and at least one member where it has
    three. The order of a part is random, so that stretches of it are alike.
    """
    draw = np.random.default_rng(number)
    part = np.zeros(len(strata), np.int64)
    for stratum in np.unique(strata):
        members = draw.permutation(np.flatnonzero(strata == stratum))
        n = len(members)
        test = max(round(TEST_SHARE * n), int(n >= 3))
        validation = max(round(VALIDATION_SHARE * n), int(n >= 3))
        part[members[:test]] = 2
        part[members[test : test + validation]] = 1
    return {name: draw.permutation(np.flatnonzero(part == k)) for k, name in enumerate(PARTS)}


def drawn(number: int) -> bytes:
    """Return what tells a split by chance from others, for a hash: nothing for the first."""
    return b"" if not number else b"\0draw %d" % number


def divide(
    strata: NDArray[np.int64],
    told: NDArray[np.str_] | None = None,
    groups: NDArray[np.int64] | None = None,
    number: int = 0,
) -> Members:
    """Return the members of each part of a set [S].

    Without more, see `split_set`. Parts that were told are kept; a part that was not is drawn from
    what is told to train, by its share of that. A group is never in two parts.

    Args:
        strata: [S] the class of each.
        told: [S] the part of each, where the user gave them.
        groups: [S] the group of each, by number.
        number: the seed of what is drawn; above 0 the parts that were told are drawn anew too, as
            many members (or groups) of each stratum in each part as before.

    Raises:
        DataError: a group was told to two parts, or the groups are too few.
    """
    if told is None and groups is None:
        return split_set(strata, number)
    every = np.arange(len(strata))
    if told is not None and groups is not None:
        _check_apart(told, groups)
    if told is not None and number:
        told = _exchanged(strata, told, groups, number)
    groups = every if groups is None else groups
    parts = np.full(len(strata), "train", dtype="<U10") if told is None else told.astype("<U10")
    lacking = [part for part in PARTS[1:] if not (parts == part).any()]
    free = every[parts == "train"]
    if lacking:
        parts[free] = _drawn(strata[free], groups[free], ["train", *lacking], number)
    draw = np.random.default_rng(number)
    return {part: draw.permutation(every[parts == part]) for part in PARTS}


def _check_apart(told: NDArray[np.str_], groups: NDArray[np.int64]) -> None:
    pairs = {(int(group), str(part)) for group, part in zip(groups, told, strict=True)}
    torn = len(pairs) - len({group for group, _ in pairs})
    if torn:
        raise DataError(
            f"{torn} groups are in more than one part; give each of them one, or leave out --group"
        )


def _exchanged(
    strata: NDArray[np.int64],
    told: NDArray[np.str_],
    groups: NDArray[np.int64] | None,
    number: int,
) -> NDArray[np.str_]:
    """Return the part of each member after those of a stratum, or groups, exchanged theirs."""
    draw, again = np.random.default_rng(number), told.copy()
    if groups is not None:
        _, first, place = np.unique(groups, return_index=True, return_inverse=True)
        return draw.permutation(told[first])[place]
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        again[members] = told[draw.permutation(members)]
    return again


def _drawn(
    strata: NDArray[np.int64], groups: NDArray[np.int64], parts: list[str], number: int
) -> NDArray[np.str_]:
    """Return the part of each member, whole groups each: the largest first, where it lacks most.

    Members of a part lack as long as it has less than its share of their strata.
    """
    draw = np.random.default_rng(number)
    table = _counts(strata, groups)
    if len(table) < len(parts):
        raise DataError(
            f"there are {len(table)} groups or sequences to be split into {' and '.join(parts)}; "
            f"that takes {len(parts)}"
        )
    shares = np.array([SHARES[part] for part in parts])
    wanted = np.outer(shares / shares.sum(), table.sum(axis=0))
    have = np.zeros_like(wanted)
    order = draw.permutation(len(table))
    place = np.zeros(len(table), np.int64)
    for group in order[np.argsort(-table[order].sum(axis=1), kind="stable")]:
        room = ((1 - have / wanted) * table[group]).sum(axis=1)
        best = int(room.argmax())
        have[best] += table[group]
        place[group] = best
    return np.array(parts, dtype="<U10")[place[np.unique(groups, return_inverse=True)[1]]]


def _counts(strata: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how many members of each stratum each group has [G, K]."""
    rows, columns = (np.unique(one, return_inverse=True)[1] for one in (groups, strata))
    table = np.zeros((rows.max(initial=-1) + 1, columns.max(initial=-1) + 1))
    np.add.at(table, (rows, columns), 1)
    return table
