"""Models from strangers: one line and exit code 2, or predictions; never a traceback."""

import copy
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from comparing import run_comparison

from penstock.cli.main import run
from penstock.comparison.inspection import _bind
from penstock.comparison.keeping.files import load_model
from penstock.data.files import Source
from penstock.data.samples import sample, samples
from penstock.data.series import Options
from penstock.data.understanding import understand
from penstock.errors import PenstockError
from penstock.tasks import find_task
from penstock.tasks.following import text_codec
from penstock.training.loop import Budget

OPTIONS = {"shops": Options(known=("promo",))}
TINY = Budget(steps=1, round_steps=1, batch_size=4)
DELETED = object()
VALUES: list[Any] = [DELETED, None, True, -3, 0.5, 10**30, "x", "", [], {}, [[[]]], {"x": [{}]}]
Place = tuple[str | int, ...]


def trained(name: str, out: Path) -> Path:
    """Return a model of a sample, trained for a moment."""
    source, options = sample(name), OPTIONS.get(name, Options())
    task = understand(source, options).task
    data = find_task(task).read(source, options)
    run_comparison(data, out, task=task, cells=["gru"], seeds=1, budget=TINY, rates=(1e-2,))
    return out / "models" / "gru.json"


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Yield where each field is; of a list, the first."""
    inner = value.items() if isinstance(value, dict) else ()
    for key, one in enumerate(value[:1]) if isinstance(value, list) else inner:
        if at in (("settings",), ("metrics",)) and key not in ("horizon", *list(value)[:1]):
            continue  # nothing reads the others
        yield (*at, key)
        yield from places(one, (*at, key))


def changed(whole: Any, place: Place, value: Any) -> Any:
    result = copy.deepcopy(whole)
    at = result
    for key in place[:-1]:
        at = at[key]
    if value is DELETED:
        del at[place[-1]]
    else:
        at[place[-1]] = value
    return result


def mutations(whole: Any) -> Iterator[tuple[Place, Any]]:
    """Yield each field with each other value; longer and shorter lists; a deep one."""
    for place in places(whole):
        old = whole
        for key in place:
            old = old[key]
        more = [-old] if isinstance(old, int | float) and not isinstance(old, bool) else []
        more += [old * 2, old[1:], old[::-1]] if isinstance(old, list) else []
        yield from ((place, value) for value in (*VALUES, *more))


def try_out(about: Any, path: Path, source: Source) -> str:
    """Use a model in every way that a command does; return what was said, or ""."""
    path.write_text(json.dumps(about))
    try:
        network, read = load_model(path)
        task = find_task(read["task"])
        task.codec.apply(network, read["spec"], source)[0].write_csv()
        _bind(read, source)
    except PenstockError as error:
        return str(error)
    return ""


def short(name: str) -> Source:
    """Return a sample's beginning, which is enough to predict from."""
    source = sample(name)
    arrays = dict(list((source.arrays or {}).items())[:2]) or None
    table = None if source.table is None else source.table.head(700)
    return Source(source.name, table, source.text and source.text[:500], arrays)


@pytest.mark.parametrize("name", sorted(samples()))
def test_every_field_of_a_model(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_codec, "_CONTINUED", 3)
    model, path = trained(name, tmp_path / "out"), tmp_path / "gru.json"
    shutil.copy(model.with_suffix(".safetensors"), path.with_suffix(".safetensors"))
    whole, source, said = json.loads(model.read_text()), short(name), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for place, value in mutations(whole):
            try:
                said.append(try_out(changed(whole, place, value), path, source))
            except Exception as error:
                raise AssertionError(f"{place} = {value!r}: {error!r}") from error
    assert len(said) > 150
    assert not any("\n" in one for one in said)
    assert sum(map(bool, said)) > len(said) / 3


def headers(header: dict[str, Any], end: int) -> Iterator[bytes]:
    """Yield headers of safetensors with a field changed, and with nonsense for all."""
    fields = [place for place in places(header) if place[0] != "__metadata__"]
    for place in fields[:12]:
        for value in (*VALUES, end, [0, end], [-1, 4], [2**62, 2**62], "F64", "F8_E4M3", "I32"):
            yield json.dumps(changed(header, place, value)).encode()
    yield from (b"", b"{", b"[" * 100_000, b"null", b'{"a": NaN}', b"\xff" * 50)


def test_every_field_of_the_header_of_weights(tmp_path: Path) -> None:
    model, path = trained("sunspots", tmp_path / "out"), tmp_path / "gru.json"
    shutil.copy(model, path)
    weights = path.with_suffix(".safetensors")
    raw, source = model.with_suffix(".safetensors").read_bytes(), short("sunspots")
    start = 8 + int.from_bytes(raw[:8], "little")
    header, about, said = json.loads(raw[8:start]), json.loads(model.read_text()), []
    whole = [
        len(new).to_bytes(8, "little") + new + raw[start:] for new in headers(header, len(raw))
    ]
    lengths = [n.to_bytes(8, "little") + raw[8:] for n in (0, 1, start - 9, len(raw), 2**63)]
    for content in (*whole, *lengths, b"", raw[:5], raw[: start + 40], raw[:-1], raw + b"x"):
        weights.write_bytes(content)
        said.append(try_out(about, path, source))
    assert len(said) > 200
    assert sum(map(bool, said)) > len(said) - 5
    weights.write_bytes(raw)
    assert try_out(about, path, source) == ""


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    model = trained("sunspots", tmp_path)
    file = model.with_suffix(".safetensors")
    weights = safetensors.torch.load_file(file)
    weights["head.bias"][0] = torch.nan
    safetensors.torch.save_file(weights, file)
    assert "not a finite number" in try_out(json.loads(model.read_text()), model, short("sunspots"))


@pytest.mark.parametrize(
    "content",
    ["", "null", "[]", "[" * 200_000, '{"a":' * 200_000, '{"schema": NaN}', '{"width": 1e999}',
     '{"width": 1, "width": 2}', "{", "\ud800", "9" * 5000, '"' + "x" * 1000],
)  # fmt: skip
def test_files_that_are_no_json_of_ours(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a model, and of a comparison."""
    for name in ("gru.json", "results.json"):
        (tmp_path / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    commands = (["predict", "gru.json", "sunspots"], ["predict", ".", "sunspots"], ["report", "."])
    for command in (*commands, ["inspect", "gru.json", "sunspots"], ["inspect", "."]):
        arguments = [str(tmp_path / one) if one[:1] in "g." else one for one in command]
        assert run(arguments) == 2, command
        assert len(capsys.readouterr().err.splitlines()) == 1, command


@pytest.mark.parametrize("name", ["gru", "drift"])
def test_weights_that_claim_a_terabyte(name: str, tmp_path: Path) -> None:
    """In a sparse file, which takes no room on the disk; a pipe is not waited for."""
    model = trained("sunspots", tmp_path).with_name(f"{name}.json")
    weights = model.with_suffix(".safetensors")
    about, key = json.loads(model.read_text()), next(iter(safetensors.torch.load_file(weights)))
    claim = {key: {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}}
    header = json.dumps(claim).encode()
    with weights.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 2**40)
    said = try_out(about, model, short("sunspots"))
    assert "unpacks to 1,024.0 GiB, and the limit is 1" in said
    weights.unlink()
    os.mkfifo(weights)
    assert "is a pipe or device" in try_out(about, model, short("sunspots"))


def test_a_width_that_a_file_only_claims(tmp_path: Path) -> None:
    """Two gigabytes of weights, for a file of kilobytes: nothing is built."""
    model = trained("sunspots", tmp_path)
    about = json.loads(model.read_text())
    script = (
        "import resource, sys; from penstock.cli.main import run; "
        "from penstock.comparison import inspection; "
        "from penstock.tasks.series import forecast; "
        "size = int(open('/proc/self/statm').read().split()[0]) * 4096; "
        "resource.setrlimit(resource.RLIMIT_AS, (size + 1500 * 2**20,) * 2); "
        "sys.exit(run(['predict', sys.argv[1], 'sunspots']))"
    )
    for width, code in ((about["structure"]["width"], 0), (20_000, 2)):
        model.write_text(json.dumps({**about, "structure": {**about["structure"], "width": width}}))
        command = [sys.executable, "-c", script, str(model)]
        eager = {**os.environ, "PENSTOCK_BACKEND": "eager"}  # no compiler under a limit
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=eager)
        assert done.returncode == code, done.stderr
    assert "does not fit what is said of it" in done.stderr
