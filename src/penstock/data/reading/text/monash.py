"""The .tsf format of the Monash archive of forecasting: a series a line, after a header."""

from collections.abc import Sequence

import polars as pl

from penstock.data.reading.text.corpora import numbered_lines
from penstock.data.time.spacing import Spacing, parse_frequency
from penstock.errors import DataError

_STEPS = {"yearly": "1y", "quarterly": "1q", "monthly": "1mo", "weekly": "1w", "daily": "1d",
          "hourly": "1h", "half_hourly": "30min", "minutely": "1min", "secondly": "1s"}  # fmt: skip
_UNITS = {"minutes": "min", "minute": "min", "seconds": "s", "second": "s", "hours": "h",
          "hour": "h", "days": "d", "day": "d", "weeks": "w"}  # fmt: skip


def read_tsf(content: bytes) -> pl.DataFrame:
    """Return a long table: the attributes of a series, its times if the header has them, and value.

    "?" is a missing value.

    Raises:
        DataError: the file has no data, a line does not fit the header, or a start is no time.
    """
    lines = numbered_lines(content)
    names: list[str] = []
    frequency = ""
    for _, line in lines:
        words = line.split()
        head = words[0].lower()
        if head == "@data":
            break
        if head == "@attribute" and len(words) > 1:
            names.append(words[1])
        if head == "@frequency" and len(words) > 1:
            frequency = words[1].lower()
    series = []
    for number, line in lines:
        *attributes, values = line.split(":")
        if len(attributes) != len(names):
            count = len(attributes)
            raise DataError(f"has {count} attributes in line {number}, but {len(names)} names")
        series.append([*attributes, values.split(",")])
    if not series:
        raise DataError("has no data below its header; there is nothing to learn from")
    frame = pl.DataFrame(series, schema=[*names, "value"], orient="row")
    return _timed(frame, names, frequency).with_columns(pl.col("value").str.strip_chars())


def _timed(frame: pl.DataFrame, names: Sequence[str], frequency: str) -> pl.DataFrame:
    """Return a row a value, with its time where series have a start and a step."""
    start = next((name for name in names if name.lower() == "start_timestamp"), None)
    spacing = _spacing(frequency)
    if start is None or spacing is None:
        return frame.explode("value")
    firsts = frame[start].str.to_datetime("%Y-%m-%d %H-%M-%S", strict=False, time_unit="us")
    if firsts.null_count():
        wrong = frame[start][int(firsts.is_null().arg_true()[0])]
        raise DataError(f"has the start {wrong!r}, which is no time such as 2000-01-31 00-00-00")
    long = frame.with_columns(
        firsts.alias(start), pl.int_ranges(pl.col("value").list.len()).alias(" k")
    )
    long = long.explode("value", " k")
    return (
        long.with_columns(spacing.times(long[start], long[" k"]).alias(start))
        .drop(" k")
        .rename({start: "time" if "time" not in names else start})
    )


def _spacing(frequency: str) -> Spacing | None:
    count, _, unit = frequency.partition("_")
    text = _STEPS.get(frequency) or (count + _UNITS[unit] if unit in _UNITS else "")
    return parse_frequency(text) if text else None
