import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.data import Series
from penstock.data.forecasting.windows import Panel, Windows, windows
from penstock.data.scaling import Scale, fit_scale, naive_error
from penstock.data.splits import rows_needed, split

PARTS = ("train", "validation", "test")


def series(length: int, start: float = 0.0, name: str = "a") -> Series:
    values = start + np.arange(length, dtype=float)
    return Series(name, pl.Series(np.arange(length)), values, np.ones(length, bool))


def cut(all_series: list[Series], part: str, context: int, horizon: int, limit: int) -> Windows:
    splits = [split(len(one), horizon) for one in all_series]
    panel = Panel.of(all_series, [Scale(0.0, 1.0)] * len(all_series), splits)
    return windows(panel, part, context, horizon, limit)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 60))
def test_rows_needed_is_the_least_that_gives_every_part_a_window(L: int, h: int, more: int) -> None:
    needed = rows_needed(L, h)
    assert all(len(cut([series(needed + more)], part, L, h, 10**6)) for part in PARTS)
    assert split(needed - 1, h).train < L + h


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.lists(st.integers(40, 90), min_size=1, max_size=4))
def test_windows_hold_what_they_say(L: int, h: int, lengths: list[int]) -> None:
    several = [series(n, start=1000.0 * i) for i, n in enumerate(lengths)]
    for part in PARTS:
        found = cut(several, part, L, h, 10**6)
        context, target, observed = found.batch(torch.arange(len(found)))
        assert observed.all()
        # Values count up by 1, so a window that is whole does so too, from context to target.
        assert torch.all(torch.cat([context, target], 1).diff(dim=1) == 1)
        ends = [split(n, h).part(part) for n in lengths]
        for owner, row in zip(found.owner.tolist(), target.tolist(), strict=True):
            first, end = ends[owner]
            assert first <= row[0] - 1000 * owner <= row[-1] - 1000 * owner < end
        expected = [end - max(first, L) - h + 1 for first, end in ends]
        assert torch.bincount(found.owner).tolist() == expected


def test_windows_are_views() -> None:
    found = cut([series(100)], "train", 4, 2, 10**6)
    assert len(found.panel.values) == 100


def test_a_limit_spreads_the_windows() -> None:
    found = cut([series(1000)], "test", 4, 2, 10)
    assert len(found) == 10
    assert len(found.targets.diff().unique()) <= 2


def test_windows_without_an_observed_target_are_left_out() -> None:
    one = series(100)
    one.observed[80:90] = False
    found = cut([one], "test", 4, 3, 10**6)
    assert all(one.observed[t : t + 3].any() for t in found.targets.tolist())
    assert len(found) == 25 - 3 + 1 - 8


def test_scales() -> None:
    values, observed = np.array([1.0, 3.0, 99.0]), np.array([True, True, False])
    scale = fit_scale(values, observed)
    assert (scale.mean, scale.std) == (2.0, 1.0)
    assert scale.undo(scale.apply(values)) == pytest.approx(values)
    assert fit_scale(np.full(3, 7.0), np.ones(3, bool)).apply(np.full(2, 7.0)).tolist() == [0, 0]


def test_the_denominator_of_mase() -> None:
    values = np.array([1.0, 2.0, 4.0, 7.0, 11.0])
    assert naive_error(values, 1) == pytest.approx((1 + 2 + 3 + 4) / 4)
    assert naive_error(values, 2) == pytest.approx((3 + 5 + 7) / 3)
    assert naive_error(np.array([1.0, 2.0, 1.0, 2.0]), 2) == 1.0  # repeats exactly: m = 1
