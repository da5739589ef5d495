"""What is damaged in a comparison's folder is trained again; and nothing is lost on the way."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comparing import QUICK, RATES, run_comparison, stored

from penstock import atomic
from penstock.atomic import write
from penstock.cli.main import run
from penstock.comparison.watcher import Watcher
from penstock.data import sunspots
from penstock.record.results import Record

SAME: dict[str, Any] = {"cells": ["rnn", "gru"], "seeds": 2, "rates": RATES}


class Ears(Watcher):
    def __init__(self) -> None:
        self.heard = list[str]()

    def discarded(self, why: str) -> None:
        self.heard.append(why)


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def other(path: Path) -> None:
    """Another comparison's: whole, but of no use."""
    if path.suffix == ".json":
        path.write_text(json.dumps({**json.loads(path.read_text()), "metrics": {"MASE": "low"}}))
    else:
        wrong = min(path.parent.parent.parent.parent.rglob("rnn-0/trail/*.safetensors"))
        path.write_bytes(wrong.read_bytes())


def pipe(path: Path) -> None:
    """Whoever opened it would wait for ever."""
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").touch()


def of_another_seed(path: Path) -> None:
    changed(path, seed=7)


def without_metrics(path: Path) -> None:
    changed(path, metrics={})


def unfinished(path: Path) -> None:
    changed(path, status="cut")


def changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


KEPT = {"result": "gru-0/trial.json", "weights": "gru-0/trail/0.safetensors",
        "tuning": "gru-1000000/trial.json"}  # fmt: skip


@pytest.mark.parametrize("spoil", [halved, emptied, other, pipe, folder])
@pytest.mark.parametrize("kind", KEPT)
def test_a_damaged_file_is_trained_again(
    kind: str, spoil: Callable[[Path], None], finished: tuple[Record, Path], tmp_path: Path
) -> None:
    out, ears = Path(shutil.copytree(finished[1], tmp_path / "out")), Ears()
    path = min(out.glob(f"trials/*/{KEPT[kind]}"))
    spoil(path)
    run_comparison(sunspots(), out, budget=QUICK, watcher=ears, **SAME)
    assert stored(out) == stored(finished[1])
    assert len(ears.heard) == 1
    assert str(path.parent if kind != "weights" else path.parent.parent) in ears.heard[0]
    assert path.exists()


@pytest.mark.parametrize("spoil", [of_another_seed, without_metrics, unfinished])
def test_a_result_of_another_trial_is_trained_again(
    spoil: Callable[[Path], None], finished: tuple[Record, Path], tmp_path: Path
) -> None:
    test_a_damaged_file_is_trained_again("result", spoil, finished, tmp_path)


@pytest.mark.parametrize("name", ["results.json", "results.csv", "report.html", "report.md"])
def test_a_folder_where_a_file_is_to_be(
    name: str, tmp_path: Path, finished: tuple[Record, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said before anything is trained."""
    out = Path(shutil.copytree(finished[1], tmp_path / "out"))
    folder(out / name)
    assert run(["compare", "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert f"{out / name} is a folder where a file is to be written; move it away" in said
    assert len(said.splitlines()) == 1


def test_weights_that_are_gone_are_made_again(
    finished: tuple[Record, Path], tmp_path: Path
) -> None:
    out, ears = Path(shutil.copytree(finished[1], tmp_path / "out")), Ears()
    weights = sorted(out.glob("trials/*/*/trail/*.safetensors"))
    for path in weights:
        path.unlink()
    run_comparison(sunspots(), out, budget=QUICK, watcher=ears, **SAME)
    assert stored(out) == stored(finished[1])
    assert len(ears.heard) == 4
    assert sorted(out.glob("trials/*/*/trail/*.safetensors")) == weights


@pytest.mark.parametrize("content", [b"", b"x" * 99, b"other"])
def test_a_damaged_checkpoint(
    content: bytes, finished: tuple[Record, Path], tmp_path: Path
) -> None:
    out, ears = Path(shutil.copytree(finished[1], tmp_path / "out")), Ears()
    folder = min(out.glob("trials/*/gru-0"))
    whole = (folder / "trail" / "0.safetensors").read_bytes()  # whole, but no checkpoint
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "checkpoint.safetensors").write_bytes(whole if content == b"other" else content)
    run_comparison(sunspots(), out, budget=QUICK, watcher=ears, **SAME)
    assert stored(out) == stored(finished[1])
    assert len(ears.heard) == 1
    assert not list(out.rglob("checkpoint*"))


def test_a_file_is_on_the_disk_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        target = os.readlink(f"/proc/self/fd/{descriptor}")
        done.append("folder" if target == str(tmp_path) else f"{os.path.getsize(target)} bytes")
        sync(descriptor)

    def replaced(*names: Any) -> None:
        done.append("name")
        replace(*names)

    monkeypatch.setattr(atomic.os, "fsync", synced)
    monkeypatch.setattr(atomic.os, "replace", replaced)
    write(tmp_path / "file", "seven\u2026")
    assert done == ["8 bytes", "name", "folder"]


def test_all_that_a_comparison_writes_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: set[Path] = set()
    replace = os.replace

    def replaced(before: Path, after: Path) -> None:
        named.add(Path(after))
        replace(before, after)

    monkeypatch.setattr(atomic.os, "replace", replaced)
    run_comparison(
        sunspots(), tmp_path / "o", budget=QUICK, **{**SAME, "cells": ["rnn"], "seeds": 1}
    )
    files = {path for path in (tmp_path / "o").rglob("*") if path.is_file()}
    assert len(files) > 8
    assert files <= named


def test_a_temporary_file_follows_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs").write_text("kept")
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda _: "known")
    (tmp_path / ".known.tmp").symlink_to(tmp_path / "theirs")
    with pytest.raises(FileExistsError):
        write(tmp_path / "file", "new")
    assert (tmp_path / "theirs").read_text() == "kept"


def test_the_name_of_a_temporary_file_cannot_be_foreseen(tmp_path: Path) -> None:
    with atomic.replacing(tmp_path / "a") as one, atomic.replacing(tmp_path / "a") as other:
        names = [re.fullmatch(r"\.([0-9a-f]{16})\.tmp", path.name) for path in (one, other)]
        assert all(names)
        assert one != other
