"""Each mistake: one to three lines on stderr, exit code 2, and nothing in the output folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli.main import run

ROWS = [f"{1900 + i},{(i * i) % 17}" for i in range(120)]


def table(rows: list[str]) -> str:
    return "\n".join(["year,v", *rows]) + "\n"


def changed(row: int, text: str) -> str:
    return table([*ROWS[: row - 1], text, *ROWS[row:]])


FILES = {
    "an empty file": ("", ["data.csv is empty"]),
    "a header alone": ("year,v\n", ["no rows"]),
    "text": (changed(17, "1916,abc"), ["data.csv", "'v'", "row 17", "'abc'", "empty"]),
    "inf": (changed(17, "1916,inf"), ["'v'", "row 17"]),
    "-inf": (changed(17, "1916,-inf"), ["'v'", "row 17"]),
    "too few rows": (table(ROWS[:9]), ["too few rows", "15", "9"]),
    "a constant series": (table([f"{i},5" for i in range(120)]), ["'v' is constant"]),
    "out of order and repeated": (changed(12, "1905,1"), ["row 12", "1905", "repeated"]),
    "repeated": (changed(12, "1910,1"), ["row 12", "1910 is repeated"]),
    "no values": (table([f"{i}," for i in range(120)]), ["no value at all"]),
    "ragged": (changed(12, "1911,1,2,3"), ["cannot be read"]),
    "no header": ("\n".join(ROWS), ["first line holds numbers"]),
}


def labelled(rows: str) -> str:
    good = [f"s{k},{t},{'ab'[k % 2]}" for k in range(20) for t in range(4)]
    return "\n".join(["id,x,label", *good, *rows.split()]) + "\n"


# Of each kind of file: its name, what is in it, further options, and words of the message.
KINDS: dict[str, tuple[str, str | bytes, list[str], list[str]]] = {
    "text for a number": ("a.csv", labelled("s1,abc,b"), [], ["a.csv", "'x'", "row 81", "'abc'"]),
    "an empty id": ("a.csv", labelled(",3,b"), [], ["a.csv", "'id'", "row 81", "fill it in"]),
    "two labels": ("a.csv", labelled("s1,3,a"), ["--task", "classify"], ["'s1'", "--task tag"]),
    "labels that are no numbers": (
        "a.csv", labelled(""), ["--task", "regress"], ["a.csv", "'label'", "row 1", "'a'"],
    ),
    "an empty row": (
        "a.csv", "t0,t1,t2,label\n1,2,3,a\n,,,b\n", [], ["a.csv", "row 2", "delete the row"],
    ),
    "no labels": ("a.csv", table(ROWS), ["--task", "classify"], ["--target", "year, v"]),
    "a horizon": ("a.csv", labelled(""), ["--horizon", "3"], ["--horizon", "classify"]),
    "one class": ("a.csv", "id,x,label\n1,2,a\n1,3,a\n2,3,a\n2,3,a", [], ["two such classes"]),
    "a short text": ("a.txt", "abc", [], ["a.txt", "3 characters", "854"]),
    "an empty text": ("a.txt", "", [], ["a.txt", "empty"]),
    "no UTF-8": ("a.txt", bytes(9), ["--task", "text"], ["a.txt", "no text", "--task bytes"]),
    "a broken archive": ("a.npz", "PK nonsense", [], ["a.npz", "cannot be read"]),
    "no ones and zeros": (
        "a.csv",
        "\n".join(["a,b,c,d,e,f,g,h,i", *["0,1,0,1,0,1,0,1,1"] * 20, "7" + ",1" * 8]),
        ["--task", "frames"],
        ["a.csv", "'a'", "row 21", "'7' is not 0 or 1"],
    ),
    "a table for text": ("a.csv", table(ROWS), ["--task", "text"], ["a.csv", "no text", ".txt"]),
    "text for a table": ("a.txt", "abc", ["--task", "forecast"], ["a.txt", "no table"]),
    "an unknown column beside": ("a.csv", table(ROWS), ["--known", "w"], ["'w'"]),
    "text in a column beside": (
        "a.csv", "t,y,p\n" + "".join(f"{i},{i % 7},{'x' if i == 9 else 1}\n" for i in range(99)),
        ["--time-column", "t", "--target", "y", "--known", "p"], ["a.csv", "'p'", "row 10", "'x'"],
    ),
}  # fmt: skip

OPTIONS = {
    "unknown cell": (["--cells", "rnn,gruu"], ["'gruu'", "did you mean 'gru'"]),
    "no cell": (["--cells", ","], ["no cell"]),
    "twice a cell": (["--cells", "rnn,rnn"], ["twice"]),
    "long horizon": (["--horizon", "500"], ["500", "120", "--horizon"]),
    "no horizon": (["--horizon", "0"], ["horizon is 0"]),
    "text for a horizon": (["--horizon", "x"], ["--horizon"]),
    "unknown target": (["--target", "w"], ["'w'"]),
    "unknown id": (["--id", "w"], ["'w'"]),
    "unknown check": (["--skip-check", "leek"], ["'leek'", "did you mean 'leak'"]),
    "no duration": (["--time", "ten"], ["'ten'", "10m"]),
    "no time at all": (["--time", "0s"], ["'0s'", "10m"]),
    "no rate": (["--rates", "1e-3,x"], ["'1e-3,x'", "1e-2"]),
    "a rate below 0": (["--rates", "-1"], ["'-1'"]),
    "no steps": (["--steps", "0"], ["steps is 0"]),
    "no workers": (["--workers", "0"], ["workers is 0"]),
    "no seeds": (["--seeds", "0"], ["seeds is 0"]),
    "text for seeds": (["--seeds", "x"], ["--seeds"]),
    "unknown task": (["--task", "forcast"], ["did you mean 'forecast'"]),
    "unknown option": (["--sedes", "3"], ["--sedes"]),
}


def check(
    arguments: list[str], words: list[str], out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert 1 <= len(printed.err.splitlines()) <= 3
    assert "Traceback" not in printed.err
    assert all(word in printed.err for word in words), printed.err
    assert not out.exists()


@pytest.mark.parametrize("case", FILES)
def test_files(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, words = FILES[case]
    path, out = tmp_path / "data.csv", tmp_path / "out"
    path.write_text(text)
    check(["compare", str(path), "--out", str(out)], words, out, capsys)


@pytest.mark.parametrize("case", KINDS)
def test_every_kind_of_file(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, content, options, words = KINDS[case]
    path, out = tmp_path / name, tmp_path / "out"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    check(["compare", str(path), "--out", str(out), *options], words, out, capsys)


@pytest.mark.parametrize("case", OPTIONS)
def test_options(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options, words = OPTIONS[case]
    path, out = tmp_path / "data.csv", tmp_path / "out"
    path.write_text(table(ROWS))
    check(["compare", str(path), "--out", str(out), *options], words, out, capsys)


@pytest.mark.parametrize("name", ["none.csv", "data.xlsx", "data.csv", "data.parquet"])
def test_files_that_are_none(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / name, tmp_path / "out"
    if not name.startswith("none"):
        path.write_bytes(b"\x89PNG\xff\xfe\x00" * 40)
    check(["compare", str(path), "--out", str(out)], [name], out, capsys)


@pytest.mark.parametrize("below", ["", "inner"])
def test_the_output_is_a_file(
    below: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("kept")
    assert run(["compare", "--out", str(tmp_path / "file" / below)]) == 2
    assert "file is a file; choose another folder with --out" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_with_earlier_results_is_untouched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.json").write_text("earlier")
    assert run(["compare", "--out", str(tmp_path), "--horizon", "400"]) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]
    assert (tmp_path / "results.json").read_text() == "earlier"


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    script = "from penstock.cli.main import main; main()"
    command = [sys.executable, "-c", script, "compare", "--cells", "gruu"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("penstock: unknown cell 'gruu': did you mean 'gru'")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_unknown_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compre"]) == 2
    assert "'compre'" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["none.json", "model.bin", "empty"])
def test_models_that_are_none(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["forecast", str(tmp_path / model), "data.csv"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
