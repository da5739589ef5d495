from datetime import date, datetime

import polars as pl
import pytest

from penstock.data.time.calendar import continue_times


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([1, 2, 3], [4, 5]),
        ([0.5, 1.0], [1.5, 2.0]),
        ([date(2020, 1, 1), date(2020, 1, 8)], [date(2020, 1, 15), date(2020, 1, 22)]),
        (
            [date(2020, 1, 31), date(2020, 2, 29), date(2020, 3, 31)],
            [date(2020, 4, 30), date(2020, 5, 31)],
        ),
        (
            [date(2020, 1, 1), date(2020, 2, 1), date(2020, 3, 1)],
            [date(2020, 4, 1), date(2020, 5, 1)],
        ),
        (
            [date(2019, 1, 1), date(2020, 1, 1), date(2021, 1, 1)],
            [date(2022, 1, 1), date(2023, 1, 1)],
        ),
        (
            [datetime(2020, 1, 1, 22), datetime(2020, 1, 1, 23)],
            [datetime(2020, 1, 2, 0), datetime(2020, 1, 2, 1)],
        ),
    ],
)
def test_regular_times_go_on(times: list[object], expected: list[object]) -> None:
    found = continue_times(pl.Series("ds", times), 2)
    assert found is not None
    assert found.to_list() == expected


@pytest.mark.parametrize("times", [[1], [1, 2, 4], [date(2020, 1, 1), *[date(2020, 1, 5)] * 2]])
def test_others_do_not(times: list[object]) -> None:
    assert continue_times(pl.Series("ds", times), 2) is None
