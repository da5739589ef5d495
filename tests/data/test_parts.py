"""Parts of one's own: a column, files, names of arrays, groups, the last window of each series."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import penstock
from penstock.cli.main import run
from penstock.data import Options, Source
from penstock.data.splits import PARTS, divide
from penstock.data.understanding.describe import given
from penstock.errors import ArgumentError, DataError
from penstock.tasks import find_task

WORDS = ["train", "valid", "test"]
Rows = dict[str, list[Any]]


def sequences(count: int = 60, steps: int = 4, *, per_step: bool = False) -> pl.DataFrame:
    """Sequences of two classes; of five speakers, one of whom says class "b" alone."""
    draw = np.random.default_rng(0)
    rows: Rows = {"id": [], "x": [], "label": [], "speaker": []}
    for k in range(count):
        speaker = k % 5
        kind = "b" if speaker == 4 else "ab"[k // 5 % 2]
        for step in range(steps):
            rows["id"].append(f"s{k:02}")
            rows["x"].append(float(draw.normal()) + (kind == "b"))
            rows["label"].append("ab"[(step + k) % 2] if per_step else kind)
            rows["speaker"].append(f"p{speaker}")
    return pl.DataFrame(rows)


def series(rows: int = 90) -> pl.DataFrame:
    draw = np.random.default_rng(1)
    return pl.DataFrame({
        "unique_id": ["u"] * rows + ["v"] * rows,
        "ds": [*range(rows)] * 2,
        "y": draw.normal(size=2 * rows),
        "part": ["train"] * 60 + ["validation"] * 10 + ["test"] * (rows - 70)
              + ["train"] * 50 + ["validation"] * 20 + ["test"] * (rows - 70),
    })  # fmt: skip


def parts_of(name: str, data: Any, test: Any = None, validation: Any = None, **options: Any) -> Any:
    read = given(data, Options(task=name, **options), test, validation)
    task = find_task(name)
    prepared = task.prepare(task.read(read.source, read.options))
    return {part: prepared.problem.members(part) for part in PARTS}


def with_column(frame: pl.DataFrame) -> pl.DataFrame:
    """Every third sequence each: another split than the one drawn."""
    part = frame["id"].str.slice(1).cast(pl.Int64) % 3
    return frame.with_columns(part=part.replace_strict([0, 1, 2], WORDS))


@pytest.mark.parametrize("name", ["classify", "regress", "tag"])
def test_a_column_of_parts_is_kept(name: str) -> None:
    frame = sequences(per_step=name == "tag")
    if name == "regress":
        frame = frame.with_columns(label=pl.col("id").str.slice(1).cast(pl.Float64) + 0.5)
    found = parts_of(name, with_column(frame), split="part", target=("label",))
    for k, part in enumerate(PARTS):
        assert sorted(found[part]) == [f"s{n:02}" for n in range(60) if n % 3 == k]


def test_steps_of_one_sequence_are_in_several_parts() -> None:
    frame = sequences(1, 90, per_step=True).drop("speaker", "id")
    frame = frame.with_columns(part=pl.Series(["train"] * 50 + ["test"] * 20 + ["val"] * 20))
    found = parts_of("tag", frame, split="part", target=("label",))
    (only,) = {one.partition(",")[0] for members in found.values() for one in members}
    assert found == {
        "train": [f"{only}, steps 1 to 50"],
        "validation": [f"{only}, steps 71 to 90"],
        "test": [f"{only}, steps 51 to 70"],
    }


def test_a_part_that_is_not_given_is_drawn_from_training() -> None:
    frame = with_column(sequences()).with_columns(part=pl.col("part").replace("valid", "train"))
    found = parts_of("classify", frame, split="part", target=("label",))
    assert sorted(found["test"]) == [f"s{n:02}" for n in range(60) if n % 3 == 2]
    assert len(found["validation"]) == 8  # a fifth of 40, as 0.15 is of 0.75
    assert not {*found["validation"]} & {*found["train"]}


@pytest.mark.parametrize("name", ["classify", "regress", "tag"])
@pytest.mark.parametrize("given", ["nothing", "test"])
def test_no_group_is_in_two_parts(name: str, given: str) -> None:
    frame = sequences(per_step=name == "tag")
    if name == "regress":
        frame = frame.with_columns(label=pl.col("id").str.slice(1).cast(pl.Float64) + 0.5)
    options: dict[str, Any] = {"group": "speaker", "target": ("label",)}
    if given == "test":
        test = pl.col("speaker") == "p1"
        frame = frame.with_columns(
            part=pl.when(test).then(pl.lit("test")).otherwise(pl.lit("train"))
        )
        options["split"] = "part"
    found = parts_of(name, frame, **options)
    speakers = [{int(one[1:]) % 5 for one in found[part]} for part in PARTS]
    assert all(speakers)
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 5
    assert given == "nothing" or speakers[2] == {1}


@pytest.mark.parametrize("frame", [with_column(sequences()), series()])
def test_a_column_of_parts_that_nobody_named_is_said(frame: pl.DataFrame) -> None:
    found = penstock.describe(frame, target=frame.columns[2])
    assert found.roles["part"] == "left out"
    assert any("--split part takes these parts" in note for note in found.notes)
    assert found.like_groups == (("speaker",) if "speaker" in frame.columns else ())


def test_parts_of_whole_series_are_no_property_of_them() -> None:
    ids = pl.col("unique_id")
    frame = series().with_columns(part=ids.replace_strict({"u": "train", "v": "test"}))
    found = penstock.describe(frame)
    assert found.roles["part"] == "left out"
    assert any("--split part" in note for note in found.notes)


def test_an_id_may_be_the_group() -> None:
    """Sessions of patients: a sequence is a patient's session, and no patient is in two parts."""
    frame = sequences().with_columns(session=pl.col("id"), id=pl.col("speaker"))
    frame = frame.drop("speaker").with_columns(group=pl.col("id"))
    found = parts_of("classify", frame, group="id", id="id,session", target=("label",))
    assert found == parts_of("classify", frame, group="group", id="id,session", target=("label",))
    owners = [{one.partition("/")[0] for one in found[part]} for part in PARTS]
    assert sum(map(len, owners)) == 5
    assert sum(map(len, found.values())) == 60
    one = parts_of("classify", sequences().drop("speaker"), group="id", target=("label",))
    assert sum(map(len, one.values())) == 60
    with pytest.raises(DataError, match="groups are in more than one part"):
        parts_of("classify", frame, frame.with_columns(session=pl.col("session") + "x"),
                 group="id", id="id,session", target=("label",))  # fmt: skip
    with pytest.raises(ArgumentError, match="--group names id, session; it takes one column"):
        parts_of("classify", frame, group="id,session", target=("label",))


def test_groups_fill_the_parts_by_their_shares_of_each_class() -> None:
    draw = np.random.default_rng(0)
    groups = draw.integers(0, 40, 2000)
    strata = (draw.random(2000) < 0.1 + 0.4 * (groups % 2)).astype(np.int64)
    found = divide(strata, None, groups)
    for part, share in zip(PARTS, (0.6, 0.15, 0.25), strict=True):
        assert abs(len(found[part]) / 2000 - share) < 0.04
        assert abs(strata[found[part]].mean() - strata.mean()) < 0.05


def test_what_groups_cannot_be_is_said() -> None:
    two = sequences().filter(pl.col("speaker").is_in(["p0", "p1"]))
    with pytest.raises(DataError, match="2 groups"):
        parts_of("classify", two, group="speaker", target=("label",))
    with pytest.raises(DataError, match="more than one part"):
        parts_of("classify", with_column(sequences()), group="speaker", split="part")
    with pytest.raises(ArgumentError, match="cannot use --group"):
        parts_of("forecast", series(), group="part")


def test_sequences_of_two_files_are_apart_though_numbered_alike(tmp_path: Path) -> None:
    for name, count in (("train", 40), ("test", 20)):
        sequences(count).write_csv(tmp_path / f"{name}.csv")
    found = parts_of("classify", tmp_path / "train.csv", tmp_path / "test.csv", target=("label",))
    assert sorted(found["test"]) == [f"test s{n:02}" for n in range(20)]
    assert len(found["train"]) + len(found["validation"]) == 40


def test_rows_of_two_files_are_apart_though_numbered_alike() -> None:
    draw = np.random.default_rng(0)
    steps = {f"t{k}": draw.normal(size=30) for k in range(5)}
    frame = pl.DataFrame({"id": range(30), **steps, "label": list("ab") * 15})
    found = parts_of("classify", frame, frame.head(10), frame.tail(10))
    assert {part: len(found[part]) for part in PARTS} == {
        "train": 30, "validation": 10, "test": 10,
    }  # fmt: skip


def test_names_of_arrays_say_the_part(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    sizes = {"train": 30, "valid": 10, "test": 20}
    arrays = {f"{p}_x": draw.normal(size=(n, 6, 2)) for p, n in sizes.items()}
    arrays |= {f"{p}_y": np.arange(n) % 2 for p, n in sizes.items()}
    np.savez(tmp_path / "data.npz", **arrays)
    found = parts_of("classify", tmp_path / "data.npz")
    assert {p: len(m) for p, m in found.items()} == {"train": 30, "validation": 10, "test": 20}
    assert found["test"][0].startswith("test ")


def test_names_of_arrays_say_the_part_of_frames() -> None:
    draw = np.random.default_rng(0)
    arrays = {
        f"{part}_{k}": (draw.random((30, 5)) < 0.3).astype(np.uint8)
        for part in WORDS for k in range(3)
    }  # fmt: skip
    found = parts_of("frames", Source("rolls", arrays=arrays))
    assert sorted(found["validation"]) == [f"valid_{k}" for k in range(3)]
    assert sorted(found["test"]) == [f"test_{k}" for k in range(3)]


def test_series_are_split_where_the_user_says() -> None:
    found = parts_of("forecast", series(), split="part")
    assert found == {
        "train": ["u: 0 to 59", "v: 0 to 49"],
        "validation": ["u: 60 to 69", "v: 50 to 69"],
        "test": ["u: 70 to 89", "v: 70 to 89"],
    }


def test_series_go_on_in_another_file() -> None:
    frame = series().drop("part")
    old, new = (frame.filter(pl.col("ds") < 70), frame.filter(pl.col("ds") >= 70))
    found = parts_of("forecast", old, new)
    assert found["test"] == ["u: 70 to 89", "v: 70 to 89"]
    assert found["train"][0] == "u: 0 to 55"  # validation: a fifth of what is left


@pytest.mark.parametrize(
    ("change", "words"),
    [(lambda f: f.with_columns(pl.col("part").reverse()), "goes back from test to"),
     (lambda f: f.with_columns(part=pl.lit("train")), "no value in the part test"),
     (lambda f: f.with_columns(pl.col("part").replace("test", "later")), "is no part")],
)  # fmt: skip
def test_parts_of_series_that_cannot_be(change: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        parts_of("forecast", change(series()), split="part")


def test_the_last_window_of_each_series() -> None:
    task = find_task("forecast")
    options = Options(task="forecast", test_windows="last")
    data = task.read(Source("series", series().drop("part")), options)
    found = task.prepare(data, horizon=5)
    assert found.problem.members("test") == ["u: 85 to 89", "v: 85 to 89"]
    assert found.problem.size("test") == 2
    rolling = task.read(Source("series", series().drop("part")), Options(task="forecast"))
    assert rolling.fingerprint() != data.fingerprint()
    told = task.read(Source("series", series()), Options(split="part", test_windows="last"))
    assert task.prepare(told, horizon=5).problem.size("test") == 2


@pytest.mark.parametrize(
    ("data", "options"),
    [("rhyme", {"group": "x"}), ("rhyme", {"split": "x"}), ("canon", {"split": "x"}),
     ("gestures", {"test_windows": "last"}), ("sunspots", {"group": "year"}),
     ("sunspots", {"test_windows": "first"})],
)  # fmt: skip
def test_what_a_task_cannot_use_is_an_error(data: str, options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(options)).replace("_", "-")):
        penstock.compare(data, ["gru"], **options)


def test_another_split_is_another_comparison() -> None:
    task, frame = find_task("classify"), with_column(sequences())
    drawn = task.read(Source("a", frame.drop("part")), Options(group=None))
    told = task.read(Source("a", frame), Options(split="part"))
    assert drawn.fingerprint() != told.fingerprint()
    ends = [Options(split="part"), Options()]
    one, other = (find_task("forecast").read(Source("a", series()), o).fingerprint() for o in ends)
    assert one != other


def test_the_record_lists_the_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with_column(sequences()).write_csv("data.csv")
    command = "compare data.csv --split part --id id --seeds 1 --steps 4 --rates 0.01"
    assert run([*command.split(), "--cells", "gru", "--workers", "1", "--out", "out"]) == 0
    parts = json.loads(Path("out/results.json").read_text("utf-8"))["parts"]
    assert sorted(parts["test"]) == [f"s{n:02}" for n in range(2, 60, 3)]
    assert {*parts} == {*PARTS}
