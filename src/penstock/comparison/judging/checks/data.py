"""Checks of the data: of what is learned, and whether the test is one."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.comparison.judging.checks.base import Case, NotApplicable, check
from penstock.comparison.judging.comparisons import names
from penstock.tasks.task import Task

_COPIES = 0.01  # of the test windows
_GIVEN_AWAY = 0.99  # correlation
_FEW_VALUES = 0.1  # of the windows: a code or a name, not a measured number
_CONSTANT = 0.95  # of the targets
_FEW_TESTS, _FEW_BLOCKS, _FEW_LESSONS = 30, 6, 50
_BATCH = 4096


@check("P004", "duplicates", grave=True)
def duplicates(case: Case) -> Iterator[str]:
    """Fires where over 1 % of the test windows are, to the last bit, windows of the training.

    A network may know their answers by heart; whether it can predict is not tested. Take out the
    copies, or split so that copies fall into the same part. A series that repeats itself exactly
    fires it too, and then a baseline that repeats the last season is all one needs.
    """
    test, train = fingerprints(case.task, "test"), fingerprints(case.task, "train")
    share = float(np.isin(test, train).mean())
    if share > _COPIES:
        yield f"{share:.0%} of the test windows are copies of training windows"


@check("P005", "leak", grave=True)
def leak(case: Case) -> Iterator[str]:
    """Fires for a column that gives the target away.

    That is, one of the numbers that the network sees of it goes with the target at a correlation
    of 0.99 or more (of values or of ranks), or tells all labels apart. Such a column is
    mostly made from the target, and not known when it counts. Leave it out, unless it really is.
    """
    evidence = case.evidence
    if not evidence.columns:
        raise NotApplicable("the network sees no column beside the target")
    tells = _separates if evidence.labels else _goes_with
    for name, seen in evidence.columns.items():
        if any(tells(column, evidence.targets) for column in seen.T):
            yield f"column '{name}' gives the target away"


@check("P006", "time-overlap", grave=True)
def time_overlap(case: Case) -> Iterator[str]:
    """Fires where training windows reach into the time that is tested, of other sequences.

    What moves all sequences at once is then known before it is predicted. Cut all sequences at the
    same time. Numbers of rows are no times.
    """
    until, start = case.evidence.trained_until, case.evidence.tested_from
    if until is None or start is None:
        raise NotApplicable("the data are not several sequences with times")
    if until >= start:
        yield f"training data reach to {until}, but what is tested begins at {start}"


@check("P008", "constant-target")
def constant_target(case: Case) -> Iterator[str]:
    """Fires where 95 % of the targets are one and the same: a label, or no change at all.

    Whoever says always the same is then hard to beat, and the score tells little. Look at another
    target, or at a longer time between rows.
    """
    targets = case.evidence.targets
    if not len(targets):
        raise NotApplicable("the target is no label and no measured value")
    share = float(np.unique(targets, return_counts=True)[1].max()) / len(targets)
    if share >= _CONSTANT:
        what = "have the same label" if case.evidence.labels else "show the same change"
        yield f"{share:.0%} of the targets {what}"


@check("P009", "too-little-data")
def too_little_data(case: Case) -> Iterator[str]:
    """Fires where the test is too small for an interval, or the training for a network.

    That is, at under 30 test windows or under 6 stretches of test time that do not overlap, or at
    under 50 training windows, or where a cell has one trial alone. Intervals may then be
    wrong, not only wide.
    """
    tests, lessons = case.task.problem.size("test"), case.task.problem.size("train")
    blocks = len(next(one.blocks[0] for one in case.contestants if one.blocks))
    if tests < _FEW_TESTS or blocks < _FEW_BLOCKS:
        yield f"the test has {tests:,} windows in {blocks} stretches that do not overlap"
    if lessons < _FEW_LESSONS:
        yield f"there are {lessons:,} training windows"
    lone = [one.name for one in case.cells if len(one.measured) == 1]
    if lone:
        yield f"one trial alone says nothing about other seeds: {names(lone)}"


@check("P015", "short-test")
def short_test(case: Case) -> Iterator[str]:
    """Fires where the test of a series is too short for two stretches that are independent.

    Errors that come one after the other go together there for longer than such a stretch: what is
    tested is one state of the world, and another may have another winner. Intervals are then too
    narrow. Give a longer series, or several.
    """
    memory, tested = case.evidence.memory, case.evidence.tested
    if memory is None or tested is None:
        raise NotApplicable("the data are not a single series")
    if tested < 3 * memory:
        yield f"errors go together for {memory:,} steps, and the test has {tested:,}"


@check("P012", "ungrouped")
def ungrouped(case: Case) -> Iterator[str]:
    """Fires where a column looks like a group of sequences, such as a speaker, and nobody named it.

    Sequences of one group may then be in training and in the test: what is measured is how well
    known speakers are told, and not new ones. Name it with --group; or with --static, if it is an
    input and those to come are known.
    """
    if case.evidence.like_groups is None:
        raise NotApplicable("the data are not sequences with labels")
    for name in case.evidence.like_groups:
        yield f"column '{name}' looks like a group, whose sequences are in training and in the test"


@check("P013", "irregular-times", grave=True)
def irregular_times(case: Case) -> Iterator[str]:
    """Fires where series have times, but no step between rows that most of them keep.

    "The next value" is then not at any time that one could name, and rows count as if they were
    equally far apart. Bring them to a step with --frequency, such as 1h, or make the time since the
    row before an input with --elapsed: forecasts are then for times that are given.
    """
    if case.evidence.irregular is None:
        raise NotApplicable("the data are no series with times")
    if case.evidence.irregular:
        yield "the times are irregular: a step ahead may be any time from now"


def fingerprints(task: Task, part: str) -> NDArray[np.uint64]:
    """Return a hash of each window of a part; zeros at its end, as padding, do not count."""
    batches = torch.split(torch.arange(task.problem.size(part)), _BATCH)
    return np.concatenate([_hash(task.problem.contents(part, index)) for index in batches])


def _hash(batch: tuple[Tensor, ...]) -> NDArray[np.uint64]:
    """Return Σ mix(bits of x_k) · oddᵏ mod 2⁶⁴ over all numbers of a row; mix(0) = 0."""
    total = np.zeros(len(batch[0]), np.uint64)
    for number, tensor in enumerate(batch):
        rows = tensor.double().reshape(len(tensor), -1).numpy() + 0.0  # −0 becomes 0
        bits = rows.view(np.uint64)
        bits = (bits ^ (bits >> np.uint64(32))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = bits ^ (bits >> np.uint64(29))
        odd = np.full(rows.shape[1], 0x9E3779B97F4A7C15 + 2 * number, np.uint64)
        total += (bits * np.cumprod(odd)).sum(axis=1, dtype=np.uint64)
    return total


def _goes_with(column: NDArray[np.float64], targets: NDArray[np.float64]) -> bool:
    return any(
        abs(_correlation(rank(column), rank(targets))) >= _GIVEN_AWAY for rank in (np.array, _ranks)
    )


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    spread = one.std() * other.std()
    return float(((one - one.mean()) * (other - other.mean())).mean() / spread) if spread else 0.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value; equal ones share a rank."""
    return np.unique(values, return_inverse=True)[1].astype(np.float64)


def _separates(column: NDArray[np.float64], labels: NDArray[np.float64]) -> bool:
    """Whether thresholds tell the labels apart, or few values that go with one label each."""
    kinds, values = len(np.unique(labels)), len(np.unique(column))
    if kinds < 2 or values < kinds:
        return False
    together = len(np.unique(np.stack([column, labels]), axis=1).T)
    if together > values:  # a value goes with two labels
        return False
    changes = np.count_nonzero(np.diff(labels[np.argsort(column, kind="stable")]))
    return changes == kinds - 1 or values <= _FEW_VALUES * len(column)
