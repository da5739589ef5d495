import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.data import Options, Source, load
from penstock.data.labelled.encoding import Encoding
from penstock.data.labelled.pieces import cut, whole
from penstock.data.labelled.sequences import Layout, Sequences, read_sequences
from penstock.data.splits import PARTS, split_set
from penstock.errors import ArgumentError, DataError

LONG = pl.DataFrame(
    {
        "id": ["b", "b", "a", "b", "a"],
        "x": [None, 1.0, 5.0, None, 6.0],
        "s": ["u", "v", None, "u", "w"],
        "label": ["one", "one", "two", "one", "two"],
    }
)


def layout(frame: pl.DataFrame, **options: object) -> Layout:
    return sequences(frame, **options).layout


def sequences(frame: pl.DataFrame, **options: object) -> Sequences:
    return read_sequences(Source("data", frame), Options(**options))  # type: ignore[arg-type]


def test_long_data_are_put_together_by_id_and_filled_within_each() -> None:
    data = sequences(LONG)
    assert data.ids == ("b", "a")
    assert data.offsets.tolist() == [0, 3, 5]
    assert data.numbers[:, 0].tolist() == pytest.approx([np.nan, 1, 1, 5, 6], nan_ok=True)
    assert data.symbols["s"].to_list() == ["u", "v", "u", "", "w"]
    assert data.labels.to_list() == ["one", "two"]
    assert data.missing == 3
    assert data.notes == ("3 missing inputs carried forward",)


def test_columns_of_dates_are_no_inputs_and_named() -> None:
    born = pl.Series(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04", None]).str.to_date()
    frame = LONG.with_columns(day=pl.Series([1, 2, 1, 3, 2]), born=born)
    data = sequences(frame, time="day")
    assert data.layout.numbers == ("x",)
    assert data.notes[1] == "column 'born' is left out: it holds times"


def test_rows_end_at_their_last_value() -> None:
    frame = pl.DataFrame(
        {"t1": [1.0, 4.0], "t2": [None, 5.0], "t3": [3.0, None], "label": [0.5, 1.5]}
    )
    data = sequences(frame)
    assert data.lengths.tolist() == [3, 2]
    assert data.numbers[:, 0].tolist() == [1, 1, 3, 4, 5]
    assert data.labels.to_list() == [0.5, 1.5]
    assert data.missing == 1


def test_steps_are_in_the_order_of_their_numbers() -> None:
    frame = pl.DataFrame({f"t{k}": [float(k)] for k in range(12)[::-1]} | {"label": ["a"]})
    assert sequences(frame).numbers[:, 0].tolist() == list(range(12))


@pytest.mark.parametrize(
    ("columns", "options", "expected"),
    [
        ({"id": [1, 1, 2, 2], "x": [1, 2, 3, 4], "label": list("aabb")}, {}, "long sequence True"),
        ({"id": [1, 1, 2, 2], "x": [1, 2, 3, 4], "label": [5, 5, 6, 6]}, {}, "long sequence True"),
        (
            {"id": [1, 1, 2, 2], "x": [1, 2, 3, 4], "label": [0.5, 0.5, 0.1, 0.1]},
            {},
            "long sequence False",
        ),
        ({"id": [1, 1, 2, 2], "x": [1, 2, 3, 4], "tag": list("abab")}, {}, "long step True"),
        ({"x": [1, 2, 3, 4], "tag": list("abab")}, {}, "one step True"),
        ({"time": [1, 2, 3, 4], "x": [1, 2, 3, 4], "y": [1.5, 2, 3, 4]}, {"target": ("y",)}, ""),
        ({"t0": [1, 2], "t1": [1, 2], "t2": [3, 4], "label": [0, 1]}, {}, "row sequence True"),
        (
            {"case": [1, 1, 2, 2], "x": [1, 2, 3, 4], "age": [30, 30, 40, 40]},
            {"target": ("age",), "id": "case"},
            "long sequence True",
        ),
    ],
)
def test_layouts(
    columns: dict[str, list[object]], options: dict[str, object], expected: str
) -> None:
    if expected:
        found = layout(pl.DataFrame(columns), **options)
        assert f"{found.form} {found.per} {found.classes}" == expected
    else:
        with pytest.raises(ArgumentError, match="no labels"):
            layout(pl.DataFrame(columns), **options)


@pytest.mark.parametrize("columns", [{"x": [1, 2]}, {"unique_id": [1, 1], "y": [2, 3]}])
def test_series_have_no_labels(columns: dict[str, list[int]]) -> None:
    with pytest.raises(ArgumentError, match="no labels; name their column with --target"):
        layout(pl.DataFrame(columns))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200))
def test_a_set_is_split_into_parts_that_share_nothing(strata: list[int]) -> None:
    parts = split_set(np.array(strata))
    together = np.concatenate([parts[part] for part in PARTS])
    assert sorted(together) == list(range(len(strata)))
    for stratum in {*strata}:
        counts = [int((np.array(strata)[parts[part]] == stratum).sum()) for part in PARTS]
        assert min(counts) >= int(sum(counts) >= 3)
    again = split_set(np.array(strata))
    assert all(np.array_equal(parts[part], again[part]) for part in PARTS)


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=20), st.integers(1, 15))
def test_pieces_cover_each_step_once(lengths: list[int], longest: int) -> None:
    offsets = np.cumsum([0, *lengths])
    parts, words = cut(offsets, longest)
    rows = torch.cat([parts[part].all_rows() for part in PARTS])
    assert sorted(rows.tolist()) == list(range(sum(lengths)))
    owners = {part: {*parts[part].owners.tolist()} for part in PARTS}
    if len(lengths) >= 10:
        assert words == "split by sequence"
        assert not owners["train"] & (owners["test"] | owners["validation"])
    for pieces in parts.values():
        assert all(0 < n <= longest for n in pieces.lengths.tolist())
        ends = pieces.starts + pieces.lengths
        assert (offsets[pieces.owners] <= pieces.starts.numpy()).all()
        assert (ends.numpy() <= offsets[pieces.owners + 1]).all()


def test_rows_of_pieces_are_padded_by_their_last() -> None:
    pieces = whole(np.array([0, 2, 5]), np.array([1, 0]))
    rows, lengths = pieces.rows(torch.tensor([0, 1]))
    assert rows.tolist() == [[2, 3, 4], [0, 1, 1]]
    assert lengths.tolist() == [3, 2]
    assert pieces.all_rows().tolist() == [2, 3, 4, 0, 1]


def test_the_encoding_is_learned_from_its_rows_alone() -> None:
    data = sequences(LONG)
    encoding = Encoding.fit(data, torch.tensor([1, 2, 3]))
    assert encoding.scales[0].mean == pytest.approx(7 / 3)
    assert encoding.vocabularies == (("u", "v"),)
    numbers, symbols = encoding.encode(data)
    std = np.std([1, 1, 5])
    expected = [0, (1 - 7 / 3) / std, (1 - 7 / 3) / std, (5 - 7 / 3) / std, (6 - 7 / 3) / std]
    assert numbers[:, 0].tolist() == pytest.approx(expected)
    assert symbols[:, 0].tolist() == [1, 2, 1, 0, 0]
    assert Encoding.of_record(encoding.record()) == encoding


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"id": ["a", "a", None], "x": [1, 2, 3], "label": [*"uuv"]}, ["'id'", "row 3", "empty"]),
        ({"id": [1] * 3, "x": ["1", "a", "2"], "label": ["u"] * 3}, ["'x'", "row 2", "'a'"]),
        ({"id": [1, 1], "x": [1.0, np.inf], "label": ["u", "u"]}, ["'x'", "row 2", "finite"]),
        (
            {"t0": [1, None], "t1": [1, None], "t2": [1, None], "label": [1, 2]},
            ["row 2", "no value"],
        ),
        (
            {"id": [1, 1], "time": [2, 2], "x": [1, 2], "label": ["u", "u"]},
            ["'time'", "row 2", "repeated"],
        ),
    ],
)
def test_bad_cells_are_named(columns: dict[str, list[object]], words: list[str]) -> None:
    frame = pl.DataFrame(columns, strict=False)
    with pytest.raises(DataError) as caught:
        sequences(frame)
    assert all(word in str(caught.value) for word in words), caught.value


def test_other_data_are_read_as_those_that_were_learned_from() -> None:
    wanted = layout(LONG).options()
    other = LONG.drop("label").with_columns(extra=pl.lit(5), x=pl.lit(1.5))
    data = read_sequences(Source("other", other), wanted)
    assert data.layout.numbers == ("x",)
    assert data.layout.symbols == ("s",)
    assert data.labels.null_count() == 2
    digits = LONG.with_columns(s=pl.lit("7"))
    assert read_sequences(Source("other", digits), wanted).symbols["s"].to_list() == ["7"] * 5
    with pytest.raises(ArgumentError, match="no column 'x', which the model names"):
        read_sequences(Source("other", LONG.drop("x")), wanted)
    with pytest.raises(ArgumentError, match="did you mean 'label'"):
        layout(LONG, target=("lable",))


def test_rows_of_steps_are_read_again_with_other_lengths() -> None:
    frame = pl.DataFrame({"t0": [1.0, 2.0], "t1": [3.0, 4.0], "t2": [5.0, 6.0], "label": [*"ab"]})
    wanted = layout(frame)
    assert Layout.of_record(json.loads(json.dumps(asdict(wanted)))) == wanted
    longer = frame.drop("label").with_columns(t3=pl.Series([7.0, None]))
    data = read_sequences(Source("other", longer), wanted.options())
    assert data.lengths.tolist() == [4, 3]
    assert data.numbers[:, 0].tolist() == [1, 3, 5, 7, 2, 4, 6]


def test_the_fingerprint_sees_every_change(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    LONG.write_csv(path)
    same = load(path).table
    assert same is not None
    assert sequences(same).fingerprint() == sequences(LONG).fingerprint()
    changed = [
        LONG.with_columns(x=pl.col("x") + 1),
        LONG.with_columns(s=pl.lit("q")),
        LONG.with_columns(label=pl.col("id")),
        LONG.with_columns(id=pl.col("id") + "z"),
    ]
    prints = {sequences(frame).fingerprint() for frame in (LONG, *changed)}
    assert len(prints) == 5
