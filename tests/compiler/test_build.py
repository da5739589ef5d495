"""Building kernels: the cache, kills, many processes at once, folders that cannot be used."""

import ctypes
import errno
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from building import SOURCE, answer, counting, forget, runs, start, use, wrapper

import penstock
from penstock.compiler.runtime import build, made
from penstock.compiler.runtime.build import BuildError
from penstock.errors import BackendError
from penstock.layers.running import function

SAID = "the compiler's own last words"


# ---------------------------------------------------------------- the cache


def test_a_cached_kernel_is_not_compiled_again(cache, tmp_path, monkeypatch):
    log = counting(tmp_path, monkeypatch)
    assert answer() == 42
    assert answer() == 42
    assert runs(log) == 1
    assert answer(SOURCE.replace("42", "43")) == 43
    assert runs(log) == 2


def test_another_compiler_builds_its_own(cache, tmp_path, monkeypatch):
    log = counting(tmp_path, monkeypatch)
    answer()
    use(monkeypatch, wrapper(tmp_path, f'echo run >> "{log}" # another', "another-cc"))
    answer()
    assert runs(log) == 2


def test_nothing_but_the_kernel_is_left(cache):
    answer()
    assert {p.suffix for p in cache.iterdir()} <= {".so", ".lock"}


@pytest.mark.parametrize("damage", ["truncated", "empty", "altered", "garbage"])
def test_a_damaged_artefact_is_built_again(cache, tmp_path, monkeypatch, damage):
    log = counting(tmp_path, monkeypatch)
    command = build.compiler()
    cache.mkdir(0o700)
    path = build._cached(cache, "kernel", command, SOURCE)  # not loaded: a loaded file is mapped
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.unlink()
    path.write_bytes({
        "truncated": whole[:middle], "empty": b"", "garbage": b"\x7fELF" * 1000,
        "altered": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
    }[damage])  # fmt: skip
    assert ctypes.CDLL(str(build._cached(cache, "kernel", command, SOURCE))).answer() == 42
    assert runs(log) == 2


# ---------------------------------------------------------------- processes


def wait_for(path):
    deadline = time.monotonic() + 60
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.01)


@pytest.mark.parametrize("victim", ["process", "compiler too"])
def test_a_kill_in_the_middle_of_a_build(cache, tmp_path, monkeypatch, victim):
    """The next run builds; it waits for no one who is dead."""
    started, go = tmp_path / "started", tmp_path / "go"
    wait = f'echo $$ > "{started}"; n=0; while [ ! -e "{go}" ] && [ $n -lt 300 ]; do sleep 0.1; '
    use(monkeypatch, wrapper(tmp_path, wait + "n=$((n+1)); done"))
    process = start()
    wait_for(started)
    process.kill()
    if victim == "compiler too":
        os.killpg(int(started.read_text()), signal.SIGKILL)
    process.communicate()
    go.touch()  # from now on the compiler does not wait, also the orphan of the first run
    after = start()
    assert after.communicate(timeout=60) == ("42\n", "")
    assert answer() == 42


# ---------------------------------------------------------------- folders that cannot be used

CANNOT = r"the kernel cache cannot be used .*Set PENSTOCK_CACHE"


def test_a_file_in_the_way_of_the_folder(cache):
    cache.write_text("a file")
    with pytest.warns(UserWarning, match=CANNOT):
        assert answer() == 42
    assert cache.read_text() == "a file"


def test_a_folder_that_cannot_be_made(tmp_path, cache, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "file" / "below"))
    with pytest.warns(UserWarning, match=CANNOT):
        assert answer() == 42


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(cache):
    cache.mkdir()
    cache.chmod(0o500)
    with pytest.warns(UserWarning, match=CANNOT):
        assert answer() == 42


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
@pytest.mark.parametrize("step", ["mkdir", "write_text", "replace", "open"])
def test_a_full_or_forbidden_folder(cache, monkeypatch, step, number):
    """Whatever step fails in the cache's folder, the kernel is built for this process alone."""
    owner = Path if step == "write_text" else os
    usual = getattr(owner, step)

    def failing(path, *args, **kwargs):
        if str(path).startswith(str(cache)):
            raise OSError(number, os.strerror(number), str(path))
        return usual(path, *args, **kwargs)

    monkeypatch.setattr(owner, step, failing)
    with pytest.warns(UserWarning, match=CANNOT):
        assert answer() == 42


def test_a_layer_runs_on_without_a_cache(cache):
    """The warning comes once a kernel, and the results are right."""
    cache.write_text("a file")
    cell = tanh_cell()
    layer, x = penstock.Recurrent(cell, 3, 4), torch.randn(5, 2, 3)
    with pytest.warns(UserWarning, match=CANNOT) as said:
        ours = layer(x)[0]
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(x)
    assert_as_eager(layer, x, ours)


# ---------------------------------------------------------------- compilers


def tanh_cell():
    """Return a new class, of which nothing is known yet."""

    class Plain(penstock.Cell):
        g = penstock.Gate()

        def step(self, x, h):
            return torch.tanh(self.g(x, h))

    return Plain


def assert_as_eager(layer, x, output):
    with penstock.backend("eager"):
        torch.testing.assert_close(output, layer(x)[0], rtol=1e-5, atol=1e-5)


def test_a_compiler_that_fails(cache, tmp_path, monkeypatch):
    use(monkeypatch, wrapper(tmp_path, f'echo "{SAID}" >&2; exit 3'))
    with pytest.raises(BuildError, match=f"wrapped-cc failed with status 3: {SAID}"):
        answer()
    layer, x = penstock.Recurrent(tanh_cell(), 3, 4), torch.randn(5, 2, 3)
    with pytest.warns(UserWarning, match=f"Plain runs eager.*{SAID}") as said:
        output = layer(x)[0]
    assert len(said) == 1
    assert_as_eager(layer, x, output)


def test_a_compiler_that_makes_nothing(cache, tmp_path, monkeypatch):
    use(monkeypatch, wrapper(tmp_path, "exit 0"))
    with pytest.raises(BuildError, match="wrapped-cc left no library: it said nothing"):
        answer()


@pytest.mark.parametrize("make", ["mkdir", "mkfifo", "ln -s /dev/zero"])
def test_a_compiler_that_makes_no_file(cache, tmp_path, monkeypatch, make):
    """Whoever read a pipe would wait, and whoever read a device would not end."""
    write = f'while [ "$1" != -o ]; do shift; done; {make} "$2"; exit 0'
    use(monkeypatch, wrapper(tmp_path, write))
    with pytest.raises(BuildError, match="wrapped-cc left no library"):
        answer()


def test_a_compiler_that_makes_something_else(cache, tmp_path, monkeypatch):
    """A library, but without our functions: the layer runs eager."""
    (tmp_path / "else.c").write_text("int nothing;")
    other = f'while [ "$1" != -o ]; do shift; done; exec cc -shared {tmp_path}/else.c -o "$2"'
    use(monkeypatch, wrapper(tmp_path, other))
    layer, x = penstock.Recurrent(tanh_cell(), 3, 4), torch.randn(5, 2, 3)
    with pytest.warns(UserWarning, match="Plain runs eager.*the compiler made no kernel .*forward"):
        output = layer(x)[0]
    assert_as_eager(layer, x, output)


def test_a_disk_that_is_full_is_named(cache, monkeypatch):
    """A linker that has no room says no more than that it failed."""
    full = SimpleNamespace(free=2**19)
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _: full)
    monkeypatch.setattr(build, "_FLAGS", [*build._FLAGS, "-no-such-flag"])
    with (
        pytest.warns(UserWarning, match=CANNOT.replace(".*", ".*No space left on device.*")),
        pytest.raises(BuildError, match="No space left on device"),
    ):
        answer()
    full.free = 2**30
    with pytest.raises(BuildError, match="no-such-flag"):
        answer()


def test_a_compiler_that_makes_what_cannot_be_loaded(cache, tmp_path, monkeypatch):
    """It is the compiler that is told of, not the cache, and the layer runs eager."""
    write = 'while [ "$1" != -o ]; do shift; done; echo nonsense > "$2"; exit 0'
    use(monkeypatch, wrapper(tmp_path, write))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(BuildError):
            answer()


@pytest.fixture
def no_compiler(cache, monkeypatch):
    monkeypatch.setenv("PATH", str(cache))
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda _: None)
    forget()


def test_no_compiler_at_all(no_compiler):
    layer, x = penstock.Recurrent(tanh_cell(), 3, 4), torch.randn(5, 2, 3)
    with pytest.warns(UserWarning, match="Plain runs eager.*no C compiler.*ziglang") as said:
        output = layer(x)[0]
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(x)
    assert_as_eager(layer, x, output)
    with penstock.backend("c"), pytest.raises(BackendError, match="no C compiler"):
        layer(x)
    with pytest.raises(BuildError, match="no C compiler"):
        answer()


def test_a_compiler_that_comes_later_is_taken(cache, monkeypatch):
    """In a new class; what was said of one stands for the life of the process."""
    monkeypatch.setenv("CC", "no-such-compiler")
    forget()
    assert build.compiler() is not None  # the system's stands in
    assert answer() == 42


def test_an_unknown_cc_with_nothing_else(no_compiler, monkeypatch):
    use(monkeypatch, "no-such-compiler -O2")
    assert build.compiler() is None


def test_ziglang(cache, monkeypatch):
    pytest.importorskip("ziglang")
    use(monkeypatch, f"{sys.executable} -m ziglang cc -fno-sanitize=undefined")
    layer = penstock.Recurrent("gru_reset_before", 3, 21, dtype=torch.float64)
    x = torch.randn(5, 4, 3, dtype=torch.float64, requires_grad=True)
    monkeypatch.setattr(made, "_MADE", type(made._MADE)())
    found = []
    for name in ("c", "eager"):
        with penstock.backend(name):
            output = layer(x)[0]
        found.append([output, *torch.autograd.grad(output.sum(), [x, *layer.parameters()])])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_a_backend_that_does_not_exist():
    with pytest.raises(BackendError, match="no backend 'cuda'; there are: auto, eager, c"):
        function._known("cuda")
