"""What the tests of builds share: compilers that are wrapped, a cache of a test's own, processes.

Compilers here are wrappers around the real one, which count their runs, wait, or fail.
"""

import signal
import subprocess
import sys
import textwrap

import pytest

from penstock.compiler.runtime import build
from penstock.compiler.runtime import cache as kernel_cache

SOURCE = "int answer(void) { return 42; }\n"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return a cache folder of this test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("PENSTOCK_CACHE", str(folder))
    monkeypatch.delenv("CC", raising=False)
    forget()
    yield folder
    monkeypatch.undo()
    forget()


@pytest.fixture
def soon():
    """End a test that would wait for ever, or for the minutes that nothing but a limit ends."""

    def too_long(*_):
        raise AssertionError("it waits for ever")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def forget():
    """Let the compiler be looked for again."""
    for function_ in (build.compiler, build._identity, build._say_once):
        function_.cache_clear()
    build._given_up.clear()
    kernel_cache._stuck.clear()


def use(monkeypatch, command):
    monkeypatch.setenv("CC", str(command))
    forget()


def wrapper(tmp_path, before, name="wrapped-cc"):
    """Return a compiler that does something of the shell's, and then what cc does."""
    path = tmp_path / name
    path.write_text(f'#!/bin/sh\n{before}\nexec cc "$@"\n')
    path.chmod(0o755)
    return path


def counting(tmp_path, monkeypatch):
    """Use a compiler that leaves a line for every run; return where."""
    log = tmp_path / "runs"
    use(monkeypatch, wrapper(tmp_path, f'echo run >> "{log}"'))
    return log


def runs(log):
    return len(log.read_text().splitlines()) if log.exists() else 0


def answer(source=SOURCE):
    return build.library(source).answer()


BUILDS = textwrap.dedent("""
    import warnings, sys
    warnings.simplefilter(sys.argv[2])
    from penstock.compiler.runtime import build
    print(build.library(sys.argv[1]).answer())
""")


def start(source=SOURCE, strict=True):
    """Start a process that builds a source and prints its answer; in a group of its own."""
    command = [sys.executable, "-c", BUILDS, source, "error" if strict else "always"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
