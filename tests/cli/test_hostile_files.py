"""Files that claim too much, or are none: one line, exit code 2, and little memory."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

from penstock.cli.main import run
from penstock.data import load
from penstock.data.reading.binary.guarded import panics_hushed
from penstock.data.reading.binary.packed import feather_size, parquet_size
from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.layouts import spread
from penstock.errors import ArgumentError, DataError

MIB = 2**20


def npy(shape: str, dtype: str = "|u1", body: bytes = b"") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        for name, content in members:
            zipped.writestr(name, content)
    return file.getvalue()


def zeros(size: int) -> bytes:
    return npy(f"({size // 8}, 8)", body=bytes(size))


def rows_of_zeros(rows: int) -> bytes:
    return parquet(pl.DataFrame({"y": pl.zeros(rows, dtype=pl.Int8, eager=True)}))


def saved(*arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, *(np.asarray(array) for array in arrays))
    return file.getvalue()


def parquet(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def feather(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_ipc(file, compression="zstd")
    return file.getvalue()


def texts(dtype: Any = pl.String, rows: int = 60) -> pl.DataFrame:
    """Return rows that share one long text."""
    return pl.DataFrame({"y": range(rows), "text": ["x" * MIB] * rows}).cast({"text": dtype})


def lists() -> pl.DataFrame:
    return pl.DataFrame({"y": [1], "values": [bytes(8 * MIB)]}).with_columns(
        pl.lit(pl.Series([pl.zeros(8 * MIB, dtype=pl.Int8, eager=True)])).alias("values")
    )


def prefixes(frame: pl.DataFrame) -> bytes:
    """Return a file in which of each text only that is told in which it differs from the last."""
    file = io.BytesIO()
    coded = {"y": "PLAIN", "text": "DELTA_BYTE_ARRAY"}
    pq.write_table(frame.to_arrow(), file, use_dictionary=False, column_encoding=coded)
    return file.getvalue()


def cells() -> bytes:
    """Return cells of MATLAB, each an array, of which the list of names tells nothing."""
    file, arrays = io.BytesIO(), np.empty((1, 60), object)
    arrays[0, :] = [np.zeros(MIB // 8) for _ in range(60)]
    savemat(file, {"x": arrays}, do_compression=True)
    return file.getvalue()


def far_cells() -> bytes:
    """Return a sheet with a cell far from the others."""
    far = b'<row r="1048576"><c r="XFD1048576"><v>2</v></c></row></sheetData>'
    with zipfile.ZipFile(Path(__file__).parents[1] / "data" / "two_columns.xlsx") as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    return archive(*((n, content.replace(b"</sheetData>", far)) for n, content in members.items()))


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


TWICE = archive(("a.npy", npy("(0,)")), ("b.npy", npy("(0,)"))).replace(b"b.npy", b"a.npy")
ROWS = b"year,v\n" + b"".join(b"%d,%d\n" % (1700 + i, i * i % 17) for i in range(400))
PACKED = gzip.compress(ROWS)
GOOD = archive(("a.npy", npy("(40, 8)", body=bytes(320))), method=zipfile.ZIP_STORED)
TABLE = parquet(pl.read_csv(ROWS))
WIDE = b",".join(b"c%d" % i for i in range(100_000)) + b"\n"

BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip": ("a.csv.gz", lambda: gzip.compress(b"year,v\n" + b"1,1\n" * (100 * MIB // 4))),
    "gzip in gzip members": ("a.csv.gz", lambda: gzip.compress(b"1,1\n" * (10 * MIB // 4)) * 10),
    "gzip by another name": ("a.csv", lambda: gzip.compress(b"1,1\n" * (30 * MIB))),
    "zip": ("a.npz", lambda: archive(("a.npy", zeros(100 * MIB)))),
    "many in a zip": ("a.npz", lambda: archive(*((f"{k}.npy", zeros(8 * MIB)) for k in range(12)))),
    "rows without cells": ("a.csv", lambda: WIDE + b"1\n" * 1000),
    "rows without cells, packed": ("a.csv.gz", lambda: gzip.compress(WIDE + b"1\n" * 1000)),
    "rows of parquet": ("a.parquet", lambda: rows_of_zeros(10 * MIB)),
    "texts of parquet": ("a.parquet", lambda: parquet(texts())),
    "categories of parquet": ("a.parquet", lambda: parquet(texts(pl.Categorical))),
    "a list in parquet": ("a.parquet", lambda: parquet(lists())),
    "beginnings of texts": ("a.parquet", lambda: prefixes(texts())),
    "texts of feather": ("a.feather", lambda: feather(texts())),
    "categories of feather": ("a.feather", lambda: feather(texts(pl.Categorical))),
    "a list in feather": ("a.feather", lambda: feather(lists())),
    "cells of matlab": ("a.mat", cells),
    "cells of a sheet": ("a.xlsx", far_cells),
}  # fmt: skip

DAMAGED: dict[str, tuple[str, bytes, str]] = {
    "a gzip cut off": ("a.csv.gz", PACKED[:-30], "cannot be read"),
    "a gzip without its end": ("a.csv.gz", PACKED[:-4], "cannot be read"),
    "a gzip flipped": ("a.csv.gz", flipped(PACKED, 200), "cannot be read"),
    "a wrong sum": ("a.csv.gz", flipped(PACKED, len(PACKED) - 8), "cannot be read"),
    "more behind a gzip": ("a.csv.gz", PACKED + b"noise", "cannot be read"),
    "no gzip": ("a.csv.gz", ROWS, "cannot be read"),
    "an empty gzip": ("a.csv.gz", b"", "is empty"),
    "gzip of nothing": ("a.csv.gz", gzip.compress(b""), "is empty"),
    "a gzip in a gzip": ("a.csv.gz", gzip.compress(PACKED), "is packed"),
    "zlib": ("a.csv", zlib.compress(ROWS), "is packed"),
    "an empty npz": ("a.npz", b"", "cannot be read"),
    "an npz cut off": ("a.npz", GOOD[:-40], "cannot be read"),
    "a wrong sum in npz": ("a.npz", flipped(GOOD, GOOD.index(b"NUMPY") + 200), "cannot be read"),
    "no members": ("a.npz", archive(), "holds no arrays"),
    "no array": ("a.npz", archive(("a.txt", b"text")), "no array"),
    "a folder in npz": ("a.npz", archive(("a/", b"")), "no array"),
    "no magic": ("a.npz", archive(("a.npy", b"text")), "cannot be read"),
    "an empty member": ("a.npz", archive(("a.npy", b"")), "cannot be read"),
    "objects": ("a.npz", saved(np.array([[1, "x"]], object)), "Python objects"),
    "a pickle": ("a.npz", archive(("a.npy", b"\x80\x04cos\nsystem\n")), "cannot be read"),
    "text": ("a.npz", saved([["a", "b"]]), "no column of values"),
    "complex": ("a.npz", saved([[1j]]), "not of numbers"),
    "fields": ("a.npz", saved(np.zeros(3, "u1,u1")), "a.npz"),
    "more than there is": ("a.npz", archive(("a.npy", npy("(10**9, 8)"))), "cannot be read"),
    "a claim of numbers": ("a.npz", archive(("a.npy", npy("(1000000000000, 8)"))), "shape"),
    "less than there is": ("a.npz", archive(("a.npy", npy("(1, 8)", body=bytes(99)))), "shape"),
    "below zero": ("a.npz", archive(("a.npy", npy("(-1, -8)", body=bytes(8)))), "shape"),
    "a deep header": ("a.npz", archive(("a.npy", npy("(" * 3000 + ")" * 3000))), "cannot be read"),
    "a name twice": ("a.npz", TWICE, "twice"),
    "no npy": ("a.npy", b"text", "cannot be read"),
    "texts without letters": ("a.npy", npy("(1000000000000,)", "<U0"), "shape"),
    "values without bytes": ("a.npy", npy("(1000000000000,)", "|V0"), "not of numbers"),
    "a claim of npy": ("a.npy", npy("(1000000000000,)"), "shape"),
    "columns without rows": ("a.npy", npy("(0, 1000000000000)"), "shape"),
    "columns without rows in npz": (
        "a.npz", archive(("a.npy", npy("(0, 1000000000000)"))), "shape"
    ),
    "objects in npy": ("a.npy", npy("(1,)", "|O", b"cos\nsystem\n"), "Python objects"),
    "an empty parquet": ("a.parquet", b"", "a.parquet"),
    "a parquet cut off": ("a.parquet", TABLE[:-20], "cannot be read"),
    "a parquet without a start": ("a.parquet", b"X" * 40 + TABLE[40:], "cannot be read"),
    "a line without end": ("a.csv", b"year,v\n1," + b"7" * 17 * MIB, "longer than 16 MiB"),
    "a header without end": ("a.csv", b"a" * 17 * MIB, "longer than 16 MiB"),
    "zero bytes": ("a.csv", bytes(4000), "a.csv"),
}  # fmt: skip


def said_by(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    assert run(arguments) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1, printed.err
    assert len(printed.err) < 600
    return printed.err


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_files(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, content, words = DAMAGED[case]
    (tmp_path / name).write_bytes(content)
    said = said_by(["compare", str(tmp_path / name), "--out", str(tmp_path / "out")], capsys)
    assert words in said
    assert str(name) in said
    assert not (tmp_path / "out").exists()


def test_a_long_cell_of_arff_is_read(tmp_path: Path) -> None:
    """Beyond the 131,072 letters at which Python's csv stops; which it does again afterwards."""
    head = b"@relation a\n@attribute x relational\n@attribute v numeric\n@end x\n"
    steps = ",".join(["1.5"] * 50_000).encode()
    (tmp_path / "a.arff").write_bytes(head + b"@attribute y {a,b}\n@data\n'" + steps + b"',a\n")
    assert len(load(tmp_path / "a.arff").rows()["x"][0]) > 199_000
    assert csv.field_size_limit() == 131_072


def test_good_ones_are_read(tmp_path: Path) -> None:
    files = {"a.csv.gz": PACKED, "a.csv": PACKED, "a.npz": GOOD, "a.parquet": TABLE}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    table = load(tmp_path / "a.parquet").rows()
    for name in ("a.csv.gz", "a.csv"):  # their cells are text until they are understood
        assert load(tmp_path / name).rows().cast(pl.Int64).equals(table)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((3, 4)), rng.integers(0, 9, (2, 5)).T, rng.random(0) < 0.5]
    np.savez_compressed(tmp_path / "b.npz", *arrays, named=np.asfortranarray(arrays[0]))
    found = load(tmp_path / "b.npz").arrays or {}
    with np.load(tmp_path / "b.npz") as wanted:
        assert list(found) == wanted.files
        for key in wanted.files:
            np.testing.assert_array_equal(found[key], wanted[key], strict=True)


@pytest.mark.parametrize("case", BOMBS)
def test_a_limit_that_the_environment_sets(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, content = BOMBS[case]
    (tmp_path / name).write_bytes(content())
    monkeypatch.setenv("PENSTOCK_UNPACKED_GIB", "0.05")
    with pytest.raises(DataError, match=r"unpacks to .* PENSTOCK_UNPACKED_GIB to more"):
        load(tmp_path / name)


@pytest.mark.parametrize("suffix", [".csv", ".npy"])
def test_a_folder_holds_no_more_than_a_file(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is small, and all together are not."""
    for k in range(40):
        (tmp_path / f"{k}{suffix}").write_bytes(ROWS if suffix == ".csv" else zeros(8000))
    assert load(tmp_path).rows()["id"].n_unique() == 40
    monkeypatch.setenv("PENSTOCK_UNPACKED_GIB", "1e-4")
    monkeypatch.setattr("penstock.opening._RATIO", 0.1)
    with pytest.raises(DataError, match=r"unpacks to .* PENSTOCK_UNPACKED_GIB to more"):
        load(tmp_path)


def test_bombs_are_seen_before_they_are_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by what is in memory afterwards."""

    def unpacked(*_: Any, **__: Any) -> None:
        raise AssertionError("it was read")

    monkeypatch.setenv("PENSTOCK_UNPACKED_GIB", "0.05")
    monkeypatch.setattr(pl, "read_ipc", unpacked)
    monkeypatch.setattr("penstock.data.reading.binary.sheets.size_in_full", unpacked)
    for name, content in (
        ("a.parquet", parquet(lists())), ("b.parquet", prefixes(texts(rows=200))),
        ("a.feather", feather(texts())), ("b.feather", feather(lists())),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="unpacks to"):
            load(tmp_path / name)


def test_how_much_is_packed(tmp_path: Path) -> None:
    """No less than a table takes, whatever wrote it, and not many times as much."""
    rng = np.random.default_rng(0)
    numbers = {"a": rng.normal(size=5000), "b": rng.integers(0, 9, 5000)}
    words = [f"text {k % 100}" for k in range(5000)]
    frame = pl.DataFrame({**numbers, "s": words, "l": [[1, 2]] * 5000})
    path, taken = tmp_path / "a", frame.estimated_size()
    for how in ("zstd", "lz4", "uncompressed", "snappy", "gzip"):
        frame.write_parquet(path, compression=how)  # type: ignore[arg-type]
        with path.open("rb") as file:
            assert 0.9 * taken <= parquet_size(file)[0] <= 3 * taken, how
    for how in ("1.0", "2.0"):
        for shared in (True, False):
            pq.write_table(frame.to_arrow(), path, data_page_version=how, use_dictionary=shared)
            with path.open("rb") as file:
                assert 0.9 * taken <= parquet_size(file)[0] <= 3 * taken, how
    for how in ("zstd", "lz4", "uncompressed"):
        for level in (pl.CompatLevel.oldest(), pl.CompatLevel.newest()):
            content = io.BytesIO()
            frame.write_ipc(content, compression=how, compat_level=level)  # type: ignore[arg-type]
            assert taken <= feather_size(content.getvalue()) <= 4 * taken, how


def test_honest_texts_that_repeat_their_beginnings(tmp_path: Path) -> None:
    """Each could be as long as its page, which would be gigabytes; none is."""
    told = [f"reading {k:06d} of the sensor" for k in range(100_000)]
    frame = pl.DataFrame({"y": range(len(told)), "text": told})
    (tmp_path / "a.parquet").write_bytes(prefixes(frame))
    assert load(tmp_path / "a.parquet").rows().equals(frame)


def test_damaged_tables_are_refused_or_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """At each place, by hundreds: nothing else is raised, and nothing but one line said."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"t": range(60), "y": rng.normal(size=60), "s": ["abc", "d"] * 30})
    for name, whole in (("a.parquet", parquet(frame)), ("a.feather", feather(frame))):
        said = []
        for place in rng.permutation(len(whole))[:200].tolist():
            content = whole[:place] if place % 7 == 0 else flipped(whole, place)
            (tmp_path / name).write_bytes(content)
            try:
                load(tmp_path / name)
            except DataError as error:
                said.append(str(error))
        assert len(said) > 50
        assert not [words for words in said if len(words.splitlines()) > 1]
    assert capfd.readouterr() == ("", "")  # Rust would say its own beside ours


def test_what_others_say_while_a_table_is_read_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    def shout() -> None:
        with panics_hushed():
            os.write(2, b"heard")

    threads = [threading.Thread(target=shout) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capfd.readouterr().err == "heard" * 20

    @panics_hushed()
    def panic() -> None:
        os.write(2, b"thread panicked")
        raise pl.exceptions.PanicException

    with pytest.raises(pl.exceptions.PanicException):
        panic()
    os.write(2, b"and on")
    assert capfd.readouterr().err == "and on"


def test_the_limit_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"year,v\n" + b"1,1\n" * 500_000))
    monkeypatch.setenv("PENSTOCK_UNPACKED_GIB", "0.001")
    with pytest.raises(DataError, match=r"unpacks to more than 0\.001 GiB"):
        load(path)
    monkeypatch.setenv("PENSTOCK_UNPACKED_GIB", "0.01")
    assert load(path).rows().height == 500_000


@pytest.mark.parametrize("told", ["", "x", "0", "-1", "nan", "inf"])
def test_a_limit_that_is_none(told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_bytes(ROWS)
    monkeypatch.setenv("PENSTOCK_UNPACKED_GIB", told)
    with pytest.raises(ArgumentError, match="PENSTOCK_UNPACKED_GIB"):
        load(tmp_path / "a.csv")


def test_what_a_file_truly_holds_is_no_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_bytes(ROWS * 20 + ROWS)
    (tmp_path / "a.csv").write_bytes(ROWS[:7] + ROWS[7:] * 20)
    monkeypatch.setenv("PENSTOCK_UNPACKED_GIB", "1e-9")
    assert load(tmp_path / "a.csv").rows().height == 8000


NO_FILES = ["folder", "pipe", "zero", "sparse", "closed", "nowhere"]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".npz", ".parquet", ".txt", ".json", ".py"])
@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file(
    kind: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By every command that reads a file."""
    path = tmp_path / f"{kind}{suffix}"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2**40)
    elif kind == "closed":
        path.write_bytes(ROWS)
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("root reads everything")
    if suffix == ".py":
        if kind == "sparse":
            pytest.skip("a file of the user's own is run, whatever it holds")
        commands = [["explain", f"{path}:A"], ["show", f"{path}:A"]]
    elif suffix == ".json":
        results = tmp_path / "comparison" / "results.json"
        results.parent.mkdir()
        if kind != "nowhere":
            results.symlink_to(path)
        commands = [["predict", str(path), "sunspots"], ["inspect", str(path), "sunspots"]]
        commands += [["report", str(results.parent)], ["inspect", str(results.parent)]]
        commands += [["predict", str(results.parent), "sunspots"]]
    else:
        commands = [["compare", str(path)], ["compare", str(path), "--task", "forecast"]]
    for command in commands:
        said_by(command, capsys)


LIMITED = """
import os, resource, sys
from penstock.cli.main import run
from penstock.comparison.report import report
from penstock.comparison import run as _
from penstock.cli.comparing import _screen
size = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
resource.setrlimit(resource.RLIMIT_AS, (size + 380 * 2**20,) * 2)
print(*(run(["compare", path]) for path in sys.argv[1:]))
"""


def test_bombs_take_little_memory(tmp_path: Path) -> None:
    """With 380 MiB left, each that would take more is refused by the limit.

    No Parquet: the threads of polars take more addresses than that, though no memory.
    """
    bombs = {
        "zip.npz": archive(*((f"{k}.npy", zeros(100 * MIB)) for k in range(4))),
        "short.csv": WIDE + b"1\n" * 50_000,
    }  # fmt: skip
    for name, content in bombs.items():
        (tmp_path / name).write_bytes(content)
    with (tmp_path / "sparse.txt").open("wb") as file:
        file.truncate(2**40)
    paths = sorted(str(path) for path in tmp_path.iterdir())
    low = {**os.environ, "PENSTOCK_UNPACKED_GIB": "0.3"}
    command = [sys.executable, "-c", LIMITED, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=low)
    assert done.stdout == "2 2 2\n", done.stderr
    assert done.stderr.count("set the environment variable PENSTOCK_UNPACKED_GIB") == 3
    assert len(done.stderr.splitlines()) == 3


def test_a_hundred_thousand_columns(tmp_path: Path) -> None:
    rows = [",".join(map(str, np.random.default_rng(k).integers(0, 9, 100_000))) for k in range(3)]
    (tmp_path / "a.csv").write_text(WIDE.decode() + "\n".join(rows) + "\n")
    assert load(tmp_path / "a.csv").rows().shape == (3, 100_000)


@pytest.mark.parametrize("name", ["a.csv", "a.ts", "a.parquet"])
def test_more_columns_than_can_be_looked_at(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.data.reading.formats._MOST_COLUMNS", 3)
    for count in (3, 4):
        table = pl.DataFrame({f"c{k}": [1, 2] for k in range(count)})
        channels = ":".join(["1,2,3"] * count)
        content = {"a.csv": table.write_csv().encode(), "a.parquet": parquet(table)}
        content["a.ts"] = f"@data\n{channels}\n{channels}\n".encode()
        (tmp_path / name).write_bytes(content[name])
        if count == 3:
            assert load(tmp_path / name).rows().shape == (2, 3)
        else:
            with pytest.raises(DataError, match="has 4 columns, and up to 3 are read"):
                load(tmp_path / name)


def test_of_a_cell_with_millions_of_steps_the_first_tell_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(spread, "_is_number", lambda text: not looked.append(text))
    row = ",".join(["1.5"] * 300_000)
    (tmp_path / "a.ts").write_text(f"@classLabel true a b\n@data\n{row}:a\n{row}:b\n")
    column = load(tmp_path / "a.ts").rows()["x"]
    assert spread.holds(Cells(column, "text", column)) == "numbers"
    assert 1000 < len(looked) < 60_000
    letters = pl.Series("x", ["ACGT" * 100_000, "TTGA" * 100_000])
    assert spread.holds(Cells(letters, "text", letters)) == "letters"


def test_a_file_of_the_users_that_ends_python(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"raise SystemExit(0)", b"\x00", b"\xff", b"x = (" * 300, b""):
        (tmp_path / "mine.py").write_bytes(content)
        assert "mine.py" in said_by(["explain", f"{tmp_path / 'mine.py'}:A"], capsys)


def test_names_of_columns_are_no_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither as text nor as JSON: signs that turn letters around, or clear the screen."""
    name = "a\x1b[2J\u202eb\x9b"
    rows = "".join(f"2020-01-{k:02d},{k % 7}\n" for k in range(1, 29))
    (tmp_path / "a.csv").write_text(f'date,"{name}"\n{rows}')
    for flags in ([], ["--json"]):
        assert run(["describe", str(tmp_path / "a.csv"), *flags]) == 0
        shown = capsys.readouterr().out
        assert not {"\x1b", "\u202e", "\x9b"} & set(shown)
    assert name in json.loads(shown)["roles"]
